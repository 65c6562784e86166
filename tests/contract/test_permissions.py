"""Every route, WebSocket and port of every service says what it needs, and keeps to it.

By roles as they are built in for people of the users file, and by a policy that turns all of it round for those of a provider.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from prometheus_client import CollectorRegistry
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from services.alerts.app import AlertsService
from services.ingest.app import Ingest
from services.ingest.connectors.asterisk import app as asterisk_app
from services.monitor.app import Monitor
from services.monitor.listen.relay import hub, mediasockets
from services.monitor.listen.relay.app import Relay
from shared.auth import COOKIE, authed, public, signed_in
from shared.clock import SystemClock
from shared.db import Database
from shared.identity import GRANTS, PERMISSIONS, ROLES, Permission, Role
from shared.memorybus import MemoryBus
from shared.service import Background
from shared.sessions import Identity, sign_session
from shared.settings import AlertsSettings, AsteriskSettings, IngestSettings, MonitorSettings, RelaySettings
from shared.webfiles import WebFiles
from tests.authkit import SECRET, bearer, settings, token, users_file
from tests.floorkit import CONFIG, RULES

SERVICES = ["monitor", "ingest", "alerts", "relay", "asterisk"]
# what holds no data and is nobody's alone: health, pages, what the API itself is. Nothing else may go without a declaration
OPEN = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/openapi.json",
    "/asyncapi.json",
    "/login.html",
    "/static/ports.js",
    "/hall",
    "/transfers",
}
# where switches send sound: what they send is taken if it names a fork that was ordered
MEDIA = ("/media/asterisk", "/media/twilio")
USERS = {role: "pbx" if role == "service" else role for role in ROLES}
SITE = "test"
ROOT = Path(__file__).parents[2]


def app_of(service: str, folder: Path, how: dict[str, Any] | None = None) -> FastAPI:
    how = how or settings(folder)
    bus, clock, registry = MemoryBus(), SystemClock(), CollectorRegistry()
    if service == "monitor":
        return Monitor(MonitorSettings(**how), bus, clock, CONFIG, RULES, registry).app()
    if service == "ingest":
        return Ingest(IngestSettings(**how), bus, bus, clock, CONFIG, registry).app()
    if service == "relay":
        return Relay(RelaySettings(**how), bus, clock, registry).app()
    if service == "asterisk":
        return asterisk_app.app_for([], AsteriskSettings(**how), Background())
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


class Found(NamedTuple):
    """Something that can be asked for; WebSockets have the method `WS`, folders of files `FILES`."""

    method: str
    path: str
    declared: list[Any]

    @property
    def needs(self) -> list[Permission]:
        return [call.permission for call in self.declared if hasattr(call, "permission")]

    @property
    def is_public(self) -> bool:
        return self.path in OPEN or public in self.declared or self.method == "FILES"


def routes(app: FastAPI) -> Iterator[Found]:
    """All there are, also those of routers in routers. What is of a kind that nobody thought of here is an error."""
    for found in iter_route_contexts(app.routes):
        original = getattr(found, "original_route", found)
        path = str(getattr(found, "path", ""))
        if isinstance(original, Mount):
            assert isinstance(original.app, WebFiles), f"what is mounted at {path} could answer anything"
            yield Found("FILES", path, [])
            continue
        assert isinstance(original, APIRoute | APIWebSocketRoute) or path in OPEN, f"{path} is a route of another kind"
        declared = [] if path in OPEN else [one.call for one in found.dependant.dependencies]
        if isinstance(original, APIWebSocketRoute):
            yield Found("WS", path, declared)
            continue
        for method in sorted(getattr(found, "methods", None) or {"GET"}):
            yield Found(method, path, declared)


def undeclared(app: FastAPI) -> list[str]:
    """Routes of which nobody said what they need."""
    return [
        f"{found.method} {found.path}"
        for found in routes(app)
        if not found.is_public
        and not found.needs
        and not any(hasattr(call, "let_in_by") or call is signed_in for call in found.declared)
    ]


def filled(path: str) -> str:
    return re.sub(r"{(\w+)(:\w+)?}", lambda name: SITE if name[1] == "site" else "1", path)


def test_every_route_says_what_it_needs(app: FastAPI) -> None:
    assert undeclared(app) == []
    found = sum(bool(one.needs) for one in routes(app))
    assert found >= 5 or app.state.service in (
        "relay",
        "asterisk",
    )  # sound by passes of the monitor, and nothing of the floor


def test_what_says_nothing_is_found(app: FastAPI, tmp_path: Path) -> None:
    router = APIRouter(prefix="/inner")

    @router.get("/secrets")
    async def secrets() -> str:
        return "all of them"

    @router.websocket("/whispers")
    async def whispers(socket: WebSocket) -> None: ...

    outer = APIRouter(prefix="/api/v1")
    outer.include_router(router)
    app.include_router(outer)
    assert undeclared(app) == ["GET /api/v1/inner/secrets", "WS /api/v1/inner/whispers"]
    app.mount("/files", StaticFiles(directory=tmp_path))
    with pytest.raises(AssertionError, match="mounted at /files could answer anything"):
        undeclared(app)


async def test_nothing_is_answered_without_a_token(app: FastAPI) -> None:
    async with asking(app) as http:
        for found in routes(app):
            if found.method == "WS" or found.is_public:
                continue
            answer = await http.request(found.method, filled(found.path), json={})
            assert answer.status_code == 401, found
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["reason"] == "missing", found


async def keeps_to(app: FastAPI, granted: frozenset[Permission], headers: dict[str, str]) -> None:
    """Somebody who is granted so much gets an answer where that is enough, and is refused everywhere else."""
    async with asking(app) as http:
        for found in routes(app):
            if found.method == "WS" or not found.needs:
                continue
            answer = await http.request(found.method, filled(found.path), headers=headers, json={})
            missing = [one for one in found.needs if one not in granted]
            if missing:
                assert answer.status_code == 403, found
                assert answer.json()["permission"] in missing
            else:
                assert answer.status_code not in (401, 403), f"{found}: {answer.text}"


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_may_do_what_it_is_granted_and_nothing_else(app: FastAPI, role: Role) -> None:
    await keeps_to(app, GRANTS[role], bearer(USERS[role]))


PROVIDER = "https://login.example"  # never asked: a session is signed by us
TURNED = {role: [one for one in PERMISSIONS if one not in GRANTS[role]] for role in ROLES}


def provided(folder: Path) -> dict[str, Any]:
    """Settings of a service whose people are a provider's, and may do just what is not built in for their roles."""
    policy = {
        "roles": TURNED,
        "grants": [{"claim": "role", "value": role, "roles": [role]} for role in ROLES],
    }
    path = folder / "policy.yaml"
    path.write_text(json.dumps(policy), encoding="utf-8")
    return {
        "oidc_issuer": PROVIDER,
        "oidc_client_id": "floor",
        "policy_file": path,
        "auth_secret": SECRET,
        "run_dir": folder,
    }


