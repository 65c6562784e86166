"""Storms of flags. P10S: with one instance on SQLite. P10D: with two on one PostgreSQL, while people ask and act at both.

Ten thousand flags in a minute, half of them of waiting customers, whom the alert file that ships makes one incident of for each
queue, half of slow transfers, an incident each. Receivers have the limits that they have by default.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from msgspec import Struct, field
from websockets.asyncio.client import connect

from shared import facts, topics
from shared.clock import SystemClock
from shared.codec import encode
from shared.kafka import KafkaBus
from tests.bench import brokers
from tests.bench.alerting import SITES
from tests.bench.figures import Figure, Scale, Yardstick, percentile
from tests.bench.webhook import Sink, alert_file, scratch
from tests.fault.kit import Service, services
from tools.real_postgres import Postgres, find_programs
from tools.servers import Unavailable, free_port

_FLAGS: Final = 10_000
_STORM_S: Final = 60.0
_QUEUES: Final = 5
_DRAINED_S: Final = 60.0
_LIST: Final = "/api/v1/incidents?order=urgency&state=open&limit=100"


class Storm(Struct):
    """What became of the flags: seconds after the last was published until all were in incidents, and all the rest.

    `answers`: seconds until the service answered, by what was asked; `quiet`: the same once the storm was over.
    """

    count: int
    lasts_s: float
    behind_s: float = 0.0
    flags: int = 0
    incidents: int = 0
    messages: int = 0
    answers: dict[str, list[float]] = field(default_factory=dict)
    quiet: dict[str, list[float]] = field(default_factory=dict)

    @property
    def broken(self) -> tuple[str, ...]:
        lost = self.count - self.flags
        return (f"{lost} flags are in no incident",) if lost else ()


def _storm(scale: Scale) -> Storm:
    return Storm(500, 3.0) if scale == "quick" else Storm(_FLAGS, _STORM_S)


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P10S: ten thousand flags in a minute."""
    storm, sink = _storm(scale), Sink()
    with brokers.broker(kind) as at, scratch() as folder:
        async with sink.listening():
            alerts = Service("alerts", at, folder, db_url=_sqlite(folder), file=alert_file(folder, sink, ""))
            await _let_loose(at, sink, storm, [alerts], lambda asking: [asking.lists(every_s=0.25)])
        bare_s = await asyncio.to_thread(_bare_rows, folder / "bare.db", storm.count)
    return Figure(
        id="P10S",
        figure=f"{storm.count} flags in {storm.lasts_s:.0f} s, all in incidents",
        unit="s",
        value=storm.behind_s,
        must=5,
        aim=1,
        better="lower",
        broken=storm.broken,
        yardstick=Yardstick(
            what="as many rows into SQLite, a transaction for each hundred", unit="s", value=bare_s, ours=storm.behind_s
        ),
        detail={
            "incidents": storm.incidents,
            "messages_until_then": storm.messages,
            **_percentiles(storm.answers),
        },
    )


async def measure_pair(kind: brokers.Kind, scale: Scale) -> Figure:
    """P10D: how long two instances let people wait in the same storm."""
    try:
        programs = find_programs()
    except Unavailable as exc:
        return _pair(_storm(scale), skipped=str(exc))
    storm, sink = _storm(scale), Sink()
    with brokers.broker(kind) as at, scratch() as folder, _postgres(programs) as url:
        async with sink.listening():
            file = alert_file(folder, sink, "")
            pair = [Service("alerts", at, folder, name=name, db_url=url, file=file) for name in "ab"]
            await _let_loose(
                at,
                sink,
                storm,
                pair,
                lambda asking: [
                    asking.lists(every_s=0.25),
                    asking.details(every_s=0.5),
                    asking.acknowledgements(every_s=1.0),
                    asking.page(),
                ],
            )
    return _pair(storm)


def _pair(storm: Storm, skipped: str = "") -> Figure:
    storm_s = percentile(_all(storm.answers), 0.99)
    quiet_s = percentile(_all(storm.quiet), 0.99)
    return Figure(
        id="P10D",
        figure="two instances in that storm: answers, p99",
        unit="ms",
        value=1000 * storm_s,
        must=1000,
        aim=250,
        better="lower",
        broken=storm.broken if not skipped else (),
        skipped=skipped,
        yardstick=Yardstick(
            what="the same asked after the storm, p99", unit="ms", value=1000 * quiet_s, ours=1000 * storm_s
        ),
        detail={
            "behind_s": storm.behind_s,
            "incidents": storm.incidents,
            "messages_until_then": storm.messages,
            **_percentiles(storm.answers),
        },
    )


