"""Migrations of both services on both databases: every step up and down, with rows in every table of every revision."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from shared.db import Database
from shared.migrate import upgrade
from tests.databases import BOTH, empty_database
from tests.migrationkit import SCHEMAS, Content, Schema, content, shape

STEPS = [(name, revision) for name, schema in SCHEMAS.items() for revision in schema.revisions()]
# what became of a table that another one took the place of, at which revision; their rows get numbers of their own
RENAMED = {("alerts", "0003"): {"notifications": "notices", "notification_attempts": "notice_attempts"}}
REPLACED = {("alerts", "0005"): {"notice_attempts": "message_attempts"}}
APPEND_ONLY = {"monitor": {"number_reveals": "0001", "listen_audit": "0002"}}


@pytest.fixture(params=BOTH)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_database(request.param, tmp_path) as made:
        yield made


@pytest.mark.parametrize("name", SCHEMAS)
def test_revisions_are_one_line_in_the_order_of_their_numbers(name: str) -> None:
    revisions = SCHEMAS[name].revisions()
    assert SCHEMAS[name].heads() == [revisions[-1]]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]


@pytest.mark.parametrize("name", SCHEMAS)
async def test_the_newest_revision_is_what_the_models_say(name: str, database: Database) -> None:
    schema = SCHEMAS[name]
    await schema.to(database, "head")
    assert await schema.differences(database) == []
    assert set(await content(database)) == set(schema.metadata.tables)
    await schema.to(database, "base")
    assert await content(database) == {}
    await schema.to(database, "head")
    newest = await shape(database)
    await upgrade(database, schema.scripts)  # twice is the same as once
    assert await shape(database) == newest


def kept(schema: Schema, before: Content, after: Content, revisions: list[str]) -> list[str]:
    """What is not as it was, of tables and columns that are there before and after the steps to or from `revisions`."""
    rewritten = {column for revision in revisions for column in schema.rewritten.get(revision, ())}
    lost = []
    for table in before.keys() & after.keys():
        if len(before[table]) != len(after[table]):
            lost.append(f"{table}: {len(before[table])} rows, then {len(after[table])}")
        for key, row in before[table].items():
            now = after[table].get(key)
            if now is None:
                lost.append(f"{table} {key} is gone")
                continue
            for column in row.keys() & now.keys():
                if row[column] != now[column] and f"{table}.{column}" not in rewritten:
                    lost.append(f"{table} {key}: {column} was {row[column]!r}, is {now[column]!r}")
    return sorted(lost)


def said(rows: Content, table: str) -> list[Any]:
    return sorted(str(row["answer"]) for row in rows[table].values())


async def step(name: str, database: Database, start: str, end: str, passed: list[str]) -> None:
    """Go from `start` to `end`; everything that both revisions know must be as it was."""
    schema = SCHEMAS[name]
    before = await content(database)
    await schema.to(database, end)
    after = await content(database)
    assert kept(schema, before, after, passed) == [], f"{start} -> {end}"
    for revision in passed:
        for old, new in (RENAMED.get((name, revision), {}) | REPLACED.get((name, revision), {})).items():
            one, other = (old, new) if old in before else (new, old)
            if other in after and one in before and one not in after:
                assert said(after, other) == said(before, one), f"{start} -> {end}: {one} became {other}"


@pytest.mark.parametrize("name", SCHEMAS)
async def test_each_step_up_and_down_keeps_what_both_revisions_know(name: str, database: Database) -> None:
    schema = SCHEMAS[name]
    revisions = schema.revisions()
    shapes = {}
    for number, revision in enumerate(revisions):
        if number:
            await step(name, database, revisions[number - 1], revision, [revision])
        else:
            await schema.to(database, revision)
        shapes[revision] = await shape(database)
        assert await schema.fill(database, number)
    filled = await content(database)
    assert all(len(rows) >= 2 for table, rows in filled.items() if table not in schema.seeded)
    assert await schema.read_by_models(database) == sum(len(rows) for rows in filled.values())
    for newer, older in zip(reversed(revisions), reversed(revisions[:-1]), strict=False):
        await step(name, database, newer, older, [newer])
        assert await shape(database) == shapes[older], f"{older} is another schema from above than from below"
    await schema.to(database, "head")
    assert await shape(database) == shapes[revisions[-1]]
    assert await schema.read_by_models(database) > 0


@pytest.mark.parametrize(("name", "revision"), STEPS)
async def test_a_database_of_each_revision_goes_to_the_newest_at_once_and_back(
    name: str, revision: str, database: Database
) -> None:
    """As a service does it at its start after an update that leaves versions out: in one transaction."""
    schema = SCHEMAS[name]
    passed = [one for one in schema.revisions() if one > revision]
    await schema.to(database, revision)
    await schema.fill(database, 0)
    newest = schema.revisions()[-1]
    await step(name, database, revision, newest, passed)
    assert await schema.read_by_models(database) > 0
    await step(name, database, newest, revision, passed)
    await schema.fill(database, 1)


@pytest.mark.parametrize(("name", "table"), [(name, table) for name, tables in APPEND_ONLY.items() for table in tables])
async def test_what_is_only_ever_added_to_stays_so_after_every_step(name: str, table: str, database: Database) -> None:
    schema, since = SCHEMAS[name], APPEND_ONLY[name][table]
    revisions = [one for one in schema.revisions() if one >= since]
    await schema.to(database, since)
    rows = (await schema.fill(database, 0))[table]
    for revision in [*revisions, *reversed(revisions[:-1])]:
        await schema.to(database, revision)
        for change in (f"UPDATE {table} SET purpose = ''", f"DELETE FROM {table}"):
            with pytest.raises(SQLAlchemyError, match="append-only"):
                async with database.unit_of_work() as session:
                    await session.execute(sa.text(change))
        assert (await content(database))[table] == rows


async def test_a_change_that_loses_rows_or_values_is_found(tmp_path: Path) -> None:
    schema = SCHEMAS["alerts"]
    async with empty_database("sqlite", tmp_path) as database:
        await schema.to(database, "head")
        await schema.fill(database, 0)
        before = await content(database)
        async with database.unit_of_work() as session:
            await session.execute(sa.text("DELETE FROM flags WHERE status = 'cleared'"))
            await session.execute(sa.text("UPDATE incidents SET owner = '' WHERE state = 'open'"))
        found = kept(schema, before, await content(database), [])
    assert [one.partition(" ")[0].rstrip(":") for one in found] == ["flags", "flags", "incidents"]
