"""Rewinding over HTTP: what can be shown of a site, and its floor as the board showed it at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Protocol

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from msgspec import Struct, field

from services.monitor.core.engine import Engine
from services.monitor.core.views import SiteView
from services.monitor.rewind.process import MOST_WAITING, Busy
from services.monitor.rewind.protocol import Answer, AskFloor, AskRange, Kept, RewoundFloor
from services.monitor.rewind.raised import RaisedFlag
from services.monitor.shares import Shares
from shared.apidoc import answers, problem
from shared.apiparts import LocalMoment
from shared.auth import Principal, authed
from shared.problems import Problem

STEP_S: Final = 1.0
_EACH: Final = (
    2  # questions of one user at a time, so that nobody has all places of the worker: the range, and a moment
)
_TOO_MANY = problem(429, "you asked twice already and have no answer yet; `Retry-After` says when to come back")

Reader = Annotated[Principal, Depends(authed("history.read"))]


class RewindRange(Struct, frozen=True):
    """What can be shown: moments of the site's clock. `step_s`: nearer together there is little to see. `flags`: the newest
    that were raised since `from`, at most 500; none for those who do not see all of the site."""

    site: str
    from_: datetime = field(name="from")
    to: datetime
    step_s: float = STEP_S
    flags: list[RaisedFlag] = []


STRUCTS = (RewindRange, RewoundFloor)  # for `shared.apidoc.describe`


class Worker(Protocol):
    async def ask(self, question: AskRange | AskFloor) -> Answer:
        """Raises Busy."""
        ...


def router_for(engine: Engine, worker: Worker) -> APIRouter:
    """The routes; `engine` knows the present, `worker` the past."""
    router = APIRouter(prefix="/api/v1/rewind", tags=["floor"])
    questions = Shares("questions", _EACH, MOST_WAITING)

    @router.get(
        "/{site}",
        response_class=Response,
        responses=answers(RewindRange, "from when to when")
        | problem(404, "a site never heard of")
        | problem(409, "nothing is kept yet")
        | _TOO_MANY
        | problem(503, "too many rewind, or the log cannot be read"),
    )
    async def reach(site: str, who: Reader) -> Response:
        """The first and the last moment that can be asked for."""
        now = _now(engine, who, site)

        async def shown() -> bytes:
            found = await _answer(worker, AskRange(site, flags=who.scope.whole(site)))
            kept = msgspec.json.decode(found.body, type=Kept)
            return msgspec.json.encode(RewindRange(site, min(kept.since, now), now, flags=kept.flags))

        return await questions.answer(who, shown)

    @router.get(
        "/{site}/floor",
        response_class=Response,
        responses=answers(RewoundFloor, "the floor then")
        | problem(404, "a site never heard of")
        | problem(409, "before what is kept (`earliest`), or after now (`latest`)")
        | problem(410, "the log of that time is no longer kept")
        | _TOO_MANY
        | problem(
            503, "too many rewind, it took too long, or the log cannot be read; `Retry-After` says when to come back"
        ),
    )
    async def floor(
        site: str,
        who: Reader,
        at: Annotated[
            LocalMoment, Query(description="a moment of the site's clock, ISO 8601; UTC unless it says otherwise")
        ],
    ) -> Response:
        """The floor as the board showed it at `at`: same structs as a snapshot, of this site alone, with what the caller may see.

        It is worked out anew from the state kept before that moment and the log since, by the rules and settings of today.
        Where a site's clock was set back, moments that came twice are shown as they came the second time.
        """
        now = _now(engine, who, site)
        moment = _in_utc(at)
        if moment > now:
            raise Problem(409, f"it is {now.isoformat()} at site {site}", reason="after_now", latest=now.isoformat())

        async def shown() -> bytes:
            return (await _answer(worker, AskFloor(site, moment, who.scope))).body

        return await questions.answer(who, shown)

    return router


def _in_utc(at: datetime) -> datetime:
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:  # on the first or the last day of the calendar, which it is not yet or no more in UTC
        return (datetime.min if at.year == 1 else datetime.max).replace(tzinfo=UTC)


def _now(engine: Engine, who: Principal, site: str) -> datetime:
    """The site's clock. Raises Problem 404 for a site not known, or not to be known, 409 for one without a clock."""
    view = engine.view("site", site, site) if who.scope.site(site) else None
    if not isinstance(view, SiteView):
        raise Problem(404, f"no site {site} was heard of")
    if view.now is None:
        raise Problem(409, f"nothing of site {site} is kept yet", reason="nothing_kept")
    return view.now


async def _answer(worker: Worker, question: AskRange | AskFloor) -> Answer:
    """The worker's answer. Raises Problem where it is none."""
    try:
        found = await worker.ask(question)
    except Busy as exc:
        raise _later(str(exc), exc.retry_s) from exc
    if found.status == 503:
        raise _later(found.detail, 5)
    if found.status != 200:
        more = {"earliest": found.earliest.isoformat()} if found.earliest is not None else {}
        reason = {409: "before_first" if more else "nothing_kept", 410: "not_kept"}.get(found.status, "")
        raise Problem(found.status, found.detail, reason=reason, **more)
    return found


def _later(why: str, retry_s: int) -> Problem:
    problem = Problem(503, why, reason="busy")
    problem.headers = {"retry-after": str(retry_s)}
    return problem
