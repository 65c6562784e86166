"""SIGTERM to every service under load: what each has begun it ends, what it holds it writes, whom it serves it sends on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import httpx
import pytest
from sqlalchemy.engine import make_url
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shared import topics
from shared.bus import Bus, Partition, Record
from shared.checkpoint import Checkpoint, Checkpoints
from shared.clock import SystemClock
from shared.codec import decode_event
from tests.brokers import Broker
from tests.databases import POSTGRES, empty_database
from tests.fault.alerting import Floor, alert_file, expected, locked, pour, told_by_webhook
from tests.fault.kit import (
    Downstream,
    Service,
    Uninterrupted,
    by_site,
    create_topics,
    last_checkpoints,
    read_all,
    services,
)
from tests.fault.load import FromTheSwitch, Plan, pouring
from tests.netkit import proxied
from tests.sinks import HttpSink, listening
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
FORCED: Final = "did not end in time: ended by force"
ON_POSTGRES = pytest.param(
    "postgres", marks=[pytest.mark.postgres, pytest.mark.skipif(not POSTGRES, reason="make test-postgres")]
)

Tell = Callable[[str], None]


async def test_a_service_that_is_stopped_ends_what_it_began_and_writes_what_it_holds(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=len(SITES))
    plan = Plan(SITES, rate=1000, lasts_s=8)
    ingest, monitor = (Service(kind, broker, tmp_path, shutdown_s=30) for kind in ("ingest", "monitor"))
    async with services(ingest, monitor):
        async with pouring(plan, FromTheSwitch(bus, SITES)) as load:
            board = await subscribed(monitor)
            await load.until(3)
            # in the middle of it, with a request half sent
            writing = await half_a_record(ingest, site="half")
            took = [await stopped(ingest, writing)]
        records = await read_all(bus, topics.FLOOR_EVENTS)
        covered, written = await covers(bus, "ingest"), positions(records)
        assert all(covered[place] >= end for place, end in written.items()), (covered, written)

        assert await ending(board, monitor, took) == (4501, "this monitor ends, come back")
    truth = Uninterrupted(records)
    last = await last_checkpoints(bus, "monitor", truth.offsets)
    assert last, "the last checkpoint of the monitor covers all that ingest wrote"
    assert by_site(last[-1].state) == truth.state()
    for topic in (topics.FLOOR_FLAGS, topics.FLOOR_RECORDS):
        seen = Downstream(topic)
        await seen.catch_up(bus)
        for site in SITES:
            assert seen.of(site) == truth.of(site, topic), (topic.name, site)
        assert seen.read == len(seen.facts), "nothing twice"
    measured(f"from SIGTERM to the end: ingest {took[0]:.2f} s, monitor {took[1]:.2f} s, {len(records)} events")


async def test_alerts_that_is_stopped_while_it_sends_sends_nothing_twice(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=1)
    receiver = HttpSink()
    receiver.answering.clear()
    async with listening(receiver):
        file = alert_file(tmp_path, {"ops": receiver.url})
        url = f"sqlite:///{tmp_path / 'alerts.db'}"
        alerts = Service("alerts", broker, tmp_path, db_url=url, file=file, shutdown_s=60)
        floor = Floor(alerts)
        async with services(alerts):
            page = await connect(address(alerts), proxy=None)
            await pour(bus, range(3))
            await until(lambda: receiver.unanswered, "a message is on its way")
            assert alerts.process is not None
            began = time.monotonic()
            alerts.process.terminate()
            assert await close_of(page) == (4501, "this service ends, come back")
            await until(lambda: refuses(alerts.port), "all others are served")
            with pytest.raises(TimeoutError):  # it waits for the receiver alone, as long as that may take
                await asyncio.wait_for(asyncio.shield(alerts.process.wait()), 2.0)
            receiver.answering.set()
            assert await asyncio.wait_for(alerts.process.wait(), PATIENCE_S) == 0, alerts.log.read_text()[-4000:]
            took = time.monotonic() - began
            sent = len(receiver.received)
            await alerts.start()
            await until(lambda: floor.all_sent(3), "all three are told", every_s=0.05)
            messages = await floor.messages()
            await alerts.stop()
    assert sent < 3, "it began nothing more"
    told = Counter(one["message"].split("transfer number ")[1][:4] for one in receiver.received)
    assert sorted(told.values()) == [1, 1, 1]
    assert not any(one["maybe_before"] for one in messages)
    measured(f"{took:.2f} s, of {sent} messages on their way")


async def test_services_end_by_themselves_while_the_broker_hangs(
    broker: Broker, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=1)
    url = f"sqlite:///{tmp_path / 'alerts.db'}"
    them = [
        Service("ingest", broker, tmp_path, shutdown_s=2),
        Service("monitor", broker, tmp_path, shutdown_s=2),
        Service("alerts", broker, tmp_path, shutdown_s=2, db_url=url),
        Service("relay", broker, tmp_path, shutdown_s=2, media_port=0),
    ]
    async with services(*them):
        broker.pause()
        took = await asyncio.gather(*(ended(one) for one in them))
    how = {
        one.kind: f"{took_s:.1f} s{', by force' if FORCED in one.log.read_text() else ''}"
        for one, took_s in zip(them, took, strict=True)
    }
    measured(f"load average {os.getloadavg()[0]:.1f}: {how}")


@contextlib.asynccontextmanager
async def databases(
    kind: str, folder: Path
) -> AsyncIterator[tuple[list[str], Callable[[], AbstractContextManager[None]]]]:
    """Two, empty, and what makes them hang: somebody holds SQLite's lock, the way to PostgreSQL says nothing any more."""
    if kind == "sqlite":
        files = [folder / f"{name}.db" for name in ("alerts", "monitor")]

        @contextlib.contextmanager
        def held() -> Iterator[None]:
            with locked(files[0]), locked(files[1]):
                yield

        yield [f"sqlite:///{file}" for file in files], held
        return
    async with contextlib.AsyncExitStack() as stack:
        way = await stack.enter_async_context(proxied(make_url(POSTGRES).port or 5432))
        urls = []
        for name in ("alerts", "monitor"):
            database = await stack.enter_async_context(empty_database("postgres", folder / name))
            url = database.url.set(drivername="postgresql", host="127.0.0.1", port=way.port)
            urls.append(url.render_as_string(hide_password=False))

        @contextlib.contextmanager
        def silent() -> Iterator[None]:
            way.go_silent()
            yield
            way.restore()

        yield urls, silent


