"""Reports that are sent because their time has come: once, by whichever instance, also after a crash or an outage."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import select

from services.alerts.alertfile.live import InForce
from services.alerts.periodic.period import containing
from services.alerts.periodic.schedule import Plan, Run
from services.alerts.periodic.sending import LEASE, Reporter
from services.alerts.periodic.store import Reports
from services.alerts.periodic.tables import ReportRow
from services.alerts.reach.tables import MessageFileRow, MessageRow
from services.alerts.text import Text
from shared.clock import FakeClock
from shared.db import Database
from shared.facts import Fact
from shared.siteconfig import SiteConfig, Sites
from tests.alertskit import settings
from tests.recorderkit import fact_of, interval, items_of, queue_interval, recorder_of

pytest_plugins = ("tests.alertsdb",)

SITE = "hq"
SITES = Sites({SITE: SiteConfig(label="Headquarters", time_zone="Asia/Shanghai")})
MIDNIGHT = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)  # of the 23rd in Shanghai
FILE = """
receivers:
  ops: {{notify: ["json://127.0.0.1:9/ops"]}}
  boss: {{notify: ["json://127.0.0.1:9/boss"]}}
  nobody: {{}}
routes: {{receiver: ops}}
reports:
  - {{kind: daily, to: [{to}], at: "{at}", formats: [csv, json], language: en}}