def _all(answers: dict[str, list[float]]) -> list[float]:
    return list(itertools.chain(*answers.values())) or [1.0]


def _percentiles(answers: dict[str, list[float]]) -> dict[str, float]:
    return {
        f"{name}_{share}_ms": 1000 * percentile(found, number)
        for name, found in answers.items()
        for share, number in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }


class Asking:
    """Somebody at one instance: asks one thing after the other, and notes how long each answer took."""

    def __init__(self, service: Service, answers: dict[str, list[float]]) -> None:
        self._service = service
        self._client = httpx.AsyncClient(base_url=service.url, timeout=60)
        self._answers = answers
        self._open: list[int] = []

    async def close(self) -> None:
        await self._client.aclose()

    async def lists(self, every_s: float) -> None:
        """A page's list, the most urgent first."""
        await self._for_ever("list", every_s, self._list)

    async def details(self, every_s: float) -> None:
        """One incident after the other, of those that the list has."""
        await self._for_ever("detail", every_s, lambda: self._of_an_open_one(self._detail))

    async def acknowledgements(self, every_s: float) -> None:
        """The same, taken by somebody."""
        await self._for_ever("acknowledge", every_s, lambda: self._of_an_open_one(self._acknowledge))

    async def page(self) -> None:
        """An open page, which reads what it is told."""
        async with connect(self._service.url.replace("http", "ws", 1) + "/api/v1/feed", max_size=None) as feed:
            async for _ in feed:
                pass

    async def _for_ever(self, name: str, every_s: float, ask: Callable[[], Awaitable[bool]]) -> None:
        while True:
            began = time.monotonic()
            if await ask():
                self._answers.setdefault(name, []).append(time.monotonic() - began)
            await asyncio.sleep(every_s)

    async def _list(self) -> bool:
        answer = (await self._client.get(_LIST)).raise_for_status().json()
        self._open = [one["id"] for one in answer["incidents"]]
        return True

    async def _of_an_open_one(self, ask: Callable[[int], Awaitable[httpx.Response]]) -> bool:
        if not self._open:
            return False
        answer = await ask(self._open.pop())
        if answer.status_code != 409:  # somebody else has it
            answer.raise_for_status()
        return True

    async def _detail(self, number: int) -> httpx.Response:
        return await self._client.get(f"/api/v1/incidents/{number}")

    async def _acknowledge(self, number: int) -> httpx.Response:
        return await self._client.post(f"/api/v1/incidents/{number}/acknowledge", json={"by": "Li Wei"})


Does = Callable[[Asking], list[Any]]


@contextlib.asynccontextmanager
async def _asked(running: list[Service], answers: dict[str, list[float]], does: Does) -> AsyncIterator[None]:
    """What people do at each instance meanwhile. Fails when one of them is refused."""
    askings = [Asking(one, answers) for one in running]
    tasks = [asyncio.ensure_future(task) for asking in askings for task in does(asking)]
    try:
        yield
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for asking in askings:
            await asking.close()
    for task in ended:
        task.result()


async def _let_loose(at: brokers.At, sink: Sink, storm: Storm, running: list[Service], does: Does) -> None:
    bus = KafkaBus(at.bootstrap, idempotent=at.idempotent)
    await bus.create(topics.ALL, partitions=brokers.PARTITIONS)
    async with services(*running):
        async with _asked(running, storm.answers, does):
            await _publish(bus, storm)
            over = time.monotonic()
            while time.monotonic() < over + _DRAINED_S:
                storm.flags = sum([int(await one.metric("alerts_flags_total")) for one in running])
                if storm.flags >= storm.count:
                    break
                await asyncio.sleep(0.02)
            storm.behind_s = time.monotonic() - over
        counts = (await running[0].get("/api/v1/incidents?limit=1"))["counts"]
        storm.incidents = sum(counts.values())
        storm.messages = len(sink.received)
        async with _asked(running, storm.quiet, does):
            await asyncio.sleep(storm.lasts_s / 4)
    await bus.close()


async def _publish(bus: KafkaBus, storm: Storm) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    for number in range(storm.count):
        due = began + number * storm.lasts_s / storm.count
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


def _sqlite(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'alerts.db'}"


@contextlib.contextmanager
def _postgres(programs: Path) -> Iterator[str]:
    """The URL of a server of its own, gone at the end. The user it runs as must have a way to its folder."""
    with tempfile.TemporaryDirectory(prefix="floorwatch-postgres-") as name:
        server = Postgres(Path(name), programs, free_port())
        try:
            server.start()
            yield server.url
        finally:
            server.kill()


def _bare_rows(path: Path, count: int) -> float:
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
