"""Tables, migrations and repositories, on SQLite and, where TEST_POSTGRES_URL names a server, on PostgreSQL."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.alerts.app import MIGRATIONS
from services.alerts.core import lifecycle as steps
from services.alerts.core.actions import added
from services.alerts.core.course import next_look
from services.alerts.core.incident import Change, Incident, Policy, Telling
from services.alerts.core.labels import matchers
from services.alerts.core.plan import NOBODY
from services.alerts.core.silences import made
from services.alerts.core.telling import told
from services.alerts.reach.outbox import ChannelName, Outbox
from services.alerts.reach.queue import Lane, Queue
from services.alerts.reach.tables import MessageRow
from services.alerts.repositories import Incidents, Positions, Query
from services.alerts.silences.repository import Silences
from shared.db import Database
from shared.errors import StoreError
from shared.migrate import downgrade, upgrade
from shared.positions import Position
from tests.flagkit import HANDLING, T0, book, clearing, flag, joined, opened, zone_of

NOW = T0 + timedelta(hours=1)
LATER = NOW + timedelta(minutes=5)


pytest_plugins = ("tests.alertsdb",)


@pytest.mark.postgres
async def test_the_postgres_that_the_tests_here_run_on_too_answers() -> None:
    url = os.environ.get("TEST_POSTGRES_URL", "")
    if not url:
        pytest.skip("no PostgreSQL: set TEST_POSTGRES_URL to one in which databases may be created")
    database = Database(url)
    await database.ping()
    await database.close()


@pytest.mark.parametrize("revision", ["0001", "0002"])
async def test_a_database_with_incidents_goes_a_version_back_and_forth(alerts_db: Database, revision: str) -> None:
    (one,) = await save(alerts_db, opened(flag("f1"), NOW))
    (one,) = await save(alerts_db, told_of(one))
    async with alerts_db.unit_of_work() as session:
        Outbox(session).add(one, {"receivers": ["ops"], "telling": 1, "reason": "opened"}, CHANNELS, timedelta(), NOW)
    before = await notifications(alerts_db, one.id)
    await downgrade(alerts_db, MIGRATIONS, revision)
    await upgrade(alerts_db, MIGRATIONS)
    found = await get(alerts_db, one.id)
    assert found == msgspec.structs.replace(
        one, plan=NOBODY, telling=Telling(count=1, opening=1)
    )  # an older one knew no more
    assert await notifications(alerts_db, one.id) == before
    assert len(before) == 1
    async with alerts_db.reading() as session:
        assert [found for found, _ in await Incidents(session).flags(one.id)] == [flag("f1")]


async def test_what_was_tried_to_send_goes_versions_back_and_forth(alerts_db: Database) -> None:
    """A storm's message of two incidents, tried twice and waiting; going back each has its own."""
    numbers = []
    async with alerts_db.unit_of_work() as session:
        await Silences(session).add(made("silence", matchers({"rule": "x"}), "why", "Li", NOW, starts=NOW, ends=LATER))
    for name in ("f1", "f2"):
        (one,) = await save(alerts_db, opened(flag(name, name), NOW))
        (one,) = await save(alerts_db, told_of(one))
        (one,) = await save(alerts_db, added(one, "Staff sales", "Zhao Lei", None, "Wu Na", "UTC", NOW))
        async with alerts_db.unit_of_work() as session:
            Outbox(session).add(
                one, {"receivers": ["ops"], "telling": 1, "reason": "opened"}, CHANNELS, timedelta(), NOW
            )
        numbers.append(one.id)
    lane = Lane("ops", "k")
    async with alerts_db.unit_of_work() as session:
        queue = Queue(session)
        notices = [row for row, _ in await queue.worst(lane, NOW, None)]
        values = {"kind": "bundle", "receiver": "ops", "channel_key": "k", "channel": "json", "severity": "critical"}
        message = await queue.new(
            MessageRow(**values, state="waiting", created_at=NOW, due_at=LATER, title="2"), notices
        )
        for _ in range(2):
            queue.attempted(message.id or 0, NOW, 0.1, False, "HTTP 500")
    for revision in ("0006", "0003"):
        await downgrade(alerts_db, MIGRATIONS, revision)
        await upgrade(alerts_db, MIGRATIONS)
        async with alerts_db.reading() as session:
            for number in numbers:
                ((row, delivery),) = await Outbox(session).of(number)
                assert (row.state, row.due_at) == ("waiting", None), revision
                assert [attempt.answer for attempt in delivery.attempts] == ["HTTP 500"] * 2
                assert delivery.message is not None
                assert (delivery.message.due_at, delivery.message.title) == (LATER, "2")
            (found,) = [work for work in await Queue(session).work(NOW) if work.lane == lane]
            assert (found.notices_at, found.message_at) == (None, LATER)
    (one,) = await save(alerts_db, opened(flag("f3", "t3"), NOW))
    assert one.id not in numbers


