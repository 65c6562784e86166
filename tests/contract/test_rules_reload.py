"""The rules file changes while a monitor runs: it takes the new rules over, or says why not and goes on with the old ones."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.monitor.app import Monitor
from services.monitor.rulefile import load_rulebook
from shared import filewatch, topics
from shared.clock import SystemClock
from shared.codec import decode_fact, encode
from shared.events import AgentLoggedOn, AgentNotReady, Clock
from shared.facts import FlagCleared, FlagRaised
from shared.memorybus import MemoryBus
from shared.settings import MonitorSettings
from tests.contract.test_monitor import running
from tests.floorkit import CONFIG, SITE, at, event
from tests.waiting import until

BOOK = """\
rules:
  - name: {name}
    subject: agent
    when: {when}
    for: {hold}
    summary: {{en: "{{agent_name}} {{for}}", zh: "{{for}}"}}
"""


def write(
    path: Path, *, name: str = "away", when: str = 'state == "break"', hold: str = "10s", encoding: str = "utf-8"
) -> None:
    """As editors do: a new file in the old one's place."""
    fresh = path.with_suffix(".new")
    fresh.write_text(BOOK.format(name=name, when=when, hold=hold), encoding=encoding)
    os.replace(fresh, path)


class Floor:
    """A monitor that follows a rules file."""

    def __init__(self, monitor: Monitor, bus: MemoryBus, registry: CollectorRegistry) -> None:
        self.monitor, self.bus, self.registry = monitor, bus, registry

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(name)

    def in_force(self) -> list[str]:
        """By the engine, not by what was read."""
        return [rule.name for floor in self.monitor.engine._floors.values() for rule in floor.rules.rules]


@asynccontextmanager
async def following(path: Path) -> AsyncIterator[Floor]:
    registry, bus = CollectorRegistry(), MemoryBus()
    monitor = Monitor(MonitorSettings(), bus, SystemClock(), CONFIG, load_rulebook(path), registry)
    tasks = [asyncio.create_task(monitor.pump.run()), asyncio.create_task(monitor.rules.watch(path))]
    floor = Floor(monitor, bus, registry)
    try:
        await until(lambda: monitor.pump.status.ready)
        yield floor
    finally:
        monitor.pump.stop()
        tasks[1].cancel()
        await asyncio.wait(tasks)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filewatch, "POLL_S", 0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "rules.yaml"
    write(found)
    return found


async def happens(floor: Floor) -> None:
    """Somebody is on a break, and flagged for it."""
    for offset, (second, data) in enumerate([(0, AgentLoggedOn(agent_id="1")), (1, AgentNotReady(agent_id="1"))]):
        await floor.bus.publish(topics.FLOOR_EVENTS, encode(event(second, data, offset)), key=SITE)
    await floor.bus.publish(topics.FLOOR_EVENTS, encode(event(60, Clock())), key=SITE)
    await floor.bus.flush()
    await until(lambda: floor.monitor.engine.clocks().get(SITE, (None,))[0] == at(60))


async def test_new_rules_are_taken_over_and_the_flags_of_the_old_ones_cleared(path: Path) -> None:
    async with following(path) as floor:
        await happens(floor)
        loaded = floor.metric("monitor_rules_loaded_timestamp_seconds")
        write(path, name="gone_for_tea", hold="20s")
        await until(lambda: floor.in_force() == ["gone_for_tea"])
        assert floor.metric("monitor_rules_loaded") == 1
        assert floor.metric("monitor_rules_loaded_timestamp_seconds") > loaded  # type: ignore[operator]
        # nothing else happens on the floor: no event and no mark, and yet the flag is published as cleared
        reader = await floor.bus.read([topics.FLOOR_FLAGS])
        found = []
        while len(found) < 2:
            found += [decode_fact(record.value) for record in await reader.getmany(timeout_s=5)]
        assert [type(fact.data) for fact in found] == [FlagRaised, FlagCleared]
        await floor.bus.publish(topics.FLOOR_EVENTS, encode(event(61, Clock())), key=SITE)
        await until(lambda: [flag.rule for flag in floor.monitor.engine.floor_view().flags] == ["gone_for_tea"])


async def test_a_bad_file_leaves_the_old_rules_in_force_and_says_why(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with following(path) as floor:
        await happens(floor)
        write(path, when='state == "brake"')
        await until(lambda: floor.monitor.rules.file_error)
        assert (
            "rules.yaml:4: rules[0].when: state is never 'brake'; it is one of break" in floor.monitor.rules.file_error
        )
        assert floor.in_force() == ["away"]
        assert floor.metric("monitor_rules_reload_failures_total") == 1
        write(path, name="休息", encoding="gb18030")
        await until(lambda: "is not UTF-8 text" in floor.monitor.rules.file_error)
        assert floor.in_force() == ["away"]
        os.unlink(path)
        await until(lambda: "cannot be read" in floor.monitor.rules.file_error)
        assert floor.in_force() == ["away"]
        write(path)
        await until(lambda: not floor.monitor.rules.file_error)
        assert floor.metric("monitor_rules_reload_failures_total") == 3
        assert len(floor.monitor.engine.floor_view().flags) == 1, "as if nothing had been"
    assert "old rules stay in force" in capsys.readouterr().out


async def test_a_hangup_has_the_file_read_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filewatch, "POLL_S", 3600)
    async with following(path) as floor:
        await happens(floor)
        write(path, name="other")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: floor.in_force() == ["other"])


async def test_the_rules_in_force_are_shown() -> None:
    async with running(MemoryBus()) as floor:
        shown = (await floor.http.get("/api/v1/rules")).json()
        assert shown["file_error"] == ""
        assert shown["loaded_at"].endswith("Z")
        by_name = {rule["name"]: rule for rule in shown["rules"]}
        assert by_name["long_hold"]["when"] == {"state": ["consult", "hold"]}
        assert by_name["nobody_ready"]["when"] == "waiting >= 1 and ready == 0"
        assert (by_name["nobody_ready"]["for_s"], by_name["nobody_ready"]["keep_s"]) == (60.0, 10.0)
        assert by_name["new_agent_alone"]["where"]["tags"] == ["new_agent"]
        floor.monitor.rules.reload(Path("/nowhere/rules.yaml"))
        shown = (await floor.http.get("/api/v1/rules")).json()
        assert shown["file_error"].startswith("/nowhere/rules.yaml: cannot be read")
        assert len(shown["rules"]) == len(by_name)
