"""Flags that the alerts service raises by itself: incidents like any others, once, whoever says it and however often."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.core.incident import Flag
from services.alerts.core.own import OURSELVES, own_flag
from services.alerts.visibility import sees
from shared.clock import FakeClock
from shared.db import Database
from shared.identity import WHOLE, Scope
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, publish, running
from tests.flagkit import T0, flag

pytest_plugins = ("tests.alertsdb",)

LATER = T0 + timedelta(minutes=5)


def disk_full(**more: Any) -> Flag:
    """Of a rule that nothing of ours watches, and so nothing of ours clears."""
    values: dict[str, Any] = {"subject_id": "archive", "started": T0, "raised": T0 + timedelta(seconds=30)}
    words = {"summary_en": "the disk of archive is full", "summary_zh": "archive 磁盘已满"}
    return own_flag("disk_full", **values | words | more)


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(TOPICS)
    return bus


async def test_an_own_flag_opens_an_incident_and_its_end_is_kept(bus: MemoryBus, alerts_db: Database) -> None:
    async with running(bus, alerts_db, clock=FakeClock(T0)) as alerts:
        await alerts.service.desk.raise_own([disk_full()])
        (incident,) = await alerts.incidents()
        assert (incident["site"], incident["rule"], incident["subject_id"]) == (
            OURSELVES,
            "disk_full",
            "archive",
        )
        assert incident["condition"] == "active"

        (standing,) = await alerts.service.desk.own_flags(["disk_full"])
        assert await alerts.service.desk.own_flags(["site_silent"]) == []
        await alerts.service.desk.clear_own([standing.cleared(LATER)])
        await alerts.service.desk.clear_own([standing.cleared(LATER + timedelta(hours=1))])  # nothing: it is over
        detail = await alerts.get(f"/incidents/{incident['id']}")
        assert detail["incident"]["condition"] == "ended"
        assert [one["kind"] for one in detail["timeline"]].count("flag_cleared") == 1
        assert await alerts.service.desk.own_flags() == []


async def test_the_same_said_again_or_by_another_instance_changes_nothing(bus: MemoryBus, alerts_db: Database) -> None:
    async with running(bus, alerts_db) as one, running(bus, alerts_db) as other:
        later = disk_full(raised=LATER)  # the other noticed it later: another id
        await asyncio.gather(
            one.service.desk.raise_own([disk_full(), disk_full()]), other.service.desk.raise_own([later])
        )
        await one.service.desk.raise_own([disk_full(), later])
        (incident,) = await one.incidents()
        assert incident["flags"] == 1
        assert len(await one.service.desk.own_flags()) == 1

        await one.service.desk.raise_own([disk_full(subject_id="spool")])
        assert len(await one.incidents()) == 2


async def test_a_replaced_log_ends_no_flag_of_our_own(alerts_db: Database, bus: MemoryBus) -> None:
    async with running(bus, alerts_db, clock=FakeClock(T0)) as alerts:
        await alerts.service.desk.raise_own([disk_full()])
        await publish(bus, flag())
        while len(await alerts.incidents()) < 2:
            await asyncio.sleep(0)
        await alerts.service.desk.start_anew("floor.flags")
        conditions = {one["rule"]: one["condition"] for one in await alerts.incidents()}
        assert conditions == {"disk_full": "active", "slow_transfer": "unknown"}


async def test_what_is_about_ourselves_is_seen_by_who_may_see_every_site() -> None:
    class Seen:
        site, subject = OURSELVES, "site"
        labels: dict[str, str] = {}

    assert sees(WHOLE, Seen())
    assert sees(Scope(queues=frozenset({"sales"})), Seen())
    assert not sees(Scope(sites=frozenset({"s1"})), Seen())
