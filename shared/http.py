"""What every service's HTTP side has: health, readiness, metrics, problem documents, web pages, safe headers.

    app = create_app("monitor", title="Floorwatch monitor", registry=registry, checks={"feed": hub.check},
                     background=background, auth=Authenticator.of(settings, clock), names=Hosts.of(settings))
    app.include_router(router)
    mount_web(app, Path(__file__).parent / "web")     # last: it answers every path that nothing else does
    await serve(app, settings.host, settings.port, background=background)

A check returns None when that part is ready, else the reason in a few words; it may be async.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import apidoc, hosts, problems, sessionapi
from shared.auth import Authenticator
from shared.clock import SystemClock
from shared.hosts import Hosts
from shared.problems import Problem, problem_response
from shared.processmetrics import CountingRequests, RequestMetrics, describe_process
from shared.service import Background, ServiceFailed, serve
from shared.settings import AlertsSettings, IngestSettings, MonitorSettings, load
from shared.webfiles import WebFiles

__all__ = ["Background", "Check", "Problem", "ServiceFailed", "create_app", "mount_web", "serve"]

Check = Callable[[], str | Awaitable[str | None] | None]

# no inline script or style, nothing from elsewhere, in no frame; 'self' covers this page's WebSocket too
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src {connect}; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
CONTENT_SECURITY_POLICY = _POLICY.format(connect="'self'")
Connect = Callable[[str], str]  # for the name in `Host`, where else its pages may connect to
_WITHOUT_DATA = ("/healthz", "/readyz", "/metrics")  # asked by probes, by whatever name they find their way
_SHARED_WEB = Path(__file__).parent / "web"


class CheckResult(BaseModel):
    """One part that must work."""

    ok: bool
    reason: str | None = None


class Readiness(BaseModel):
    """What `/readyz` says."""

    status: Literal["ready", "not ready"]
    service: str
    checks: dict[str, CheckResult]


def create_app(
    name: str,
    *,
    title: str = "",
    registry: CollectorRegistry | None = None,
    checks: Mapping[str, Check] | None = None,
    background: Background | None = None,
    lifespan: Any = None,
    auth: Authenticator | None = None,
    names: Hosts | None = None,
    connect: Connect | None = None,
    pages_elsewhere: bool = False,
) -> FastAPI:
    """The base of service `name` (`monitor`): /healthz, /readyz, /metrics, /api/openapi.json, error handling, signing in.

    `app.state.service` is the name; the port's setting is `<NAME>_PORT`. `app.state.auth` is `auth`, else that of mode `local`.
    Who asks by a name that is none of `names` is refused, except for health and metrics. `connect` tells where pages may
    connect to besides; `pages_elsewhere`: WebSockets are for pages of another port of the same host.
    """
    app = FastAPI(
        title=title or f"Floorwatch {name}",
        version=version("floorwatch"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = name
    app.state.auth = auth or Authenticator(SystemClock())
    problems.install(app)
    apidoc.describe(app)
    app.include_router(sessionapi.router)
    app.add_middleware(_Guard, names=names or Hosts(), connect=connect, pages_elsewhere=pages_elsewhere)
    all_checks = dict(checks or {})
    if background is not None:
        all_checks["tasks"] = background.check
    _add_health(app, name, all_checks)
    if registry is not None:
        _add_metrics(app, registry)
    return app


def _add_health(app: FastAPI, name: str, checks: Mapping[str, Check]) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """Alive: the process answers. Says nothing of what it depends on."""
        return {"status": "alive", "service": name, "version": app.version}

    @app.get(
        "/readyz",
        tags=["health"],
        response_model=Readiness,
        responses={503: {"description": "some part is not ready", "model": Readiness}},
    )
    async def readyz() -> JSONResponse:
        """Ready for work: every named check with its reason when it fails."""
        results = {check_name: await _result(check) for check_name, check in checks.items()}
        ready = all(reason is None for reason in results.values())
        body = {
            "status": "ready" if ready else "not ready",
            "service": name,
            "checks": {
                key: {"ok": reason is None} | ({"reason": reason} if reason is not None else {})
                for key, reason in results.items()
            },
        }
        return JSONResponse(body, 200 if ready else 503)


async def _result(check: Check) -> str | None:
    found = check()
    return await found if inspect.isawaitable(found) else found


def _add_metrics(app: FastAPI, registry: CollectorRegistry) -> None:
    # when each counter began is a sample of its own for each set of labels; the library knows the switch for a process only
    disable_created_metrics()  # type: ignore[no-untyped-call]
    describe_process(registry, app.state.service, app.version)
    app.add_middleware(CountingRequests, metrics=RequestMetrics(registry), clock=SystemClock())

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})


def mount_web(app: FastAPI, directory: Path) -> None:
    """Serve `directory` at `/` (`index.html` for the bare path) and at `/static/<service>/`, and what all pages share
    at `/static/shared/`. Call it last."""
    _tell_ports(app)
    _sign_in_page(app)
    app.mount("/static/shared", WebFiles(_SHARED_WEB), name="shared")
    app.mount(f"/static/{app.state.service}", WebFiles(directory), name="static")
    modules = {"/static/shared": _SHARED_WEB, f"/static/{app.state.service}": directory}
    app.mount("/", WebFiles(directory, pages=True, modules=modules), name="web")


def _sign_in_page(app: FastAPI) -> None:
    """`/login.html`, at every service: a page leads to it when nobody is signed in, and it leads back."""

    @app.get("/login.html", include_in_schema=False)
    async def login_page() -> Response:
        return FileResponse(_SHARED_WEB / "login.html", headers={"cache-control": "no-cache"})


def _tell_ports(app: FastAPI) -> None:
    """`/static/ports.js`: where the services are, so that a page can lead to the others."""
    ports = {
        "monitor": load(MonitorSettings).port,
        "ingest": load(IngestSettings).port,
        "alerts": load(AlertsSettings).port,
    }
    module = f"export default {json.dumps(ports)};\n"

    @app.get("/static/ports.js", include_in_schema=False)
    async def ports_module() -> Response:
        return Response(module, media_type="text/javascript", headers={"cache-control": "no-cache"})


class _Guard:
    """Safe headers on every response, a refusal of other sites' pages, and a problem document for unexpected errors."""

    def __init__(self, app: ASGIApp, names: Hosts, connect: Connect | None, pages_elsewhere: bool) -> None:
        self._app = app
        self._names = names
        self._connect = connect
        self._pages_elsewhere = pages_elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if not self._names.ours(host) and scope["path"] not in _WITHOUT_DATA:
            await _refuse(421, hosts.refusal(host), scope, receive, send)
            return
        if _from_elsewhere(scope) and not self._known_page(scope):
            await _refuse(403, "a page of another origin may not change anything here", scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(MutableHeaders(scope=message), scope["path"], self._policy(host))
            await send(message)

        try:
            await self._app(scope, receive, send_safely)
        except Exception:
            response = problems.unexpected(scope["path"])  # logs it
            if started:
                raise
            await response(scope, receive, send_safely)

    def _policy(self, host: str) -> str:
        elsewhere = self._connect(host) if self._connect is not None else ""
        return _POLICY.format(connect=f"'self' {elsewhere}") if elsewhere else CONTENT_SECURITY_POLICY

    def _known_page(self, scope: Scope) -> bool:
        """True for a WebSocket that is there for pages of another port, asked for by a page of the host or of a listed one."""
        if scope["type"] != "websocket" or not self._pages_elsewhere:
            return False
        headers = Headers(scope=scope)
        try:
            page = urlsplit(headers.get("origin", "")).netloc
        except ValueError:
            return False
        return bool(page) and (hosts.same_name(page, headers.get("host", "")) or self._names.listed(page))


def _add_headers(headers: MutableHeaders, path: str, policy: str) -> None:
    """Defaults: a response that sets one of these itself keeps its own."""
    headers.setdefault("content-security-policy", policy)
    headers.setdefault("x-content-type-options", "nosniff")
    headers.setdefault("referrer-policy", "no-referrer")
    headers.setdefault("cross-origin-opener-policy", "same-origin")
    if path.startswith("/api/"):
        headers.setdefault("cache-control", "no-store")


def _from_elsewhere(scope: Scope) -> bool:
    """True for a WebSocket or a change that a page of another origin asks for: browsers say so in `Origin`."""
    if scope["type"] == "http" and scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != headers.get("host", "")
    except ValueError:  # no browser's
        return True


async def _refuse(status: int, why: str, scope: Scope, receive: Receive, send: Send) -> None:
    """A problem document, of a WebSocket's handshake too where the server can."""
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": why})
            return
    await problem_response(status, why, instance=scope["path"])(scope, receive, send)
