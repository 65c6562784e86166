"""P10: from the moment at which a transfer has taken too long until somebody outside has been told. P10S: a storm of flags.

P10 is the whole chain as services of their own: what a switch says goes to `switch.raw`, ingest makes events of it, the monitor
flags, alerts opens an incident and posts it to a webhook. Late is from the deadline, seven seconds after the request, to the
moment at which the webhook's server has read the request. A receiver's limit would bundle so many, so there is none here.

P10S: ten thousand flags in a minute, half of them of waiting customers, whom the alert file that ships makes one incident of for
each queue, half of slow transfers, an incident each. Receivers have the limits that they have by default.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct

from shared import facts, topics
from shared.clock import SystemClock
from shared.codec import encode
from shared.kafka import KafkaBus
from tests.bench import brokers
from tests.bench.figures import Figure, Scale, Yardstick, percentile
from tests.fault.kit import Service, services
from tests.fault.load import FromTheSwitch, Plan, pouring

SITES: Final = [f"site-{number:02}" for number in range(10)]
_EVENTS_A_SECOND: Final = 300.0
_TRANSFERS_A_SECOND: Final = 4.0  # every other one is slow
_WARMS_UP_S: Final = 15.0
_AFTER_S: Final = 5.0  # a notification that is later than this is lost
_FLAGS: Final = 10_000
_STORM_S: Final = 60.0
_QUEUES: Final = 5
_DRAINED_S: Final = 60.0


class Sink:
    """A webhook's server: when each request was read, and what was in it."""

    def __init__(self) -> None:
        self.received: list[tuple[float, Any]] = []
        self.url = ""

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
                body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
                self.received.append((time.time(), msgspec.json.decode(body)))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Sink]:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server:
            yield self


class Late(Struct, frozen=True):
    """Seconds from the deadline to the request."""

    found: list[float]
    missing: int


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P10: from breach to notification."""
    lasts_s, warms_up_s = (12.0, 0.0) if scale == "quick" else (90.0, _WARMS_UP_S)
    sink = Sink()
    with brokers.broker(kind) as at, _folder() as folder:
        async with sink.listening():
            late = await _chain(at, folder, sink, lasts_s, warms_up_s)
            bare = await _bare(at, sink, 30 if scale == "quick" else 200)
    p99 = percentile(late.found, 0.99)
    return Figure(
        id="P10",
        figure="breach to notification, p99",
        unit="ms",
        value=1000 * p99,
        must=1000,
        aim=250,
        better="lower",
        broken=(f"{late.missing} slow transfers were told to nobody",) if late.missing else (),
        yardstick=Yardstick(
            what="a record through the broker, posted at once, p99", unit="ms", value=1000 * bare, ours=1000 * p99
        ),
        detail={
            "slow_transfers": len(late.found),
            "p50_ms": 1000 * percentile(late.found, 0.5),
            "max_ms": 1000 * max(late.found),
            "events_a_second": _EVENTS_A_SECOND,
        },
    )


async def _chain(at: brokers.At, folder: Path, sink: Sink, lasts_s: float, warms_up_s: float) -> Late:
    file = _alert_file(folder, sink, "at_most: {burst: 100000, every: 1ms}")
    database = f"sqlite+aiosqlite:///{folder / 'alerts.db'}"
    plan = Plan(SITES, rate=_EVENTS_A_SECOND, lasts_s=lasts_s, transfers_a_second=_TRANSFERS_A_SECOND)
    bus = KafkaBus(at.bootstrap, idempotent=at.idempotent)
    await bus.create(topics.ALL, partitions=brokers.PARTITIONS)
    running = [
        Service("ingest", at, folder),
        Service("monitor", at, folder),
        Service("alerts", at, folder, db_url=database, file=file),
    ]
    async with services(*running), pouring(plan, FromTheSwitch(bus, SITES)) as load:
        await load.until(plan.ends_s + _AFTER_S)
        began = load.began.timestamp()
    await bus.close()
    when: dict[str, float] = {}
    for at_s, body in sink.received:
        when.setdefault(_subject(body), at_s)
    due = {one: began + at_s for one, at_s in plan.slow.items() if at_s >= warms_up_s}
    return Late([when[one] - at_s for one, at_s in due.items() if one in when], sum(one not in when for one in due))


def _subject(body: Any) -> str:
    """What the first incident in a webhook's body is about."""
    incident = body.get("incident") or (body.get("incidents") or [{}])[0]
    return str(incident.get("subject_id", ""))


async def _bare(at: brokers.At, sink: Sink, times: int) -> float:
    """The least that could be: one record, read, one request."""
    bus = KafkaBus(at.bootstrap, idempotent=at.idempotent)
    reader = await bus.read([topics.INCIDENTS])
    late: list[float] = []
    async with httpx.AsyncClient() as client:
        for number in range(times):
            before = len(sink.received)
            began = time.time()
            await bus.publish(topics.INCIDENTS, b'{"n": %d}' % number, key="site-00")
            await bus.flush()
            while not (records := await reader.getmany(timeout_s=1.0)):
                continue
            await client.post(sink.url, content=records[-1].value)
            late.append(sink.received[before][0] - began)
    await reader.close()
    await bus.close()
    return percentile(late, 0.99)


# ---------------------------------------------------------------- the storm