@pytest.mark.parametrize("kind", ["sqlite", ON_POSTGRES])
async def test_services_end_by_themselves_while_the_database_hangs_and_lose_nothing(
    kind: str, broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=1)
    sink = HttpSink()
    async with listening(sink), databases(kind, tmp_path) as (urls, hanging):
        file = alert_file(tmp_path, {"ops": sink.url})
        alerts = Service("alerts", broker, tmp_path, db_url=urls[0], file=file, shutdown_s=2)
        monitor = Service("monitor", broker, tmp_path, db_url=urls[1], shutdown_s=2)
        floor = Floor(alerts)
        async with services(alerts, monitor):
            await pour(bus, range(5))
            await until(lambda: floor.all_sent(5), "all are told", every_s=0.05)
            with hanging():
                await pour(bus, range(5, 15))
                writing = asyncio.create_task(floor.post("/incidents/1/notes", by="Li Wei", note="meanwhile"))
                took = await asyncio.gather(ended(alerts), ended(monitor))
                status, why = await answer(writing)
            await alerts.start()
            await until(lambda: floor.all_sent(15), "the others are told, too", every_s=0.05)
            assert await floor.subjects() == expected(range(15))
            timeline = (await alerts.get("/api/v1/incidents/1"))["timeline"]
            notes = sum(line["kind"] == "note" for line in timeline)
            assert status in (0, 201, 503), "0: the line was cut"
            if status == 201 or why.endswith("nothing was changed, try again"):
                assert notes == (status == 201)
            else:
                assert notes <= 1, why
            await alerts.stop()
    assert told_by_webhook(sink) == expected(range(15))
    measured(f"{kind}: alerts {took[0]:.1f} s, monitor {took[1]:.1f} s, of 2 s that each step may take")


