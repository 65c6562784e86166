"""The monitor's API: the floor as a snapshot, the feed as a WebSocket, the rules in force."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Response, WebSocket
from msgspec import Struct

from services.monitor.core.engine import Engine
from services.monitor.core.floor import Kind
from services.monitor.core.rules.rulebook import Rule, Summary, Where
from services.monitor.core.views import AgentView, QueueView
from services.monitor.feed.connection import serve_feed
from services.monitor.feed.hub import Hub
from services.monitor.feed.lens import Lens, Wanted
from services.monitor.feed.messages import Snapshot
from services.monitor.ruleslive import LiveRules
from services.monitor.shares import Shares
from shared.apidoc import answers, problem
from shared.apiparts import json_answer
from shared.auth import Principal, authed, socket_authed
from shared.facts import Severity, Subject
from shared.problems import Problem


class RuleView(Struct, frozen=True):
    """A rule in force. `when` is as it was written: an expression, or fields with the values that they may have."""

    name: str
    subject: Subject
    when: str | dict[str, list[str | bool | float]]
    for_s: float
    keep_s: float
    severity: Severity
    where: Where
    summary: Summary


class RulesView(Struct, frozen=True):
    """The rules in force, in their order. `file_error`: why the file as it is now is not; "" when it is."""

    rules: tuple[RuleView, ...]
    loaded_at: datetime
    file_error: str


Reader = Annotated[Principal, Depends(authed("floor.read"))]
Watcher = Annotated[Principal, Depends(socket_authed("floor.read"))]
Names = Annotated[list[str], Query(default_factory=list, description="only of these; may be given several times")]
AgentNames = Annotated[
    list[str], Query(default_factory=list, description="only of these, `site/id`; may be given several times")
]

FLOORS_EACH: Final = 8  # whole floors on their way to one user
FLOORS_LOCAL: Final = 16  # to all of those who need not sign in; each is ten megabytes until it is read or given up

STRUCTS = (Snapshot, AgentView, QueueView, RulesView)  # for `shared.apidoc.describe`


def router_for(engine: Engine, hub: Hub, rules: LiveRules) -> APIRouter:
    """The routes, on this engine, hub and rule book."""
    router = APIRouter(prefix="/api/v1")

    floors = Shares("floors", FLOORS_EACH, FLOORS_LOCAL)

    @router.get(
        "/floor",
        tags=["floor"],
        response_class=Response,
        responses=answers(Snapshot, "the floor now") | problem(429, "too many of your floors are on their way"),
    )
    async def floor(who: Reader, site: Names, team: Names, queue: Names, agent: AgentNames) -> Response:
        """What the board shows, as `{epoch, position, floor}`; `position` is where the feed goes on.

        Of that what the token allows, narrowed by the parameters as the feed's filter narrows it (docs/feed.md).
        """
        lens = Lens(who.scope, Wanted(_set(site), _set(team), _set(queue), _set(agent)))

        async def picture() -> bytes:
            async with hub.turn_of(who, None, lens):
                return hub.picture(lens)

        return await floors.answer(who, picture)

    @router.get(
        "/agents/{site}/{agent_id}",
        tags=["floor"],
        response_class=Response,
        responses=answers(AgentView, "the agent now") | problem(404, "an agent never heard of"),
    )
    async def agent(who: Reader, site: str, agent_id: str) -> Response:
        """One agent's card. 404 for an agent never heard of, or outside what the token allows."""
        return _one(seen(engine, who, "agent", site, agent_id), f"no agent {agent_id} at site {site} was heard of")

    @router.get(
        "/queues/{site}/{queue}",
        tags=["floor"],
        response_class=Response,
        responses=answers(QueueView, "the queue now") | problem(404, "a queue never heard of"),
    )
    async def queue(who: Reader, site: str, queue: str) -> Response:
        """One queue now and since midnight at the site. 404 for a queue never heard of, or outside what the token allows."""
        return _one(seen(engine, who, "queue", site, queue), f"no queue {queue} at site {site} was heard of")

    @router.get("/rules", tags=["rules"], response_class=Response, responses=answers(RulesView, "the rules in force"))
    async def rule_book(_who: Reader) -> Response:
        """The rules in force, since when, and what is wrong with their file if it changed and could not be used."""
        found = tuple(_rule_view(rule) for rule in rules.book.rules)
        return json_answer(RulesView(found, rules.loaded_at, rules.file_error))

    @router.websocket("/feed")
    async def feed(socket: WebSocket, who: Watcher) -> None:
        await serve_feed(socket, hub, who)

    return router


def seen(engine: Engine, who: Principal, kind: Kind, site: str, key: str) -> Any:
    """The entity's view; None when it is unknown or not theirs to see, which nobody can tell apart."""
    found = engine.view(kind, site, key)
    return found if found is not None and Lens(who.scope).sees(kind, found, engine.view) else None


def _set(names: list[str]) -> frozenset[str] | None:
    return frozenset(names) or None


def _rule_view(rule: Rule) -> RuleView:
    when = rule.when if isinstance(rule.when, str) else {name: _listed(value) for name, value in rule.when.items()}
    return RuleView(
        name=rule.name,
        subject=rule.subject,
        when=when,
        for_s=rule.hold.total_seconds(),
        keep_s=rule.keep.total_seconds(),
        severity=rule.severity,
        where=rule.where,
        summary=rule.summary,
    )


def _listed(value: Any) -> list[str | bool | float]:
    return sorted(value) if isinstance(value, tuple | frozenset | set) else [value]


def _one(found: msgspec.Struct | None, missing: str) -> Response:
    if found is None:
        raise Problem(404, missing)
    return json_answer(found)
