"""`floorwatch alerts purge`: removing from the alerts service's database what is older than its file lets it be kept."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from floorwatch.routingpages import span
from services.alerts.retention.keeping import Retention
from services.alerts.retention.purging import Purges
from services.alerts.retention.rows import Removed
from shared.clock import SystemClock
from shared.db import Database, parse_url, shown
from shared.errors import StoreError
from shared.settings import AlertsSettings, given, load


class Outcome(Struct, frozen=True):
    """`done`: removed; else only looked."""

    done: bool
    rows: int
    removed: tuple[Removed, ...]


def purge(url: str, retention: Retention, *, dry_run: bool) -> Outcome:
    """What is older than it may be. Raises SettingsError, StoreError."""
    return asyncio.run(_purge(url, retention, dry_run=dry_run))


def database_url(url: str | None) -> str:
    """Of alerts: as given, as set, or where `floorwatch run` keeps it."""
    settings = load(AlertsSettings)
    if url or given(AlertsSettings, "db_url"):
        return url or settings.db_url.get_secret_value()
    return f"sqlite:///{settings.run_dir / 'alerts.db'}"


def existing(url: str) -> Database:
    """A SQLite database that is not there would be made by asking it. Raises SettingsError, StoreError."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        raise StoreError(f"{parsed.database}: there is no such database")
    return Database(url)


def unknown_version(url: str, exc: DBAPIError) -> StoreError:
    """For a database that lacks what is asked of it."""
    why = str(exc.orig).splitlines()[0]
    advice = "the alerts service brings it up to date when it starts"
    return StoreError(f"database {shown(parse_url(url))} is not of this version: {why}; {advice}")


def show(found: Outcome, retention: Retention, console: Console) -> None:
    """By table: how many rows, how old."""
    for name, keep in retention.keep.items():
        if keep is None:
            console.print(Text(f"{name}: kept for ever"))
    some = [one for one in found.removed if one.rows]
    if not some:
        console.print("Nothing is old enough." if not found.done else "Nothing was old enough.")
        return
    console.print(_table(some, retention))
    verb = "were removed" if found.done else "would be removed; nothing was"
    console.print(Text(f"{found.rows} rows {verb}.", "bold"))


def as_json(found: Outcome) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def _table(removed: Iterable[Removed], retention: Retention) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("group", "kept", "table", "rows", "oldest", "newest"):
        table.add_column(name, justify="right" if name == "rows" else "left", overflow="fold")
    before = ""
    for one in removed:
        keep = retention.keep[one.group]
        first = (
            (Text(one.group, "bold"), span(keep.total_seconds()) if keep else "") if one.group != before else ("", "")
        )
        ages = (one.oldest, one.newest)
        days = [f"{at:%Y-%m-%d}" if at else Text("with it", "dim") for at in ages]
        table.add_row(*first, one.table, f"{one.rows}", *days)
        before = one.group
    return table


async def _purge(url: str, retention: Retention, *, dry_run: bool) -> Outcome:
    database = existing(url)
    purges = Purges(database, SystemClock())
    try:
        if dry_run:
            return _outcome(await purges.would(retention), done=False)
        row = await purges.purge(retention, by=getpass.getuser())
        assert row is not None, "only those of a day may be somebody else's"
        return _outcome(msgspec.convert(row.removed, list[Removed]), done=True)
    except DBAPIError as exc:
        raise unknown_version(url, exc) from exc
    finally:
        await database.close()


def _outcome(removed: Sequence[Removed], *, done: bool) -> Outcome:
    return Outcome(done, sum(one.rows for one in removed), tuple(removed))