class Storm(Struct):
    """What became of the flags: seconds after the last was published until all were in incidents, and all the rest."""

    behind_s: float = 0.0
    flags: int = 0
    incidents: int = 0
    messages: int = 0
    open_notices: int = 0
    list_s: list[float] = []


async def measure_storm(kind: brokers.Kind, scale: Scale) -> Figure:
    """P10S: ten thousand flags in a minute."""
    count, lasts_s = (500, 3.0) if scale == "quick" else (_FLAGS, _STORM_S)
    sink = Sink()
    with brokers.broker(kind) as at, _folder() as folder:
        async with sink.listening():
            storm = await _storm(at, folder, sink, count, lasts_s)
        bare_s = await asyncio.to_thread(_bare_rows, folder / "bare.db", count)
    lost = count - storm.flags
    return Figure(
        id="P10S",
        figure=f"{count} flags in {lasts_s:.0f} s, all in incidents",
        unit="s",
        value=storm.behind_s,
        must=5,
        aim=1,
        better="lower",
        broken=(f"{lost} flags are in no incident",) if lost else (),
        yardstick=Yardstick(
            what="as many rows into SQLite, a transaction for each hundred", unit="s", value=bare_s, ours=storm.behind_s
        ),
        detail={
            "incidents": storm.incidents,
            "messages_until_then": storm.messages,
            "list_p50_ms": 1000 * percentile(storm.list_s, 0.5),
            "list_p99_ms": 1000 * percentile(storm.list_s, 0.99),
        },
    )


async def _storm(at: brokers.At, folder: Path, sink: Sink, count: int, lasts_s: float) -> Storm:
    file = _alert_file(folder, sink, "")
    database = f"sqlite+aiosqlite:///{folder / 'alerts.db'}"
    bus = KafkaBus(at.bootstrap, idempotent=at.idempotent)
    await bus.create(topics.ALL, partitions=brokers.PARTITIONS)
    alerts = Service("alerts", at, folder, db_url=database, file=file)
    storm = Storm()
    async with services(alerts), httpx.AsyncClient(base_url=alerts.url, timeout=30) as client:
        looking = asyncio.create_task(_look(client, storm))
        await _publish(bus, count, lasts_s)
        over = time.monotonic()
        while time.monotonic() < over + _DRAINED_S:
            storm.flags = int(await alerts.metric("alerts_flags_total"))
            if storm.flags >= count:
                break
            await asyncio.sleep(0.02)
        storm.behind_s = time.monotonic() - over
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        counts = (await alerts.get("/api/v1/incidents?limit=1"))["counts"]
        storm.incidents = sum(counts.values())
    storm.messages = len(sink.received)
    await bus.close()
    return storm


async def _look(client: httpx.AsyncClient, storm: Storm) -> None:
    """A page asks for its list all the while."""
    while True:
        began = time.monotonic()
        (await client.get("/api/v1/incidents?order=urgency&state=open&limit=100")).raise_for_status()
        storm.list_s.append(time.monotonic() - began)
        await asyncio.sleep(0.25)


async def _publish(bus: KafkaBus, count: int, lasts_s: float) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    for number in range(count):
        due = began + number * lasts_s / count
        if (wait := due - clock.monotonic()) > 0:
            await bus.flush()
            await clock.sleep(wait)
        site = SITES[number % len(SITES)]
        await bus.publish(topics.FLOOR_FLAGS, _flag(number, site, clock.now()), key=site, headers=(("kind", b"flag"),))
    await bus.flush()


def _flag(number: int, site: str, now: datetime) -> bytes:
    waits = number % 2 == 0
    data = facts.FlagRaised(
        flag_id=f"storm-{number}",
        rule="long_wait" if waits else "slow_transfer",
        severity="warning" if waits else "critical",
        subject="call" if waits else "transfer",
        subject_id=f"s{number}",
        started_at=now - timedelta(seconds=60),
        raised_at=now,
        summary_en="A customer waits too long" if waits else "A transfer takes too long",
        summary_zh="客户等待过久" if waits else "转接过久",
        labels={"queue": f"queue-{number // 2 % _QUEUES}", "agent": f"a{number % 500}"},
        evidence={"call_id": f"c{number}"},
    )
    return encode(facts.make(data, id=f"{data.flag_id}:raised", source="/bench", site=site, time=now.astimezone(UTC)))


def _bare_rows(path: Path, count: int) -> float:
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE flags (id TEXT PRIMARY KEY, body TEXT)")
    began = time.monotonic()
    for first in range(0, count, 100):
        rows = [(f"storm-{number}", "x" * 600) for number in range(first, min(count, first + 100))]
        connection.executemany("INSERT INTO flags VALUES (?, ?)", rows)
        connection.commit()
    took = time.monotonic() - began
    connection.close()
    return took


def _alert_file(folder: Path, sink: Sink, more: str) -> Path:
    path = folder / "alerts.yaml"
    path.write_text(
        f"receivers:\n  bench: {{webhook: {{url: '{sink.url}'}}{', ' + more if more else ''}}}\n"
        "groups:\n  - {match: {rule: long_wait}, by: [rule, queue]}\n"
        "routes: {receiver: bench, interval: 10s}\n"
    )
    return path


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="floorwatch-bench-") as name:
        yield Path(name)
