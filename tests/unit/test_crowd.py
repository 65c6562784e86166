"""A source that makes up names of agents and queues: bounded, counted, and whoever was known before is counted on."""

from __future__ import annotations

from itertools import pairwise

import pytest

from services.monitor.core import floor as bounds
from services.monitor.core.engine import Engine
from services.monitor.core.floor import OTHER_QUEUES
from shared import events, facts
from shared.siteconfig import AgentConfig, Leases, QueueConfig, SiteConfig, Sites
from tests.floorkit import CONFIG, RULES, SITE, Bench, at

DAY = 86_400


@pytest.fixture(autouse=True)
def _a_small_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_AGENTS", 3)
    monkeypatch.setattr(bounds, "MOST_QUEUES", 2)


def agents_of(bench: Bench) -> set[str]:
    return {view.agent_id for view in bench.engine.floor_view().agents}


def queues_of(bench: Bench) -> set[str]:
    return {view.queue for view in bench.engine.floor_view().queues}


def full(config: Sites = CONFIG) -> Bench:
    """A site with as many agents and queues as it may have."""
    bench = Bench(config=config)
    bench(0, events.LinkUp(connector="x"))
    for agent_id in ("1", "2", "3"):
        bench(0, events.AgentLoggedOn(agent_id=agent_id, queues=("sales", "support")))
    return bench


def call(call_id: str, queue: str, agent_id: str) -> tuple[events.Data, ...]:
    return (
        events.CallStarted(call_id=call_id),
        events.CallQueued(call_id=call_id, queue=queue),
        events.LegStarted(call_id=call_id, leg_id=f"{call_id}/leg", agent_id=agent_id, state="talking", queue=queue),
        events.CallDequeued(call_id=call_id, queue=queue, reason="answered", agent_id=agent_id),
    )


def over(call_id: str) -> tuple[events.Data, ...]:
    return events.LegCleared(call_id=call_id, leg_id=f"{call_id}/leg"), events.CallCleared(call_id=call_id)


def test_the_bounds_are_beyond_any_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert bounds.MOST_AGENTS >= 20_000
    assert bounds.MOST_QUEUES >= 2_000


def test_an_agent_too_many_is_counted_with_evidence_and_not_known() -> None:
    bench = full()
    bench(5, events.AgentReady(agent_id="4"))
    bench(6, events.AgentNotReady(agent_id="3", reason="tea"))
    assert agents_of(bench) == {"1", "2", "3"}
    assert bench.agent("3") == "break", "who is known is followed on"
    assert bench.engine.anomalies(SITE) == {"too_many_agents": 1}
    (found,) = bench.engine.anomaly_log(SITE)
    assert (found.kind, found.subject, found.subject_id) == ("too_many_agents", "agent", "4")
    assert found.before == "not known; 3 agents are"
    assert found.event_type == "agent_ready"


def test_the_call_of_an_agent_too_many_counts_with_all_its_times() -> None:
    bench = full()
    bench(10, *call("c", "sales", "4"))
    bench(70, *over("c"))
    (ended,) = bench.made(facts.CallEnded)
    assert (ended.queue, ended.outcome, ended.talk_s) == ("sales", "answered", 60.0)
    (sales,) = (view for view in bench.engine.floor_view().queues if view.queue == "sales")
    assert (sales.offered, sales.answered, sales.talk_s) == (1, 1, 60.0)
    assert agents_of(bench) == {"1", "2", "3"}


def test_a_transfer_that_an_agent_too_many_asks_for_is_timed() -> None:
    bench = full()
    bench(10, *call("c", "sales", "4"))
    bench(
        20,
        events.TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="4", to_agent="1"),
    )
    bench(29, events.TransferBridged(transfer_id="t", to_agent="1"))
    (ended,) = bench.made(facts.TransferEnded)
    assert (ended.total_s, ended.slow, ended.to_agent, ended.from_agent) == (9.0, "yes", "1", "")
    assert [flag.rule for flag in bench.made(facts.FlagRaised)] == ["slow_transfer"]


