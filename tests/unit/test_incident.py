from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.alerts.core import lifecycle as steps
from services.alerts.core.incident import ALLOWED, Change, Incident, Policy, WrongTransition, reason_to_withhold
from services.alerts.core.telling import Reason, told
from tests import flagkit
from tests.flagkit import HANDLING, T0, book, clearing, flag, joined

NOW = T0 + timedelta(hours=8)  # our clock; that of the switch is another one
POLICY = Policy()


def opened(**more: Any) -> Incident:
    return flagkit.opened(flag(**more), NOW).incident


def test_an_incident_keeps_both_clocks() -> None:
    change = flagkit.opened(flag(), NOW)
    assert (change.incident.started, change.incident.opened_at) == (T0, NOW)
    assert (change.entry.switch_time, change.entry.at) == (T0 + timedelta(seconds=7), NOW)


def test_the_way_from_open_to_resolved() -> None:
    one = steps.acknowledged(opened(), "Li", "looking", NOW + timedelta(minutes=1)).incident
    assert (one.state, one.owner, one.acknowledged_at) == ("acknowledged", "Li", NOW + timedelta(minutes=1))
    change = steps.resolved(one, "Wu", "", NOW + timedelta(hours=1), cause="trunk", recheck_on=date(2026, 12, 1))
    assert (change.incident.state, change.incident.resolver, change.incident.owner) == ("resolved", "Wu", "Li")
    assert change.entry.data == {"cause": "trunk", "recheck_on": "2026-12-01"}


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        ("open", ["reopen"]),
        ("acknowledged", ["acknowledge", "reopen"]),
        ("resolved", ["acknowledge", "resolve"]),
    ],
)
def test_what_a_state_does_not_allow_changes_nothing_and_says_what_does(state: str, refused: list[str]) -> None:
    one = msgspec.structs.replace(opened(), state=state, owner="Li")
    act = {"acknowledge": steps.acknowledged, "resolve": steps.resolved, "reopen": steps.reopened}
    for action in refused:
        with pytest.raises(WrongTransition) as error:
            act[action](one, "Wu", "", NOW)
        assert state in str(error.value)
        assert error.value.allowed == ALLOWED[one.state]
    assert steps.noted(one, "Wu", "a note", NOW).incident.state == state


def test_a_second_person_hears_who_has_it() -> None:
    one = steps.acknowledged(opened(), "Li", "", NOW).incident
    with pytest.raises(WrongTransition, match="acknowledged by Li"):
        steps.acknowledged(one, "Wu", "", NOW)


def test_a_cleared_flag_ends_the_condition_and_leaves_the_incident_open() -> None:
    change = steps.cleared(opened(), clearing(), NOW)
    assert (change.incident.state, change.incident.condition) == ("open", "ended")
    assert (change.incident.ended, change.incident.quiet_since) == (clearing().cleared, NOW)
    assert change.entry.kind == "flag_cleared"


def test_a_further_flag_means_that_the_one_before_is_over_said_or_not() -> None:
    change = joined(opened(), flag("f2"), NOW)
    assert (change.incident.active, change.unheard) == ({"f2": flag().topic}, {"f1"})
    assert change.incident.condition == "active"
    assert book(POLICY, [change.incident], [("f1", "f1")]).cleared(clearing("f1"), NOW) == ("duplicate", None)
    assert steps.cleared(change.incident, clearing("f2"), NOW).incident.condition == "ended"


def test_when_the_record_is_lost_nobody_claims_to_know() -> None:
    change = steps.lost(opened(severity="warning"), NOW)
    assert (change.incident.condition, change.incident.ended, change.unheard) == ("unknown", None, {"f1"})
    assert change.incident.state == "open"
    assert steps.quiet_deadline(change.incident, POLICY) == NOW + timedelta(hours=8)


def test_a_joining_flag_can_only_raise_the_severity() -> None:
    one = joined(opened(severity="warning"), flag("f2", severity="critical"), NOW).incident
    assert one.severity == "critical"
    assert joined(one, flag("f3", severity="info"), NOW).incident.severity == "critical"


