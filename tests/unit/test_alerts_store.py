"""Tables, migrations and repositories, on SQLite and, where TEST_POSTGRES_URL names a server, on PostgreSQL."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from services.alerts.app import MIGRATIONS
from services.alerts.core import incident as steps
from services.alerts.core.grouping import Book
from services.alerts.core.incident import Change, Incident, Policy
from services.alerts.repositories import Incidents, Positions, Query
from services.alerts.tables import METADATA
from shared.db import Database, migrating
from shared.errors import StoreError
from shared.migrate import downgrade, upgrade
from shared.positions import Position
from tests.alertskit import T0, clearing, flag

NOW = T0 + timedelta(hours=1)


pytest_plugins = ("tests.alertsdb",)


@pytest.mark.postgres
async def test_the_postgres_that_the_tests_here_run_on_too_answers() -> None:
    url = os.environ.get("TEST_POSTGRES_URL", "")
    if not url:
        pytest.skip("no PostgreSQL: set TEST_POSTGRES_URL to one in which databases may be created")
    database = Database(url)
    await database.ping()
    await database.close()


async def tables(database: Database) -> set[str]:
    async with migrating(database) as connection:
        return set(await connection.run_sync(lambda c: inspect(c).get_table_names())) - {"alembic_version"}


async def test_migrations_make_what_the_models_say_and_undo_it(empty_alerts_db: Database) -> None:
    await upgrade(empty_alerts_db, MIGRATIONS)
    async with migrating(empty_alerts_db) as connection:
        differences = await connection.run_sync(
            lambda c: compare_metadata(MigrationContext.configure(c, opts={"compare_type": True}), METADATA)
        )
    assert differences == []
    assert await tables(empty_alerts_db) == set(METADATA.tables)
    await downgrade(empty_alerts_db, MIGRATIONS, "base")
    assert await tables(empty_alerts_db) == set()
    await upgrade(empty_alerts_db, MIGRATIONS)
    await upgrade(empty_alerts_db, MIGRATIONS)  # twice is the same as once
    assert await tables(empty_alerts_db) == set(METADATA.tables)


@pytest.mark.parametrize("revision", ["0001"])
async def test_a_database_with_incidents_goes_a_version_back_and_forth(alerts_db: Database, revision: str) -> None:
    (one,) = await save(alerts_db, steps.opened(flag("f1"), NOW))
    await downgrade(alerts_db, MIGRATIONS, revision)
    await upgrade(alerts_db, MIGRATIONS)
    assert await get(alerts_db, one.id) == one
    async with alerts_db.reading() as session:
        assert [found for found, _ in await Incidents(session).flags(one.id)] == [flag("f1")]


async def test_a_database_of_a_newer_version_is_refused(alerts_db: Database) -> None:
    async with alerts_db.unit_of_work() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"revision 9999.*newer"):
        await upgrade(alerts_db, MIGRATIONS)


async def save(database: Database, *changes: Change) -> list[Incident]:
    async with database.unit_of_work() as session:
        return await Incidents(session).save(changes, NOW)


async def get(database: Database, number: int) -> Incident:
    async with database.reading() as session:
        found = await Incidents(session).get(number)
    assert found is not None
    return found


async def test_an_incident_comes_back_as_it_was_saved(alerts_db: Database) -> None:
    book = Book(Policy())
    changes = [book.raised(flag("f1"), NOW)[1], book.cleared(clearing("f1"), NOW)[1], book.raised(flag("f2"), NOW)[1]]
    (saved,) = await save(alerts_db, *[change for change in changes if change])
    found = await get(alerts_db, saved.id)
    assert found == saved
    assert found.active == {"f2"}
    async with alerts_db.reading() as session:
        incidents = Incidents(session)
        entries = await incidents.entries(saved.id)
        flags = await incidents.flags(saved.id)
    assert [entry.kind for entry in entries] == ["opened", "flag_cleared", "flag_joined"]
    assert entries == [change.entry for change in changes if change]
    assert [one for one, _ in flags] == [flag("f1"), flag("f2")]
    assert [ended for _, ended in flags] == [clearing("f1"), None]


async def test_flags_that_are_over_unheard_are_not_active_any_more(alerts_db: Database) -> None:
    (one,) = await save(alerts_db, steps.opened(flag("f1"), NOW))
    (one,) = await save(alerts_db, steps.joined(one, flag("f2"), NOW))
    assert (await get(alerts_db, one.id)).active == {"f2"}
    async with alerts_db.unit_of_work() as session:
        incidents = Incidents(session)
        await incidents.save([steps.lost(found, NOW) for found in await incidents.with_active_flags()], NOW)
    assert (await get(alerts_db, one.id)).condition == "unknown"
    async with alerts_db.reading() as session:
        assert await Incidents(session).with_active_flags() == []


async def test_later_changes_are_rows_and_the_old_ones_stay(alerts_db: Database) -> None:
    (one,) = await save(alerts_db, steps.opened(flag(), NOW))
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
    await save(alerts_db, steps.opened(flag("f1"), NOW))
    with pytest.raises(IntegrityError):
        await save(alerts_db, steps.opened(flag("f2"), NOW))


async def test_the_database_itself_refuses_the_same_step_twice(alerts_db: Database) -> None:
    (one,) = await save(alerts_db, steps.opened(flag(), NOW))
    await save(alerts_db, steps.acknowledged(one, "Li", "", NOW))
    with pytest.raises(IntegrityError):
        await save(alerts_db, steps.acknowledged(one, "Wu", "", NOW))


async def test_a_book_holds_what_a_batch_can_touch(alerts_db: Database) -> None:
    (old,) = await save(alerts_db, steps.opened(flag("f1"), NOW))
    (old,) = await save(alerts_db, steps.resolved(old, "Li", "", NOW))
    (new,) = await save(alerts_db, steps.opened(flag("f2"), NOW))
    (other,) = await save(alerts_db, steps.opened(flag("f3", "t3"), NOW))
    async with alerts_db.reading() as session:
        book = await Incidents(session).book(Policy(), ["f1"], [new.group])
    assert {one.id for one in book.incidents} == {old.id, new.id}
    assert book.raised(flag("f1"), NOW) == ("duplicate", None)
    outcome, change = book.raised(flag("f9"), NOW)
    assert (outcome, change and change.incident.id) == ("joined", new.id)
    assert other.id not in {one.id for one in book.incidents}


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
    (one,) = await save(alerts_db, steps.opened(flag("f1", "t1"), NOW))
    await save(alerts_db, steps.acknowledged(one, "Li", "", NOW))
    await save(alerts_db, steps.opened(flag("f2", "t2", site="s2"), NOW))
    await save(alerts_db, steps.opened(flag("f3", "tx", severity="warning"), NOW))
    await save(alerts_db, steps.opened(flag("f4", "ty", rule="long_hold", summary_en="for many seconds"), NOW))
    async with alerts_db.reading() as session:
        assert [one.id for one in await Incidents(session).find(Query(**query))] == found


async def test_quiet_incidents_are_found_when_their_time_has_passed(alerts_db: Database) -> None:
    for name, severity in (("f1", "critical"), ("f2", "warning"), ("f3", "warning")):
        (one,) = await save(alerts_db, steps.opened(flag(name, name, severity=severity), NOW))
        if name != "f3":
            await save(alerts_db, steps.cleared(one, clearing(name), NOW))
    policy = Policy()
    async with alerts_db.reading() as session:
        incidents = Incidents(session)
        assert await incidents.next_quiet(policy) == NOW + timedelta(hours=8)
        for hours, expected in ((7, []), (8, ["f2"]), (24, ["f1", "f2"])):
            found = await incidents.quiet_until(NOW + timedelta(hours=hours), policy)
            assert sorted(one.opened_by for one in found) == expected


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
