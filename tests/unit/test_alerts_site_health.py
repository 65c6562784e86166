"""The alerts service watches sites by itself: incidents of what is silent, late or unreadable, once, and over when it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.bus import Partition
from shared.checkpoint import Checkpoints
from shared.clock import FakeClock, SystemClock
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_CHECKPOINTS, FLOOR_EVENTS, SWITCH_DEAD_LETTER
from tests.alertskit import TOPICS, Alerts, running
from tests.authkit import bearer, settings, users_file
from tests.flagkit import T0
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

EVENTS: Partition = (FLOOR_EVENTS.name, 0)


class Floor:
    """A broker, its clock, and sites that write a mark each second."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.bus = MemoryBus(clock)
        self.monitor = Checkpoints(self.bus, "monitor", clock)

    async def seconds(self, count: int, *sites: str, monitor: bool = True) -> None:
        for _ in range(count):
            for site in sites:
                await self.bus.publish(FLOOR_EVENTS, b"a mark", key=site)
            await self.bus.flush()
            if monitor:
                await self.monitor.save(b"state", {EVENTS: len(self.bus.records(FLOOR_EVENTS))})
            await self.clock.advance(1)

    async def letters(self, count: int, site: str, reason: str = "not_json") -> None:
        for number in range(count):
            place = (("topic", b"switch.raw"), ("partition", b"0"), ("offset", str(number).encode()))
            await self.bus.publish(SWITCH_DEAD_LETTER, b"?", key=site, headers=(("reason", reason.encode()), *place))
        await self.bus.flush()


@pytest.fixture
async def floor() -> Floor:
    floor = Floor(FakeClock(T0))
    await floor.bus.create([*TOPICS, FLOOR_EVENTS, FLOOR_CHECKPOINTS])
    return floor


async def site(alerts: Alerts, name: str) -> Any:
    (found,) = [one for one in (await alerts.get("/health/sites"))["sites"] if one["site"] == name]
    return found


async def conditions(alerts: Alerts) -> dict[tuple[str, str], str]:
    return {(one["rule"], one["site"]): one["condition"] for one in await alerts.incidents()}


async def sees(floor: Floor, alerts: Alerts, *sites: str, seen: bool = True) -> None:
    """Time goes on until the service watches, or does no more."""

    async def reached() -> bool:
        if seen and sites:
            await floor.seconds(1, *sites)
        else:
            await floor.clock.advance(1)
        return bool(alerts.metric("alerts_sites_seen")) is seen

    await until(reached)


async def become(floor: Floor, alerts: Alerts, meant: dict[tuple[str, str], str], *sites: str, **more: Any) -> None:
    """Time goes on until the incidents are those; the database answers in its own time."""

    async def reached() -> bool:
        await floor.seconds(1, *sites, **more)
        return await conditions(alerts) == meant

    await until(reached)


async def test_a_silent_site_is_an_incident_that_ends_when_it_is_heard(floor: Floor, alerts_db: Database) -> None:
    async with running(floor.bus, alerts_db, clock=floor.clock) as alerts:
        await sees(floor, alerts, "s1", "s2")
        await floor.seconds(5, "s1", "s2")
        assert (await site(alerts, "s1"))["state"] == "ok"
        await become(floor, alerts, {("site_silent", "s2"): "active"}, "s1")
        assert (await site(alerts, "s2"))["state"] == "silent"
        assert alerts.metric("alerts_site_silent", site="s2") == 1
        await become(floor, alerts, {("site_silent", "s2"): "ended"}, "s1", "s2")
        (incident,) = await alerts.incidents()
        assert incident["flags"] == 1


async def test_a_dead_ingest_is_one_incident_whichever_instance_notices(floor: Floor, alerts_db: Database) -> None:
    sites = ("s1", "s2", "s3")
    async with (
        running(floor.bus, alerts_db, clock=floor.clock) as one,
        running(floor.bus, alerts_db, clock=floor.clock) as other,
    ):
        await sees(floor, one, *sites)
        await sees(floor, other, *sites)
        await floor.seconds(5, *sites)
        await become(floor, one, {("ingest_silent", "floorwatch"): "active"})
        await floor.seconds(40)
        (incident,) = await other.incidents()
        assert incident["flags"] == 1
        assert "any of the 3 sites since" in incident["summary"]["en"]
        assert "First floor, s2, s3" in incident["summary"]["en"]
        assert "First floor、s2、s3" in incident["summary"]["zh"]
        await become(floor, other, {("ingest_silent", "floorwatch"): "ended"}, *sites)
        await floor.seconds(5, "s1")
        assert len(await one.incidents()) == 1


