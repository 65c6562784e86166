"""The monitor's API: the floor as a snapshot, the feed as a WebSocket, the rules in force."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Response, WebSocket

from services.monitor.core.engine import Engine
from services.monitor.core.rulebook import RuleBook
from services.monitor.core.views import FloorView
from services.monitor.feed.connection import serve_feed
from services.monitor.feed.hub import Hub
from shared.problems import Problem


def _json(kind: Any, description: str) -> dict[int | str, dict[str, Any]]:
    inline = {"description": description, "content": {"application/json": {"schema": {"title": kind.__name__}}}}
    return {200: inline}


def router_for(engine: Engine, hub: Hub, rules: RuleBook) -> APIRouter:
    """The routes, on this engine, hub and rule book."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/floor", tags=["floor"], response_class=Response, responses=_json(FloorView, "the floor now"))
    async def floor() -> Response:
        """Everything the board shows, as `{epoch, position, floor}`; `position` is where the feed goes on."""
        return Response(msgspec.json.encode(hub.snapshot()), media_type="application/json")

    @router.get("/agents/{site}/{agent_id}", tags=["floor"], response_class=Response)
    async def agent(site: str, agent_id: str) -> Response:
        """One agent's card. 404 for an agent never heard of."""
        return _one(engine.view("agent", site, agent_id), f"no agent {agent_id} at site {site} was heard of")

    @router.get("/queues/{site}/{queue}", tags=["floor"], response_class=Response)
    async def queue(site: str, queue: str) -> Response:
        """One queue now and since midnight at the site. 404 for a queue never heard of."""
        return _one(engine.view("queue", site, queue), f"no queue {queue} at site {site} was heard of")

    @router.get("/sites/{site}/anomalies", tags=["floor"])
    async def anomalies(site: str) -> dict[str, int]:
        """Events that could not follow the last one and were adopted, and duplicates dropped, counted by kind."""
        return engine.anomalies(site)

    @router.get("/rules", tags=["rules"])
    async def rule_book() -> list[dict[str, Any]]:
        """The rules in force."""
        return [
            {
                "name": rule.name,
                "subject": rule.subject,
                "when": {name: sorted(values) for name, values in rule.when.items()},
                "for_s": rule.hold.total_seconds(),
                "severity": rule.severity,
                "where": msgspec.to_builtins(rule.where),
                "summary": msgspec.to_builtins(rule.summary),
            }
            for rule in rules.rules
        ]

    @router.websocket("/feed")
    async def feed(socket: WebSocket) -> None:
        await serve_feed(socket, hub)

    return router


def _one(found: msgspec.Struct | None, missing: str) -> Response:
    if found is None:
        raise Problem(404, missing)
    return Response(msgspec.json.encode(found), media_type="application/json")
