"""P9: how late a timed flag is with a hundred thousand live timers, through the whole chain.

What a switch says goes to `switch.raw` by the wall clock; the real ingest makes events and clock marks of it, the real
monitor flags. Both start from checkpoints made by the same code, which hold the hundred thousand: the rules' and the leases'
of fifty thousand agents on a break. Then transfers begin, a hundred a second: most stay open and must be flagged seven
seconds later, some end shortly before and must not be, some shortly after.

Late is from the deadline to the moment at which the monitor hands the flag to its producer.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from msgspec import Struct
from prometheus_client import CollectorRegistry

from services.ingest.app import Ingest
from services.ingest.links import link_value
from services.ingest.pipeline import IngestMachine
from services.monitor.core.engine import Engine
from services.monitor.rulefile import load_rulebook
from shared import events, facts, topics
from shared.bus import Reader
from shared.checkpoint import Checkpoints
from shared.clock import SystemClock, from_epoch
from shared.codec import decode_fact, encode
from shared.envelope import Data, cloud_type
from shared.kafka import KafkaBus
from shared.raw import Raw
from shared.settings import IngestSettings
from shared.sites import load_sites
from tests.bench import brokers
from tests.bench.children import child, say, wait_for_go
from tests.bench.figures import Figure, Scale, Yardstick, percentile
from tests.bench.monitor import RULES, SITES, Bench

RULE: Final = "slow_transfer"
LIMIT_S: Final = 7.0  # of that rule
_SESSION: Final = "bench"
_CONNECTOR: Final = "bench"
_BOARDS: Final = 1  # each begins with a snapshot of fifty thousand agents
_TIMERS_EACH: Final = 2  # of an agent on a break: the rule's and the lease's
_SETTLE_S: Final = 4.0  # the children's first marks
_WARMS_UP_S: Final = 25.0  # a broker and two processes that have just been started are not what is measured


class Task(Struct, frozen=True):
    bootstrap: str
    idempotent: bool


class Plan(NamedTuple):
    """How much: live timers on sites, transfers a second for so long, the first of which do not count."""

    timers: int
    sites: int
    a_second: float
    lasts_s: float
    warms_up_s: float = 0.0

    @property
    def names(self) -> list[str]:
        return [f"site-{number:02}" for number in range(self.sites)]


class Transfer(NamedTuple):
    """Begins at, ends at (never: 0), seconds from the base."""

    site: str
    number: int
    begins_s: float
    ends_s: float

    @property
    def must_be_flagged(self) -> bool:
        return not self.ends_s or self.ends_s - self.begins_s > LIMIT_S


# ---------------------------------------------------------------- the children


def ingest(task: Task) -> None:
    """A child: the real ingest, until it is killed."""
    asyncio.run(_ingest(task))


async def _ingest(task: Task) -> None:
    bus = KafkaBus(task.bootstrap, idempotent=task.idempotent)
    side_bus = KafkaBus(task.bootstrap, idempotent=task.idempotent)
    running = Ingest(IngestSettings(), bus, side_bus, SystemClock(), load_sites(SITES), CollectorRegistry())
    tasks = [asyncio.create_task(running.pump.run()), asyncio.create_task(running.marker.run())]
    while not running.pump.status.ready:
        await asyncio.sleep(0.01)
    wait_for_go()
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    tasks[0].result()


def monitor(task: Task) -> None:
    """A child: the real monitor, until it is killed."""
    asyncio.run(_monitor(task))


async def _monitor(task: Task) -> None:
    bench = Bench(KafkaBus(task.bootstrap, idempotent=task.idempotent), boards=_BOARDS)
    await bench.start()
    wait_for_go()
    while bench.monitor.pump.status.state != "stopped":
        await asyncio.sleep(1.0)
    say("stopped")


# ---------------------------------------------------------------- what was before


class Before:
    """Both machines as they are after the sites came up and everybody went on a break."""

    def __init__(self, plan: Plan, now: datetime) -> None:
        config = load_sites(SITES)
        self.machine = IngestMachine(config)
        self.engine = Engine(config, load_rulebook(RULES))
        self.sequence = dict.fromkeys(plan.names, 0)
        for site in plan.names:
            link = events.LinkUp(connector=_CONNECTOR, switch="a benchmark")
            self._apply(_raw(site, link, now - timedelta(seconds=2), self._next(site)))
        people = plan.timers // _TIMERS_EACH
        for number in range(people):
            site = plan.names[number % plan.sites]
            data = events.AgentNotReady(agent_id=f"a{number}", reason="tea")
            self._apply(_raw(site, data, now - timedelta(seconds=1 - number / people), self._next(site)))

    def live_timers(self) -> int:
        """All that are set."""
        return sum(len(floor.state.timers) for floor in self.engine._floors.values())

    async def save(self, bus: KafkaBus) -> None:
        """As checkpoints, for the children to start from."""
        clock = SystemClock()
        numbers = range(brokers.PARTITIONS)
        raw = {(topics.SWITCH_RAW.name, number): 0 for number in numbers}
        await Checkpoints(bus, "ingest", clock).save(self.machine.dump(), raw)
        canonical = {(topics.FLOOR_EVENTS.name, number): 0 for number in numbers}
        await Checkpoints(bus, "monitor", clock).save(self.engine.dump(), canonical)

    def _next(self, site: str) -> int:
        self.sequence[site] += 1
        return self.sequence[site]

    def _apply(self, raw: Raw) -> None:
        for event in self.machine.apply(raw):
            self.engine.apply(event)


def _raw(site: str, data: Data, at: datetime, number: int) -> Raw:
    """What the connector writes for `data`, which the switch says happens `at` and is heard at once."""
    source, name = f"/bench/{site}", f"{site}-{number}"
    link = isinstance(data, events.LinkUp)
    if isinstance(data, events.LinkUp):
        value = link_value(data, id=name, source=source, time=at)
    else:
        kind = cloud_type(type(data))
        value = encode({"specversion": "1.0", "type": kind, "id": name, "source": source, "time": at, "data": data})
    return Raw(
        value=value,
        vendor="generic",
        site=site,
        connector=_CONNECTOR,
        received=at,
        kind="link" if link else "event",
        session=_SESSION,
        seq=number,
    )


# ---------------------------------------------------------------- what happens


def transfers(plan: Plan) -> list[Transfer]:
    """The same for every run: of ten, six stay open, two end up to 0.3 s before their deadline, two after it."""
    chance = Random(9)
    found = []
    for number in range(int(plan.a_second * plan.lasts_s)):
        begins = number / plan.a_second
        deadline, kind = begins + LIMIT_S, number % 10
        ends = (
            0.0 if kind < 6 else deadline - chance.uniform(0, 0.3) if kind < 8 else deadline + chance.uniform(0.01, 0.3)
        )
        found.append(Transfer(plan.names[number % plan.sites], number, begins, ends))
    return found


def _agenda(planned: list[Transfer]) -> list[tuple[float, str, Data]]:
    """When, where and what, in order."""
    found: list[tuple[float, str, Data]] = []
    for one in planned:
        name = f"t{one.number}"
        begin = events.TransferRequested(
            transfer_id=name,
            call_id=f"c{one.number}",
            kind="blind",
            from_agent=f"from{one.number}",
            to_agent="colleague",
        )
        found.append((one.begins_s, one.site, begin))
        if one.ends_s:
            found.append((one.ends_s, one.site, events.TransferEnded(transfer_id=name, outcome="cancelled")))
    return sorted(found, key=lambda entry: entry[0])


async def _speak(bus: KafkaBus, plan: Plan, before: Before, base: float) -> list[Transfer]:
    """The connector: says what happens when it happens, by the wall clock. The transfers as they really were."""
    happened: dict[int, Transfer] = {one.number: one for one in transfers(plan)}
    for at_s, site, data in _agenda(transfers(plan)):
        wait = base + at_s - time.time()
        if wait > 0:
            await asyncio.sleep(wait)
        before.sequence[site] += 1
        now = datetime.now(UTC)  # it happens now, and not when it was planned
        raw = _raw(site, data, now, before.sequence[site])
        await bus.publish(topics.SWITCH_RAW, raw.value, key=site, headers=raw.headers())
        began = isinstance(data, events.TransferRequested)
        number = int(data.transfer_id[1:])  # type: ignore[attr-defined]
        happened[number] = happened[number]._replace(**{"begins_s" if began else "ends_s": now.timestamp() - base})
    await bus.flush()
    return list(happened.values())


class Raised(NamedTuple):
    late_s: float  # from the deadline to the producer
    read_s: float  # from the deadline to a reader


async def _listen(reader: Reader, raised: dict[str, Raised]) -> None:
    while True:
        for record in await reader.getmany(timeout_s=0.5):
            fact = decode_fact(record.value)
            if isinstance(fact.data, facts.FlagRaised) and fact.data.rule == RULE:
                now, deadline = time.time(), fact.data.raised_at
                written = (record.written - deadline).total_seconds()
                raised[fact.data.subject_id] = Raised(written, now - deadline.timestamp())


async def _run(kind: brokers.Kind, plan: Plan) -> tuple[dict[str, Raised], int, list[Transfer]]:
    raised: dict[str, Raised] = {}
    with brokers.broker(kind) as at:
        bus = KafkaBus(at.bootstrap, idempotent=at.idempotent)
        await bus.create(topics.ALL, partitions=brokers.PARTITIONS)
        before = Before(plan, from_epoch(time.time()))
        live = before.live_timers()
        await before.save(bus)
        task = Task(at.bootstrap, at.idempotent)
        async with child(monitor, task) as one, child(ingest, task) as other:
            await asyncio.gather(one.ready(), other.ready())
            one.go()
            other.go()
            reader = await bus.read([topics.FLOOR_FLAGS], start="latest")
            listening = asyncio.create_task(_listen(reader, raised))
            await asyncio.sleep(_SETTLE_S)
            happened = await _speak(bus, plan, before, time.time())
            await asyncio.sleep(LIMIT_S + 1.0)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await reader.close()
        await bus.close()
    return raised, live, happened


# ---------------------------------------------------------------- the yardstick: what one timer costs


def _bare_heap(count: int) -> Iterator[None]:
    """A heap with lazy cancel: `count` timers live, as many again set, half of them cancelled, the rest fired."""
    order = [Random(1).random() for _ in range(count)]
    heap = [(1e6 + due, number) for number, due in enumerate(order)]
    heapq.heapify(heap)
    live = set(range(2 * count))
    yield
    for number, due in enumerate(order):
        heapq.heappush(heap, (due, count + number))
        if number % 2:
            live.discard(count + number)
    while heap[0][0] < 1.0:
        heapq.heappop(heap)[1] in live  # noqa: B015  (whether it still counts is the work)
    yield


def _engine_timers(count: int, plan: Plan) -> Iterator[None]:
    """The same through the engine's timers."""
    now = from_epoch(1.8e9)
    before = Before(Plan(count, 1, plan.a_second, plan.lasts_s), now)
    floor = before.engine._floors[plan.names[0]]
    order = [Random(1).random() for _ in range(count)]
    yield
    for number, due in enumerate(order):
        floor.timer(now + timedelta(seconds=due), "forget", (f"t{number}", ""))
    while floor.due(now + timedelta(seconds=1.0)) is not None:
        pass
    yield


