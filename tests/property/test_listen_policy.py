"""Who may listen to whom: the same whatever the order of rules, never more than a rule says, and only until its hours end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.listen.policy import Allowed, Facts, Refused, Verdict, decide, modes_for, purposes_for
from shared.identity import Principal, Role
from shared.siteconfig import PURPOSES, Listening, ListenRule

ZONE = ZoneInfo("Europe/Copenhagen")
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # a Monday, 12:00 there
ANNA = Facts(agent_id="1", team="Blue", queues=("sales",), tags=("new_agent",))


def person(*roles: Role, user: str = "li") -> Principal:
    return Principal(user, user, frozenset(roles or ("inspector",)))


def ask(
    policy: Listening, who: Principal | None = None, facts: Facts = ANNA, at: datetime = NOON, **how: Any
) -> Verdict:
    wish = {"mode": "listen", "purpose": "live_qa"} | how
    return decide(who or person(), policy, ZONE, facts, wish["mode"], wish["purpose"], at)


def code(found: Verdict) -> str:
    return found.code if isinstance(found, Refused) else ""


def rule(**conditions: Any) -> Listening:
    return Listening(rules=(ListenRule(**conditions),))


def test_without_rules_everybody_with_the_permission_may() -> None:
    assert ask(Listening()) == Allowed(None)
    assert code(ask(Listening(), person("viewer"))) == "permission"
    assert code(ask(Listening(), person("auditor"))) == "permission"
    assert ask(Listening(), person("supervisor"), mode="barge") == Allowed(None)


@pytest.mark.parametrize(
    ("policy", "wish", "refused"),
    [
        (rule(roles=("supervisor",)), {}, "not_you"),
        (rule(users=("wang",)), {}, "not_you"),
        (rule(teams=("Red",)), {}, "not_them"),
        (rule(queues=("support",)), {}, "not_them"),
        (rule(tags=("trainee",)), {}, "not_them"),
        (rule(modes=("listen",)), {"mode": "barge"}, "mode"),
        (rule(purposes=("coaching",)), {}, "purpose"),
        (Listening(purposes=("coaching",)), {}, "purpose"),
        (rule(hours="13:00-14:00"), {}, "hours"),
        (rule(days=("sat", "sun")), {}, "hours"),
        (rule(hours=("08:00-11:59", "12:01-20:00")), {}, "hours"),
        (rule(roles=("inspector",), users=("li",), teams=("Blue",), queues=("sales",), tags=("new_agent",)), {}, ""),
        (rule(modes=("listen", "whisper"), purposes=("live_qa",), hours="12:00-12:01", days=("mon",)), {}, ""),
        (rule(hours="22:00-12:01", days=("sun",)), {}, ""),  # the window of Sunday lasts until Monday noon
        (rule(hours="22:00-12:01", days=("mon",)), {}, "hours"),
    ],
)
def test_each_condition(policy: Listening, wish: dict[str, Any], refused: str) -> None:
    assert code(ask(policy, **wish)) == refused


def test_a_refusal_tells_of_the_rule_that_came_furthest() -> None:
    policy = Listening(rules=(ListenRule(users=("wang",)), ListenRule(hours="20:00-21:00"), ListenRule(teams=("Red",))))
    assert code(ask(policy)) == "hours"


def test_a_call_without_an_agent_fits_only_rules_that_ask_for_none() -> None:
    waiting = Facts(queues=("sales",))
    assert code(ask(rule(teams=("Blue",)), facts=waiting)) == "not_them"
    assert code(ask(rule(queues=("sales",)), facts=waiting)) == ""


def test_it_is_allowed_until_the_last_of_the_hours_end() -> None:
    two = Listening(rules=(ListenRule(hours="08:00-13:00"), ListenRule(hours="11:00-18:30", teams=("Blue",))))
    assert ask(two) == Allowed(datetime(2026, 11, 23, 17, 30, tzinfo=UTC))
    assert ask(two, facts=Facts(team="Red")) == Allowed(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))


def test_what_somebody_may_do_there() -> None:
    policy = Listening(rules=(ListenRule(roles=("inspector",), modes=("listen",), purposes=("live_qa", "coaching")),))
    assert modes_for(person(), policy) == ("listen",)
    assert purposes_for(person(), policy) == ("live_qa", "coaching")
    assert modes_for(person("supervisor"), policy) == purposes_for(person("supervisor"), policy) == ()
    assert modes_for(person(), Listening()) == ("listen", "whisper", "barge")


some: Any = {
    "roles": st.sampled_from([(), ("inspector",), ("supervisor", "inspector"), ("admin",)]),
    "users": st.sampled_from([(), ("li",), ("wang",)]),
    "teams": st.sampled_from([(), ("Blue",), ("Red",)]),
    "queues": st.sampled_from([(), ("sales",), ("support", "sales")]),
    "tags": st.sampled_from([(), ("new_agent",)]),
    "modes": st.sampled_from([(), ("listen",), ("listen", "whisper")]),
    "purposes": st.sampled_from([(), ("live_qa",), ("coaching", "complaint")]),
    "hours": st.sampled_from([(), "08:00-20:00", "20:00-08:00", ("06:00-09:00", "12:00-13:30")]),
    "days": st.sampled_from([(), ("mon", "tue"), ("sun",)]),
}
rules = st.lists(st.builds(ListenRule, **some), max_size=4)
wishes = st.fixed_dictionaries(
    {
        "who": st.sampled_from([person("inspector"), person("supervisor", user="wang"), person("viewer")]),
        "facts": st.sampled_from([ANNA, Facts(team="Red", queues=("support",)), Facts()]),
        "mode": st.sampled_from(["listen", "whisper", "barge"]),
        "purpose": st.sampled_from(PURPOSES),
        "at": st.integers(0, 14 * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    }
)


@given(rules, wishes, st.randoms())
def test_the_order_of_rules_does_not_matter(found: list[ListenRule], wish: dict[str, Any], dice: Any) -> None:
    other = list(found)
    dice.shuffle(other)
    assert ask(Listening(rules=tuple(found)), **wish) == ask(Listening(rules=tuple(other)), **wish)


@given(rules, rules, wishes)
def test_a_further_rule_never_takes_away_and_the_first_may(
    found: list[ListenRule], more: list[ListenRule], wish: dict[str, Any]
) -> None:
    before = ask(Listening(rules=tuple(found)), **wish)
    if found and isinstance(before, Allowed):
        assert isinstance(ask(Listening(rules=(*found, *more)), **wish), Allowed)


@given(rules, wishes)
def test_what_is_allowed_is_so_by_one_rule_alone_and_until_its_end(
    found: list[ListenRule], wish: dict[str, Any]
) -> None:
    policy = Listening(rules=tuple(found))
    verdict = ask(policy, **wish)
    if not found:
        return
    alone = [ask(Listening(rules=(one,)), **wish) for one in found]
    assert isinstance(verdict, Allowed) == any(isinstance(one, Allowed) for one in alone)
    if isinstance(verdict, Allowed) and verdict.until is not None:
        assert verdict.until > wish["at"]
        just_before = wish | {"at": verdict.until - timedelta(microseconds=1)}
        assert isinstance(ask(policy, **just_before), Allowed)
