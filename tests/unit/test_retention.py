"""What is old enough goes, with all that belongs to it, and is written down; what is not, or is still of use, stays."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select
from sqlmodel import SQLModel, col

from services.alerts.actions.tables import ActionRow
from services.alerts.alertfile.live import InForce
from services.alerts.alertfile.reading import load_alerts
from services.alerts.metadata import METADATA
from services.alerts.reach.tables import MessageAttemptRow, MessageRow
from services.alerts.recorder.tables import AgentDayRow
from services.alerts.retention import keeper
from services.alerts.retention.groups import FOR_EVER, GROUPS
from services.alerts.retention.keeping import DEFAULT, Retention
from services.alerts.retention.purging import Purges
from services.alerts.retention.rows import below
from services.alerts.retention.tables import PurgeRow
from services.alerts.silences.tables import SilenceEventRow, SilenceRow
from services.alerts.tables import EventRow, FlagRow, IncidentRow, NotificationRow, PlanRow
from shared.clock import FakeClock
from shared.db import Database
from shared.errors import SettingsError
from shared.memorybus import MemoryBus
from shared.settings import AlertsSettings
from shared.siteconfig import Sites
from tests.alertskit import running
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEEP = timedelta(days=100)
RETENTION = Retention({one.name: KEEP for one in GROUPS})
OLD = NOW - KEEP - timedelta(days=1)
YOUNG = NOW - KEEP + timedelta(days=1)


@pytest.fixture
async def db(alerts_db: Database) -> Database:
    async with alerts_db.unit_of_work() as session:
        session.add(PlanRow(key="p", plan={"routes": {}, "raises": []}))
    return alerts_db


async def put(db: Database, *rows: SQLModel) -> None:
    async with db.unit_of_work() as session:
        for row in rows:
            session.add(row)
            await session.flush()


async def count(db: Database, kind: type[SQLModel]) -> int:
    async with db.reading() as session:
        return await session.scalar(select(func.count()).select_from(kind)) or 0


async def numbers(db: Database) -> set[int]:
    async with db.reading() as session:
        return set((await session.scalars(select(col(IncidentRow.id)))).all()) - {None}  # type: ignore[arg-type]


def incident(number: int, changed_at: datetime, **more: Any) -> IncidentRow:
    values: dict[str, Any] = {
        "id": number,
        "opened_by": f"f{number}",
        "group_key": f"g{number}",
        **dict.fromkeys(("site", "rule", "subject", "subject_id", "summary_en", "summary_zh"), "x"),
        "severity": "warning",
        "state": "resolved",
        "plan_key": "p",
        **dict.fromkeys(("started", "opened_at", "open_since", "changed_at"), changed_at),
    }
    return IncidentRow(**values | more)


def notice(number: int, of: int, state: str = "sent") -> NotificationRow:
    return NotificationRow(
        id=number, incident_id=of, telling=1, reason="opened", receiver="ops", channel_key="k", channel="c", state=state,
        created_at=OLD,
    )  # fmt: skip


def message(number: int, finished_at: datetime | None) -> MessageRow:
    return MessageRow(
        id=number, kind="single", receiver="ops", channel_key="k", channel="c", severity="info", created_at=OLD,
        state="sent" if finished_at else "waiting", finished_at=finished_at,
    )  # fmt: skip


def belonging(number: int, at: datetime) -> list[SQLModel]:
    """One row of each table whose rows belong to an incident, but for actions."""
    flag = FlagRow(
        flag_id=f"f{number}", incident_id=number, site="x", rule="x", severity="warning", subject="x", subject_id="x",
        started=at, raised=at, received_at=at, summary_en="x", summary_zh="x",
    )  # fmt: skip
    event = EventRow(incident_id=number, seq=1, at=at, kind="opened", by="floorwatch", published=True)
    return [event, flag, notice(number * 10, number)]


def action(number: int, done_at: datetime | None) -> ActionRow:
    return ActionRow(
        incident_id=number, number=1, text="x", owner="Li", created_at=OLD, created_by="Li", done_at=done_at
    )


class Passing(FakeClock):
    """Every look at it takes a moment, so that a purge rests between its batches."""

    def monotonic(self) -> float:
        self.pause(0.001)
        return super().monotonic()


def purges(db: Database) -> Purges:
    return Purges(db, FakeClock(NOW))


def test_every_table_is_kept_for_a_time_or_for_ever_with_a_reason() -> None:
    roots = [kept.table.name for group in GROUPS for kept in group.tables]
    with_them = {table.name for group in GROUPS for kept in group.tables for table in below(kept.table)}
    assert len(roots) == len(set(roots))
    assert not set(roots) & with_them, "a table has its own time, or goes with another one"
    known = {*roots, *with_them, *FOR_EVER}
    assert set(METADATA.tables) - known == set(), "add these to services/alerts/retention/groups.py"
    assert known - set(METADATA.tables) == set(), "there are no such tables any more"
    assert not set(FOR_EVER) & ({*roots} | with_them)
    assert all(FOR_EVER.values())


async def test_what_is_old_goes_with_everything_that_belongs_to_it_and_the_rest_stays(db: Database) -> None:
    await put(
        db,
        *(incident(number, OLD + timedelta(minutes=number)) for number in (1, 2)),
        incident(3, YOUNG),
        *(row for number in (1, 2, 3) for row in belonging(number, OLD)),
        action(1, done_at=OLD),
        message(1, finished_at=OLD),
        message(2, finished_at=None),
        MessageAttemptRow(message_id=1, at=OLD, took_s=0.1, ok=True),
        SilenceRow(id=1, kind="silence", by="Li", created_at=OLD, starts=OLD, ends=OLD),
        SilenceEventRow(silence_id=1, at=OLD, kind="made", by="Li"),
        SilenceRow(id=2, kind="silence", by="Li", created_at=OLD, starts=OLD, ends=YOUNG),
        SilenceEventRow(silence_id=2, at=OLD, kind="made", by="Li"),
    )
    would = await purges(db).would(RETENTION)
    row = await purges(db).purge(RETENTION, by="Li Wei")
    assert row is not None
    gone = {one["table"]: one["rows"] for one in row.removed if one["rows"]}
    assert gone == {
        "incidents": 2,
        "incident_events": 2,
        "flags": 2,
        "notices": 2,
        "messages": 1,
        "message_attempts": 1,
        "incident_actions": 1,
        "silences": 1,
        "silence_events": 1,
    }
    assert {one.table: one.rows for one in would if one.rows} == gone
    assert row.rows == sum(gone.values())
    (of_incidents,) = (one for one in would if one.table == "incidents")
    assert (of_incidents.oldest, of_incidents.newest) == (OLD + timedelta(minutes=1), OLD + timedelta(minutes=2))
    (written,) = (one for one in row.removed if one["table"] == "incidents")
    assert datetime.fromisoformat(written["oldest"]) == of_incidents.oldest
    assert await numbers(db) == {3}
    for kind in (EventRow, FlagRow, NotificationRow, MessageRow, SilenceRow, SilenceEventRow):
        assert await count(db, kind) == 1
    assert [one.rows for one in await purges(db).would(RETENTION) if one.rows] == []


@pytest.mark.parametrize(
    ("more", "rows"),
    [
        ({"state": "open"}, []),
        ({"state": "acknowledged"}, []),
        ({"next_at": OLD}, []),
        ({"recheck_on": NOW.date()}, []),
        ({}, [action(1, done_at=None)]),
        ({}, [EventRow(incident_id=1, seq=1, at=OLD, kind="opened", by="floorwatch", published=False)]),
        (
            {},
            [notice(1, 1, state="waiting")],
        ),
    ],
    ids=["open", "acknowledged", "due", "recheck", "action", "unpublished", "unsent"],
)
async def test_what_is_still_of_use_stays_however_old_it_is(
    db: Database, more: dict[str, Any], rows: list[SQLModel]
) -> None:
    copies = [type(row)(**row.model_dump()) for row in rows]  # a row belongs to one session
    await put(db, incident(1, OLD, **more), incident(2, OLD), *copies)
    row = await purges(db).purge(RETENTION, by="Li Wei")
    assert row is not None
    assert row.rows == 1
    assert await numbers(db) == {1}


async def test_what_is_kept_for_ever_stays(db: Database) -> None:
    await put(db, incident(1, OLD))
    row = await purges(db).purge(Retention({**RETENTION.keep, "incidents": None}), by="Li Wei")
    assert row is not None
    assert (row.rows, await numbers(db)) == (0, {1})


async def test_more_than_fits_in_a_batch_goes_too_also_by_keys_of_several_columns(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.alerts.retention.purging.PAGE", 8)
    monkeypatch.setattr("services.alerts.retention.purging.BATCH", 3)
    days = [
        AgentDayRow(
            site="x",
            day=at.date(),
            agent_id=f"{n % 3}",
            state=f"{n}",
            reason="",
            pieces=1,
            lasted_us=1,
            stale_us=0,
            first_at=at,
            last_at=at,
            recorded_at=at,
        )
        for n in range(20)
        for at in [OLD + timedelta(hours=n) if n % 2 else YOUNG + timedelta(hours=n)]
    ]
    await put(db, *days, *(incident(n, OLD) for n in range(1, 21)))
    row = await purges(db).purge(RETENTION, by="Li Wei")
    assert row is not None
    assert {one["table"]: one["rows"] for one in row.removed if one["rows"]} == {"incidents": 20, "agent_days": 10}
    assert await count(db, AgentDayRow) == 10


async def test_one_that_is_cut_short_says_exactly_what_is_gone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.alerts.retention.purging.BATCH", 2)
    await put(db, *(incident(n, OLD + timedelta(minutes=n)) for n in range(1, 8)))

    class Killed(Passing):
        async def sleep(self, seconds: float) -> None:
            left = await numbers(db)
            if len(left) < 4:
                raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Purges(db, Killed(NOW)).purge(RETENTION, by="Li Wei")
    (row,) = await purges(db).newest(10)
    assert row.finished_at is None
    assert row.rows == 7 - len(await numbers(db)) == 4


async def test_what_is_reopened_meanwhile_stays(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.alerts.retention.purging.BATCH", 1)
    await put(db, incident(1, OLD), incident(2, OLD + timedelta(minutes=1)))

    class Reopening(Passing):
        async def sleep(self, seconds: float) -> None:
            async with db.unit_of_work() as session:
                found = await session.get(IncidentRow, 2)
                if found is not None:
                    found.state = "open"

    row = await Purges(db, Reopening(NOW)).purge(RETENTION, by="Li Wei")
    assert row is not None
    assert (row.rows, await numbers(db)) == (1, {2})


def in_force(tmp_path: Path, clock: FakeClock, text: str) -> InForce:
    path = tmp_path / "alerts.yaml"
    path.write_text(f"receivers: {{a: {{}}}}\nroutes: {{receiver: a}}\n{text}", encoding="utf-8")
    return InForce(AlertsSettings(port=0, file=path), clock, CollectorRegistry(), lambda: None)


async def test_two_instances_purge_once_a_day_at_the_quiet_hour(db: Database, tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 11, 23, 0, 30, tzinfo=UTC))
    live = in_force(tmp_path, clock, 'retention: {at: "03:30", time_zone: Europe/Berlin, incidents: 100d}\n')
    await put(db, incident(1, clock.now() - timedelta(days=101)), incident(2, clock.now() - timedelta(days=99)))
    tasks = [asyncio.create_task(keeper.keep(db, live, Sites(), clock)) for _ in range(2)]

    async def days() -> list[tuple[str | None, datetime, int]]:
        return [(row.day, row.started_at, row.rows) for row in reversed(await purges(db).newest(10))]

    try:
        await moved(clock, timedelta(hours=1, minutes=55), db, 0)
        assert await days() == []
        await moved(clock, timedelta(minutes=10), db, 1)
        first = ("2026-11-23", datetime(2026, 11, 23, 2, 30, tzinfo=UTC), 1)
        assert await days() == [first]
        assert await numbers(db) == {2}
        await moved(clock, timedelta(hours=24), db, 2)
        assert await days() == [first, ("2026-11-24", first[1] + timedelta(days=1), 1)]  # the other is old enough now
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def moved(clock: FakeClock, by: timedelta, db: Database, finished: int) -> None:
    """Time goes on, and whoever woke has done what there was to do."""
    end = clock.now() + by

    async def asleep() -> bool:
        return len(clock._sleepers) == 2

    while clock.now() < end:
        await until(asleep)
        await clock.advance(min(timedelta(minutes=5), end - clock.now()).total_seconds())

    async def done() -> bool:
        async with db.reading() as session:
            rows = await session.scalars(select(PurgeRow).where(col(PurgeRow.finished_at).is_not(None)))
            return len(rows.all()) == finished

    await until(asleep)
    await until(done)


@pytest.mark.parametrize(
    ("last", "began_h", "due_h"),
    [
        (None, -1, 3.5),  # began an hour before midnight
        (None, 4, 27.5),  # too late for today's
        ("2026-11-22", -48, 3.5),
        ("2026-11-22", 4, 27.5),  # away at the quiet hour: the next one
        ("2026-11-23", -48, 27.5),
        ("2026-11-20", 4, 5),  # days were missed: now
    ],
)
def test_a_purge_is_due_at_the_next_quiet_hour_unless_days_were_missed(
    last: str | None, began_h: float, due_h: float
) -> None:
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    now = midnight + timedelta(hours=5)
    due = keeper.next_due(DEFAULT, "UTC", last, midnight + timedelta(hours=began_h), now)
    assert due == midnight + timedelta(hours=due_h)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{incident: 400d}", r"alerts.yaml:3: retention.incident: there is no such group; there are incidents, "),
        ("{incidents: 1h}", r"alerts.yaml:3: retention.incidents: expected at least a day"),
        ("{incidents: soon}", r"alerts.yaml:3: retention.incidents: expected days such as"),
        ('{at: "25:00"}', r"alerts.yaml:3: retention.at: expected a time of day"),
        ("{time_zone: Nowhere}", r"alerts.yaml:3: retention.time_zone: 'Nowhere' is not an IANA time zone"),
    ],
)
def test_a_wrong_time_to_keep_is_named_with_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        in_force(tmp_path, FakeClock(NOW), f"retention: {text}\n")


def test_times_to_keep_are_as_written_and_generous_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(
        'receivers: {a: {}}\nroutes: {receiver: a}\nretention: {incidents: never, records: 400d, at: "04:05"}\n'
    )
    found = load_alerts(path).retention
    assert found.keep == {**DEFAULT.keep, "incidents": None, "records": timedelta(days=400)}
    assert (found.at, found.time_zone) == (245, "")
    assert all(keep is None or keep >= timedelta(days=90) for keep in DEFAULT.keep.values())


async def test_what_was_removed_is_shown_page_by_page(db: Database) -> None:
    for number in (1, 2, 3):
        await put(db, incident(number, OLD))
        await purges(db).purge(RETENTION, by=f"Li {number}")
    async with running(MemoryBus(), db) as alerts:
        page = await alerts.get("/purges?limit=2")
        assert [one["by"] for one in page["purges"]] == ["Li 3", "Li 2"]
        assert page["purges"][0]["removed"][0] == {
            "group": "incidents",
            "table": "incidents",
            "rows": 1,
            "older_than": "2026-08-15T12:00:00Z",
            "oldest": "2026-08-14T12:00:00Z",
            "newest": "2026-08-14T12:00:00Z",
        }
        rest = await alerts.get(f"/purges?limit=2&cursor={page['next_cursor']}")
        assert [one["by"] for one in rest["purges"]] == ["Li 1"]
        assert rest["next_cursor"] is None
        await alerts.get("/purges?cursor=x", 400)
