"""The desk as its clients see it: its routes on an engine that a test feeds by hand, and on a real database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from services.monitor.desk.desk import Desk
from services.monitor.desk.reasons import Reasons
from services.monitor.desk.routes import install_desk_routes
from shared import facts
from shared.auth import Authenticator
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.codec import encode
from shared.db import Database
from shared.http import create_app
from shared.identity import LOCAL, Principal, Role, Scope
from shared.service import Background
from shared.topics import FLOOR_RECORDS
from tests.floorkit import SITE, Bench, at
from tests.waiting import until


class Someone(Authenticator):
    """Whoever the test says asks."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.who = LOCAL

    async def of_request(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal:
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
        text = json.dumps(body)  # also null, which httpx takes for nothing
        return await self.ask("PUT", path, status, content=text, headers={"content-type": "application/json"})

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
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            if migrated:
                await until(lambda: not desk.store.trouble)
            yield DeskClient(desk, client, auth, registry)
        assert background.check() is None


def transfer_ended(transfer_id: str = "t1", second: float = 0, took: float = 3.0, **more: Any) -> facts.TransferEnded:
    """A transfer from agent 1 to agent 2, asked for at `second` and bridged after `took` seconds."""
    bridged = None if more.get("outcome", "completed") != "completed" else at(second + took)
    values: dict[str, Any] = {
        "transfer_id": transfer_id,
        "call_id": f"call-{transfer_id}",
        "kind": "blind",
        "from_agent": "1",
        "to_agent": "2",
        "to_queue": "",
        "to_number": "",
        "requested_at": at(second),
        "ringing_at": at(second + 1),
        "answered_at": bridged,
        "bridged_at": bridged,
        "released_at": None,
        "ended_at": at(second + took),
        "seek_s": 1.0,
        "ring_s": None,
        "brief_s": None,
        "customer_gap_s": None,
        "total_s": took if bridged else None,
        "outcome": "completed",
        "slow": ("yes" if took > 7 else "no") if bridged else None,
    }
    return facts.TransferEnded(**values | more)


def call_ended(call_id: str = "c1", second: float = 0, **more: Any) -> facts.CallEnded:
    """A call that agent 1 answered after 10 s and talked with for 60 s."""
    values: dict[str, Any] = {
        "call_id": call_id,
        "direction": "inbound",
        "queue": "sales",
        "outcome": "answered",
        "started_at": at(second),
        "answered_at": at(second + 10),
        "ended_at": at(second + 70),
        "waited_s": 10.0,
        "talk_s": 60.0,
        "hold_s": 0.0,
        "agent_id": "1",
        "from_number": "+4530123456",
    }
    return facts.CallEnded(**values | more)


def fact_bytes(data: Any, offset: int = -1, index: int = 0, site: str = SITE) -> bytes:
    """The record's value that a monitor would publish for `data`, caused by the raw record at `offset`."""
    call = isinstance(data, facts.CallEnded)
    name = f"call:{data.call_id}:1" if call else f"transfer:{data.transfer_id}"
    place = {"rawpartition": 0 if offset >= 0 else -1, "rawoffset": offset, "rawindex": index}
    return encode(facts.make(data, id=f"{site}:{name}", source="/monitor", site=site, time=data.ended_at, **place))


async def record(bus: Bus, *values: Any) -> None:
    """Publish facts, or bytes, to `floor.records`."""
    for value in values:
        raw = value if isinstance(value, bytes) else fact_bytes(value)
        await bus.publish(FLOOR_RECORDS, raw, key=SITE)
    await bus.flush()
