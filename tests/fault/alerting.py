"""What the fault tests of incidents share: numbered flags, an alert file, a moody mail server, and the rows that are there."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import text

from services.alerts.core.incident import Flag
from services.alerts.reach.queue import LEASE
from shared import topics
from shared.bus import Bus
from shared.clock import SystemClock
from shared.db import Database
from shared.errors import BusError
from shared.incidentfacts import decode_incident
from tests.alertskit import publish
from tests.fault.kit import Service, read_all
from tests.flagkit import flag
from tests.sinks import HttpSink, MailSink
from tests.waiting import until

SITE: Final = "s1"


def alert_file(folder: Path, receivers: dict[str, str], more: str = "") -> Path:
    """An alert file that tells all receivers of everything at once, each by one URL of apprise, as fast as it can."""
    limit = "at_most: {burst: 5000, every: 1s}"
    lines = [f"  {name}: {{notify: ['{url}'], {limit}}}" for name, url in receivers.items()]
    routes = [f"    - {{receiver: {name}, continue: true}}" for name in receivers]
    path = folder / "alerts.yaml"
    path.write_text(
        "\n".join(["receivers:", *lines, "routes:", f"  receiver: {next(iter(receivers))}", "  routes:", *routes, more])
    )
    return path


def noon_zone(now: datetime) -> str:
    """A time zone in which it is about noon, so that a test's day is one day, and the one before is over for long."""
    ahead = 12 - now.hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def flags(numbers: Iterable[int]) -> list[Flag]:
    """Flag n is about transfer n, so each is an incident of its own."""
    now = SystemClock().now()
    return [
        flag(
            f"f{n}",
            f"t{n}",
            started=now - timedelta(seconds=7),
            raised=now,
            summary_en=f"transfer number {n:04} is slow",
            summary_zh=f"第 {n:04} 次转接过慢",
        )
        for n in numbers
    ]


async def pour(bus: Bus, numbers: Iterable[int]) -> None:
    """Raise these flags; what the broker did not take is said again, as a monitor does."""
    found = flags(numbers)
    while True:
        try:
            await publish(bus, *found)
            return
        except BusError:
            await asyncio.sleep(0.1)  # between two attempts to reach another process


class Floor:
    """An alerts service, asked as a client asks it."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def post(self, path: str, **body: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.service.url, timeout=60) as client:
            return await client.post(f"/api/v1{path}", json=body)

    async def all(self, path: str, key: str) -> list[Any]:
        """Every page of a list."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = await self.service.get(f"/api/v1{path}?limit=200&cursor={cursor}")
            found += page[key]
            cursor = page.get("next_cursor") or ""
            if not cursor:
                return found

    async def incidents(self) -> list[Any]:
        return await self.all("/incidents", "incidents")

    async def messages(self) -> list[Any]:
        return await self.all("/notifications", "notifications")

    async def all_are(self, state: str, receivers: Iterable[str]) -> bool:
        """Whether exactly these receivers are there, and all of them fare so."""
        found = (await self.service.get("/api/v1/status"))["receivers"]
        return {one["name"]: one["state"] for one in found} == dict.fromkeys(receivers, state)

    async def subjects(self) -> Counter[str]:
        """How many incidents there are about each transfer."""
        return Counter(one["subject_id"] for one in await self.incidents() if one["rule"] == "slow_transfer")

    async def all_sent(self, number: int) -> bool:
        """Whether so many messages were sent, and none waits."""
        states = Counter(one["state"] for one in await self.messages())
        return states == {"sent": number}


def expected(numbers: Iterable[int], times: int = 1) -> Counter[str]:
    return Counter({f"t{n}": times for n in numbers})


def told_by_mail(sink: MailSink) -> Counter[str]:
    """How often each transfer was told of as an incident that opened."""
    found: Counter[str] = Counter()
    for mail in sink.received:
        body = "\n".join(str(p.get_content()) for p in mail.walk() if p.get_content_type().startswith("text/plain"))
        found[f"t{int(body.split('transfer number ')[1][:4])}"] += 1
    return found


def told_by_webhook(sink: HttpSink) -> Counter[str]:
    """The same of what apprise posts as JSON."""
    return Counter(f"t{int(one['message'].split('transfer number ')[1][:4])}" for one in sink.received)