async def test_a_database_of_a_newer_version_is_refused(alerts_db: Database) -> None:
    async with alerts_db.unit_of_work() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"revision 9999.*newer"):
        await upgrade(alerts_db, MIGRATIONS)


CHANNELS = {"ops": [ChannelName("k", "json 127.0.0.1")]}


async def notifications(database: Database, number: int) -> list[tuple[int, str, str, str]]:
    async with database.reading() as session:
        return [(row.telling, row.reason, row.channel_key, row.state) for row, _ in await Outbox(session).of(number)]


def look_at(one: Incident) -> datetime | None:
    return next_look(one, Policy(), NOW)


async def save(database: Database, *changes: Change) -> list[Incident]:
    async with database.unit_of_work() as session:
        return await Incidents(session).save(changes, NOW, look_at)


def told_of(one: Incident) -> Change:
    change = told(one, NOW)
    assert change is not None
    return change


async def get(database: Database, number: int) -> Incident:
    async with database.reading() as session:
        found = await Incidents(session).get(number)
    assert found is not None
    return found


async def test_an_incident_comes_back_as_it_was_saved(alerts_db: Database) -> None:
    known = book(Policy())
    changes = [
        known.raised(flag("f1"), NOW)[1],
        known.cleared(clearing("f1"), NOW)[1],
        known.raised(flag("f2"), NOW)[1],
    ]
    (saved,) = await save(alerts_db, *[change for change in changes if change])
    found = await get(alerts_db, saved.id)
    assert found == saved
    assert set(found.active) == {"f2"}
    async with alerts_db.reading() as session:
        incidents = Incidents(session)
        entries = await incidents.entries(saved.id)
        flags = await incidents.flags(saved.id)
    assert [entry.kind for entry in entries] == ["opened", "flag_cleared", "flag_joined"]
    assert entries == [change.entry for change in changes if change]
    assert [one for one, _ in flags] == [flag("f1"), flag("f2")]
    assert [ended for _, ended in flags] == [clearing("f1"), None]


async def test_flags_that_are_over_unheard_are_not_active_any_more(alerts_db: Database) -> None:
    (one,) = await save(alerts_db, opened(flag("f1"), NOW))
    (one,) = await save(alerts_db, joined(one, flag("f2"), NOW))
    assert (await get(alerts_db, one.id)).active == {"f2": flag().topic}
    async with alerts_db.unit_of_work() as session:
        incidents = Incidents(session)
        await incidents.save([steps.lost(found, NOW) for found in await incidents.with_active_flags()], NOW, look_at)
    assert (await get(alerts_db, one.id)).condition == "unknown"
    async with alerts_db.reading() as session:
        assert await Incidents(session).with_active_flags() == []


async def test_later_changes_are_rows_and_the_old_ones_stay(alerts_db: Database) -> None:
    (one,) = await save(alerts_db, opened(flag(), NOW))
    (one,) = await save(alerts_db, steps.acknowledged(one, "Li", "looking", NOW))
    (one,) = await save(alerts_db, steps.resolved(one, "Li", "done", NOW, cause="x"))
    assert await get(alerts_db, one.id) == one
    async with alerts_db.reading() as session:
        entries = await Incidents(session).entries(one.id)
    assert [(entry.seq, entry.kind, entry.note) for entry in entries] == [
        (1, "opened", ""),
        (2, "acknowledged", "looking"),
        (3, "resolved", "done"),
    ]


async def test_the_database_itself_refuses_a_second_unresolved_incident_of_a_group(alerts_db: Database) -> None:
    await save(alerts_db, opened(flag("f1"), NOW))
    with pytest.raises(IntegrityError):
        await save(alerts_db, opened(flag("f2"), NOW))


