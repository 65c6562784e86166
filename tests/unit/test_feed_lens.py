"""Who sees what, one rule after the other."""

from __future__ import annotations

import pytest

from services.monitor.core.engine import Engine
from services.monitor.core.floor import Kind
from services.monitor.feed.lens import FlagTraits, Lens, TransferTraits, Wanted
from shared.events import (
    AgentLoggedOn,
    CallQueued,
    CallStarted,
    Clock,
    LegAnswered,
    LegStarted,
    LinkUp,
    TransferRequested,
)
from shared.identity import Scope
from shared.siteconfig import AgentConfig, SiteConfig, Sites
from tests.floorkit import RULES, event

TEAMS = {"anna": "red", "ben": "blue", "cora": ""}
HAPPENED = (
    (0, LinkUp(connector="test")),
    (0, AgentLoggedOn(agent_id="anna", queues=("sales", "support"))),
    (0, AgentLoggedOn(agent_id="ben", queues=("support",))),
    (0, AgentLoggedOn(agent_id="cora", queues=())),
    (1, CallStarted(call_id="annas")),
    (1, LegStarted(call_id="annas", leg_id="k", agent_id="anna", queue="support")),
    (1, LegAnswered(call_id="annas", leg_id="k")),
    (2, CallStarted(call_id="bens")),
    (2, LegStarted(call_id="bens", leg_id="l", agent_id="ben", queue="support")),
    (3, CallStarted(call_id="waits")),
    (3, CallQueued(call_id="waits", queue="sales")),
    (4, CallStarted(call_id="new")),
    (5, TransferRequested(transfer_id="over", call_id="annas", kind="blind", from_agent="anna", to_queue="sales")),
    (6, TransferRequested(transfer_id="to ben", call_id="bens", kind="blind", from_agent="cora", to_agent="ben")),
    (60, Clock()),  # over its limits is what is slow: flags
)


@pytest.fixture(scope="module")
def floor() -> Engine:
    known = {name: AgentConfig(team=team) for name, team in TEAMS.items()}
    engine = Engine(Sites({"hq": SiteConfig(agents=known), "north": SiteConfig()}), RULES)
    for number, (second, data) in enumerate(HAPPENED):
        engine.apply(event(second, data, -1 if isinstance(data, Clock) else number))
    engine.apply(event(0, AgentLoggedOn(agent_id="nora", queues=("sales",)), 0, site="north"))
    return engine


def seen(engine: Engine, lens: Lens) -> dict[str, set[str]]:
    """The ids of what is seen, by kind; of flags what they are about."""
    found = lens.floor(engine.floor_view())
    return {
        "sites": {one.site for one in found.sites},
        "queues": {f"{one.site}/{one.queue}" for one in found.queues},
        "agents": {one.agent_id for one in found.agents},
        "calls": {one.call_id for one in found.calls},
        "transfers": {one.transfer_id for one in found.transfers},
        "flags": {one.subject_id for one in found.flags},
    }


ALL_OF_HQ = {
    "sites": {"hq"},
    "queues": {"hq/sales", "hq/support"},
    "agents": {"anna", "ben", "cora"},
    "calls": {"annas", "bens", "waits", "new"},
    "transfers": {"over", "to ben"},
    "flags": {"over", "to ben", "waits"},
}


def test_without_limits_everything_is_seen(floor: Engine) -> None:
    whole = floor.floor_view()
    assert Lens().floor(whole) is whole
    assert seen(floor, Lens(Scope(sites=frozenset({"hq"})))) == ALL_OF_HQ
    assert seen(floor, Lens(Scope(sites=frozenset()))) == {kind: set() for kind in ALL_OF_HQ}


def test_a_team_sees_its_agents_and_theirs_and_who_waits(floor: Engine) -> None:
    assert seen(floor, Lens(Scope(sites=frozenset({"hq"}), teams=frozenset({"red"})))) == {
        "sites": {"hq"},
        "queues": {"hq/sales", "hq/support"},
        "agents": {"anna"},
        "calls": {"annas", "waits"},
        "transfers": {"over"},
        "flags": {"over", "waits"},
    }


def test_a_queue_sees_who_serves_it_and_what_is_in_it(floor: Engine) -> None:
    assert seen(floor, Lens(Scope(sites=frozenset({"hq"}), queues=frozenset({"sales"})))) == {
        "sites": {"hq"},
        "queues": {"hq/sales"},
        "agents": {"anna"},
        "calls": {"annas", "waits"},
        "transfers": {"over"},
        "flags": {"over", "waits"},
    }
    assert seen(floor, Lens(Scope(sites=frozenset({"hq"}), queues=frozenset({"support"}))))["calls"] == {
        "annas",
        "bens",
    }, "one who waits elsewhere is not theirs"


