"""Listens over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.monitor.listen import policy
from services.monitor.listen.book import Book, ListenQuery
from services.monitor.listen.model import REASONS, Listen
from services.monitor.listen.part import Deaf, Listening, ListensAlready, NotAllowed, NotThere, TooManyListens, Wish
from services.monitor.listen.session import NobodyThere, Over, SomebodySpeaks
from services.monitor.listen.views import (
    Audio,
    ListensPage,
    ListenView,
    PolicyRuleView,
    PolicyView,
    PurposeView,
)
from shared.apidoc import answers, created, problem
from shared.apiparts import NO_ZERO_BYTE, Cursor, Limit, Moment, Name, before_of, json_answer, next_of
from shared.auth import Principal, authed, signed_in
from shared.commands import Mode
from shared.problems import Problem, problem_response
from shared.siteconfig import Purpose

STRUCTS: Final = (Audio, ListenView, ListensPage, PolicyView)  # for `shared.apidoc.describe`

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=NO_ZERO_BYTE)]
Listener = Annotated[Principal, Depends(authed("calls.listen"))]
_AWAY: Final = problem(
    503, "the database is away, or the switch is not heard: what cannot be written down is not heard"
)
_GONE: Final = problem(404, "no such listen, or none that you may see")
_BATCH: Final = 200
_LOOKED_AT: Final = 5000  # rows of a list that somebody may not see, at most, before the answer goes out all the same


class ListenBody(BaseModel):
    """Whom to hear, and what for."""

    model_config = ConfigDict(extra="forbid")

    site: Name
    call_id: Name = Field("", description="Follow this call until it is over; or `agent_id`, one of them")
    agent_id: Name = Field("", description="Follow this agent from call to call")
    mode: Mode = "listen"
    purpose: Purpose
    comment: Text = Field("", description="Why, in your own words; it is kept")


class ModeBody(BaseModel):
    """How to go on."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode


def router_for(listening: Listening) -> APIRouter:
    """The routes, on this part of the monitor."""
    router = APIRouter(prefix="/api/v1", tags=["listening"])
    _changing(router, listening)
    _reading(router, listening)
    return router


def _changing(router: APIRouter, listening: Listening) -> None:
    asker = Depends(_asker(listening))

    @router.post(
        "/listens",
        status_code=201,
        response_class=Response,
        responses=created(ListenView, "the listen, with where it is heard")
        | problem(
            403,
            "it needs `calls.listen`, or the site's policy does not let you: `policy` says which part, `reason_zh` in Chinese",
        )
        | problem(404, "no such call or agent on the board, or none that you may see")
        | problem(
            409, "you listen to it already (`listen_id`), somebody else speaks (`speaker`), or nobody to speak to"
        )
        | _AWAY,
    )
    async def ask(request: Request, body: ListenBody, who: Principal = asker) -> Response:
        """Listen to a call, through its transfers, or to an agent, from call to call. It is written down before it begins."""
        if bool(body.call_id) == bool(body.agent_id):
            raise Problem(422, "either call_id or agent_id says whom to hear", title="Invalid request")
        listening.desk.admit_change(who)
        listen = await listening.ask(who, _wish(body))
        return json_answer(view(listen, _audio(listening, listen, request)), 201)

    @router.patch(
        "/listens/{listen_id}",
        response_class=Response,
        responses=answers(ListenView, "the listen as it is now")
        | problem(
            403,
            "it needs `calls.listen`, or the site's policy does not let you use this mode: `policy` says which part of it",
        )
        | _GONE
        | problem(409, "somebody else speaks (`speaker`), nobody is there to speak to, or the listen is over")
        | _AWAY,
    )
    async def switch(who: Listener, listen_id: Name, body: ModeBody) -> Response:
        """Listen, whisper (the agent alone hears you) or barge in (both do)."""
        listening.desk.admit_change(who)
        return json_answer(view(await listening.switch(who, listen_id, body.mode)))

    @router.delete(
        "/listens/{listen_id}", response_class=Response, responses=answers(ListenView, "it, ended") | _GONE | _AWAY
    )
    async def stop(who: Listener, listen_id: Name) -> Response:
        """End a listen: your own, or with `floor.act` anybody's that you see. One that is over stays as it is."""
        return json_answer(view(await listening.stop(who, listen_id)))


def _asker(listening: Listening) -> Callable[..., Awaitable[Principal]]:
    """`authed("calls.listen")`, which also writes down who asked without it, and for whom: a refusal like any other."""
    check = authed("calls.listen")

    async def dependency(request: Request, who: Annotated[Principal, Depends(signed_in)]) -> Principal:
        if not who.may("calls.listen"):
            try:
                body = ListenBody.model_validate_json(await request.body())
            except ValidationError:
                pass  # a question that nobody can make sense of asked for nobody
            else:
                listening.desk.admit_change(who)
                await listening.write_not_permitted(who, _wish(body))
        return await check(request, who)

    dependency.permission = "calls.listen"  # type: ignore[attr-defined]  # as `authed` has it
    return dependency