"""


def reporter_of(tmp_path: Path, database: Database, clock: FakeClock, **more: Any) -> Reporter:
    """An instance of the service, as far as reports go."""
    file = tmp_path / "alerts.yaml"
    file.write_text(FILE.format(**{"to": "ops", "at": "07:30", **more}), encoding="utf-8")
    registry = CollectorRegistry()
    return Reporter(
        database=database,
        in_force=InForce(settings(file=file), clock, registry, lambda: None),
        text=Text(SITES, "http://floor.example"),
        clock=clock,
        registry=registry,
        posted=lambda: None,
    )


async def record(database: Database, start: datetime, minutes: int = 60, first: int = 0) -> None:
    """A queue's figures and an agent's time from `start` on, caused by raw records from `first` on."""
    at, found = start, list[Fact]()
    while at < start + timedelta(minutes=minutes):
        ends = at + timedelta(minutes=15)
        for index, data in enumerate(
            (
                queue_interval(started_at=at, ended_at=ends, counted_from=at),
                interval("1", started_at=at, ended_at=ends, duration_s=900.0, state="ready"),
            )
        ):
            found.append(fact_of(data, first + len(found), index, site=SITE))
        at = ends
    await recorder_of(database, SITES).take(items_of(found, first))


async def posted(database: Database) -> list[tuple[MessageRow, list[MessageFileRow]]]:
    """What is in the outbox, with its files."""
    async with database.reading() as session:
        found = (await session.scalars(select(MessageRow).order_by(MessageRow.id))).all()  # type: ignore[arg-type]
        files = (await session.scalars(select(MessageFileRow).order_by(MessageFileRow.id))).all()  # type: ignore[arg-type]
    return [(one, [file for file in files if file.message_id == one.id]) for one in found]


async def rows(database: Database) -> list[ReportRow]:
    async with database.reading() as session:
        return list((await session.scalars(select(ReportRow).order_by(ReportRow.id))).all())  # type: ignore[arg-type]


async def test_a_report_is_posted_when_its_time_has_come_and_not_again(alerts_db: Database, tmp_path: Path) -> None:
    await record(alerts_db, MIDNIGHT - timedelta(hours=5), 360)
    clock = FakeClock(MIDNIGHT + timedelta(hours=7, minutes=29))
    reporter = reporter_of(tmp_path, alerts_db, clock)
    task = asyncio.create_task(reporter.run())
    try:
        while not await posted(alerts_db):
            await clock.advance(30)
        assert clock.now() >= MIDNIGHT + timedelta(hours=7, minutes=30)
    finally:
        task.cancel()
    for _ in range(3):
        await clock.advance(3600)
        await reporter.step()
    ((message, files),) = await posted(alerts_db)
    assert (message.receiver, message.kind, message.key) == ("ops", "report", "daily/hq/2026-11-22")
    assert [one.name for one in files] == ["daily-hq-2026-11-22-en.csv.zip", "daily-hq-2026-11-22-en.json"]
    assert "200 calls arrived" in message.body
    assert "http://floor.example/api/v1/reports/periodic/daily/hq/2026-11-22" in message.body
    before, row = await rows(alerts_db)
    assert (before.state, before.period) == ("nothing", "2026-11-21")  # it was due when the service began
    assert (row.state, row.period, row.receiver, row.notices) == ("posted", "2026-11-22", "ops", [message.id])


async def test_two_instances_post_it_once_to_each_receiver(alerts_db: Database, tmp_path: Path) -> None:
    await record(alerts_db, MIDNIGHT - timedelta(hours=1))
    clock = FakeClock(MIDNIGHT + timedelta(hours=8))
    both = [reporter_of(tmp_path, alerts_db, clock, to="ops, boss") for _ in range(2)]
    await asyncio.gather(*(one.step() for one in both))
    await asyncio.gather(*(one.step() for one in both))
    assert sorted(message.receiver for message, _ in await posted(alerts_db)) == ["boss", "ops"]
    assert {row.state for row in await rows(alerts_db)} == {"posted"}


async def test_a_report_whose_writer_died_is_written_by_another_later(alerts_db: Database, tmp_path: Path) -> None:
    await record(alerts_db, MIDNIGHT - timedelta(hours=1))
    clock = FakeClock(MIDNIGHT + timedelta(hours=8))
    other = reporter_of(tmp_path, alerts_db, clock)
    period = containing("daily", date(2026, 11, 22), "Asia/Shanghai")
    run = Run(Plan(kind="daily", at=450, to=("ops",)), SITE, period, "ops", clock.now())
    async with alerts_db.unit_of_work() as session:  # one that claimed it, and was killed
        number = await Reports(session).claim(run, clock.now(), clock.now() + LEASE)
    assert number is not None
    again = await other.step()
    assert await posted(alerts_db) == []
    assert clock.now() < again <= clock.now() + LEASE  # it comes back by itself
    await clock.advance(LEASE.total_seconds())
    await other.step()
    assert len(await posted(alerts_db)) == 1
    (row,) = await rows(alerts_db)
    assert (row.state, row.attempts) == ("posted", 2)
    async with (
        alerts_db.unit_of_work() as session
    ):  # the one of before was only slow: it finds that it is not its own any more
        assert not await Reports(session).holds(number, clock.now())


async def test_after_an_outage_of_days_the_last_period_alone_is_posted(alerts_db: Database, tmp_path: Path) -> None:
    for day in range(8):
        await record(alerts_db, MIDNIGHT + timedelta(days=day, hours=-1), 30, first=10 * day)
    clock = FakeClock(MIDNIGHT + timedelta(days=7, hours=12))
    await reporter_of(tmp_path, alerts_db, clock).step()
    assert [message.key for message, _ in await posted(alerts_db)] == ["daily/hq/2026-11-29"]


async def test_the_last_records_are_waited_for_and_what_is_missing_is_said(alerts_db: Database, tmp_path: Path) -> None:
    await record(alerts_db, MIDNIGHT - timedelta(hours=3), 120)
    clock = FakeClock(MIDNIGHT + timedelta(minutes=3))
    reporter = reporter_of(tmp_path, alerts_db, clock, at="00:00")
    assert await reporter.step() == clock.now() + timedelta(minutes=1)
    assert await posted(alerts_db) == []
    await record(alerts_db, MIDNIGHT - timedelta(hours=1), first=100)  # now they come
    await reporter.step()
    ((message, _),) = await posted(alerts_db)
    assert "Incomplete: 12.5 % of the period is recorded" in message.body
    (row,) = await rows(alerts_db)
    assert row.complete == 12 / 96


async def test_of_a_time_before_the_first_record_nothing_is_posted(alerts_db: Database, tmp_path: Path) -> None:
    await record(alerts_db, MIDNIGHT + timedelta(hours=1))
    clock = FakeClock(MIDNIGHT + timedelta(hours=8))
    await reporter_of(tmp_path, alerts_db, clock).step()
    assert await posted(alerts_db) == []
    (row,) = await rows(alerts_db)
    assert (row.state, row.answer) == ("nothing", "records begin on 2026-11-23")


async def test_that_a_receiver_has_no_channel_is_written_down(alerts_db: Database, tmp_path: Path) -> None:
    await record(alerts_db, MIDNIGHT - timedelta(hours=1))
    clock = FakeClock(MIDNIGHT + timedelta(hours=8))
    await reporter_of(tmp_path, alerts_db, clock, to="nobody").step()
    assert await posted(alerts_db) == []
    (row,) = await rows(alerts_db)
    assert row.state == "no_channel"
    assert "no channel" in row.answer