def test_named_agents_are_seen_with_what_they_do_and_nobody_who_waits(floor: Engine) -> None:
    found = seen(floor, Lens(asked=Wanted(agents=frozenset({"hq/ben", "north/anna"}))))
    assert (found["agents"], found["calls"], found["transfers"]) == ({"ben"}, {"bens"}, {"to ben"})
    assert found["flags"] == {"to ben"}
    assert found["queues"] == {"hq/sales", "hq/support", "north/sales"}, "queues have no agents of their own"


def test_team_and_queue_must_both_fit_an_agent(floor: Engine) -> None:
    lens = Lens(asked=Wanted(teams=frozenset({"blue"}), queues=frozenset({"sales"})))
    found = seen(floor, lens)
    assert (found["agents"], found["calls"], found["transfers"]) == (set(), {"waits"}, {"over"})


def test_a_filter_only_narrows(floor: Engine) -> None:
    """By sets that were cut into one, a transfer to a queue that the filter names would be shown to another team."""
    scope = Scope(teams=frozenset({"blue"}))
    assert "over" not in seen(floor, Lens(scope))["transfers"]
    assert "over" not in seen(floor, Lens(scope, Wanted(queues=frozenset({"sales"}))))["transfers"]
    assert "over" in seen(floor, Lens(asked=Wanted(queues=frozenset({"sales"}))))["transfers"]


def test_a_flag_whose_subject_is_gone_goes_by_its_labels(floor: Engine) -> None:
    lens = Lens(Scope(teams=frozenset({"red"})))
    for agent, visible in (("anna", True), ("ben", False), ("nobody", False), ("", False)):
        assert lens.sees("flag", FlagTraits("hq", "transfer", "gone", agent, "sales"), floor.view) is visible
    lens = Lens(Scope(queues=frozenset({"sales"})))
    assert lens.sees("flag", FlagTraits("hq", "call", "gone", "", "sales"), floor.view)
    assert not lens.sees("flag", FlagTraits("hq", "call", "gone", "", "support"), floor.view)
    assert lens.sees("flag", FlagTraits("hq", "site", "hq", "", ""), floor.view)
    assert lens.sees("flag", FlagTraits("hq", "queue", "sales", "", "sales"), floor.view)
    assert not lens.sees("flag", FlagTraits("hq", "queue", "support", "", "support"), floor.view)


def test_one_entity_by_itself_is_seen_as_on_the_floor(floor: Engine) -> None:
    kinds: tuple[tuple[Kind, str, str], ...] = (("agent", "agents", "agent_id"), ("call", "calls", "call_id"))
    for lens in (Lens(Scope(teams=frozenset({"red"}))), Lens(Scope(queues=frozenset({"support"})))):
        whole, shown = floor.floor_view(), lens.floor(floor.floor_view())
        for kind, name, _ in kinds:
            for one in getattr(whole, name):
                assert lens.sees(kind, one, floor.view) == (one in getattr(shown, name))
    assert not Lens(Scope(teams=frozenset({"red"}))).sees("transfer", TransferTraits("hq", ("nobody",), ""), floor.view)


def test_lenses_that_show_the_same_have_the_same_name() -> None:
    red = frozenset({"red", "blue"})
    assert Lens().name() == Lens(Scope(), Wanted()).name() == ""
    assert Lens(Scope(teams=red)).name() == Lens(asked=Wanted(teams=red)).name()
    assert Lens(Scope(teams=red), Wanted(queues=red)).name() == Lens(Scope(queues=red), Wanted(teams=red)).name()
    different = (Wanted(sites=red), Wanted(teams=red), Wanted(teams=frozenset()), Wanted(teams=frozenset({"red"})))
    assert len({Lens(asked=one).name() for one in (Wanted(), *different)}) == 5
    narrowed = [Lens(asked=Wanted(teams=red), narrowed=kinds) for kinds in (None, ("agent",), ("agent", "call"), ())]
    assert len({lens.name() for lens in narrowed}) == 4
    assert narrowed[-1].open
    assert Lens(Scope(teams=red), Wanted(), ("agent",)).name() == Lens(Scope(teams=red)).name()


def test_a_filter_of_some_channels_leaves_the_others_as_they_are_allowed(floor: Engine) -> None:
    every, north = seen(floor, Lens()), Wanted(sites=frozenset({"north"}))
    found = seen(floor, Lens(asked=north, narrowed=("agent", "queue", "call", "transfer")))
    assert found["flags"] == every["flags"]
    assert {name: found[name] for name in ("agents", "queues", "calls", "transfers")} == {
        name: seen(floor, Lens(asked=north))[name] for name in ("agents", "queues", "calls", "transfers")
    }
    scope = Scope(teams=frozenset({"red"}))
    assert seen(floor, Lens(scope, north, ("agent",)))["flags"] == seen(floor, Lens(scope))["flags"]