async def test_a_dead_monitor_is_an_incident_of_its_sites(floor: Floor, alerts_db: Database) -> None:
    async with running(floor.bus, alerts_db, clock=floor.clock) as alerts:
        await become(floor, alerts, {}, "s1")
        await floor.seconds(20, "s1")
        assert (await site(alerts, "s1"))["lag_s"] == pytest.approx(0, abs=2)
        await become(floor, alerts, {("site_behind", "s1"): "active"}, "s1", monitor=False)
        await become(floor, alerts, {("site_behind", "s1"): "ended"}, "s1")


async def test_a_change_of_the_alert_file_counts_at_once(floor: Floor, alerts_db: Database, tmp_path: Path) -> None:
    file = tmp_path / "alerts.yaml"
    written = "receivers: {ops: {notify: []}}\nroutes: {receiver: ops}\n"
    file.write_text(written + "health: {silent_after: 6h}\n")
    async with running(floor.bus, alerts_db, clock=floor.clock, file=file) as alerts:
        await sees(floor, alerts, "s1", "s2")
        await floor.seconds(40, "s1")
        assert await conditions(alerts) == {}
        file.write_text(written + "health: {silent_after: 6h, sites: {s2: {silent_after: 10s}}}\n")
        await alerts.service.in_force.reload()
        await become(floor, alerts, {("site_silent", "s2"): "active"}, "s1")


async def test_growing_dead_letters_are_an_incident_with_their_reasons(floor: Floor, alerts_db: Database) -> None:
    async with running(floor.bus, alerts_db, clock=floor.clock) as alerts:
        await floor.letters(25, "s1")
        await become(floor, alerts, {("dead_letters_growing", "s1"): "active"}, "s1")
        (incident,) = await alerts.incidents()
        assert "(not JSON)" in incident["summary"]["en"]
        assert incident["labels"]["reason"] == "not_json"
        assert (await site(alerts, "s1"))["dead_letters_recent"] == 25


async def test_a_broker_that_is_away_makes_no_site_silent(floor: Floor, alerts_db: Database) -> None:
    async with running(floor.bus, alerts_db, clock=floor.clock) as alerts:
        await sees(floor, alerts, "s1")
        await floor.seconds(5, "s1")
        floor.bus.break_down()
        await sees(floor, alerts, seen=False)
        assert (await alerts.get("/health/sites"))["watching"] is False
        await floor.clock.advance(600)
        assert (await site(alerts, "s1"))["state"] == "unknown"
        floor.bus.recover()
        await sees(floor, alerts)
        await floor.clock.advance(15)  # the connector finds back
        await floor.seconds(60, "s1")
        assert await alerts.incidents() == []


async def test_a_restart_clears_what_ended_meanwhile_and_raises_nothing_twice(
    floor: Floor, alerts_db: Database
) -> None:
    async with running(floor.bus, alerts_db, clock=floor.clock) as alerts:
        await sees(floor, alerts, "s1", "s2", "s3")
        await floor.seconds(3, "s1", "s2", "s3")
        await become(floor, alerts, {("site_silent", "s2"): "active", ("site_silent", "s3"): "active"}, "s1")
    await floor.seconds(30, "s1", "s2")
    async with (
        running(floor.bus, alerts_db, clock=floor.clock) as one,
        running(floor.bus, alerts_db, clock=floor.clock) as other,
    ):
        await become(floor, one, {("site_silent", "s2"): "ended", ("site_silent", "s3"): "active"}, "s1", "s2")
        await floor.seconds(60, "s1", "s2")
        assert [incident["flags"] for incident in await other.incidents()] == [1, 1]


async def test_somebody_is_told_of_the_sites_within_their_scope(
    floor: Floor, tmp_path: Path, alerts_db: Database
) -> None:
    how = settings(tmp_path)
    users_file(tmp_path, "users: {all: {roles: [supervisor]}, here: {roles: [supervisor], sites: [s1]}}\n")
    async with running(floor.bus, alerts_db, clock=SystemClock(), **how) as alerts:
        await floor.bus.publish(FLOOR_EVENTS, b"a mark", key="s2")
        await floor.bus.flush()

        async def told(user: str) -> set[str]:
            answer = await alerts.client.get("/api/v1/health/sites", headers=bearer(user))
            assert answer.status_code == 200, answer.text
            return {one["site"] for one in answer.json()["sites"]}

        async def both() -> bool:
            return await told("all") == {"s1", "s2"}

        await until(both)
        assert await told("here") == {"s1"}
        assert (await alerts.client.get("/api/v1/health/sites")).status_code == 401