@pytest.mark.parametrize(("minutes", "incidents", "openings"), [(15, 1, 2), (16, 2, 1)])
def test_a_flag_soon_after_the_resolution_reopens_and_later_opens_another(
    minutes: int, incidents: int, openings: int
) -> None:
    resolved = steps.resolved(opened(), "Li", "", NOW, cause="x").incident
    known = book(POLICY, [msgspec.structs.replace(resolved, id=1)], [("f1", "f1")])
    outcome, change = known.raised(flag("f2"), NOW + timedelta(minutes=minutes))
    assert change is not None
    assert len(known.incidents) == incidents
    assert (change.incident.state, change.incident.openings) == ("open", openings)
    assert outcome == ("reopened" if incidents == 1 else "opened")
    assert (change.incident.resolver, change.incident.cause, change.incident.resolved_at) == ("", "", None)


def test_other_subjects_rules_and_sites_never_share_an_incident() -> None:
    known = book(POLICY)
    for number, other in enumerate([{}, {"subject_id": "t2"}, {"rule": "long_hold"}, {"site": "s2"}]):
        assert known.raised(flag(f"f{number}", **other), NOW)[0] == "opened"
    alike = [flag(site="a/b", rule="c"), flag(site="a", rule="b/c")]
    assert len({HANDLING.group(one) for one in alike}) == 2


def test_a_flag_that_ended_before_we_listened_is_only_counted() -> None:
    assert book(POLICY).cleared(clearing("never seen"), NOW) == ("unknown_flag", None)


@pytest.mark.parametrize(
    ("severity", "state", "hours", "resolves"),
    [
        ("warning", "open", 7.9, False),
        ("warning", "open", 8, True),
        ("critical", "open", 23.9, False),
        ("critical", "open", 24, True),
        ("warning", "acknowledged", 1000, False),
    ],
)
def test_only_what_nobody_took_resolves_itself(severity: str, state: str, hours: float, resolves: bool) -> None:
    one = steps.cleared(opened(severity=severity), clearing(), NOW).incident
    if state == "acknowledged":
        one = steps.acknowledged(one, "Li", "", NOW).incident
    change = steps.resolved_if_quiet(one, POLICY, NOW + timedelta(hours=hours))
    assert (change is not None) == resolves
    if change:
        assert (change.incident.state, change.incident.resolver, change.entry.kind) == (
            "resolved",
            "floorwatch",
            "resolved_quiet",
        )


def test_what_still_holds_never_resolves_itself() -> None:
    assert steps.resolved_if_quiet(opened(), POLICY, NOW + timedelta(days=400)) is None


def reason(change: Change | None) -> str:
    return change.entry.data["reason"] if change else Reason.NONE


def test_people_are_told_once_for_each_opening() -> None:
    change = told(opened(), NOW)
    assert change is not None
    assert (reason(change), change.entry.data["receivers"]) == (Reason.OPENED, ["ops"])
    one = change.incident
    assert told(one, NOW) is None
    more = joined(one, flag("f2"), NOW).incident
    assert told(more, NOW) is None
    assert reason(told(more, NOW + timedelta(minutes=5))) == Reason.MORE
    resolved = steps.resolved(more, "Li", "", NOW).incident
    assert told(resolved, NOW) is None
    by_hand = steps.reopened(resolved, "Li", "", NOW).incident
    assert told(by_hand, NOW) is None
    back = joined(resolved, flag("f3"), NOW).incident
    assert reason(told(back, NOW)) == Reason.REOPENED


def withheld(one: Incident, late: timedelta) -> bool:
    return reason_to_withhold(one, late, timedelta(hours=1)) != ""


def test_after_an_outage_only_what_still_matters_is_told() -> None:
    holds, over = opened(), steps.cleared(opened(), clearing(), NOW).incident
    assert not withheld(holds, timedelta(hours=3))
    assert withheld(over, timedelta(hours=3))
    assert not withheld(over, timedelta(seconds=1))
    assert withheld(steps.resolved(holds, "Li", "", datetime.max.replace(tzinfo=NOW.tzinfo)).incident, timedelta())