def session(role: str) -> dict[str, str]:
    """What the browser of somebody of the provider sends."""
    now = SystemClock().now()
    who = Identity(f"{role}@example.org", role, frozenset({("role", role)}), now, now + timedelta(hours=1))
    return {"cookie": f"{COOKIE}={sign_session(SECRET, PROVIDER, who)}", "sec-fetch-site": "same-origin"}


@pytest.mark.parametrize("service", ["monitor", "ingest", "alerts"])
async def test_people_of_a_provider_may_do_what_the_policy_says_and_nothing_else(service: str, tmp_path: Path) -> None:
    app = app_of(service, tmp_path, provided(tmp_path))
    for role in ROLES:
        await keeps_to(app, frozenset(TURNED[role]), session(role))


def closed_with(http: TestClient, path: str, **how: Any) -> int | None:
    """The code that a WebSocket is closed with at once; None: it says something first."""
    with http.websocket_connect(path, **how) as socket:
        try:
            socket.receive_text()
        except WebSocketDisconnect as told:
            return told.code
    return None


@pytest.mark.parametrize("service", ["monitor", "alerts"])
def test_a_feed_opens_for_who_may_and_for_nobody_else(service: str, tmp_path: Path) -> None:
    app = app_of(service, tmp_path, {**provided(tmp_path), "users_file": users_file(tmp_path)})
    feeds = [found for found in routes(app) if found.method == "WS"]
    assert [(found.path, found.needs) for found in feeds] == [("/api/v1/feed", ["floor.read"])]
    with TestClient(app) as http:
        for role in ROLES:
            assert closed_with(http, "/api/v1/feed", headers=bearer(USERS[role])) == 4403, (
                "the policy took floor.read from all"
            )
            assert closed_with(http, "/api/v1/feed", headers=session(role)) == 4401
        assert closed_with(http, "/api/v1/feed") == 4401
    app = app_of(service, tmp_path)
    with TestClient(app) as http:
        for role in ROLES:
            assert closed_with(http, "/api/v1/feed", headers=bearer(USERS[role])) is None