def _reading(router: APIRouter, listening: Listening) -> None:
    @router.get(
        "/listens",
        response_class=Response,
        responses=answers(ListensPage, "a page of them")
        | problem(400, "`cursor` is not one that this service gave")
        | _AWAY,
    )
    async def listens(
        who: Listener,
        site: Name = "",
        mine: Annotated[bool, Query(description="only one's own")] = False,
        open_: Annotated[bool | None, Query(alias="open", description="only those that go on, or that do not")] = None,
        agent: Name = "",
        user: Name = "",
        start: Annotated[Moment | None, Query(alias="from", description="began then or later")] = None,
        end: Annotated[Moment | None, Query(alias="to", description="began before then")] = None,
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Response:
        """Listens of what you see, and your own, newest first. A page may be short and still have a next one."""
        query = ListenQuery(who.scope.sites_of(site), who.user if mine else user, agent, "", open_, start, end)
        found, after = await page_of(listening, query, cursor, limit, lambda one: listening.shows(who, one))
        return json_answer(ListensPage(tuple(view(one) for one in found), after))

    @router.get("/listens/{listen_id}", response_class=Response, responses=answers(ListenView, "it") | _GONE | _AWAY)
    async def one(who: Listener, listen_id: Name) -> Response:
        """One listen."""
        return json_answer(view(await listening.listen(who, listen_id)))

    @router.get(
        "/listens/{listen_id}/pass",
        response_class=Response,
        responses=answers(Audio, "where it is heard, with a new pass")
        | _GONE
        | problem(409, "the listen is over")
        | _AWAY,
    )
    async def new_pass(request: Request, who: Listener, listen_id: Name) -> Response:
        """Where a listen of yours is heard, with a pass that is good for a minute: to come back after a connection was lost."""
        listen = await listening.listen(who, listen_id)
        if listen.user != who.user:
            raise Problem(404, f"there is no listen {listen_id} of yours")
        audio = _audio(listening, listen, request)
        if audio is None:
            raise Problem(409, f"the listen is over: {_words(listen.reason)[0]}", reason=listen.reason)
        return json_answer(audio)

    @router.get(
        "/listen-policy/{site}",
        response_class=Response,
        responses=answers(PolicyView, "what you may do there") | problem(404, "a site never heard of, or not yours"),
    )
    async def listen_policy(who: Listener, site: Name) -> Response:
        """What you may do at a site. What you may hear there also depends on whom."""
        known = listening.sites.names(site) or listening.world.engine_board.has(site)
        if not known or not who.scope.site(site):
            raise Problem(404, f"no site {site} was heard of")
        return json_answer(policy_view(listening, who, site))


def view(listen: Listen, audio: Audio | None = None) -> ListenView:
    """The listen as it is shown."""
    en, zh = _words(listen.reason)
    names = [name for name in ListenView.__struct_fields__ if name not in ("reason_en", "reason_zh", "audio")]
    values: dict[str, Any] = {name: getattr(listen, name) for name in names}
    return ListenView(**values, reason_en=en, reason_zh=zh, audio=audio)


def policy_view(listening: Listening, who: Principal, site: str) -> PolicyView:
    """What `who` may do there."""
    config = listening.sites.site(site)
    found, zone, now = config.listening, config.zone, listening.clock.now()
    modes, rules = policy.modes_for(who, found), policy.rules_for(who, found)
    return PolicyView(
        site=site,
        allowed=bool(modes),
        open_now=bool(modes) and (not rules or any(policy.is_open(rule, now, zone) for rule in rules)),
        purposes=tuple(PurposeView(one, *policy.PURPOSE_LABELS[one]) for one in policy.purposes_for(who, found)),
        modes=modes,
        max_s=found.max_s,
        mute_on_hold=found.mute_on_hold,
        tell_agent=found.tell_agent,
        time_zone=config.time_zone,
        rules=tuple(
            PolicyRuleView(one.teams, one.queues, one.tags, one.modes, one.purposes, one.windows, one.days)
            for one in rules
        ),
    )


async def page_of(
    listening: Listening, query: ListenQuery, cursor: str, limit: int, shown: Callable[[Listen], bool]
) -> tuple[list[Listen], str | None]:
    """Those of a page that may be shown, and the cursor of the next. Raises Problem 400, StoreError."""
    before, found, looked_at = before_of(cursor), list[Listen](), 0
    async with listening.store.reading() as session:
        while looked_at < _LOOKED_AT:
            rows = await Book(session).listens(query, before, _BATCH)
            for number, listen in rows:
                if shown(listen):
                    if len(found) == limit:
                        return found, next_of(before)
                    found.append(listen)
                before = number
            if len(rows) < _BATCH:
                return found, None
            looked_at += len(rows)
    return found, next_of(before)


def install_answers(app: FastAPI) -> None:
    """Have `app` answer for what can go wrong here."""

    def not_there(request: Request, exc: Exception) -> Response:
        return problem_response(404, str(exc), instance=request.url.path)

    def not_allowed(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, NotAllowed)
        more: dict[str, Any] = {"instance": request.url.path, "policy": exc.why.code, "reason_zh": exc.why.zh}
        return problem_response(403, exc.why.en, title="Not allowed here", **more)

    def deaf(request: Request, exc: Exception) -> Response:
        where = request.url.path
        return problem_response(
            503, str(exc), title="The switch is not heard", instance=where, headers={"retry-after": "5"}
        )

    def conflict(request: Request, exc: Exception) -> Response:
        more: dict[str, Any] = {"instance": request.url.path}
        if isinstance(exc, ListensAlready):
            more["listen_id"] = exc.listen_id
        if isinstance(exc, SomebodySpeaks):
            more |= {"speaker": exc.user, "speaker_name": exc.name}
        return problem_response(409, str(exc), **more)

    app.add_exception_handler(NotThere, not_there)
    app.add_exception_handler(NotAllowed, not_allowed)
    app.add_exception_handler(Deaf, deaf)
    for kind in (ListensAlready, TooManyListens, SomebodySpeaks, NobodyThere, Over):
        app.add_exception_handler(kind, conflict)


def _wish(body: ListenBody) -> Wish:
    return Wish(body.site, body.call_id, body.agent_id, body.mode, body.purpose, body.comment)


def _audio(listening: Listening, listen: Listen, request: Request) -> Audio | None:
    return listening.audio(listen, request.headers.get("host", ""), request.url.scheme)


def _words(reason: str) -> tuple[str, str]:
    return REASONS.get(reason, (reason, reason))