def _us_each(work: Iterator[None], count: int) -> float:
    next(work)
    began = time.process_time()
    next(work)
    return (time.process_time() - began) / count * 1e6


# ---------------------------------------------------------------- the figure


def _wrong(planned: list[Transfer], raised: dict[str, Raised], live: int, plan: Plan) -> tuple[str, ...]:
    found = []
    if live < plan.timers:
        found.append(f"only {live} of {plan.timers} timers were live")
    missed = [one for one in planned if one.must_be_flagged and f"t{one.number}" not in raised]
    wrongly = [one for one in planned if not one.must_be_flagged and f"t{one.number}" in raised]
    early = [one for one in raised.values() if one.late_s < -0.001]  # a record's stamp is whole milliseconds
    for what, those in (("not raised", missed), ("raised though cancelled before", wrongly), ("early", early)):
        if those:
            found.append(f"{len(those)} flags {what}: {those[:3]}")
    return tuple(found)


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P9: lateness, 99 of 100; never early, never after a cancel."""
    quick = scale == "quick"
    plan = Plan(1000, 2, 20, 2) if quick else Plan(100_000, 20, 100, 15 + _WARMS_UP_S, _WARMS_UP_S)
    raised, live, planned = await _run(kind, plan)
    counted = {f"t{one.number}" for one in planned if one.begins_s >= plan.warms_up_s}
    late = [one.late_s * 1000 for name, one in raised.items() if name in counted] or [0.0]
    count = plan.timers
    ours = _us_each(_engine_timers(count, plan), count)
    theirs = _us_each(_bare_heap(count), count)
    return Figure(
        id="P9",
        figure="timed flags, p99",
        unit="ms late",
        value=percentile(late, 0.99),
        must=100,
        aim=50,
        better="lower",
        broken=_wrong(planned, raised, live, plan),
        yardstick=Yardstick(what="a timer on a bare heap with lazy cancel", unit="µs", value=theirs, ours=ours),
        detail={
            "live_timers": live,
            "flags": len(raised),
            "counted": len(late),
            "cancelled_before": sum(not one.must_be_flagged for one in planned),
            "min_ms": min(late),
            "p50_ms": percentile(late, 0.5),
            "max_ms": max(late),
            "over_100_ms": sum(one > 100 for one in late),
            "read_p99_ms": percentile(
                [one.read_s * 1000 for name, one in raised.items() if name in counted] or [0.0], 0.99
            ),
            "engine_us_a_timer": ours,
        },
    )
