"""Periodic reports by HTTP: what was sent, and any report written on demand. Docstrings are the documentation (OpenAPI)."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import Response
from pydantic import Field

from services.alerts.api.parts import AWAY, Alerts, Reader, Service, Words
from services.alerts.api.views import View
from services.alerts.pdf import NoPango
from services.alerts.periodic import formats, html, loading
from services.alerts.periodic.building import build
from services.alerts.periodic.period import Kind, Language, Period, containing, parse
from services.alerts.periodic.store import Reports
from services.alerts.periodic.tables import ReportRow
from shared.apidoc import problem
from shared.apiparts import NO_ZERO_BYTE, Cursor, Limit, before_of, next_of
from shared.auth import Principal
from shared.errors import InvalidInput
from shared.problems import Problem
from shared.siteconfig import Sites

FIRST_YEAR, LAST_YEAR = 2000, 2200
SiteName = Annotated[str, Path(max_length=200, pattern=NO_ZERO_BYTE)]
Date = Annotated[
    str,
    Path(
        max_length=20,
        description="Any day of the period, or its key",
        examples=["2026-11-22", "2026-W47", "2026-11", "2026-Q4", "2026"],
    ),
]

_VALUE = {"type": ["string", "number", "null"]}
_ROW = {"type": "object", "additionalProperties": _VALUE, "description": "by the keys of the table's columns"}
_TABLE = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "columns": {"type": "object", "description": "by key: label, and form (count, share, duration in seconds, …)"},
        "rows": {"type": "array", "items": _ROW},
        "total": {"anyOf": [_ROW, {"type": "null"}]},
    },
}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_REPORT = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("kind", "key", "title", "language", "site", "site_label", "period")},
        **{name: {"type": "string", "format": "date"} for name in ("first", "last")},
        "zone": {"type": "string"},
        "written": {"type": "string", "format": "date-time"},
        "recorded_share": {"type": ["number", "null"], "description": "of the period; null: it has not begun"},
        "simulated": {"type": "boolean"},
        "notices": _TEXTS,
        "figures": {"type": "object", "additionalProperties": _VALUE, "description": "those at the head of the report"},
        "summary": _TEXTS,
        "tables": {"type": "object", "additionalProperties": _TABLE, "description": "by id: queues, agents, flags, …"},
    },
}
_CONTENT: dict[str, Any] = {
    media.partition(";")[0]: {"schema": _REPORT} if form == "json" else {}
    for form, media in formats.MEDIA_TYPES.items()
}

router = APIRouter(prefix="/api/v1/reports", tags=["reports"])


class SentView(View):
    """A report that was sent because its time had come."""

    id: int
    kind: Kind
    site: str
    site_label: str = Field(description="The site's name for people; the id where the sites file has none")
    period: str = Field(description="Its key: 2026-11-22, 2026-W47, 2026-11, 2026-Q4, 2026")
    first: date
    receiver: str
    due_at: datetime
    state: Literal["writing", "posted", "no_channel", "nothing", "failed"] = Field(
        description="posted: handed over, see GET /notifications; nothing: there were no records yet"
    )
    attempts: int
    written_at: datetime | None
    complete: float | None = Field(description="The share of the period that was recorded")
    files: list[dict[str, str | int]] = Field(description="name and size of each")
    notices: list[int] = Field(description="Numbers of its messages, one for each channel")
    answer: str

    @classmethod
    def of(cls, row: ReportRow, sites: Sites) -> SentView:
        same = {name: getattr(row, name) for name in cls.model_fields if name != "site_label"}
        return cls.model_validate(same | {"site_label": sites.site(row.site).label or row.site})


class SentPage(View):
    reports: list[SentView]
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last")


@router.get("/periodic", responses=AWAY | problem(400, "`cursor` is not one that this service gave"))
async def list_reports(
    who: Reader,
    alerts: Alerts,
    kind: Annotated[Kind | None, Query()] = None,
    site: Words = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> SentPage:
    """Reports that were sent by schedule, newest first; of sites that may be seen as a whole."""
    async with alerts.database.reading() as session:
        rows = await Reports(session).sent(
            kind=kind, site=site, scope=who.scope, before=before_of(cursor), limit=limit + 1
        )
    page = rows[:limit]
    more = next_of(page[-1].id) if len(rows) > limit else None
    return SentPage(reports=[SentView.of(row, alerts.text.sites) for row in page], next_cursor=more)


@router.get(
    "/periodic/{kind}/{site}/{date}",
    responses=AWAY
    | problem(400, "`date` is no day and no key of a period of this kind")
    | problem(404, "no such site, or the period has not begun")
    | problem(501, "PDF needs Pango, which this machine does not have; the HTML prints the same")
    | {
        200: {"content": _CONTENT},
    },
    response_class=Response,
)
async def one_report(
    who: Reader,
    alerts: Alerts,
    kind: Kind,
    site: SiteName,
    date: Date,
    format: formats.Format = "html",
    lang: Language = "en",
    if_none_match: Annotated[str, Header(max_length=2000)] = "",
) -> Response:
    """A site's report of a period, written from what is recorded now: page to print, PDF, workbook, CSV files in a zip, or JSON.

    Its totals are those of the whole site, so it needs a scope that is not limited to teams or queues. Of a period that is over
    the answer stays the same, with the same `ETag`, as long as no late record comes; `If-None-Match` with it gets a 304.
    """
    await _allowed(alerts, who, site)
    config, now = alerts.text.sites.site(site), alerts.clock.now()
    period = period_of(kind, date, config.time_zone)
    if period.start > now + timedelta(days=1):  # a floor that runs faster than our clock is ahead of it
        raise Problem(404, f"{period.key} has not begun")
    async with alerts.database.reading() as session:
        found = await loading.material(session, site, config, period, now)
    tag = f'W/"{loading.fingerprint(found, kind, lang, format)}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "cookie, authorization"}
    if tag in (one.strip() for one in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    document = await asyncio.to_thread(build, found, lang)
    try:
        file = await formats.write(document, format)
    except NoPango as exc:
        raise Problem(501, str(exc), title="No PDF here") from exc
    place = "inline" if format in ("html", "pdf", "json") else "attachment"
    headers |= {
        "content-disposition": f'{place}; filename="{file.name.encode("ascii", "replace").decode().replace("?", "_")}"',
        "content-language": "zh-CN" if lang == "zh" else "en",
    }
    if format == "html":
        headers["content-security-policy"] = html.CONTENT_SECURITY_POLICY
    return Response(file.content, media_type=file.media_type, headers=headers)


async def _allowed(alerts: Service, who: Principal, site: str) -> None:
    """Raises Problem 404 for a site that is not there or not theirs, 403 where only a part of it is."""
    if not who.scope.site(site):
        raise Problem(404, f"there is no site {site}")
    if site not in alerts.text.sites.sites:
        async with alerts.database.reading() as session:
            known = await loading.recorded_sites(session)
        if site not in known:
            raise Problem(404, f"there is no site {site}")
    if not who.scope.whole(site):
        raise Problem(
            403,
            f"a report holds the totals of all of {site}; what you may see is limited to some of its teams or queues",
            title="Not allowed",
            reason="partial_scope",
        )


def period_of(kind: Kind, text: str, time_zone: str) -> Period:
    """The period of this kind that a day or a key names. Raises Problem 400."""
    try:
        found = parse(text, time_zone)
        if not FIRST_YEAR <= found.first.year < LAST_YEAR:
            raise InvalidInput("not_a_period", f"{text!r}: expected a year from {FIRST_YEAR} to {LAST_YEAR - 1}")
    except InvalidInput as exc:
        raise Problem(400, f"date: {exc}") from exc
    if found.kind == kind:
        return found
    if found.kind != "daily":
        raise Problem(400, f"date: {text!r} is not {kind}")
    return containing(kind, found.first, time_zone)