async def test_the_database_itself_refuses_the_same_step_twice(alerts_db: Database) -> None:
    (one,) = await save(alerts_db, opened(flag(), NOW))
    await save(alerts_db, steps.acknowledged(one, "Li", "", NOW))
    with pytest.raises(IntegrityError):
        await save(alerts_db, steps.acknowledged(one, "Wu", "", NOW))


async def test_a_book_holds_what_a_batch_can_touch(alerts_db: Database) -> None:
    (old,) = await save(alerts_db, opened(flag("f1"), NOW))
    (old,) = await save(alerts_db, steps.resolved(old, "Li", "", NOW))
    (new,) = await save(alerts_db, opened(flag("f2"), NOW))
    (other,) = await save(alerts_db, opened(flag("f3", "t3"), NOW))
    async with alerts_db.reading() as session:
        known = await Incidents(session).book(Policy(), HANDLING, zone_of, ["f1"], [new.group])
    assert {one.id for one in known.incidents} == {old.id, new.id}
    assert known.raised(flag("f1"), NOW) == ("duplicate", None)
    outcome, change = known.raised(flag("f9"), NOW)
    assert (outcome, change and change.incident.id) == ("joined", new.id)
    assert other.id not in {one.id for one in known.incidents}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [4, 3, 2, 1]),
        ({"states": ("open",)}, [4, 3, 2]),
        ({"states": ("acknowledged", "resolved")}, [1]),
        ({"severities": ("warning",)}, [3]),
        ({"rule": "long_hold"}, [4]),
        ({"site": "s2"}, [2]),
        ({"text": "t2"}, [2]),
        ({"text": "转接 SECONDS"}, [4]),
        ({"text": "100%"}, []),
        ({"text": "#3"}, [3]),
        ({"before": 3, "limit": 1}, [2]),
    ],
)
async def test_incidents_are_found_by_what_people_know_of_them(
    alerts_db: Database, query: dict[str, Any], found: list[int]
) -> None:
    (one,) = await save(alerts_db, opened(flag("f1", "t1"), NOW))
    await save(alerts_db, steps.acknowledged(one, "Li", "", NOW))
    await save(alerts_db, opened(flag("f2", "t2", site="s2"), NOW))
    await save(alerts_db, opened(flag("f3", "tx", severity="warning"), NOW))
    await save(alerts_db, opened(flag("f4", "ty", rule="long_hold", summary_en="for many seconds"), NOW))
    async with alerts_db.reading() as session:
        assert [one.id for one in await Incidents(session).find(Query(**query))] == found


async def test_incidents_are_found_when_the_time_to_look_at_them_has_come(alerts_db: Database) -> None:
    for name, severity in (("f1", "critical"), ("f2", "warning"), ("f3", "warning")):
        (one,) = await save(alerts_db, opened(flag(name, name, severity=severity), NOW))
        (one,) = await save(alerts_db, told_of(one))
        if name != "f3":
            await save(alerts_db, steps.cleared(one, clearing(name), NOW))
    async with alerts_db.unit_of_work() as session:
        incidents = Incidents(session)
        assert await incidents.next_due() == NOW + timedelta(hours=8)
        for hours, expected in ((7, []), (8, ["f2"]), (24, ["f1", "f2"])):
            found = await incidents.due(NOW + timedelta(hours=hours))
            assert sorted(one.opened_by for one in found) == expected
        await incidents.look_again(found, lambda _one: None)
        assert await incidents.next_due() is None


async def test_positions_are_kept_by_partition(alerts_db: Database) -> None:
    here, there = ("floor.flags", 0), ("floor.flags", 1)
    async with alerts_db.unit_of_work() as session:
        await Positions(session).save({here: Position(2**40, "a"), there: Position(1, "b")}, NOW)
    async with alerts_db.unit_of_work() as session:
        await Positions(session).save({here: Position(2**40 + 1, "c")}, NOW)
    async with alerts_db.reading() as session:
        found = await Positions(session).all("floor.flags")
        assert found == {here: Position(2**40 + 1, "c"), there: Position(1, "b")}
    async with alerts_db.unit_of_work() as session:
        await Positions(session).forget("floor.flags")
        assert await Positions(session).all("floor.flags") == {}
