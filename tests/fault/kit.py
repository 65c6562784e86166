"""Services as processes that a test may kill, pause and start again, and what stands downstream of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from floorwatch.processes import die_with_parent
from services.monitor.core.engine import Engine
from services.monitor.rulefile import load_rulebook
from shared import topics
from shared.bus import Bus, Partition, Record
from shared.checkpoint import Checkpoint, Checkpoints
from shared.clock import SystemClock
from shared.codec import decode_event, decode_fact, encode
from shared.dedup import Passed
from shared.errors import BusError
from shared.facts import Fact, FlagRaised
from shared.kafka import KafkaBus
from shared.settings import MonitorSettings
from shared.siteconfig import Sites
from shared.topics import Topic
from tests.brokers import Broker
from tests.waiting import until
from tools.servers import free_port

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 240.0  # of a service on a machine that is busy with other things; alone it takes 2


def connect(broker: Broker, *, request_timeout_s: float = 5.0) -> KafkaBus:
    return KafkaBus(broker.bootstrap, idempotent=broker.idempotent, request_timeout_s=request_timeout_s)


class Service:
    """One service as a process of its own. `name` is for the log and, of a monitor, of its checkpoints."""

    def __init__(self, kind: str, broker: Broker, folder: Path, *, name: str = "0", **settings: object) -> None:
        self.kind = kind
        self.name = name
        self.command = ["-m", "services.monitor.listen.relay" if kind == "relay" else f"services.{kind}.app"]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{kind}-{name}.log"
        sites = folder / "sites.yaml"
        sites.write_text("sites: {}\n")
        prefix = kind.upper()
        ours = ("INGEST_", "MONITOR_", "ALERTS_", "RELAY_", "KAFKA_", "FLOORWATCH_")
        self._env = {key: value for key, value in os.environ.items() if not key.startswith(ours)} | {
            f"{prefix}_PORT": str(self.port),
            "KAFKA_BOOTSTRAP": broker.bootstrap,
            "KAFKA_IDEMPOTENT": str(broker.idempotent),
            "FLOORWATCH_SITES_FILE": str(sites),
            "FLOORWATCH_RUN_DIR": str(folder),
            "FLOORWATCH_LOG_FORMAT": "json",
            **(
                {"MONITOR_NAME": name, "MONITOR_DB_URL": f"sqlite:///{folder / 'monitor.db'}"}
                if kind == "monitor"
                else {}
            ),
            **{f"{prefix}_{key.upper()}": str(value) for key, value in settings.items()},
        }
        self.process: asyncio.subprocess.Process | None = None
        self.started = 0.0
        self._client = httpx.AsyncClient(base_url=self.url, timeout=30)

    async def start(self) -> float:
        """Start it and wait until it is ready; seconds that took."""
        await self.spawn()
        await until(self.is_ready, f"{self.kind} is ready; {self.log}", START_S)
        return time.monotonic() - self.started

    async def spawn(self) -> None:
        self.started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.command,
                cwd=ROOT,
                env=self._env,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
            )

    async def is_ready(self) -> bool:
        self.must_run()
        return await self.readiness() == ""

    async def readiness(self) -> str:
        """ "" when ready; else why not, as /readyz says it, or that it does not answer."""
        try:
            answer = await self._client.get("/readyz")
        except httpx.TransportError as exc:
            return f"no answer: {type(exc).__name__}"
        if answer.status_code == 200:
            return ""
        checks = answer.json()["checks"]
        return "; ".join(check["reason"] for check in checks.values() if not check["ok"])

    async def get(self, path: str) -> Any:
        return (await self._client.get(path)).raise_for_status().json()

    async def metric(self, name: str) -> float:
        """The sum of the samples of `name`, whatever their labels."""
        text = (await self._client.get("/metrics")).raise_for_status().text
        found = [line.rpartition(" ")[2] for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        assert found, name
        return sum(map(float, found))

    def resident_mb(self) -> float:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def must_run(self) -> None:
        assert self.process is not None
        assert self.process.returncode is None, f"{self.kind} ended: {self.log.read_text()[-4000:]}"

    async def kill(self) -> None:
        """SIGKILL: in the middle of whatever it does."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """SIGTERM, as a supervisor does; it must end by itself, and well."""
        assert self.process is not None
        self.process.terminate()
        code = await asyncio.wait_for(self.process.wait(), START_S)
        assert code == 0, f"{self.kind} ended with {code}: {self.log.read_text()[-4000:]}"

    async def close(self) -> None:
        await self._client.aclose()
        if self.process is not None and self.process.returncode is None:
            self.process.kill()  # ends a paused one too
            await self.process.wait()


@contextlib.asynccontextmanager
async def services(*them: Service) -> AsyncIterator[None]:
    """Started, and gone at the end."""
    try:
        await asyncio.gather(*(one.start() for one in them))
        yield
    finally:
        for one in them:
            await one.close()


class Downstream:
    """A consumer of a topic of facts that drops positions it has passed, as docs/events.md tells consumers to."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.read = 0
        self.facts: list[Fact] = []
        self.arrived: dict[str, datetime] = {}  # fact id -> its first arrival, our clock
        self.again: dict[str, list[datetime]] = {}  # fact id -> further arrivals
        self._passed = Passed()

    async def follow(self, bus: Bus) -> None:
        """For ever; a broker that is away is waited for, and read from the start again."""
        while True:
            try:
                await self._follow(bus)
            except BusError:
                await asyncio.sleep(0.1)

    async def _follow(self, bus: Bus) -> None:
        clock = SystemClock()
        reader = await bus.read([self.topic])
        try:
            while True:
                for record in await reader.getmany(timeout_s=0.5):
                    self._take(record, clock.now())
        finally:
            await reader.close()

    async def catch_up(self, bus: Bus) -> None:
        """Everything that is there now."""
        self.take(await read_all(bus, self.topic))

    def take(self, records: Iterable[Record]) -> None:
        """These, as if they came now."""
        now = SystemClock().now()
        for record in records:
            self._take(record, now)

    def _take(self, record: Record, now: datetime) -> None:
        self.read += 1
        fact = decode_fact(record.value)
        if self._passed.seen(fact.site, fact.rawpartition, fact.rawoffset, fact.rawindex):
            self.again.setdefault(fact.id, []).append(now)
            return
        self.facts.append(fact)
        self.arrived.setdefault(fact.id, now)

    def of(self, site: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.site == site]

    def slow(self) -> dict[str, datetime]:
        """Flags of slow transfers: transfer id -> when it was raised, the floor's clock. Fails when one is there twice."""
        found: dict[str, datetime] = {}
        for flag in self.slow_flags():
            assert flag.data.subject_id not in found, f"{flag.data.subject_id} was flagged twice"
            found[flag.data.subject_id] = flag.data.raised_at
        return found

    def slow_flags(self) -> list[Any]:
        """The facts that raise them."""
        return [fact for fact in self.facts if isinstance(fact.data, FlagRaised) and fact.data.rule == "slow_transfer"]


