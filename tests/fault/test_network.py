"""The network between the services and their broker is slow, cuts up, breaks off, falls silent, is gone: nothing is lost by it.

Each service has a way of its own to the broker, and all of them are bad at once. Meanwhile each says that it is without a
broker where it is, and goes on by itself afterwards.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest

from shared import topics
from shared.bus import Bus
from tests.brokers import APACHE, BOTH, Broker
from tests.fault.kit import Service, connect, create_topics, services
from tests.fault.load import FromTheSwitch, Load, Plan, pouring
from tests.fault.reckoning import Chain
from tests.netkit import Proxy, ThroughProxy, proxied
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
RATE: Final = 400.0
GONE_S: Final = float(os.environ.get("FAULT_GONE_S", "12"))

Tell = Callable[[str], None]


class Network:
    """The ways of ingest, monitor and alerts to the broker, and the three as processes."""

    def __init__(self, broker: Broker, folder: Path, ways: list[Proxy]) -> None:
        self.ways = ways
        to_ingest, to_monitor, to_alerts = (ThroughProxy(one, idempotent=broker.idempotent) for one in ways)
        database = f"sqlite+aiosqlite:///{folder / 'alerts.db'}"
        self.chain = Chain(
            Service("ingest", to_ingest, folder, checkpoint_s=2),
            [Service("monitor", to_monitor, folder, checkpoint_s=2)],
            Service("alerts", to_alerts, folder, db_url=database),
        )

    async def all_say_so(self, load: Load) -> float:
        """Each service says that it is without the broker; seconds until the last did."""
        began = load.now_s()
        for one in self.chain.all:
            await until(lambda one=one: without_broker(one), f"{one.kind} says that it is without the broker")  # type: ignore[misc]
        return load.now_s() - began

    async def all_ready(self, load: Load) -> float:
        """Each service is ready; seconds until the last was."""
        began = load.now_s()
        for one in self.chain.all:
            await until(one.is_ready, f"{one.kind} is ready again", every_s=0.05)
        return load.now_s() - began


@contextlib.asynccontextmanager
async def network(broker: Broker, folder: Path, seed: int) -> AsyncIterator[Network]:
    """Up, and ready. What is left to chance follows from `seed`."""
    await create_topics(broker, partitions=2)
    port = int(broker.bootstrap.rpartition(":")[2])
    async with contextlib.AsyncExitStack() as stack:
        ways = [await stack.enter_async_context(proxied(port, seed=seed + n, stands_for=port)) for n in range(3)]
        made = Network(broker, folder, ways)
        await stack.enter_async_context(services(*made.chain.all))
        yield made


async def without_broker(service: Service) -> bool:
    service.must_run()
    said = await service.readiness()
    return "Kafka" in said or "broker" in said


@pytest.mark.parametrize("broker", BOTH, indirect=True)
async def test_a_reader_knows_for_how_long_it_was_told_nothing(broker: Broker, bus: Bus) -> None:
    """Also of a partition that never held a record."""
    await create_topics(broker, partitions=2)
    port = int(broker.bootstrap.rpartition(":")[2])
    async with proxied(port, stands_for=port) as way:
        ours = connect(ThroughProxy(way, idempotent=broker.idempotent), request_timeout_s=60)
        reader = await ours.read([topics.FLOOR_EVENTS])
        await bus.publish(topics.FLOOR_EVENTS, b"{}", key="north")
        await bus.flush()
        await until(lambda: reader.overdue_s() > 0, "a record that is not taken is not known")
        assert await until(lambda: reader.getmany(timeout_s=1.0), "it is taken")
        assert await reader.getmany(timeout_s=0.0) == []  # who asks again has applied it
        await until(lambda: reader.overdue_s() == 0, "all is known")
        way.hold()
        await until(lambda: reader.overdue_s() > 0.5, "nothing was told for a while")
        way.go_on()

        async def knows_all() -> bool:
            """It goes on asking: after a longer silence it must ask for the ends, too."""
            assert await reader.getmany(timeout_s=0.0) == []
            return reader.overdue_s() == 0

        await until(knows_all, "all is known again")
        await reader.close()
        await ours.close()


@pytest.mark.long
@pytest.mark.skipif("FAULT_GONE_S" not in os.environ, reason="takes minutes: FAULT_GONE_S=60 runs it")
@pytest.mark.parametrize("broker", BOTH, indirect=True)
async def test_a_network_that_cuts_up_delays_and_breaks_off_costs_nothing(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    async with network(broker, tmp_path, seed=11) as net:
        to_ingest = net.ways[0]
        plan = Plan(SITES, rate=RATE, lasts_s=14)
        async with pouring(plan, FromTheSwitch(bus, SITES)) as load:
            await load.until(1)
            for way in net.ways:
                way.up.pieces = way.down.pieces = (1, 7)
            await load.until(2.5)
            for way in net.ways:
                way.restore()
                way.up.reset_after = way.down.reset_after = (2_000, 60_000)
                way.reset()
            await load.until(4)
            for way in net.ways:
                way.restore()
                way.reset()
                way.up.latency_s = way.down.latency_s = 0.35
                way.up.jitter_s = way.down.jitter_s = 0.15
                way.up.bytes_per_s = way.down.bytes_per_s = 200_000
            await load.until(6)
            for way in net.ways:
                way.restore()
            # what ingest reads is late by more than the limit of the rule, what it writes is not
            to_ingest.hold_busiest()
            await load.until(13.6)
            to_ingest.go_on()
            ready_s = await net.all_ready(load)
            await load.done.wait()
            await net.chain.end(load, bus)
    resets = sum(way.resets for way in net.ways)
    assert resets > 10, "they broke off in the middle"
    measured(f"{load.poured} events, {resets} resets; ready {ready_s:.1f} s after the last of it")


@pytest.mark.long
@pytest.mark.skipif("FAULT_GONE_S" not in os.environ, reason="takes minutes: FAULT_GONE_S=60 runs it")
@pytest.mark.parametrize("broker", [APACHE], indirect=True)
async def test_a_broker_that_cannot_be_reached_is_said_to_and_costs_nothing(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    """No connection is closed and none is refused: whatever is sent is never answered."""
    async with network(broker, tmp_path, seed=23) as net:
        plan = Plan(SITES, rate=RATE, lasts_s=GONE_S + 8)
        async with pouring(plan, FromTheSwitch(bus, SITES)) as load:
            await load.until(2)
            before = [one.resident_mb() for one in net.chain.all]
            for way in net.ways:
                way.go_silent()
            said_s = await net.all_say_so(load)
            await load.until(2 + GONE_S)
            for way in net.ways:
                way.restore()
            ready_s = await net.all_ready(load)
            after = [one.resident_mb() for one in net.chain.all]
            await load.done.wait()
            await net.chain.end(load, bus)
    assert all(now < then + 150 for then, now in zip(before, after, strict=True)), (before, after)
    measured(f"silent for {GONE_S:.0f} s: all said so within {said_s:.1f} s, ready {ready_s:.1f} s after it was well")
