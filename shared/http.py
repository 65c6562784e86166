"""What every service's HTTP side has: health, readiness, metrics, problem documents, web pages, safe headers.

    app = create_app("monitor", title="Floorwatch monitor", registry=registry, checks={"feed": hub.check},
                     background=background, auth=Authenticator.of(settings, clock), names=Hosts.of(settings))
    app.include_router(router)
    mount_web(app, Path(__file__).parent / "web")     # last: it answers every path that nothing else does
    await serve_as(settings, app, background=background, tls=None)

A check returns None when that part is ready, else the reason in a few words, or a Remark; it may be async.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.routing import Match, Mount
from starlette.types import Scope

from shared import apidoc, problems, providerapi, sessionapi
from shared.auth import Authenticator
from shared.clock import SystemClock
from shared.guard import Connect, Guard
from shared.hosts import Hosts
from shared.limits import Limits
from shared.problems import Problem
from shared.processmetrics import CountingRequests, RequestMetrics, describe_process
from shared.readiness import Remark
from shared.service import Background, ServiceFailed, serve, serve_as
from shared.settings import AlertsSettings, IngestSettings, MonitorSettings, port_of
from shared.webfiles import WebFiles

__all__ = ["Background", "Check", "Problem", "ServiceFailed", "create_app", "mount_web", "serve", "serve_as"]

Check = Callable[[], str | Awaitable[str | None] | None]

_SHARED_WEB = Path(__file__).parent / "web"


class CheckResult(BaseModel):
    """One part that must work. `reason`: why it does not, or what is to be known of it although it does."""

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
    limits: Limits | None = None,
    connect: Connect | None = None,
    pages_elsewhere: bool = False,
) -> FastAPI:
    """The base of service `name` (`monitor`): /healthz, /readyz, /metrics, /api/openapi.json, error handling, signing in.

    `app.state.service` is the name; the port's setting is `<NAME>_PORT`. `app.state.auth` is `auth`, else that of mode `local`.
    Who asks by a name that is none of `names` is refused, except for health and metrics. `limits`: of bodies and
    requests, else as they come. `connect` tells where pages may
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
    app.state.ending = False  # until `serve` was asked to
    app.state.registry = registry
    app.state.auth = auth or Authenticator(SystemClock())
    app.state.limits = limits = limits or Limits(SystemClock())
    problems.install(app)
    apidoc.describe(app)
    app.include_router(sessionapi.router)
    app.include_router(providerapi.router)
    app.add_middleware(Guard, names=names or Hosts(), connect=connect, pages_elsewhere=pages_elsewhere, limits=limits)
    all_checks = dict(checks or {})
    if background is not None:
        all_checks["tasks"] = background.check
        app.state.auth.start(background)
    if app.state.auth.provider is not None:
        all_checks["identity provider"] = app.state.auth.check
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
        if app.state.ending:
            results["end"] = "it was asked to end, and sends whoever is here away"
        fine = {key: reason is None or isinstance(reason, Remark) for key, reason in results.items()}
        ready = all(fine.values())
        body = {
            "status": "ready" if ready else "not ready",
            "service": name,
            "checks": {
                key: {"ok": fine[key]} | ({"reason": reason} if reason is not None else {})
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
    app.state.auth.describe(registry)
    app.state.limits.metrics = app.state.auth.metrics
    app.add_middleware(CountingRequests, metrics=RequestMetrics.on(registry), clock=SystemClock())

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
    app.router.routes.append(_Pages("/", WebFiles(directory, pages=True, modules=modules), name="web"))


class _Pages(Mount):
    """Pages take every path that nothing else does, but for those of the API: a wrong method is 405 there, not a page's 404."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE, {}) if scope["path"].startswith("/api/") else super().matches(scope)


def _sign_in_page(app: FastAPI) -> None:
    """`/login.html`, at every service: a page leads to it when nobody is signed in, and it leads back."""

    @app.get("/login.html", include_in_schema=False)
    async def login_page() -> Response:
        return FileResponse(_SHARED_WEB / "login.html", headers={"cache-control": "no-cache"})


def _tell_ports(app: FastAPI) -> None:
    """`/static/ports.js`: where the services are, so that a page can lead to the others."""
    ports = {
        "monitor": port_of(MonitorSettings),
        "ingest": port_of(IngestSettings),
        "alerts": port_of(AlertsSettings),
    }
    module = f"export default {json.dumps(ports)};\n"

    @app.get("/static/ports.js", include_in_schema=False)
    async def ports_module() -> Response:
        return Response(module, media_type="text/javascript", headers={"cache-control": "no-cache"})