def test_agents_of_the_sites_file_are_always_let_in() -> None:
    bench = full(Sites({SITE: SiteConfig(agents={"9": AgentConfig(name="Anna")})}))
    bench(5, events.AgentReady(agent_id="9"), events.AgentReady(agent_id="8"))
    assert agents_of(bench) == {"1", "2", "3", "9"}


def test_queues_too_many_are_counted_together() -> None:
    bench = full()
    bench(10, *call("c", "fax", "1"))
    bench(15, events.CallQueued(call_id="d", queue="telex"))
    bench(70, *over("c"))
    assert queues_of(bench) == {"sales", "support", OTHER_QUEUES}
    (other,) = (view for view in bench.engine.floor_view().queues if view.queue == OTHER_QUEUES)
    assert other.waiting == 1
    assert (other.offered, other.answered) == (2, 1)
    (waits,) = bench.engine.floor_view().calls
    assert waits.queue == "telex", "the call itself says where it is"
    (ended,) = bench.made(facts.CallEnded)
    assert (ended.queue, ended.talk_s) == ("fax", 60.0)
    (first, *_) = bench.engine.anomaly_log(SITE)
    assert (first.kind, first.subject, first.subject_id) == ("too_many_queues", "queue", "fax")
    assert (first.event_type, first.before) == ("call_queued", "not known; 2 queues are")
    assert set(bench.engine.anomalies(SITE)) == {"too_many_queues"}


def test_one_event_that_names_many_queues_is_one_anomaly() -> None:
    bench = full()
    bench(5, events.AgentLoggedOn(agent_id="1", queues=("sales", *(f"q{n}" for n in range(500)))))
    assert queues_of(bench) == {"sales", "support", OTHER_QUEUES}
    (one,) = (view for view in bench.engine.floor_view().agents if view.agent_id == "1")
    assert one.queues == ("sales", OTHER_QUEUES)
    assert bench.engine.anomalies(SITE) == {"too_many_queues": 1}
    bench(9, events.AgentNotReady(agent_id="1"), events.AgentReady(agent_id="1"), events.AgentLoggedOff(agent_id="1"))
    assert bench.engine.anomalies(SITE) == {"too_many_queues": 1}


def test_a_snapshot_sweeps_who_waits_in_a_queue_too_many() -> None:
    bench = full()
    bench(10, events.CallQueued(call_id="c", queue="fax"), events.CallQueued(call_id="d", queue="telex"))
    bench(60, events.Snapshot(connector="x", queues={"fax": (), "sales": ()}))
    assert [view.state for view in bench.engine.floor_view().calls] == ["started", "queued"], (
        "of telex nothing was said"
    )
    assert bench.engine.anomalies(SITE)["ghost_queue_entry"] == 1
    (other,) = (view for view in bench.engine.floor_view().queues if view.queue == OTHER_QUEUES)
    assert (other.waiting, other.offered, other.other_ended) == (1, 2, 1)


def busy(bench: Bench, since: float, until: float, *heard: str) -> None:
    """A floor that works, so that time goes on in it: of agent 1, and of those who are `heard`, there is word."""
    for second in range(int(since), int(until), 600):
        bench(second, *(events.AgentSeen(agent_id=agent_id) for agent_id in ("1", *heard)))
        bench.mark(second + 300)


