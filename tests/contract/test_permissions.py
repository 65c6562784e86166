"""Every route of every service says what it needs, and keeps to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from services.alerts.app import AlertsService
from services.ingest.app import Ingest
from services.monitor.app import Monitor
from services.monitor.listen.relay import hub, mediasockets
from services.monitor.listen.relay.app import Relay
from shared.auth import COOKIE, authed, public, signed_in
from shared.clock import SystemClock
from shared.db import Database
from shared.identity import GRANTS, ROLES
from shared.memorybus import MemoryBus
from shared.settings import AlertsSettings, IngestSettings, MonitorSettings, RelaySettings
from tests.authkit import bearer, settings, token
from tests.floorkit import CONFIG, RULES

SERVICES = ["monitor", "ingest", "alerts", "relay"]
# what needs no token: health, pages without data, signing in and out, what the API itself is
PUBLIC = re.compile(
    r"/healthz|/readyz|/metrics|/api/openapi\.json|/asyncapi\.json|/static/.*|/login\.html|/hall|/transfers|/api/v1/session|"
)
# where switches send sound: what they send is taken if it names a fork that was ordered
MEDIA = ("/media/asterisk", "/media/twilio")
USERS = {role: "pbx" if role == "service" else role for role in ROLES}
SITE = "test"


def app_of(service: str, folder: Path) -> FastAPI:
    how: dict[str, Any] = settings(folder)
    bus, clock, registry = MemoryBus(), SystemClock(), CollectorRegistry()
    if service == "monitor":
        return Monitor(MonitorSettings(**how), bus, clock, CONFIG, RULES, registry).app()
    if service == "ingest":
        return Ingest(IngestSettings(**how), bus, bus, clock, CONFIG, registry).app()
    if service == "relay":
        return Relay(RelaySettings(**how), bus, clock, registry).app()
    database = Database(f"sqlite+aiosqlite:///{folder / 'a.db'}")
    return AlertsService(AlertsSettings(**how), bus=bus, database=database, clock=clock, sites=CONFIG).app()


@pytest.fixture(params=SERVICES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> FastAPI:
    return app_of(request.param, tmp_path)


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield http


def routes(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    """Method, path and declared dependencies of everything that can be asked for; WebSockets as method `WS`."""
    for found in iter_route_contexts(app.routes):
        original = getattr(found, "original_route", found)
        path = str(getattr(found, "path", ""))
        if isinstance(original, APIWebSocketRoute):
            yield "WS", path, []
            continue
        declared = [one.call for one in found.dependant.dependencies] if isinstance(original, APIRoute) else []
        for method in sorted(getattr(found, "methods", None) or {"GET"}):
            yield method, path, declared


def undeclared(app: FastAPI) -> list[str]:
    """Routes of which nobody said what they need."""
    return [
        f"{method} {path}"
        for method, path, declared in routes(app)
        if method != "WS"
        and not PUBLIC.fullmatch(path)
        and not any(hasattr(call, "permission") or call in (public, signed_in) for call in declared)
    ]


def filled(path: str) -> str:
    return re.sub(r"{(\w+)(:\w+)?}", lambda name: SITE if name[1] == "site" else "1", path)


def test_every_route_says_what_it_needs(app: FastAPI) -> None:
    assert undeclared(app) == []
    found = sum(hasattr(call, "permission") for _, _, declared in routes(app) for call in declared)
    assert found >= 5 or app.state.service == "relay"  # which has sound only, by passes of the monitor


def test_a_route_that_says_nothing_is_found(app: FastAPI) -> None:
    @app.get("/api/v1/secrets")
    async def secrets() -> str:
        return "all of them"

    assert undeclared(app) == ["GET /api/v1/secrets"]


async def test_nothing_is_answered_without_a_token(app: FastAPI) -> None:
    async with asking(app) as http:
        for method, path, declared in routes(app):
            if method == "WS" or PUBLIC.fullmatch(path):
                continue
            answer = await http.request(method, filled(path), json={})
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["reason"] == "missing", declared


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_may_do_what_it_is_granted_and_nothing_else(app: FastAPI, role: str) -> None:
    async with asking(app) as http:
        for method, path, declared in routes(app):
            needs = [call.permission for call in declared if hasattr(call, "permission")]
            if not needs:
                continue
            answer = await http.request(method, filled(path), headers=bearer(USERS[role]), json={})
            missing = [one for one in needs if one not in GRANTS[role]]  # type: ignore[index]
            if missing:
                assert answer.status_code == 403, f"{role}: {method} {path}"
                assert answer.json()["permission"] in missing
            else:
                assert answer.status_code not in (401, 403), f"{role}: {method} {path}: {answer.text}"


def test_no_websocket_opens_with_the_cookie_alone(app: FastAPI) -> None:
    sockets = [path for method, path, _ in routes(app) if method == "WS"]
    with TestClient(app, cookies={COOKIE: token("admin")}) as http:
        assert http.get("/api/v1/me").json()["user"] == "admin"
        for path in sockets:
            if path in MEDIA:
                continue
            with http.websocket_connect(filled(path)) as socket, pytest.raises(WebSocketDisconnect) as told:
                socket.receive_text()
            assert told.value.code == 4401


def test_a_switch_brings_no_sound_that_nobody_ordered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediasockets, "NAMED_S", 0.01)
    monkeypatch.setattr(hub, "FORK_WAIT_S", 0.01)
    said = '{"event": "MEDIA_START", "format": "slin"}'
    with TestClient(app_of("relay", tmp_path), cookies={COOKIE: token("admin")}) as http:
        for path in MEDIA:
            for query in ("", "?fork=9c6d8a0e-7f0c-4f9f-a7a5-0c6b8a7f6b11"):
                with http.websocket_connect(path + query) as socket:
                    if path.endswith("asterisk"):
                        socket.send_text(said)
                    with pytest.raises(WebSocketDisconnect) as told:
                        socket.receive_text()
                assert told.value.code == 4404


def test_the_document_says_how_to_sign_in_and_what_is_needed(app: FastAPI) -> None:
    document = app.openapi()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["cookie"] == {"type": "apiKey", "in": "cookie", "name": COOKIE} | {
        "description": schemes["cookie"]["description"]
    }
    for method, path, declared in routes(app):
        operation = document["paths"].get(path, {}).get(method.lower())
        needs = [call.permission for call in declared if hasattr(call, "permission")]
        if operation is None or not needs:
            continue
        assert operation["security"] == [{"bearer": []}, {"cookie": []}], path
        assert {"401", "403"} <= set(operation["responses"]), path
        assert needs[0] in operation["responses"]["403"]["description"], path


def test_a_permission_is_one_dependency() -> None:
    assert authed("floor.read") is authed("floor.read")
