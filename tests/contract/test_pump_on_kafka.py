"""The pump on a real broker, also one that dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter as Tally
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from shared.checkpoint import Checkpoints
from shared.clock import SystemClock
from shared.errors import BusError
from shared.kafka import KafkaBus
from shared.pump import Pace
from shared.topics import ALL, FLOOR_EVENTS, FLOOR_FLAGS, SWITCH_DEAD_LETTER
from tests.brokers import APACHE, BOTH, Broker, Running, broker_of_its_own, empty_broker
from tests.partkit import PARTITIONS, SITES, Tallies, tallies_pump
from tests.pumpkit import Counter, make_pump, once, read_all, running, say, until
from tests.waiting import PATIENCE_S

FAST = Pace(checkpoint_s=0.05, backoff_s=0.01, backoff_max_s=0.05)


@pytest.fixture(params=BOTH)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A broker of its own: these tests stop it."""
    with broker_of_its_own(request.param, tmp_path) as started:
        yield started


@pytest.fixture(params=BOTH)
def running_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """One that the test leaves alone."""
    with empty_broker(request.param, tmp_path) as started:
        yield started


def connect(broker: Running) -> KafkaBus:
    """As patient as the broker can be slow on a machine with much to do: an answer that comes late passes for a loss."""
    return KafkaBus(broker.bootstrap, idempotent=broker.idempotent, request_timeout_s=6 if broker.idempotent else 2)


def talking(broker: Running) -> KafkaBus:
    """For the test itself, which has more patience."""
    return KafkaBus(broker.bootstrap, idempotent=broker.idempotent, request_timeout_s=PATIENCE_S)