def test_who_is_long_gone_makes_room() -> None:
    bench = full()
    bench(10, events.AgentLoggedOff(agent_id="3"))
    bench(3600, events.AgentLoggedOff(agent_id="2"))
    busy(bench, 3700, DAY)
    bench(DAY, events.AgentReady(agent_id="4"))
    assert agents_of(bench) == {"1", "2", "3"}
    busy(bench, DAY + 1, DAY + 1000)
    assert agents_of(bench) == {"1", "2"}
    bench(DAY + 1000, events.AgentReady(agent_id="4"))
    bench.mark(DAY + 9000)
    assert agents_of(bench) == {"1", "4"}
    mine = [one for one in bench.made(facts.AgentInterval) if one.agent_id == "3"]
    assert mine[-1].state == "offline"
    assert mine[-1].ended_at >= at(DAY)
    crew = bench.engine._floors[SITE].state.crew.staff
    assert sum(crew.values()) == 2
    assert {("agent", SITE, "3"), ("agent", SITE, "2")} <= set(bench.engine.changes())


def test_who_comes_back_after_having_been_let_go_is_not_counted_twice() -> None:
    bench = full()
    bench(10, events.AgentLoggedOff(agent_id="3"), events.AgentReady(agent_id="4"))
    busy(bench, 20, DAY + 600, "2")
    assert "3" not in agents_of(bench)
    bench(DAY + 900, events.AgentLoggedOn(agent_id="3"))
    bench(DAY + 960, events.AgentNotReady(agent_id="3"))
    mine = [one for one in bench.made(facts.AgentInterval) if one.agent_id == "3"]
    assert all(one.ended_at <= other.started_at for one, other in pairwise(mine))
    assert mine[-1].started_at == at(DAY + 900)


def test_nobody_is_let_go_for_silence_while_the_link_is_down() -> None:
    bench = full()
    bench(10, events.AgentLoggedOff(agent_id="3"), events.AgentReady(agent_id="4"))
    bench(60, events.LinkDown(connector="x"))
    bench.mark(3 * DAY)
    bench(3 * DAY, events.LinkUp(connector="x", resumed=True))
    bench.mark(3 * DAY + 600)
    assert agents_of(bench) == {"1", "2", "3"}


def test_unused_queues_make_room_once_nothing_counts_in_the_others() -> None:
    bench = Bench(config=Sites({SITE: SiteConfig(leases=Leases(call_s=0))}))
    bench(0, events.LinkUp(connector="x"), events.AgentLoggedOn(agent_id="1"))
    bench(0, *(events.CallQueued(call_id=f"c{n}", queue=f"q{n}") for n in range(4)))
    bench(60, *(events.CallCleared(call_id=f"c{n}") for n in range(3)))
    assert queues_of(bench) == {"q0", "q1", OTHER_QUEUES}
    busy(bench, 100, 2 * DAY + 3600)
    assert queues_of(bench) == {"q0", "q1", OTHER_QUEUES}, "a call waits in one of the others"
    bench(2 * DAY + 3700, events.CallCleared(call_id="c3"))
    busy(bench, 2 * DAY + 4000, 3 * DAY + 7200)
    assert not queues_of(bench) & {"q0", "q1"}
    bench(4 * DAY, events.CallQueued(call_id="n", queue="fax"))
    assert "fax" in queues_of(bench)


def test_a_site_that_is_full_goes_on_from_its_checkpoint() -> None:
    through, before = full(), full()
    restored = Bench()
    restored.engine.load(before.engine.dump())
    restored._offset = before._offset
    rest = (*call("c", "fax", "4"), events.AgentReady(agent_id="5"), events.CallQueued(call_id="d", queue="telex"))
    for bench in (through, restored):
        bench(10, *rest)
        busy(bench, 20, DAY + 600)
    assert restored.engine.dump() == through.engine.dump()
    assert Engine(CONFIG, RULES).anomalies(SITE) == {}


def test_settings_of_a_queue_too_many_are_those_of_the_others() -> None:
    bench = full(Sites({SITE: SiteConfig(default_queue=QueueConfig(label="everything else"))}))
    bench(10, events.CallQueued(call_id="c", queue="fax"))
    (other,) = (view for view in bench.engine.floor_view().queues if view.queue == OTHER_QUEUES)
    assert other.waiting == 1