@contextlib.asynccontextmanager
async def following(broker: Broker, topic: Topic) -> AsyncIterator[Downstream]:
    """A consumer at work, with a connection of its own."""
    downstream = Downstream(topic)
    bus = connect(broker)
    task = asyncio.create_task(downstream.follow(bus))
    try:
        yield downstream
    finally:
        task.cancel()
        await asyncio.wait([task])
        await bus.close()
        if not task.cancelled():
            task.result()


async def read_all(bus: Bus, topic: Topic) -> list[Record]:
    """Everything that is on `topic` now."""
    reader = await bus.read([topic])
    try:
        ends = {place: end for place, (_, end) in (await reader.bounds()).items() if end}
        found: list[Record] = []
        async with asyncio.timeout(60):
            while ends:
                for record in await reader.getmany(timeout_s=0.5):
                    found.append(record)
                    place = (record.topic, record.partition)
                    if record.offset + 1 >= ends.get(place, sys.maxsize):
                        del ends[place]
        return found
    finally:
        await reader.close()


class Uninterrupted:
    """What an engine makes of `floor.events` to which nothing ever happened, fed in this process."""

    def __init__(self, records: list[Record], sites: Sites | None = None, rules: Path | None = None) -> None:
        self.engine = Engine(sites or Sites(), load_rulebook(rules or MonitorSettings().rules_file))
        self.facts: list[Fact] = []
        self.offsets: dict[Partition, int] = {}
        for record in records:
            self.facts += self.engine.apply(decode_event(record.value))
            self.offsets[record.topic, record.partition] = record.offset + 1

    def state(self) -> dict[str, bytes]:
        return by_site(self.engine.dump())

    def of(self, site: str, topic: Topic) -> list[Fact]:
        from services.monitor.app import route

        found = [fact for fact in self.facts if fact.site == site and route(fact).topic == topic]
        return [decode_fact(encode(fact)) for fact in found]  # as whoever reads the topic has them


def by_site(state: bytes) -> dict[str, bytes]:
    """A monitor's state, site by site: in which order sites of different partitions come is chance."""
    return {site: bytes(one) for site, one in msgspec.msgpack.decode(state, type=dict[str, msgspec.Raw]).items()}


async def last_checkpoints(bus: Bus, machine: str, offsets: dict[Partition, int]) -> list[Checkpoint]:
    """All checkpoints that cover everything up to `offsets`."""
    found: list[Checkpoint] = []

    def look(checkpoint: Checkpoint) -> bool:
        if {place: checkpoint.offsets.get(place) for place in offsets} == offsets:
            found.append(checkpoint)
        return False

    await Checkpoints(bus, machine, SystemClock()).load(look)
    return found


async def create_topics(broker: Broker, partitions: int) -> None:
    bus = connect(broker)
    await bus.create(topics.ALL, partitions=partitions)
    await bus.close()
