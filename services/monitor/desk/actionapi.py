"""Actions over HTTP."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.monitor.core.views import SiteView
from services.monitor.desk import figures
from services.monitor.desk.actions import Action, Actions, newest_of
from services.monitor.desk.desk import Desk
from services.monitor.desk.figures import About, Figures
from services.monitor.desk.transferapi import AWAY, TOO_MANY
from services.monitor.desk.visibility import Sight
from shared.apidoc import answers, created, problem
from shared.apiparts import NO_ZERO_BYTE, Name, json_answer
from shared.auth import Principal, authed
from shared.masking import masked_text
from shared.problems import Problem

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=NO_ZERO_BYTE)]
Actor = Annotated[Principal, Depends(authed("floor.act"))]
Reader = Annotated[Principal, Depends(authed("floor.read"))]
_PAGE: Final = 200
_LOOKED_AT: Final = 2000


class ActionBody(BaseModel):
    """What was done, and what it is about."""

    model_config = ConfigDict(extra="forbid")

    site: Name
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")] = Field(
        description="A word of the page's own"
    )
    queue: Name = ""
    agents: Annotated[list[Name], Field(max_length=50)] = []
    call_id: Name = ""
    transfer_id: Name = ""
    text_en: Text = Field(description="What was done, in English")
    text_zh: Text = Field(description="The same in Chinese")


class ActionList(Struct, frozen=True, kw_only=True):
    """Actions, newest first."""

    actions: tuple[Action, ...]


STRUCTS: Final = (Action, ActionList)  # for `shared.apidoc.describe`


def router_for(desk: Desk) -> APIRouter:
    """The routes, on this desk."""
    router = APIRouter(prefix="/api/v1", tags=["actions"])

    @router.post(
        "/actions",
        status_code=201,
        response_class=Response,
        responses=created(Action, "the action, with the figures before it")
        | AWAY
        | TOO_MANY
        | problem(404, "a site, queue, agent, call or transfer that the board does not show you"),
    )
    async def add_action(who: Actor, body: ActionBody) -> Response:
        """Write down that something was done about the floor. The server takes the figures now, and again in five minutes of
        the site's time."""
        about = About(
            site=body.site,
            queue=body.queue,
            agents=tuple(dict.fromkeys(body.agents)),
            call_id=body.call_id,
            transfer_id=body.transfer_id,
        )
        desk.admit_change(who)
        sight = desk.sight(who)
        _check(desk, sight, about)
        before = figures.take(desk.engine, about, present=desk.present())
        now = desk.clock.now()
        async with desk.store.unit_of_work() as session:
            added = await Actions(session).add(
                about,
                body.kind,
                body.text_en,
                body.text_zh,
                by=who.user,
                by_name=who.name,
                before=before,
                now=now,
                speed=_speed(desk, about.site),
            )
        desk.effects.changed.set()
        return json_answer(_cut(sight, added, who), 201)

    @router.get("/actions", response_class=Response, responses=answers(ActionList, "the last actions") | AWAY)
    async def last_actions(who: Reader, site: Name = "", limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Response:
        """The last actions, newest first, with the figures before and, once five minutes have passed, after."""
        sites = who.scope.sites_of(site)
        sight, found = desk.sight(who), list[Action]()
        before, looked_at = None, 0
        async with desk.store.reading() as session:
            while len(found) < limit and looked_at < _LOOKED_AT:
                page = await Actions(session).newest(sites, _PAGE, before)
                found += [_cut(sight, action, who) for action in page if _sees(sight, action.about)]
                looked_at += len(page)
                before = newest_of(page)
                if len(page) < _PAGE:
                    break
        return json_answer(ActionList(actions=tuple(found[:limit])))

    return router


def _check(desk: Desk, sight: Sight, about: About) -> None:
    """Raises Problem 404 for what the board does not show them."""
    site = about.site
    if not sight.site(site) or desk.engine.view("site", site, site) is None:
        raise Problem(404, f"no site {site} was heard of")
    if about.queue and (not sight.queue(site, about.queue) or desk.engine.view("queue", site, about.queue) is None):
        raise Problem(404, f"no queue {about.queue} at site {site} was heard of")
    for agent in about.agents:
        if not sight.agent(site, agent) or desk.engine.view("agent", site, agent) is None:
            raise Problem(404, f"no agent {agent} at site {site} was heard of")
    # a call or transfer that ended a moment ago is no reason to refuse: the figures say that it is over
    on_board = desk.engine.view
    if about.call_id and on_board("call", site, about.call_id) and not sight.call(site, about.call_id):
        raise Problem(404, f"there is no call {about.call_id} at site {site} now")
    its = about.transfer_id
    if its and on_board("transfer", site, its) and not sight.shown_transfer(site, its):
        raise Problem(404, f"there is no transfer {about.transfer_id} at site {site} now")


def _speed(desk: Desk, site: str) -> float:
    """How fast the site's time runs."""
    view = desk.engine.view("site", site, site)
    return view.speed if isinstance(view, SiteView) and view.speed > 0 else 1.0


def _sees(sight: Sight, about: About) -> bool:
    """Whose site, queue and agents somebody sees sees the action; of calls that are over only these tell."""
    if not sight.site(about.site):
        return False
    if about.queue or about.agents:
        return (bool(about.queue) and sight.queue(about.site, about.queue)) or any(
            sight.agent(about.site, agent) for agent in about.agents
        )
    return sight.whole(about.site)


def _cut(sight: Sight, action: Action, who: Principal) -> Action:
    """The action as they may read it: without the agents and the queue that they do not see, who may be named with what
    they do see, and without figures of these. Words may name anybody: who does not see the whole site reads only their own."""
    site = action.site
    if not who.reads_notes:
        words = {"text_en": masked_text(action.text_en), "text_zh": masked_text(action.text_zh)}
        action = msgspec.structs.replace(action, **words)
    if sight.whole(site):
        return action
    agents = tuple(agent for agent in action.agents if sight.agent(site, agent))
    queue = action.queue if action.queue and sight.queue(site, action.queue) else ""
    words = {} if action.by == who.user else {"text_en": "", "text_zh": ""}
    return msgspec.structs.replace(
        action,
        agents=agents,
        queue=queue,
        before=_cut_figures(action.before, agents, queue),
        after=action.after and _cut_figures(action.after, agents, queue),
        **words,
    )


def _cut_figures(found: Figures, agents: tuple[str, ...], queue: str) -> Figures:
    """Without those of other agents; where no queue that they see is named, of these agents alone."""
    found = msgspec.structs.replace(found, of=tuple(one for one in found.of if one.agent_id in agents))
    if queue:
        return found
    return Figures(known=found.known, why=found.why, at=found.at, of=found.of, call=found.call, transfer=found.transfer)
