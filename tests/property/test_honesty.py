"""What must hold of leases, evidence, listens and provenance for any history, however wrong."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings

from services.monitor.core.engine import Engine
from services.monitor.core.floor import Floor
from services.monitor.core.trust import leases
from services.monitor.core.trust.anomalies import DUPLICATE, KINDS
from tests.floorkit import RULES, SITE
from tests.property.histories import CONFIG, History, histories
from tests.property.test_engine import run, stream_of

many = settings(max_examples=150)


def floor_of(history: History) -> tuple[Engine, Floor]:
    engine = Engine(CONFIG, RULES)
    stream = stream_of(history)
    run(engine, stream + stream[:3])
    return engine, engine._floors[SITE]


@many
@given(histories)
def test_every_anomaly_is_of_a_kind_with_a_meaning_and_has_evidence(history: History) -> None:
    engine, _ = floor_of(history)
    counts = engine.anomalies(SITE)
    assert set(counts) <= set(KINDS)
    log = engine.anomaly_log(SITE)
    assert [one.number for one in log] == list(range(1, len(log) + 1))
    counts.pop(DUPLICATE, None)
    assert sum(one.times for one in log) == sum(counts.values())
    for one in log:
        assert one.before, one.kind
        assert (one.event_type == "") == (one.data == ""), "an event, or time alone"


@many
@given(histories)
def test_no_lease_is_forgotten(history: History) -> None:
    engine, floor = floor_of(history)
    state = floor.state
    if state.now is not None:  # what ran out while nobody listened is looked at when time next passes
        engine.tick(state.now + timedelta(microseconds=1))
    set_for = {(timer.what, timer.about[0], timer.due) for timer in state.timers}
    for agent in state.agents.values():
        until = leases.until(floor, agent)
        if until is not None:
            assert agent.lease_due is not None
            assert agent.lease_due <= until
            assert ("lease", agent.agent_id, agent.lease_due) in set_for
            assert state.now is None or agent.lease_due >= state.now, "it did not pass unnoticed"
    if state.calls and state.link != "down":
        assert state.calls_due is not None
        assert ("calls", "", state.calls_due) in set_for


@many
@given(histories)
def test_nothing_is_shown_as_known_while_nobody_hears_the_site(history: History) -> None:
    engine, floor = floor_of(history)
    shown = engine.floor_view()
    running = [transfer for transfer in shown.transfers if transfer.ended is None]
    stale = {one.provenance == "stale" for one in (*shown.agents, *shown.calls, *shown.queues, *running)}  # type: ignore[attr-defined]
    assert stale <= {floor.state.link == "down"}


@many
@given(histories)
def test_listeners_and_queue_entries_name_what_exists(history: History) -> None:
    _, floor = floor_of(history)
    state = floor.state
    for agent in state.agents.values():
        assert len(set(agent.listeners)) == len(agent.listeners)
        for listen_id in agent.listeners:
            assert state.listening[listen_id].agent_id == agent.agent_id
            assert state.listening[listen_id].ended is None
    for queue in state.queues.values():
        assert set(queue.inferred) <= set(queue.waiting)
    assert not set(state.over) & set(state.calls)
