"""The audit of listening on the command line: does its chain hold, and what is in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

import typer
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


def verify(url: str, expected: list[str]) -> Finding:
    """Look at the whole chain. `expected`: `ROW:HASH` as it was noted earlier. Raises SettingsError, StoreError."""
    noted = [_noted(one) for one in expected]

    async def look() -> Finding:
        verifier = Verifier(noted)
        async with _reading(url) as session:
            async for row in Trail(session).all():
                verifier.take(row)
        return verifier.finding()

    return asyncio.run(look())


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


def tell(finding: Finding) -> None:
    """The finding in words: breaks to the error stream, the sum to the other."""
    for one in finding.breaks[:MOST_BREAKS]:
        typer.echo(f"broken at row {one.row}: {one.what}", err=True)
    if len(finding.breaks) > MOST_BREAKS:
        typer.echo(f"... and {len(finding.breaks) - MOST_BREAKS} more", err=True)
    if finding.breaks:
        typer.echo(f"the chain of {finding.rows} rows does not hold", err=True)
        return
    typer.echo(f"OK: the chain of {finding.rows} rows holds")
    if finding.rows:
        typer.echo("its end; note it elsewhere, for nothing in the database tells that rows are missing after it:")
        typer.echo(f"--expect {finding.rows}:{finding.head}")


def _noted(text: str) -> tuple[int, str]:
    found = _NOTED.fullmatch(text.strip())
    if found is None:
        raise SettingsError(f"--expect: a row's number and its hash, such as `audit verify` prints them, got {text!r}")
    return int(found[1]), found[2]


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
        async with database.reading() as session:
            yield session
    except DBAPIError as exc:
        why = str(exc.orig).splitlines()[0]
        raise StoreError(f"database {shown(parsed)} has no audit of listening: {why}") from exc
    finally:
        await database.close()
