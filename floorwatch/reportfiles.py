"""A site's report of a period as files: read from the database, written where they are wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

import typer
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from floorwatch.purge import database_url
from services.alerts.pdf import NoPango
from services.alerts.periodic import formats, loading
from services.alerts.periodic.building import build
from services.alerts.periodic.document import Document
from services.alerts.periodic.material import Material
from services.alerts.periodic.period import Kind, Language, Period, containing, day_at, parse
from shared.clock import Clock, SystemClock
from shared.db import Database, parse_url, shown
from shared.errors import FloorwatchError, InvalidInput, SettingsError, StoreError
from shared.settings import AlertsSettings, load, variable
from shared.siteconfig import Sites
from shared.sites import load_sites


def write(
    kind: Kind,
    *,
    when: str,
    site: str,
    wanted: str,
    languages: str,
    out: Path,
    url: str,
    clock: Clock | None = None,
) -> list[Path]:
    """Write the report's files into `out` and say which. Raises SettingsError, StoreError, NothingRecorded."""
    settings = load(AlertsSettings)
    sites = load_sites(settings.sites_file, setting=variable(AlertsSettings, "sites_file"))
    forms, tongues = _formats(wanted), _languages(languages)
    clock = clock or SystemClock()
    found = asyncio.run(_read(database_url(url), kind, when, site, sites, clock))
    return list(_written(found, forms, tongues, out))


class NothingRecorded(FloorwatchError):
    """There are no records to write a report of."""


async def _read(url: str, kind: Kind, when: str, site: str, sites: Sites, clock: Clock) -> Material:
    parsed = _existing(url)
    database, now = Database(url), clock.now()
    try:
        async with database.reading(long=True) as session:
            recorded = await loading.recorded_sites(session)
            chosen = _site(site, recorded)
            config = sites.site(chosen)
            period = _period(kind, when, config.time_zone, now)
            first = await loading.first_day(session, chosen)
            _refuse_empty(chosen, period, first, day_at(recorded[chosen], config.time_zone))
            typer.echo(f"reading {chosen}, {period.label('en')} …", err=True)
            return await loading.material(session, chosen, config, period, now)
    except DBAPIError as exc:
        why = str(exc.orig).splitlines()[0]
        raise StoreError(f"database {shown(parsed)} has no records of reports: {why}") from exc
    finally:
        await database.close()


def _existing(url: str) -> URL:
    """A SQLite database that is not there would be made by asking it. Raises SettingsError, StoreError."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        raise StoreError(f"{parsed.database}: there is no such database; --db or ALERTS_DB_URL says where it is")
    return parsed


def _site(wanted: str, recorded: dict[str, datetime]) -> str:
    if not recorded:
        raise NothingRecorded("nothing is recorded yet; the alerts service records what floor.records holds")
    if not wanted and len(recorded) == 1:
        return next(iter(recorded))
    if wanted not in recorded:
        there = ", ".join(sorted(recorded))
        raise NothingRecorded(
            f"there are no records of site {wanted!r}; there are of: {there}" if wanted else f"--site: one of {there}"
        )
    return wanted


def _refuse_empty(site: str, period: Period, first: date | None, last: date) -> None:
    if first is None or period.last < first:
        raise NothingRecorded(
            f"nothing is recorded of {site} in {period.key}: records begin on {first}"
            if first
            else f"nothing is recorded of {site}"
        )
    if period.first > last:
        raise NothingRecorded(f"nothing is recorded of {site} in {period.key}: the newest record is of {last}")


def _period(kind: Kind, when: str, time_zone: str, now: datetime) -> Period:
    """As asked for; without a date the newest that is over."""
    if not when:
        return containing(kind, day_at(now, time_zone), time_zone).before()
    try:
        found = parse(when, time_zone)
    except InvalidInput as exc:
        raise SettingsError(f"--date: {exc}") from exc
    if found.kind == kind:
        return found
    if found.kind != "daily":
        raise SettingsError(f"--date: {when!r} is not {kind}")
    return containing(kind, found.first, time_zone)


def _written(
    found: Material, forms: Sequence[formats.Format], languages: Iterable[Language], out: Path
) -> Iterable[Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for language in languages:
            document = build(found, language)
            for form in forms:
                yield from _file(out, document, form)
    except OSError as exc:
        raise SettingsError(f"{out}: {exc.strerror}; --out says where the files go") from exc


def _file(out: Path, document: Document, form: formats.Format) -> Iterable[Path]:
    typer.echo(f"writing {form} …", err=True)
    try:
        file = formats.write_now(document, form)
    except NoPango as exc:
        typer.echo(f"no {form}: {exc}", err=True)
        return
    path = out / file.name
    begun = path.with_name(f"{path.name}.part")  # nobody takes half a report for a whole one
    try:
        begun.write_bytes(file.content)
        begun.replace(path)
    except OSError:
        begun.unlink(missing_ok=True)
        raise
    typer.echo(str(path))
    yield path


def _formats(text: str) -> list[formats.Format]:
    found = [form for form in formats.FORMATS if form in text.split(",")]
    unknown = sorted(set(text.split(",")) - set(formats.FORMATS))
    if unknown or not found:
        raise SettingsError(f"--format: {', '.join(unknown)}: expected some of {', '.join(formats.FORMATS)}")
    return found


def _languages(text: str) -> list[Language]:
    known: dict[str, list[Language]] = {"en": ["en"], "zh": ["zh"], "both": ["en", "zh"]}
    if text not in known:
        raise SettingsError(f"--lang: expected en, zh or both, got {text!r}")
    return known[text]
