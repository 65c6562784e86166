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

from shared.bus import Bus
from tests.brokers import APACHE, BOTH, Broker
from tests.fault.kit import Service, create_topics, services
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
    return any(word in await service.readiness() for word in ("Kafka", "broker"))


@pytest.mark.parametrize("broker", BOTH, indirect=True)
async def test_a_network_that_cuts_up_delays_and_breaks_off_costs_nothing(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    async with network(broker, tmp_path, seed=11) as net:
        to_ingest = net.ways[0]
        plan = Plan(SITES, rate=RATE, lasts_s=17)
        async with pouring(plan, FromTheSwitch(bus, SITES)) as load:
            await load.until(1)
            for way in net.ways:
                way.up.pieces = way.down.pieces = (1, 7)
            await load.until(3)
            for way in net.ways:
                way.restore()
                way.up.reset_after = way.down.reset_after = (2_000, 60_000)
                way.reset()
            await load.until(5.5)
            for way in net.ways:
                way.restore()
                way.reset()
                way.up.latency_s = way.down.latency_s = 0.35
                way.up.jitter_s = way.down.jitter_s = 0.15
                way.up.bytes_per_s = way.down.bytes_per_s = 200_000
            await load.until(8.5)
            for way in net.ways:
                way.restore()
            # what ingest reads is late by more than the limit of the rule, what it writes is not
            to_ingest.hold_busiest()
            await load.until(16.5)
            to_ingest.go_on()
            ready_s = await net.all_ready(load)
            await load.done.wait()
            await net.chain.end(load, bus)
    resets = sum(way.resets for way in net.ways)
    assert resets > 10, "they broke off in the middle"
    measured(f"{load.poured} events, {resets} resets; ready {ready_s:.1f} s after the last of it")


@pytest.mark.parametrize("broker", [APACHE], indirect=True)
@pytest.mark.parametrize("gone_s", [GONE_S, pytest.param(60.0, marks=pytest.mark.long)], ids=["a while", "a minute"])
async def test_a_broker_that_cannot_be_reached_is_said_to_and_costs_nothing(
    gone_s: float, broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    """No connection is closed and none is refused: whatever is sent is never answered."""
    async with network(broker, tmp_path, seed=23) as net:
        plan = Plan(SITES, rate=RATE, lasts_s=gone_s + 8)
        async with pouring(plan, FromTheSwitch(bus, SITES)) as load:
            await load.until(2)
            before = [one.resident_mb() for one in net.chain.all]
            for way in net.ways:
                way.go_silent()
            said_s = await net.all_say_so(load)
            assert await net.chain.monitors[0].metric("pump_broker_losses_total") >= 0
            await load.until(2 + gone_s)
            for way in net.ways:
                way.restore()
            ready_s = await net.all_ready(load)
            after = [one.resident_mb() for one in net.chain.all]
            await load.done.wait()
            await net.chain.end(load, bus)
    assert all(now < then + 150 for then, now in zip(before, after, strict=True)), (before, after)
    measured(f"silent for {gone_s:.0f} s: all said so within {said_s:.1f} s, ready {ready_s:.1f} s after it was well")