class MoodyMail(MailSink):
    """A mail server that is not well until `well` is set.

    `mood`: "hangs" (it takes the connection and says nothing), an answer to the envelope such as "451 later", or "unsaid": it
    takes the whole mail and keeps its answer to itself; `taken` is set then.
    """

    def __init__(self, mood: str) -> None:
        super().__init__()
        self.mood = mood
        self.well = asyncio.Event()
        self.tried = 0
        self.taken = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tried += 1
        if self.well.is_set():
            await super().handle(reader, writer)
        elif self.mood == "hangs":
            await reader.read()  # until the other side gives up
            writer.close()
        elif self.mood == "unsaid":
            await self._take(reader, writer)
        else:
            await self._refuse(reader, writer)

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while command := (await reader.readline()).strip().upper():
            refused = command.startswith((b"MAIL", b"RCPT"))
            writer.write(f"{self.mood}\r\n".encode() if refused else b"250 ok\r\n")
            if command.startswith(b"QUIT"):
                break
        writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        before = len(self.received)
        writer.write(b"220 sink\r\n")
        while command := (await reader.readline()).strip().upper():
            if command.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                self.keep((await reader.readuntil(b"\r\n.\r\n"))[:-5])
                assert len(self.received) == before + 1
                self.taken.set()
                await reader.read()
                break
            writer.write(b"250 ok\r\n")
        writer.close()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """This process holds the write lock of a SQLite database, which another one needs."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@asynccontextmanager
async def asked(url: str) -> AsyncIterator[Database]:
    """The service's database, as a test looks into it."""
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def rows(database: Database, sql: str) -> list[Any]:
    async with database.reading() as session:
        return [tuple(row) for row in await session.execute(text(sql))]


async def changed(database: Database, sql: str) -> None:
    async with database.unit_of_work() as session:
        await session.execute(text(sql))


async def over_lease(database: Database) -> None:
    """The two minutes pass after which a message without an answer is taken up again: its process ended in between."""
    now = SystemClock().now()
    moments = {"past": now - timedelta(seconds=1), "lease": now + LEASE}
    if database.url.get_backend_name() == "sqlite":
        values: dict[str, Any] = {name: at.replace(tzinfo=None).isoformat(" ") for name, at in moments.items()}
    else:
        values = dict(moments)
    statement = text(
        "UPDATE messages SET due_at = :past WHERE began_at IS NOT NULL AND state = 'waiting' AND due_at <= :lease"
    )
    async with database.unit_of_work() as session:
        await session.execute(statement.bindparams(**values))


async def lines(bus: Bus) -> list[tuple[int, int]]:
    """Incident and number of each line on the topic `incidents`, each once, in the order in which they first came."""
    found = [decode_incident(record.value) for record in await read_all(bus, topics.INCIDENTS)]
    return list(dict.fromkeys((one.data.number, one.data.seq) for one in found))


def whose(port: int, services: Iterable[Service]) -> Service:
    """Which of them has the connection that begins at this port of 127.0.0.1, as Linux tells of its processes."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in table if row[1] == f"0100007F:{port:04X}"}
    for one in services:
        assert one.process is not None
        held = Path(f"/proc/{one.process.pid}/fd").iterdir()
        if any(str(link.readlink()) in sockets for link in held if link.is_symlink()):
            return one
    raise AssertionError(f"no process has a connection from port {port}")


async def until_published(url: str, bus: Bus) -> list[tuple[int, int]]:
    """The lines on the topic `incidents`, once none waits in the database, whichever instance published them."""
    async with asked(url) as database:
        await until(lambda: all_published(database), "every line is published", every_s=0.1)
    return await lines(bus)


async def all_published(database: Database) -> bool:
    """Whether no line waits in the database to be published."""
    return await rows(database, "SELECT count(*) FROM incident_events WHERE NOT published") == [(0,)]


def without_gap(found: Iterable[tuple[int, int]]) -> Counter[int]:
    """How many lines each incident has; fails when one is missing or came before the one before it."""
    reached: Counter[int] = Counter()
    for number, seq in found:
        assert seq == reached[number] + 1, f"line {seq} of incident {number} came after line {reached[number]}"
        reached[number] = seq
    return reached
