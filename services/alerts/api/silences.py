"""Silences and maintenance windows by HTTP. Docstrings are their documentation (OpenAPI)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field, StringConstraints

from services.alerts.api.parts import AWAY, Actor, Alerts, Body, Name, Reader, by
from services.alerts.api.silenceviews import PreviewView, SilenceDetailView, SilencePageView, SilenceView
from services.alerts.core.labels import Matcher, MatcherError, matchers
from services.alerts.core.silences import Kind, Silence, Standing, WrongSilence, made
from services.alerts.silences import keeping
from services.alerts.silences.keeping import NoSuchSilence
from services.alerts.silences.preview import preview
from services.alerts.silences.repository import Silences
from services.alerts.silences.scope import BeyondScope, may_end, narrowed, visible
from shared.apidoc import problem
from shared.apiparts import NO_ZERO_BYTE, Cursor, Limit, Moment, before_of, next_of
from shared.auth import Principal
from shared.problems import Problem

MOST_MATCHERS = 20
Value = Annotated[str, StringConstraints(max_length=200, pattern=NO_ZERO_BYTE)]
Matchers = dict[Annotated[str, StringConstraints(max_length=64)], Value | list[Value]]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=NO_ZERO_BYTE)]
SilenceNumber = Annotated[int, Path(ge=0, le=2**31 - 1, description="of the silence")]
WRONG = problem(422, "the matchers or the times are not possible")
BEYOND = problem(403, "the role lacks the permission `floor.act`, or it would hold what you do not see")
GONE = AWAY | problem(404, "no such silence")
LONGEST_LOOK = 5000  # rows that are passed over for one page

router = APIRouter(prefix="/api/v1", tags=["silences"])


class MatchersBody(Body):
    matchers: Matchers = Field(
        min_length=1,
        max_length=MOST_MATCHERS,
        description="All of them must fit. * and ? stand for any characters, several values for any of them, !x for all but x",
        examples=[{"site": "hq", "rule": ["long_wait", "nobody_ready"], "queue": "sales*"}],
    )

    def read(self) -> tuple[Matcher, ...]:
        """Raises Problem 422."""
        try:
            return matchers({label: v if isinstance(v, str) else tuple(v) for label, v in self.matchers.items()})
        except MatcherError as exc:
            raise Problem(422, f"matchers: {exc}") from exc


class SilenceBody(MatchersBody):
    kind: Kind = "silence"
    reason: Reason
    by: Name = Field(description="Who makes it; whoever signed in does it in their own name", examples=["Li Wei"])
    starts: Moment | None = Field(None, description="null: at once")
    ends: Moment | None = Field(None, description="This or duration_s; at most 31 days after its start")
    duration_s: Annotated[float, Field(gt=0, le=31 * 86_400)] | None = Field(None, examples=[7200])


class EndBody(Body):
    by: Name


@router.get("/silences", responses=AWAY | problem(400, "`cursor` is not one that this service gave"))
async def list_silences(
    who: Reader,
    alerts: Alerts,
    standing: Annotated[list[Standing] | None, Query(description="May be given several times")] = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> SilencePageView:
    """Silences and maintenance windows that can hold something within your scope, newest first."""
    now, before = alerts.clock.now(), before_of(cursor)
    found: list[Silence] = []
    looked_at = 0
    async with alerts.database.reading() as session:
        while looked_at < LONGEST_LOOK:
            rows = await Silences(session).find(standing or (), now, before, limit + 1)
            found += [one for one in rows if visible(who.scope, one.matchers)]
            looked_at += len(rows)
            if len(rows) <= limit or len(found) > limit:
                break
            before = rows[-1].id
    page = found[:limit]
    more = len(found) > limit
    views = [SilenceView.of(one, now, may_end(who.scope, one.matchers)) for one in page]
    return SilencePageView(
        silences=[view if who.reads_notes else view.masked() for view in views],
        next_cursor=next_of(page[-1].id) if more else None,
    )


@router.post("/silences", status_code=201, responses=AWAY | WRONG | BEYOND)
async def make_silence(who: Actor, alerts: Alerts, body: SilenceBody) -> SilenceView:
    """Have nobody told of what fits, for a while. The incidents stay in the list, marked. When it is over, whoever still has to
    be told is. For somebody with a limited scope it gets matchers for it where it has none."""
    found = _within(who, body.read())

    def build(now: datetime) -> Silence:
        starts = max(body.starts or now, now)
        if (body.ends is None) == (body.duration_s is None):
            raise WrongSilence("give either `ends` or `duration_s`")
        ends = body.ends if body.ends is not None else starts + timedelta(seconds=body.duration_s or 0)
        return made(body.kind, found, body.reason, by(who, body), now, starts=starts, ends=ends)

    try:
        silence = await keeping.make(alerts.desk, build)
    except WrongSilence as exc:
        raise Problem(422, str(exc)) from exc
    return SilenceView.of(silence, alerts.clock.now(), True)


@router.post("/silences/preview", responses=AWAY | WRONG | BEYOND)
async def preview_silence(who: Actor, alerts: Alerts, body: MatchersBody) -> PreviewView:
    """What a silence with these matchers would hold now, and what of the last days it would have held. Nothing is changed."""
    found = _within(who, body.read())
    async with alerts.database.reading() as session:
        seen = await preview(session, found, who.scope, alerts.clock.now())
    views = [alerts.desk.views.of(one, who.scope) for one in seen.incidents]
    return PreviewView.of(seen, found, [one if who.reads_notes else one.masked() for one in views])


@router.get("/silences/{number}", responses=GONE)
async def one_silence(who: Reader, alerts: Alerts, number: SilenceNumber) -> SilenceDetailView:
    """One silence with what people did to it."""
    async with alerts.database.reading() as session:
        silences = Silences(session)
        silence = await silences.get(number)
        if silence is None or not visible(who.scope, silence.matchers):
            raise _missing(number)
        events = await silences.events(number)
    view = SilenceDetailView.made(silence, alerts.clock.now(), may_end(who.scope, silence.matchers), events)
    return view if who.reads_notes else view.masked()


@router.post(
    "/silences/{number}/end", responses=GONE | BEYOND | problem(409, "it is over already; nothing was changed")
)
async def end_silence(who: Actor, alerts: Alerts, number: SilenceNumber, body: EndBody) -> SilenceView:
    """End it now. Whoever still has to be told of what it held is."""

    def allowed(silence: Silence) -> None:
        if not visible(who.scope, silence.matchers):
            raise _missing(number)
        if not may_end(who.scope, silence.matchers):
            raise Problem(
                403, f"silence {number} also holds what you do not see; somebody who sees all of it may end it"
            )

    try:
        silence = await keeping.end(alerts.desk, number, by(who, body), allowed)
    except NoSuchSilence as exc:
        raise _missing(number) from exc
    except WrongSilence as exc:
        raise Problem(409, str(exc)) from exc
    return SilenceView.of(silence, alerts.clock.now(), True)


def _within(who: Principal, found: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    try:
        return narrowed(who.scope, found)
    except BeyondScope as exc:
        raise Problem(403, str(exc)) from exc


def _missing(number: int) -> Problem:
    return Problem(404, f"there is no silence {number}")
