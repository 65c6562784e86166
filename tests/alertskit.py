"""What tests of the alerts service share: flags as the monitor publishes them, and a whole service without its port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.app import MIGRATIONS, AlertsService
from services.alerts.core.incident import Clearing, Flag
from services.alerts.tables import IncidentRow
from shared import facts
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.codec import encode
from shared.db import Database
from shared.ports import listen
from shared.service import Background
from shared.settings import AlertsSettings
from shared.siteconfig import SiteConfig, Sites
from shared.topics import FLOOR_FLAGS, FLOOR_RECORDS, SWITCH_DEAD_LETTER
from shared.tracing import traceparent
from shared.wsserver import DirectProtocol
from tests.databases import migrate

SITES = Sites(sites={"s1": SiteConfig(label="First floor", time_zone="Asia/Shanghai")})


def raised_bytes(one: Flag) -> bytes:
    """The record's value that the monitor would publish for `one`."""
    same = ("flag_id", "rule", "severity", "subject", "subject_id", "summary_en", "summary_zh", "labels", "evidence")
    data = facts.FlagRaised(
        started_at=one.started,
        raised_at=one.raised,
        simulated=one.simulated,
        replay=one.replay,
        **{name: getattr(one, name) for name in same},
    )
    fact_id = f"{one.flag_id}:raised"
    parent = traceparent(one.trace, fact_id)
    return encode(facts.make(data, id=fact_id, source="/monitor", site=one.site, time=one.raised, traceparent=parent))


def cleared_bytes(one: Clearing, site: str = "s1") -> bytes:
    data = facts.FlagCleared(
        flag_id=one.flag_id,
        rule="slow_transfer",
        subject="transfer",
        subject_id="t1",
        cleared_at=one.cleared,
        duration_s=one.duration_s,
        evidence=one.evidence,
    )
    return encode(facts.make(data, id=f"{one.flag_id}:cleared", source="/monitor", site=site, time=one.cleared))


async def publish(bus: Bus, *found: Flag | Clearing | bytes) -> None:
    for one in found:
        value = one if isinstance(one, bytes) else raised_bytes(one) if isinstance(one, Flag) else cleared_bytes(one)
        await bus.publish(FLOOR_FLAGS, value, key="s1", headers=(("kind", b"flag"),))
    await bus.flush()


class Alerts:
    """The service, and its API as a client sees it."""

    def __init__(self, service: AlertsService, client: httpx.AsyncClient) -> None:
        self.service = service
        self.client = client

    async def get(self, path: str, status: int = 200) -> Any:
        response = await self.client.get(f"/api/v1{path}")
        assert response.status_code == status, response.text
        return response.json()

    async def post(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        response = await self.client.post(f"/api/v1{path}", json=body)
        assert response.status_code == status, response.text
        return response.json()

    async def incidents(self) -> list[Any]:
        found: list[Any] = (await self.get("/incidents"))["incidents"]
        return found

    def metric(self, name: str, **labels: str) -> float:
        return self.service.registry.get_sample_value(name, labels) or 0.0


def settings(**more: Any) -> AlertsSettings:
    return AlertsSettings(**{"port": 0, "file": None, **more})


@asynccontextmanager
async def running(bus: Bus, database: Database, *, clock: Clock | None = None, **more: Any) -> AsyncIterator[Alerts]:
    """The service with all its tasks, without a port; `more` are settings."""
    service = AlertsService(settings(**more), bus=bus, database=database, clock=clock or SystemClock(), sites=SITES)
    async with Background() as background:
        service.start(background)
        transport = httpx.ASGITransport(service.app(background))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Alerts(service, client)
        assert background.check() is None


async def migrated(url: str) -> Database:
    database = Database(url)
    await migrate(database, MIGRATIONS)
    return database


TOPICS = (FLOOR_FLAGS, FLOOR_RECORDS, SWITCH_DEAD_LETTER)


@asynccontextmanager
async def serving(bus: Bus, database: Database, **more: Any) -> AsyncIterator[tuple[Alerts, str]]:
    """Like `running`, on a free port of this machine too: the service and its address."""
    async with running(bus, database, **more) as alerts:
        app = alerts.service.app()
        config = uvicorn.Config(app, ws=DirectProtocol, ws_per_message_deflate=False, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        sock = listen("127.0.0.1", 0, setting="")
        task = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            yield alerts, f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            alerts.service.hub.close()
            server.should_exit = True
            await task
            sock.close()


async def held(session: AsyncSession) -> dict[str, int]:
    """How many incidents each thing holds; "": nothing."""
    rows = await session.execute(select(col(IncidentRow.held), func.count()).group_by(col(IncidentRow.held)))
    return dict(rows.all())
