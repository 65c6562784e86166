"""Clients that are many, slow, or gone without a word: a storm of boards that come back, pages that never read, dead lines."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from services.alerts.feed.endpoints import MAX_UNSENT_BYTES
from shared import service
from shared.bus import Bus
from shared.memorybus import MemoryBus
from tests.alertpages import view
from tests.alertskit import TOPICS, migrated, serving
from tests.authkit import SECRET, bearer, users_file
from tests.brokers import Broker
from tests.contract import test_alerts_feed as alerting
from tests.contract.test_feed_clients import a_floor
from tests.contract.test_feed_slow import HANDSHAKE
from tests.fault.balancing import Watcher, watched
from tests.fault.kit import Service, create_topics, services
from tests.fault.load import Canonical, Plan, pouring
from tests.netkit import proxied
from tests.servingkit import served
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.fault

BOARDS: Final = int(os.environ.get("FAULT_BOARDS", "200"))
PAGES: Final = 100

Tell = Callable[[str], None]


async def test_all_boards_of_a_building_come_back_at_once_to_the_monitor_that_is_left(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    """They have one address, and are of one user as screens on walls are; nobody may be shut out for that."""
    await create_topics(broker, partitions=1)
    users = users_file(tmp_path)
    both = [Service("monitor", broker, tmp_path, name=name) for name in ("a", "b")]
    for one in both:
        one._env |= {"AUTH_USERS_FILE": str(users), "AUTH_SECRET": SECRET}
    plan = Plan(["north"], rate=50, lasts_s=600, transfers_a_second=2)
    async with (
        services(*both),
        pouring(plan, Canonical(bus, plan.sites)),
        httpx.AsyncClient(headers=bearer("viewer"), timeout=60, limits=httpx.Limits(), verify=False) as tickets,
    ):
        urls = [one.url for one in both]
        watchers = [Watcher(urls, Random(number), tickets, ["site", "flags"]) for number in range(BOARDS)]
        async with watched(*watchers) as boards:
            await until(lambda: all(board.connected for board in boards), "every board has its picture", every_s=0.1)
            began = time.monotonic()
            await both[0].kill()
            await until(lambda: sum(board.endings.total() for board in boards) >= BOARDS, "they notice")
            await until(lambda: all(board.connected for board in boards), "all are back", every_s=0.05)
            took = time.monotonic() - began
        assert [board.wrong for board in boards if board.wrong] == []
    gaps = sorted(gap for board in boards for gap in board.gaps)
    measured(
        f"{BOARDS} boards of one user and address, kill -9 of their monitor: all back after {took:.1f} s; without a picture for "
        f"{median(gaps):.2f} s (median), {gaps[-1]:.2f} s (longest); load average {os.getloadavg()[0]:.1f}"
    )


@asynccontextmanager
async def incidents(folder: Path, **more: object) -> AsyncIterator[alerting.Running]:
    """An alerts service on a database of its own; `more` are settings."""
    bus = MemoryBus()
    await bus.create(TOPICS)
    database = await migrated(f"sqlite:///{folder / 'alerts.db'}")
    async with serving(bus, database, **more) as (alerts, url):
        yield alerting.Running(alerts, bus, url)
    await database.close()


async def test_pages_of_alerts_that_never_read_cost_their_bounds_and_are_let_go(tmp_path: Path) -> None:
    async with incidents(tmp_path, slow_s=3.0, max_connections=PAGES + 1) as floor, floor.feed() as good:
        hub = floor.alerts.service.hub
        port = int(floor.url.rsplit(":", 1)[1])
        stuck = [await never_reading(port) for _ in range(PAGES)]
        await until(lambda: hub.readers == PAGES + 1, "all are there")
        told, number, most = set[int](), 0, 0
        async with asyncio.timeout(PATIENCE_S):
            while hub.readers > 1:
                for more in range(1, 11):
                    hub.changed(view(0, summary_en="x" * 20_000).model_copy(update={"id": number + more}))
                number += 10
                hub.flush()
                most = max(most, *(one.outlet.unsent() for one in hub._readers))
                told |= {(await alerting.hear(good, "incident"))["incident"]["id"] for _ in range(10)}
        assert told == set(range(1, number + 1)), "the good one has each, in its time"
        assert most <= MAX_UNSENT_BYTES
        registry = floor.alerts.service.registry
        assert registry.get_sample_value("alerts_feed_too_slow_total") == PAGES
        for one in stuck:
            one.close()


async def never_reading(port: int) -> socket.socket:
    """A page whose system takes little, and that takes nothing from it."""
    loop = asyncio.get_running_loop()
    page = socket.socket()
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    page.setblocking(False)
    await loop.sock_connect(page, ("127.0.0.1", port))
    await loop.sock_sendall(page, HANDSHAKE.format(port).encode())
    return page


@asynccontextmanager
async def monitor_feed(folder: Path) -> AsyncIterator[tuple[int, Callable[[], int]]]:
    async with a_floor(10) as floor, served(floor.monitor.app()) as port:
        yield port, lambda: len(floor.monitor.hub._connected)


@asynccontextmanager
async def alerts_feed(folder: Path) -> AsyncIterator[tuple[int, Callable[[], int]]]:
    async with incidents(folder) as floor, served(floor.alerts.service.app()) as port:
        yield port, lambda: floor.alerts.service.hub.readers


@pytest.mark.parametrize("feed", [monitor_feed, alerts_feed], ids=["monitor", "alerts"])
async def test_clients_that_vanish_without_a_word_are_let_go(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    feed: Callable[[Path], AsyncIterator[tuple[int, Callable[[], int]]]],
) -> None:
    """A pulled cable says nothing, and what is still sent to it fits into buffers for a long time: pings tell."""
    monkeypatch.setattr(service, "PING_S", 0.3)
    monkeypatch.setattr(service, "PONG_S", 3.0)
    async with feed(tmp_path) as (port, connected), proxied(port) as proxy:  # type: ignore[attr-defined]
        lines = [await connect(f"ws://127.0.0.1:{proxy.port}/api/v1/feed", ping_interval=None) for _ in range(20)]
        for line in lines:
            await hello(line)
        await until(lambda: connected() == 20, "all are there")
        proxy.go_silent()
        await until(lambda: connected() == 0, "nobody is left")
        for line in lines:
            line.transport.abort()


async def hello(line: ClientConnection) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while json.loads(await line.recv())["type"] != "hello":
            pass