async def test_a_kill_and_a_restart_equal_an_uninterrupted_run(running_broker: Running) -> None:
    broker = running_broker
    words = [*"abcab", "garbage", "boom", *"abc" * 50]
    talker = talking(broker)
    await talker.create(ALL)
    for cut in (3, 6, 60):
        pump = make_pump(bus := connect(broker), pace=FAST)
        task = asyncio.create_task(pump.run())
        await say(talker, *words[:cut])
        words = words[cut:]
        await until(lambda pump=pump: pump.status.ready)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await bus.close()
    await say(talker, *words)
    machine = Counter()
    pump = make_pump(bus := connect(broker), machine, pace=FAST)
    async with running(pump):
        await until(lambda: machine.applied == 155 and pump.status.ready)
    assert machine.times == {"a": 52, "b": 52, "c": 51}
    outputs = once(await read_all(bus, FLOOR_FLAGS))
    assert [(output.word, output.times) for output in outputs[:7]] == [
        ("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3),
    ]  # fmt: skip
    assert len(outputs) == 155
    letters = {(record.value, dict(record.headers)["offset"]) for record in await read_all(bus, SWITCH_DEAD_LETTER)}
    assert letters == {(b"garbage", b"5"), (b"boom", b"6")}
    await bus.close()
    await talker.close()


async def test_a_kill_when_a_checkpoint_by_parts_was_written_counts_nothing_twice(running_broker: Running) -> None:
    """Killed whenever the newest checkpoint has parts of several moments, with words of two partitions coming all the time."""
    broker = running_broker
    talker = talking(broker)
    await talker.create(ALL, partitions=PARTITIONS)
    said: Tally[str] = Tally()
    pace = Pace(checkpoint_s=0.02, batch_records=5, parts_s=0.0, parts_share=1.0)
    registry = CollectorRegistry()

    def known() -> float:
        return registry.get_sample_value("pump_records_total", {"pump": "tallies", "outcome": "known"}) or 0

    for life in range(50):
        if life > 2 and known():
            break
        machine = Tallies()
        pump = tallies_pump(bus := connect(broker), machine, registry=registry, pace=pace)
        task = asyncio.create_task(pump.run())
        await until(lambda pump=pump: pump.status.ready)
        checkpoints = Checkpoints(talker, "tallies", SystemClock())
        for number in range(1000):
            for site in SITES:
                await talker.publish(FLOOR_EVENTS, f"{site}:a".encode(), key=site)
                said[site] += 1
            await talker.flush()
            if number % 10 == 9 and (newest := await checkpoints.load()) is not None and newest.ahead:
                break
        else:
            pytest.fail("no checkpoint had parts of several moments")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await bus.close()
    machine = Tallies()
    async with running(tallies_pump(bus := connect(broker), machine, registry=registry)):
        await until(lambda: {site: times["a"] for site, times in machine.times.items()} == said)
    outputs = {(output.word, output.times) for output in once(await read_all(bus, FLOOR_FLAGS))}
    assert outputs == {(f"{site}:a", times) for site in SITES for times in range(1, said[site] + 1)}
    await bus.close()
    await talker.close()
    assert known(), "some were in the restored state already"


async def test_a_broker_that_dies_and_comes_back_empty_is_survived_and_told(broker: Broker) -> None:
    registry = CollectorRegistry()
    machine = Counter()
    pump = make_pump(bus := connect(broker), machine, registry=registry, pace=FAST)
    async with running(pump):
        await until(lambda: pump.status.ready)
        await say(talker := talking(broker), "a", "a", "a")
        await until(lambda: machine.times == {"a": 3})
        before = losses(registry)

        broker.kill()
        await until(lambda: pump.status.state == "waiting_for_broker")
        assert f"cannot reach Kafka at {broker.bootstrap}" in pump.status.explain()

        broker.wipe()
        broker.start()
        await until(lambda: pump.status.ready)
        assert machine.times == {}, "the records are gone, and with them what was counted"
        await talker.close()
        await say(talker := talking(broker), "b")
        await until(lambda: machine.times == {"b": 1})
        await until(partial(published, talker, "b"))  # which takes it longer than counting
        await talker.close()
    await bus.close()
    assert registry.get_sample_value("pump_offsets_lost_total", {"pump": "counter", "why": "made_anew"}) == 1
    assert losses(registry) == before + 1


def losses(registry: CollectorRegistry) -> float:
    """How often the broker was lost, also for being slow to start on a machine with much to do."""
    return registry.get_sample_value("pump_broker_losses_total", {"pump": "counter"}) or 0


async def published(bus: KafkaBus, *words: str) -> bool:
    """Whether these are on `floor.flags`, and nothing else."""
    found = [output.word for output in once(await read_all(bus, FLOOR_FLAGS))]
    assert found == list(words[: len(found)])
    return len(found) == len(words)


@pytest.mark.parametrize("broker", [APACHE], indirect=True)
async def test_a_broker_that_is_killed_and_keeps_its_records_costs_none(broker: Broker) -> None:
    registry = CollectorRegistry()
    machine = Counter()
    pump = make_pump(bus := connect(broker), machine, registry=registry, pace=FAST)
    async with running(pump):
        await until(lambda: pump.status.ready)
        before = losses(registry)
        await say(talker := talking(broker), *"abc" * 50)
        broker.kill()  # with some of them still on their way through the pump
        await until(lambda: pump.status.state == "waiting_for_broker")
        broker.start()
        await say(talker, *"abc" * 50)
        await until(lambda: machine.applied == 300 and pump.status.ready)
    assert machine.times == {"a": 100, "b": 100, "c": 100}
    outputs = once(await read_all(talker, FLOOR_FLAGS))
    assert [(output.word, output.times) for output in outputs] == [(w, n) for n in range(1, 101) for w in "abc"]
    assert losses(registry) == before + 1
    await talker.close()
    await bus.close()


async def test_a_broker_that_is_replaced_faster_than_anyone_looks(broker: Broker) -> None:
    machine = Counter()
    pump = make_pump(bus := connect(broker), machine, pace=FAST)
    async with running(pump):
        await until(lambda: pump.status.ready)
        await say(talker := talking(broker), "a", "a", "a")
        await until(lambda: machine.applied == 3)
        broker.kill()
        broker.wipe()
        broker.start()
        await until(lambda: machine.times == {} and pump.status.ready)
        await talker.close()
    await bus.close()


async def test_a_pump_that_starts_before_its_broker(broker: Broker) -> None:
    broker.kill()
    pump = make_pump(bus := connect(broker), pace=FAST)
    async with running(pump):
        await until(lambda: pump.status.state == "waiting_for_broker")
        broker.start()
        await until(lambda: pump.status.ready)
    await bus.close()


async def test_a_pump_can_be_stopped_while_its_broker_is_gone(broker: Broker) -> None:
    pump = make_pump(bus := connect(broker), pace=Pace(backoff_s=60, backoff_max_s=60))
    async with running(pump):
        await until(lambda: pump.status.ready)
        broker.kill()
        await until(lambda: pump.status.state == "waiting_for_broker")
    assert pump.status.state == "stopped"
    await bus.close()


async def test_a_send_that_failed_is_told_once_and_nothing_behind_it_is_written(broker: Broker) -> None:
    bus = connect(broker)
    await bus.create([FLOOR_EVENTS])
    await say(bus, "first")
    broker.kill()
    for number in range(100):
        await bus.publish(FLOOR_EVENTS, b"%d" % number, key="s1")
    with pytest.raises(BusError, match=f"cannot reach Kafka at {broker.bootstrap}"):
        await bus.flush()
    broker.wipe()
    broker.start()
    await bus.create([FLOOR_EVENTS])
    await bus.flush()
    await say(bus, "again")
    assert [record.value for record in await read_all(bus, FLOOR_EVENTS)] == [b"again"]
    await bus.close()


async def test_publishing_waits_when_the_broker_does_not_take_it(broker: Broker) -> None:
    """The buffer is bounded: with the broker gone a writer is held, then told."""
    bus = connect(broker)
    await bus.create([FLOOR_EVENTS])
    await say(bus, "first")
    broker.kill()
    sent = 0

    async def pour() -> None:
        nonlocal sent
        while True:
            await bus.publish(FLOOR_EVENTS, bytes(900_000), key="s1")
            sent += 1

    with pytest.raises(BusError, match="onnection refused"):
        await pour()
    assert sent < 25
    await bus.close()
