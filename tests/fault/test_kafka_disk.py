"""Apache Kafka on a disk that is full to the last byte: it ends, and everybody waits until it is started with room again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared import topics
from shared.bus import Bus
from tests.brokers import APACHE, Broker, broker_of_its_own
from tests.fault.disks import SmallDisk, small_disk
from tests.fault.kit import Downstream, Service, Uninterrupted, create_topics, following, read_all, services
from tests.fault.load import FromTheSwitch, Plan, pouring
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.long]

SITE = "north"

Tell = Callable[[str], None]


@pytest.fixture(autouse=True)
def only_when_asked_for(request: pytest.FixtureRequest) -> None:
    if "long" not in request.config.option.markexpr:
        pytest.skip("takes most of a minute: pytest -m long")


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(192) as made:
        yield made


@pytest.fixture
def broker(request: pytest.FixtureRequest, disk: SmallDisk) -> Iterator[Broker]:
    with broker_of_its_own(request.param, disk.folder) as started:
        yield started


@pytest.mark.timeout(300)
@pytest.mark.parametrize("broker", [APACHE], indirect=True)
async def test_a_broker_whose_disk_is_full_costs_no_flag_and_no_record(
    broker: Broker, disk: SmallDisk, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=1)
    plan = Plan([SITE], rate=60, lasts_s=9, transfers_a_second=8)
    ingest, monitor = (Service(kind, broker, tmp_path) for kind in ("ingest", "monitor"))
    async with services(ingest, monitor), following(broker, topics.FLOOR_FLAGS) as flags:
        async with pouring(plan, FromTheSwitch(bus, [SITE])) as load:
            await until(lambda: load.poured > 100, "the floor is at work", every_s=0.05)
            await asyncio.to_thread(disk.fill)
            said = {}
            for one in (ingest, monitor):
                said[one.kind] = await until(lambda one=one: says(one), f"{one.kind} says it", every_s=0.1)
            full_s = load.now_s()
            await asyncio.to_thread(broker.kill)  # what is left of it
            disk.free()
            await asyncio.to_thread(broker.start)
            for one in (ingest, monitor):
                await until(one.is_ready, f"{one.kind} goes on by itself", every_s=0.2)
            ready_s = load.now_s() - full_s
            await load.done.wait()
            await load.until(plan.ends_s + 1)
            await until(lambda: plan.slow.keys() <= flags.slow().keys(), "every slow transfer is flagged")
        await ingest.stop()
        truth = Uninterrupted(await read_all(bus, topics.FLOOR_EVENTS))
        for topic in (topics.FLOOR_FLAGS, topics.FLOOR_RECORDS):

            async def all_there(topic: topics.Topic = topic) -> bool:
                seen = Downstream(topic)
                await seen.catch_up(bus)
                return seen.of(SITE) == truth.of(SITE, topic)

            await until(all_there, f"{topic.name} is whole, each once", every_s=0.5)
        assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
        await monitor.stop()
    measured(f"said: {said}; ready {ready_s:.1f} s after that, with room made and the broker started")


async def says(service: Service) -> str:
    service.must_run()
    why = await service.readiness()
    return why if "Kafka" in why or "broker" in why else ""