async def answer(writing: asyncio.Task[httpx.Response]) -> tuple[int, str]:
    """The status that a request got whose service ended, and why it was refused; 0: there was no answer."""
    try:
        found = await writing
    except httpx.TransportError:
        return 0, ""
    return found.status_code, "" if found.is_success else found.json()["detail"]


async def ended(one: Service) -> float:
    """SIGTERM. It ends by itself, in order or, on a machine that is too busy for that, by its own force, and says which."""
    assert one.process is not None
    began = time.monotonic()
    one.process.terminate()
    code = await asyncio.wait_for(one.process.wait(), PATIENCE_S)
    assert code == (1 if FORCED in one.log.read_text() else 0), one.log.read_text()[-4000:]
    return time.monotonic() - began


async def subscribed(monitor: Service) -> ClientConnection:
    board = await connect(address(monitor), proxy=None, max_size=None)
    await board.recv()
    await board.send('{"type":"subscribe"}')
    return board


def address(service: Service) -> str:
    return service.url.replace("http", "ws") + "/api/v1/feed"


async def close_of(socket: ClientConnection) -> tuple[int, str]:
    """Read on until the other side ends it."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await socket.recv()
    return socket.close_code or 0, socket.close_reason or ""


async def ending(board: ClientConnection, monitor: Service, took: list[float]) -> tuple[int, str]:
    """SIGTERM; how its board was sent away."""
    assert monitor.process is not None
    began = time.monotonic()
    monitor.process.terminate()
    said = await close_of(board)
    assert await asyncio.wait_for(monitor.process.wait(), PATIENCE_S) == 0, monitor.log.read_text()[-4000:]
    took.append(time.monotonic() - began)
    return said


async def refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


class HalfARecord:
    """A request of which one half was sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes) -> None:
        self._reader, self._writer, self._rest = reader, writer, rest

    async def complete(self) -> int:
        """Send the other half; the status of the answer."""
        self._writer.write(self._rest)
        status = await asyncio.wait_for(self._reader.readline(), PATIENCE_S)
        self._writer.close()
        return int(status.split()[1])


async def half_a_record(ingest: Service, site: str) -> HalfARecord:
    now = SystemClock().now().isoformat()
    body = (
        f'{{"specversion": "1.0", "type": "floorwatch.link_up.v1", "id": "1", "source": "/half", "time": "{now}", '
        '"data": {"connector": "half"}}'
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    writer.write(
        f"POST /api/v1/raw/{site} HTTP/1.1\r\nHost: 127.0.0.1:{ingest.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body[:20]
    )
    await writer.drain()
    await until(lambda: _read_by(ingest, writer), "it has read that much")
    return HalfARecord(reader, writer, body[20:])


async def _read_by(ingest: Service, writer: asyncio.StreamWriter) -> bool:
    """An answer to a later question on another connection: what came before was read."""
    return await ingest.readiness() == ""


async def stopped(ingest: Service, writing: HalfARecord) -> float:
    """SIGTERM; the request that was half sent is answered, then it ends."""
    assert ingest.process is not None
    began = time.monotonic()
    ingest.process.terminate()
    await until(lambda: "asked to end" in ingest.log.read_text(), "it was asked")
    assert await writing.complete() == 202
    assert await asyncio.wait_for(ingest.process.wait(), PATIENCE_S) == 0, ingest.log.read_text()[-4000:]
    return time.monotonic() - began


async def covers(bus: Bus, machine: str) -> dict[Partition, int]:
    """Up to which offsets the newest checkpoint has everything."""
    found: list[Checkpoint] = []

    def look(checkpoint: Checkpoint) -> bool:
        found.append(checkpoint)
        return False

    await Checkpoints(bus, machine, SystemClock()).load(look)
    return dict(max(found, key=lambda one: one.saved).offsets)


def positions(records: list[Record]) -> dict[Partition, int]:
    """Up to which offsets of `switch.raw` events were written."""
    found: dict[Partition, int] = {}
    for record in records:
        event = decode_event(record.value)
        if event.rawoffset >= 0:
            place = (topics.SWITCH_RAW.name, event.rawpartition)
            found[place] = max(found.get(place, 0), event.rawoffset + 1)
    return found
