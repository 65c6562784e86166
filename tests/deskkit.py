"""The desk as its clients see it: its routes on an engine that a test feeds by hand, and on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from services.monitor.desk.desk import Desk
from services.monitor.desk.reasons import Reasons
from services.monitor.desk.routes import install_desk_routes
from shared.auth import Authenticator
from shared.clock import Clock, SystemClock
from shared.db import Database
from shared.http import create_app
from shared.identity import LOCAL, Principal, Role, Scope
from shared.service import Background
from tests.floorkit import Bench


class Someone(Authenticator):
    """Whoever the test says asks."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.who = LOCAL

    def of_request(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal:
        return self.who


def principal(user: str, *roles: Role, **scope: frozenset[str]) -> Principal:
    """Somebody with these roles; `scope`: sites, teams, queues."""
    return Principal(user, user.title(), frozenset(roles or ("supervisor",)), Scope(**scope))


class DeskClient:
    """A desk and its API. `who`: who asks from now on."""

    def __init__(self, desk: Desk, client: httpx.AsyncClient, auth: Someone, registry: CollectorRegistry) -> None:
        self.desk, self.client, self._auth, self.registry = desk, client, auth, registry

    def as_(self, who: Principal) -> DeskClient:
        self._auth.who = who
        return self

    async def ask(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        response = await self.client.request(method, f"/api/v1{path}", **request)
        assert response.status_code == status, response.text
        return response.json()

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return await self.ask("GET", path, status, params=params)

    async def put(self, path: str, body: Any, status: int = 200) -> Any:
        return await self.ask("PUT", path, status, json=body)

    async def post(self, path: str, body: Any, status: int = 201) -> Any:
        return await self.ask("POST", path, status, json=body)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def serving_desk(
    database: Database | None,
    bench: Bench | None = None,
    *,
    clock: Clock | None = None,
    reasons: Reasons | None = None,
    migrated: bool = True,
    **more: Any,
) -> AsyncIterator[DeskClient]:
    """The desk with its tasks; `migrated`: wait until its database is."""
    registry, auth = CollectorRegistry(), Someone()
    engine = (bench or Bench()).engine
    desk = Desk(engine, clock or SystemClock(), registry, database, reasons=reasons, **more)
    async with Background() as background:
        desk.start(background)
        app = create_app("monitor", registry=registry, background=background, auth=auth)
        install_desk_routes(app, desk)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://monitor.test") as client:
            if migrated:
                await until(lambda: not desk.store.trouble)
            yield DeskClient(desk, client, auth, registry)
        assert background.check() is None


async def until(condition: Callable[[], Any], *, timeout_s: float = 15.0) -> Any:
    """What `condition` gives once it is true; it is asked again whenever the loop has turned."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.005)
