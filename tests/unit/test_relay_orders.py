"""How a relay comes to know what is ordered: it reads back as far as it must, and passes over what it cannot read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from services.monitor.listen.contract import ForkEnded, ListenOrdered, Order, order
from services.monitor.listen.relay import intake
from services.monitor.listen.relay.intake import READ_BACK, Intake
from services.monitor.listen.relay.orders import KEEP, Orders
from shared import topics
from shared.clock import FakeClock
from shared.codec import encode
from shared.memorybus import MemoryBus
from tests.relaykit import forked, listened
from tests.waiting import PATIENCE_S, until

EVERY_S = 15.0  # each open listen is ordered anew


class Relay:
    def __init__(self, bus: MemoryBus, clock: FakeClock) -> None:
        self.orders = Orders()
        self.taken: list[Order] = []
        self.live = asyncio.Event()
        self.intake = Intake(bus, clock, self._take, self.live.set, lambda: None)

    def _take(self, one: Order) -> None:
        self.taken.append(one)
        self.orders.apply(one)


@asynccontextmanager
async def reading(bus: MemoryBus, clock: FakeClock) -> AsyncIterator[Relay]:
    relay = Relay(bus, clock)
    task = asyncio.create_task(relay.intake.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.wait([task])


async def ordered(bus: MemoryBus, clock: FakeClock, *data: object, site: str = "hq") -> None:
    for one in data:
        made = order(one, id="x", source="/m", site=site, time=clock.now())  # type: ignore[arg-type]
        await bus.publish(topics.LISTEN_ORDERS, encode(made), key=site)
    await bus.flush()


async def a_day(bus: MemoryBus, clock: FakeClock, rounds: int, listens: dict[str, int]) -> None:
    """Every listen of each site begins, and is prolonged; each third one ends halfway."""
    for version in range(1, rounds + 1):
        for site, count in listens.items():
            running = [number for number in range(count) if number % 3 != 2 or version <= rounds // 2]
            until_ = clock.now() + timedelta(seconds=30)
            made = (listened(f"{site}-{number}", clock.now(), version=version, until=until_) for number in running)
            await ordered(bus, clock, *made, site=site)
        await clock.advance(EVERY_S)


@pytest.mark.parametrize("partitions", [1, 4])
async def test_what_is_open_is_known_though_only_the_last_minutes_are_read(
    partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_FIRST_BACK", 20)  # so that it is too little, and more than once
    clock = FakeClock()
    bus = MemoryBus(clock)
    await bus.create([topics.LISTEN_ORDERS], partitions=partitions)
    await ordered(bus, clock, listened("long over", clock.now(), until=clock.now() + timedelta(seconds=30)))
    await a_day(bus, clock, 40, {"hq": 30, "dalian": 3, "xian": 1})
    await ordered(bus, clock, forked("f1", clock.now(), expires=clock.now() + timedelta(seconds=10)))
    async with reading(bus, clock) as relay:
        await asyncio.wait_for(relay.live.wait(), PATIENCE_S)
        known = relay.orders.listens
        for site, count in (("hq", 30), ("dalian", 3), ("xian", 1)):
            assert all(known[f"{site}-{number}"].listen.version == 40 for number in range(count) if number % 3 != 2)
        assert "f1" in relay.orders.forks
        assert len(relay.taken) < len(bus.records(topics.LISTEN_ORDERS)) * 0.7
        await ordered(bus, clock, listened("new", clock.now()))
        await until(lambda: "new" in known, "what comes then is heard")


async def test_a_burst_is_read_to_its_beginning_and_a_short_log_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_FIRST_BACK", 10)
    clock = FakeClock()
    bus = MemoryBus(clock)
    await bus.create([topics.LISTEN_ORDERS])
    await ordered(bus, clock, *(listened(str(number), clock.now()) for number in range(500)))
    await clock.advance(READ_BACK.total_seconds() - 1)
    await ordered(bus, clock, listened("last", clock.now()))
    async with reading(bus, clock) as relay:
        await asyncio.wait_for(relay.live.wait(), PATIENCE_S)
        assert set(relay.orders.listens) == {str(number) for number in range(500)} | {"last"}


def spoilt(now: datetime) -> list[bytes]:
    fork = json.loads(encode(order(forked("f", now), id="a", source="/m", site="hq", time=now)))
    listen = json.loads(encode(order(listened("l", now), id="a", source="/m", site="hq", time=now)))
    naive = "2026-03-02T09:00:00"

    def with_data(of: dict[str, object], **fields: object) -> dict[str, object]:
        return of | {"data": of["data"] | fields}  # type: ignore[operator]

    values = [
        with_data(fork, expires=naive),
        with_data(listen, until=naive),
        listen | {"time": naive},
        with_data(fork, side="both"),
        with_data(listen, version="newest"),
        with_data(listen, surprise=1),
        fork | {"type": "floorwatch.fork_eaten.v1"},
    ]
    deep = b'{"type":"floorwatch.fork_ended.v1","a":' + b"[" * 100_000
    return [*(json.dumps(one).encode() for one in values), b"", b"\xff\xfe\x00", b"[]", deep]


async def test_orders_that_cannot_be_read_are_counted_and_passed_over() -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    await bus.create([topics.LISTEN_ORDERS])
    bad = spoilt(clock.now())
    for value in bad:
        await bus.publish(topics.LISTEN_ORDERS, value, key="hq")
    await ordered(bus, clock, listened("good", clock.now()))
    async with reading(bus, clock) as relay:
        await asyncio.wait_for(relay.live.wait(), PATIENCE_S)
        assert relay.intake.refused == len(bad)
        assert isinstance(relay.taken[-1].data, ListenOrdered)
        assert len(relay.taken) == 1


def test_what_is_over_does_not_pile_up_and_its_end_is_told_all_the_same() -> None:
    """A fork may be up for longer than its order is remembered."""
    clock = FakeClock()
    known = Orders()

    def say(data: object) -> bool:
        return known.apply(order(data, id="x", source="/m", site="hq", time=clock.now()))  # type: ignore[arg-type]

    assert say(forked("f1", clock.now()))
    known.forget(clock.now() + KEEP + timedelta(seconds=1))
    assert known.forks == {}
    assert say(ForkEnded(fork_id="f1", reason="over"))
    assert not say(ForkEnded(fork_id="f1", reason="over")), "once"
