"""Positions that begin anew, because `switch.raw` was made anew while `floor.events` stayed."""

from __future__ import annotations

from services.monitor.core.engine import Engine
from services.monitor.core.trust import positions
from shared.envelope import Data
from shared.events import AgentLoggedOn, AgentNotReady, AgentReady, Clock, LinkUp
from shared.facts import Fact
from tests.floorkit import CONFIG, RULES, SITE, event


def running() -> tuple[Engine, list[Fact]]:
    engine = Engine(CONFIG, RULES)
    out = [*engine.apply(event(0, LinkUp(connector="x"), 0)), *engine.apply(event(0, AgentLoggedOn(agent_id="1"), 1))]
    for offset in range(2, 100):
        one: Data = AgentReady(agent_id="1") if offset % 2 else AgentNotReady(agent_id="1")
        out += engine.apply(event(offset, one, offset))
    return engine, out


def test_an_event_that_is_newer_than_all_applied_is_no_duplicate_whatever_its_position() -> None:
    engine, before = running()
    after = engine.apply(event(200, AgentNotReady(agent_id="1"), 0))
    assert engine.anomalies(SITE)["positions_restarted"] == 1
    assert [fact.time for fact in after if "interval" in fact.id]
    assert engine.apply(event(201, AgentReady(agent_id="1"), 1)) != []
    assert engine.apply(event(201, AgentReady(agent_id="1"), 1)) == [], "duplicates of the new ones are known again"
    assert engine.anomalies(SITE)["duplicate"] == 1
    offsets = [fact.rawoffset for fact in (*before, *after)]
    assert offsets == sorted(offsets), "what goes out has positions that grow"


def test_a_replay_of_what_came_before_stays_a_replay() -> None:
    engine, _ = running()
    engine.apply(event(500, Clock()))
    dump = engine.dump()
    for offset in range(2, 100):
        one: Data = AgentReady(agent_id="1") if offset % 2 else AgentNotReady(agent_id="1")
        assert engine.apply(event(offset, one, offset)) == []
    assert engine.apply(event(0, LinkUp(connector="x"), 0)) == []
    assert engine.anomalies(SITE)["duplicate"] == 99
    assert "positions_restarted" not in engine.anomalies(SITE)
    after = Engine(CONFIG, RULES)
    after.load(dump)
    assert after.floor_view().agents == engine.floor_view().agents


def test_after_the_clock_was_set_back_old_events_are_still_known() -> None:
    engine, _ = running()
    state = engine._floors[SITE].state
    positions.clock_was_set(state)
    engine.apply(event(10, AgentReady(agent_id="1"), 100))
    assert engine.apply(event(98, AgentReady(agent_id="1"), 98)) == [], "from before the clock was set back"
    assert "positions_restarted" not in engine.anomalies(SITE)
