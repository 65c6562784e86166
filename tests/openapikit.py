"""Every service as its OpenAPI document promises it, in this process and with something in it: for tests that ask all it allows.

    with Asked.of("monitor", folder) as service:
        for operation in service.operations(): ...
        response = service.ask(case)

The services' tasks run on a loop of their own, which turns while something is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import requests
import schemathesis
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from schemathesis.core.result import Ok

from services.alerts.app import AlertsService
from services.ingest.app import Ingest
from services.monitor.app import Monitor
from services.monitor.listen.relay.app import Relay
from shared import topics
from shared.clock import SystemClock
from shared.codec import encode
from shared.db import Database
from shared.events import AgentLoggedOn, CallQueued, CallStarted, LegAnswered, LegStarted, LinkUp, TransferRequested
from shared.memorybus import MemoryBus
from shared.service import Background
from shared.settings import AlertsSettings, IngestSettings, MonitorSettings, RelaySettings
from tests.alertskit import migrated, publish
from tests.authkit import bearer, settings
from tests.deskkit import record, transfer_ended
from tests.flagkit import flag
from tests.floorkit import CONFIG, RULES, SITE, event
from tests.waiting import until

ADDRESS = "http://127.0.0.1"
SERVICES = ("monitor", "ingest", "alerts", "relay")
MANY = 1_000_000  # of what a user may ask in a minute: here one user asks what a thousand would
# what there is, on the monitor's floor and in the alerts service, by the name of the path's parameter
KNOWN = {
    "site": (SITE, "s1"),
    "agent_id": ("1", "1"),
    "queue": ("sales", "sales"),
    "transfer_id": ("t1", "t1"),
    "key": ("view", "view"),
    "type": ("floorwatch.call_started.v1", ""),
    "number": (1, 1),
    "action": (1, 1),
    "kind": ("daily", "daily"),
    "date": ("2026-11-22", "2026-11-22"),
    "name": ("operations", "operations"),
}


class Asked:
    """A service that is asked what its document allows, by a user who may do everything."""

    def __init__(self, name: str, app: FastAPI, runner: asyncio.Runner) -> None:
        self.name, self.app = name, app
        self._runner = runner
        self._headers = bearer("admin")
        self._asked = 0
        self.schema = schemathesis.openapi.from_dict(app.openapi())

    @classmethod
    @contextmanager
    def of(cls, name: str, folder: Path) -> Iterator[Asked]:
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()
            try:
                app = runner.run(stack.enter_async_context(_STARTS[name](folder)))
                yield cls(name, app, runner)
            finally:
                runner.run(stack.aclose())

    def operations(self) -> list[schemathesis.APIOperation]:
        """Every operation of the document, each of which must be readable; those first that change nothing.

        A report of an incident is long in the making once every note that may be written was written.
        """
        found = list(self.schema.get_all_operations())
        assert all(isinstance(one, Ok) for one in found), found
        return sorted((one.ok() for one in found), key=lambda one: one.method != "get")

    def ask(self, case: schemathesis.Case) -> httpx.Response:
        """What the service answers to `case`. Nothing but an answer: what the service raises is an error 500.

        Of requests that the document allows, every other one is for something that there is.
        """
        self._asked += 1
        allowed = case.meta is not None and case.meta.generation.mode == schemathesis.GenerationMode.POSITIVE
        if allowed and self._asked % 2 and KNOWN.keys() & case.path_parameters.keys():
            known = {name: KNOWN[name][self.name == "alerts"] for name in case.path_parameters if name in KNOWN}
            case.path_parameters = {**case.path_parameters, **known}
        asked = requests.Request(**case.as_transport_kwargs(base_url=ADDRESS)).prepare()
        headers = httpx.Headers({key: value for key, value in asked.headers.items() if value is not None})
        headers.update(self._headers)
        request = httpx.Request(asked.method or "", asked.url or "", headers=headers, content=asked.body)
        return self._runner.run(self._send(request))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, timeout=None) as client:
            return await client.send(request)


def _how(folder: Path) -> dict[str, Any]:
    """Settings by which one user may ask as often as a thousand would."""
    paces = ("reads_per_minute", "writes_per_minute", "events_per_minute", "sign_in_failures_per_minute")
    return settings(folder) | dict.fromkeys(paces, MANY)


@asynccontextmanager
async def _monitor(folder: Path) -> AsyncIterator[FastAPI]:
    """A floor with a call that is being transferred, and a transfer of before."""
    bus, records, clock = MemoryBus(), MemoryBus(), SystemClock()
    database = Database(f"sqlite:///{folder / 'monitor.db'}")
    how = MonitorSettings(**_how(folder), changes_per_minute=MANY)
    monitor = Monitor(
        how,
        bus,
        clock,
        CONFIG,
        RULES,
        CollectorRegistry(),
        database=database,
        records=records,
        history=MemoryBus(),
        orders=MemoryBus(),
        reports=MemoryBus(),
    )
    await bus.create(topics.ALL)
    await records.create((topics.FLOOR_RECORDS, topics.SWITCH_DEAD_LETTER))
    async with Background() as background:
        background.start("pump", monitor.pump.run())
        background.start("clock", monitor.hub.run_clock())
        monitor.desk.start(background)
        happened = (
            LinkUp(connector="test"),
            AgentLoggedOn(agent_id="1", name="王芳", team="Blue", queues=("sales",)),
            CallStarted(call_id="c", from_number="+4530123456"),
            CallQueued(call_id="c", queue="sales"),
            LegStarted(call_id="c", leg_id="l", agent_id="1"),
            LegAnswered(call_id="c", leg_id="l"),
            TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"),
        )
        for offset, data in enumerate(happened):
            await bus.publish(topics.FLOOR_EVENTS, encode(event(offset, data, offset)), key=SITE)
        await record(records, transfer_ended("t1"))
        await until(lambda: not monitor.desk.store.trouble and monitor.pump.status.ready)
        yield monitor.app(background)
        monitor.pump.stop()
    await monitor.rewind.close()
    await database.close()


@asynccontextmanager
async def _ingest(folder: Path) -> AsyncIterator[FastAPI]:
    bus = MemoryBus()
    await bus.create(topics.ALL)
    ingest = Ingest(IngestSettings(**_how(folder)), bus, bus, SystemClock(), CONFIG, CollectorRegistry())
    async with Background() as background:
        background.start("pump", ingest.pump.run())
        background.start("dead letters", ingest.dead_letters.run())
        await until(lambda: ingest.not_ready() is None)
        yield ingest.app(background)
        ingest.pump.stop()


@asynccontextmanager
async def _alerts(folder: Path) -> AsyncIterator[FastAPI]:
    """Two incidents, one of them with a follow-up, and a silence."""
    bus = MemoryBus()
    await bus.create(topics.ALL)
    database = await migrated(f"sqlite:///{folder / 'alerts.db'}")
    how = AlertsSettings(**_how(folder))
    service = AlertsService(how, bus=bus, database=database, clock=SystemClock(), sites=CONFIG)
    async with Background() as background:
        service.start(background)
        app = service.app(background)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=ADDRESS, headers=bearer("admin")
        ) as http:
            await publish(bus, flag("f1", "t1"), flag("f2", "t2"))

            async def both() -> bool:
                return len((await http.get("/api/v1/incidents")).json()["incidents"]) == 2

            await until(both)
        yield app
    await database.close()


@asynccontextmanager
async def _relay(folder: Path) -> AsyncIterator[FastAPI]:
    bus = MemoryBus()
    await bus.create(topics.ALL)
    relay = Relay(RelaySettings(**_how(folder)), bus, SystemClock(), CollectorRegistry())
    async with Background() as background:
        relay.start(background)
        await until(lambda: relay.intake.check() is None)
        yield relay.app(background)


_STARTS = {"monitor": _monitor, "ingest": _ingest, "alerts": _alerts, "relay": _relay}