def test_no_websocket_opens_with_the_cookie_alone(app: FastAPI) -> None:
    sockets = [found for found in routes(app) if found.method == "WS"]
    with TestClient(app, cookies={COOKIE: token("admin")}) as http:
        assert http.get("/api/v1/me").json()["user"] == "admin"
        for found in sockets:
            if found.path not in MEDIA:
                assert closed_with(http, filled(found.path)) == 4401


def test_sound_is_let_in_and_out_by_what_was_ordered_and_by_no_role(tmp_path: Path) -> None:
    app = app_of("relay", tmp_path)
    let_in = {found.path: getattr(found.declared[0], "let_in_by", "") for found in routes(app) if found.method == "WS"}
    assert let_in == {"/api/v1/listens/{listen_id}/audio": "pass", **dict.fromkeys(MEDIA, "fork")}
    with TestClient(app) as http:
        for role in ROLES:
            assert closed_with(http, "/api/v1/listens/1/audio", headers=bearer(USERS[role])) == 4401
            assert closed_with(http, f"/api/v1/listens/1/audio?ticket={token(USERS[role])}") == 4401


# every place that opens a port, and what lets somebody in there; the routes of the first are walked above
LISTENERS = {
    "shared/service.py: listen": "routes",
    "shared/service.py: create_server": "the same",
    "services/monitor/listen/relay/app.py: listen": "AudioSocket: a fork that was ordered (test_relay.py)",
    "services/monitor/listen/relay/app.py: create_server": "the same",
    "floorwatch/run.py: listen": "looks whether a port is free, and closes it at once",
}
_OPENS = {
    "listen",
    "create_server",
    "start_server",
    "create_unix_server",
    "start_unix_server",
    "bind",
    "create_datagram_endpoint",
}


def opened(path: Path) -> Iterator[str]:
    """Calls that open a port, in a source file."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if any(f"{name}(" in text for name in _OPENS) else ():
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            own = isinstance(node.func, ast.Name) or name not in ("listen", "bind")
            if name in _OPENS and own:
                yield f"{path.relative_to(ROOT).as_posix()}: {name}"


def test_every_place_that_opens_a_port_is_known() -> None:
    found = {
        one
        for folder in ("shared", "services", "floorwatch")
        for path in (ROOT / folder).rglob("*.py")
        for one in opened(path)
    }
    assert found == set(LISTENERS)


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
    for found in routes(app):
        operation = document["paths"].get(found.path, {}).get(found.method.lower())
        if operation is None or not found.needs:
            continue
        assert operation["security"] == [{"bearer": []}, {"cookie": []}], found.path
        assert {"401", "403"} <= set(operation["responses"]), found.path
        assert found.needs[0] in operation["responses"]["403"]["description"], found.path


def test_a_permission_is_one_dependency() -> None:
    assert authed("floor.read") is authed("floor.read")
