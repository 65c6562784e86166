"""The audit of listening on the command line: does its chain hold, and what is in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

import typer
from msgspec import Struct
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.listen import exporting
from services.monitor.listen.chain import Finding, Verifier
from services.monitor.listen.trail import AuditQuery, Trail
from shared.db import Database, parse_url, shown
from shared.errors import SettingsError, StoreError

_NOTED: Final = re.compile(r"(\d+):([0-9a-f]{64})")
MOST_BREAKS: Final = 50  # that are printed


class Looked(Struct, frozen=True):
    """What the chain is like, and which listens it does not know, in words; `more` are further ones."""

    chain: Finding
    unknown: tuple[str, ...]
    more: int = 0

    @property
    def holds(self) -> bool:
        return not self.chain.breaks and not self.unknown


def verify(url: str, expected: list[str], remember: Path | None = None) -> Looked:
    """Look at the whole chain, and whether every listen is in it. `expected`: `ROW:HASH` as it was noted earlier; `remember`: a
    file with the end as it was last time, which is written anew when the chain holds. Raises SettingsError, StoreError."""
    noted = [_noted(one, "--expect") for one in expected]
    if remember is not None and remember.exists():
        noted.append(_noted(_text_of(remember), str(remember)))

    async def look() -> Looked:
        verifier, unknown, more = Verifier(noted), list[str](), 0
        async with _reading(url) as session:
            trail = Trail(session)
            async for row in trail.all():
                verifier.take(row)
            async for listen_id, user, started in trail.without_rows():
                if len(unknown) < MOST_BREAKS:
                    unknown.append(f"listen {listen_id} of {user}, {started:%Y-%m-%d %H:%M:%S} UTC")
                else:
                    more += 1
        return Looked(verifier.finding(), tuple(unknown), more)

    found = asyncio.run(look())
    if remember is not None and found.holds and found.chain.rows:
        _remember(remember, _end(found.chain))
    return found


def export(url: str, out: BinaryIO, form: exporting.Form, site: str = "") -> int:
    """Write all rows, or a site's, in their order; how many. Raises SettingsError, StoreError."""

    async def write() -> int:
        count = 0
        async with _reading(url) as session:
            rows = Trail(session).all(AuditQuery(sites=frozenset({site}) if site else None))
            async for line in exporting.lines(rows, form):
                out.write(line)
                count += 1
        return count - (form == "csv")

    return asyncio.run(write())


def tell(looked: Looked, url: str, remember: Path | None = None) -> None:
    """The finding about the database at `url` in words: breaks to the error stream, the sum to the other."""
    finding, parsed = looked.chain, parse_url(url)
    where = shown(parsed.set(drivername=parsed.get_backend_name()))  # without the driver, as people write it
    for one in finding.breaks[:MOST_BREAKS]:
        typer.echo(f"broken at row {one.row}: {one.what}", err=True)
    if len(finding.breaks) > MOST_BREAKS:
        typer.echo(f"... and {len(finding.breaks) - MOST_BREAKS} more", err=True)
    for listen in looked.unknown:
        typer.echo(f"rows are missing: {listen}, was begun, or ended, without a row that says so", err=True)
    if looked.more:
        typer.echo(f"... and {looked.more} more", err=True)
    if not looked.holds:
        what = "does not hold" if finding.breaks else "holds, but is not all that there was"
        typer.echo(f"the chain of {finding.rows} rows in {where} {what}", err=True)
        return
    typer.echo(f"OK: the chain of {finding.rows} rows in {where} holds, and every listen is in it")
    if remember is not None and finding.rows:
        typer.echo(f"its end is kept in {remember}")
    elif finding.rows:
        typer.echo(
            "its end; note it elsewhere, for who may do everything to the database can take rows and listens off there:"
        )
        typer.echo(f"--expect {_end(finding)}")


def _end(finding: Finding) -> str:
    return f"{finding.last}:{finding.head}"


def _noted(text: str, where: str) -> tuple[int, str]:
    found = _NOTED.fullmatch(text.strip())
    if found is None:
        raise SettingsError(f"{where}: a row's number and its hash, such as `audit verify` prints them, got {text!r}")
    return int(found[1]), found[2]


def _text_of(path: Path) -> str:
    try:
        return path.read_text("ascii", errors="replace")
    except OSError as exc:
        raise SettingsError(f"{path}: {exc.strerror}") from exc


def _remember(path: Path, end: str) -> None:
    """Written beside it and moved there, so that it is never half of one."""
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_text(f"{end}\n", "ascii")
        new.replace(path)
    except OSError as exc:
        raise SettingsError(f"{path}: {exc.strerror}; the chain holds, and its end is {end}") from exc


def _existing(url: str) -> URL:
    """A SQLite database that is not there would be made by asking it. Raises SettingsError, StoreError."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        raise StoreError(f"{parsed.database}: there is no such database")
    return parsed


@asynccontextmanager
async def _reading(url: str) -> AsyncIterator[AsyncSession]:
    parsed = _existing(url)
    database = Database(url)
    try:
        async with database.reading(long=True) as session:
            yield session
    except DBAPIError as exc:
        why = str(exc.orig).splitlines()[0]
        raise StoreError(f"database {shown(parsed)} has no audit of listening: {why}") from exc
    finally:
        await database.close()
