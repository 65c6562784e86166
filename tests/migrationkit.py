"""Databases at each revision with rows in every table, whatever tables there are: for tests of migrations.

Rows are made from the schema that is found, not from the models, which know the newest revision alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector

from services.alerts.app import MIGRATIONS as OF_ALERTS
from services.alerts.metadata import METADATA as ALERTS
from services.monitor.desk.store import MIGRATIONS as OF_MONITOR
from services.monitor.desk.tables import METADATA as MONITOR
from shared.db import Database, UtcDateTime, migrating
from shared.migrate import config_for, downgrade, upgrade

START = datetime(2026, 3, 29, 0, 59, 59, 123457, tzinfo=UTC)  # a second before clocks go ahead in much of Europe
HUGE = 2**53 + 1  # a double does not hold it
TEXT = 'Wang 王芳\'s "call"; -- \\ %s :x'

Row = dict[str, Any]
Key = tuple[Any, ...]
Content = dict[str, dict[Key, Row]]  # rows of each table by their primary key


@dataclass(frozen=True)
class Schema:
    """The migrations of one service, and what tests must know of its tables to fill and compare them."""

    scripts: Path
    metadata: sa.MetaData
    values: Mapping[
        str, tuple[Any, Any]
    ]  # what a column (`state` or `table.state`) holds, in the first and the second row
    references: Mapping[str, str] = field(
        default_factory=dict
    )  # a column that names a row of a table, without a constraint
    seeded: frozenset[str] = frozenset()  # tables whose rows the migrations make
    rewritten: Mapping[str, frozenset[str]] = field(default_factory=dict)  # revision: columns that it works out anew

    def revisions(self) -> list[str]:
        """All revisions, oldest first. Raises CommandError when there is more than one head."""
        return [one.revision for one in reversed(list(self._directory().walk_revisions("base", "heads")))]

    def heads(self) -> list[str]:
        return list(self._directory().get_heads())

    def _directory(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(config_for(self.scripts))

    async def to(self, database: Database, revision: str) -> None:
        """Up or down to `revision`, whichever it is."""
        at = await looked(database, lambda c: MigrationContext.configure(c).get_current_revision())
        if at is None or (revision != "base" and revision >= at):
            await upgrade(database, self.scripts, revision)
        else:
            await downgrade(database, self.scripts, revision)

    async def fill(self, database: Database, number: int) -> Content:
        """Put two rows into every table: one with everything, one with nothing that may be left out; what they are now.

        `number` makes them other rows than those of another call.
        """
        return await looked(database, lambda c: self._fill(c, number))

    def _fill(self, connection: Connection, number: int) -> Content:
        made: Content = {}
        on_sqlite = connection.dialect.name == "sqlite"
        for table in reflected(connection).sorted_tables:
            if table.name in self.seeded:
                continue
            for index in (0, 1):
                row = {
                    column.name: self._value(column, index, 2 * number + index, made)
                    for column in table.columns
                    if not _numbered(column, on_sqlite)
                }
                key = connection.execute(sa.insert(table).values(row)).inserted_primary_key
                assert key is not None
                found = _rows(connection, table)[tuple(key)]
                assert {name: found[name] for name in row} == row, f"{table.name} does not keep what is put into it"
                made.setdefault(table.name, {})[tuple(key)] = found
        return made

    def _value(self, column: sa.Column[Any], index: int, number: int, made: Content) -> Any:
        table = column.table.name
        for foreign in column.foreign_keys:
            return list(made[foreign.column.table.name].values())[index][foreign.column.name]
        for name in (f"{table}.{column.name}", column.name):
            if name in self.values:
                return self.values[name][index]
            if name in self.references:
                return list(made[self.references[name]])[index][0]
        if index and column.nullable:
            return None
        return _made_up(column, number)

    async def differences(self, database: Database) -> list[Any]:
        """What Alembic would write into a new migration."""
        options = {"compare_type": True}
        return await looked(
            database, lambda c: list(compare_metadata(MigrationContext.configure(c, opts=options), self.metadata))
        )

    async def read_by_models(self, database: Database) -> int:
        """How many rows the models could read, of all tables."""
        async with database.reading() as session:
            return sum([len((await session.execute(sa.select(table))).all()) for table in self.metadata.sorted_tables])


def _made_up(column: sa.Column[Any], number: int) -> Any:
    kind = column.type
    match kind:
        case UtcDateTime():
            return START + timedelta(hours=number, microseconds=number)
        case sa.Date():
            return date(2026, 2, 28) + timedelta(days=number)
        case sa.Boolean():
            return number % 2 == 0
        case sa.BigInteger():
            return HUGE + number
        case sa.Integer():
            return number + 1
        case sa.Float():
            return 0.1 + number
        case sa.LargeBinary():
            return bytes(range(256)) + bytes([number])
        case sa.JSON():
            return {"names": ["王芳", None, True, 7.0], "number": number}
        case sa.Text():
            return f"{TEXT} {column.name} {number}"
    raise AssertionError(f"{column.table.name}.{column.name}: a value of {kind!r} has to be made up here")


def _numbered(column: sa.Column[Any], on_sqlite: bool) -> bool:
    """True for a key that the database counts: what else adds rows later must not get the same number."""
    if not column.primary_key or not isinstance(column.type, sa.Integer) or len(column.table.primary_key.columns) > 1:
        return False
    return on_sqlite or "nextval" in str(getattr(column.server_default, "arg", ""))


_REFLECTED: dict[
    tuple[str, ...], sa.MetaData
] = {}  # by dialect, revision and tables: looking takes longer than the migration


def reflected(connection: Connection) -> sa.MetaData:
    """The tables as they are in the database; times in the type in which the services store them."""
    revision = str(MigrationContext.configure(connection).get_current_revision())
    tables = tuple(sorted(sa.inspect(connection).get_table_names()))
    key = (connection.dialect.name, revision, *tables)
    if key not in _REFLECTED:
        _REFLECTED[key] = _reflected(connection)
    return _REFLECTED[key]


def _reflected(connection: Connection) -> sa.MetaData:
    found = sa.MetaData()

    @event.listens_for(found, "column_reflect")
    def column_reflect(_inspector: Inspector, _table: str, info: dict[str, Any]) -> None:
        if isinstance(info["type"], sa.DateTime):
            info["type"] = UtcDateTime()

    found.reflect(connection)
    found.remove(found.tables["alembic_version"])
    return found


async def content(database: Database) -> Content:
    """Every row of every table."""

    def rows(connection: Connection) -> Content:
        return {table.name: _rows(connection, table) for table in reflected(connection).sorted_tables}

    return await looked(database, rows)


def _rows(connection: Connection, table: sa.Table) -> dict[Key, Row]:
    keys = [column.name for column in table.primary_key.columns]
    found = [dict(one) for one in connection.execute(sa.select(table)).mappings()]
    return {tuple(one[name] for name in keys): one for one in found}


async def shape(database: Database) -> dict[str, Any]:
    """Everything that makes a schema what it is, tables, columns, keys, indexes and triggers, in no order."""

    def look(connection: Connection) -> dict[str, Any]:
        inspector = sa.inspect(connection)
        found: dict[str, Any] = {table: _shape_of(inspector, table) for table in inspector.get_table_names()}
        if connection.dialect.name == "sqlite":
            triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        else:
            triggers = "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        return found | {"triggers": {tuple(one) for one in connection.execute(sa.text(triggers))}}

    return await looked(database, look)


def _shape_of(inspector: Inspector, table: str) -> dict[str, Any]:
    # not defaults: a column that comes back has one, for the rows that are there
    columns = {one["name"]: (str(one["type"]), one["nullable"]) for one in inspector.get_columns(table)}
    return {
        "columns": columns,
        "key": (inspector.get_pk_constraint(table)["name"], inspector.get_pk_constraint(table)["constrained_columns"]),
        "unique": {(one["name"], *one["column_names"]) for one in inspector.get_unique_constraints(table)},
        "foreign": {
            (one["name"], *one["constrained_columns"], one["referred_table"], *one["referred_columns"])
            for one in inspector.get_foreign_keys(table)
        },
        "indexes": {
            (one["name"], one["unique"], *one["column_names"], *(f"{name}={said}" for name, said in _options(one)))
            for one in inspector.get_indexes(table)
        },
    }


def _options(index: Any) -> list[tuple[str, str]]:
    return sorted((name, str(value)) for name, value in index.get("dialect_options", {}).items())


async def looked(database: Database, look: Any) -> Any:
    """What `look` finds or does, on a connection in a transaction of its own."""
    if database.url.get_backend_name() == "sqlite":  # a schema is many small questions: each to a thread takes long
        engine = sa.create_engine(database.url.set(drivername="sqlite"))
        event.listen(engine, "connect", lambda one, _: one.execute("PRAGMA foreign_keys = ON"))
        try:
            with engine.begin() as found:
                return look(found)
        finally:
            engine.dispose()
    async with migrating(database) as connection:
        return await connection.run_sync(look)


TELLING = {"count": 1, "opening": 1}
SCHEMAS = {
    "alerts": Schema(
        OF_ALERTS,
        ALERTS,
        values={
            "state": ("open", "resolved"),
            "status": ("active", "cleared"),
            "severity": ("critical", "warning"),
            "labels": ({"team": "Support", "queue": "售后"}, {}),
            "telling": (TELLING, TELLING),
            "notices.telling": (1, 2),
            "plan": ({"routes": {}, "raises": []}, {"routes": {"default": {}}, "raises": []}),
            "kind": ("single", "bundle"),
        },
        references={"notices.message_id": "messages"},
        seeded=frozenset({"desk"}),
        rewritten={
            # what was open is looked at when it is quiet long enough
            "0003": frozenset({"incidents.telling", "incidents.next_at"}),
            # how urgent and what a search finds is worked out from the rest
            "0004": frozenset({"incidents.holds", "incidents.urgency", "incidents.words"}),
            # what was tried waits as a message from then on, as a notice before
            "0005": frozenset({"notices.due_at", "notices.message_id"}),
        },
    ),
    "monitor": Schema(
        OF_MONITOR,
        MONITOR,
        values={
            "state": ("live", "ended"),
            "status": ("open", "closed"),
            "effect": ("waiting", "no_data"),
            "preferences.value": ('{"theme": "dark"}', "1"),
        },
    ),
}
