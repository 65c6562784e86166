"""The report of one incident by HTTP: a page to print, PDF, Markdown or JSON."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from services.alerts.api.parts import NOT_FOUND, Alerts, Number, Reader
from services.alerts.core.impact import Impact, impact_of
from services.alerts.pdf import NoPango, render
from services.alerts.report.document import CONTENT_SECURITY_POLICY, Report
from services.alerts.repositories import Incidents
from services.alerts.visibility import sees
from shared.apidoc import problem
from shared.auth import Principal
from shared.problems import Problem

router = APIRouter(prefix="/api/v1", tags=["incidents"])


@router.get(
    "/incidents/{number}/report",
    responses=NOT_FOUND
    | problem(501, "PDF needs Pango, which this machine does not have; the HTML prints the same")
    | {
        200: {
            "content": {
                "text/html": {},
                "application/pdf": {},
                "text/markdown": {},
                "application/json": {"schema": {"$ref": "#/components/schemas/DetailView"}},
            }
        }
    },
    response_class=HTMLResponse,
)
async def report(
    who: Reader,
    alerts: Alerts,
    number: Number,
    lang: Literal["en", "zh"] = "en",
    format: Literal["html", "pdf", "md", "json"] = "html",
) -> Response:
    """The incident report, written from the facts; without numbers that somebody typed."""
    detail = (await alerts.detail(number, who)).masked()
    headers = {
        "content-disposition": f'inline; filename="incident-{number}.{format}"',
        "content-language": "zh-CN" if lang == "zh" else "en",
    }
    if format == "json":
        return JSONResponse(detail.model_dump(mode="json"), headers=headers)
    written = Report(alerts.text, detail, await _impact(alerts, number, who), lang, alerts.clock.now())
    if format == "md":
        return PlainTextResponse(written.markdown(), media_type="text/markdown", headers=headers)
    html = await asyncio.to_thread(written.html)
    if format == "html":
        return HTMLResponse(html, headers=headers | {"content-security-policy": CONTENT_SECURITY_POLICY})
    try:
        return Response(await render(html), media_type="application/pdf", headers=headers)
    except NoPango as exc:
        raise Problem(501, str(exc), title="No PDF here") from exc


async def _impact(alerts: Alerts, number: int, who: Principal) -> Impact:
    """Of all its flags that they may see; what `DetailView` leaves out, too."""
    async with alerts.database.reading() as session:
        found = await Incidents(session).flags(number)
    return await asyncio.to_thread(impact_of, [one for one in found if sees(who.scope, one[0])])
