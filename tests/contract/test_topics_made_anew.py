"""What happens to a topic behind a service's back: records that retention removed, a topic that was deleted and made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from shared import events, topics
from shared.dedup import Passed
from shared.raw import LIFE
from shared.siteconfig import Sites
from tests.brokers import APACHE, Running, administering, empty_broker
from tests.contract.test_ingest import agents, canonical, connect, read_until, ready, send
from tests.contract.test_ingest import running as ingesting
from tests.pumpkit import Counter, make_pump, running, say, until


@pytest.fixture(params=[APACHE])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """Topics are deleted here."""
    with empty_broker(request.param, tmp_path) as started:
        yield started


async def administer(broker: Running, method: str, *arguments: Any) -> None:
    async with administering(broker.bootstrap) as admin:
        await getattr(admin, method)(*arguments)


async def test_a_checkpoint_that_is_older_than_what_the_topic_keeps(broker: Running) -> None:
    bus = connect(broker)
    await bus.create(topics.ALL)
    machine = Counter()
    async with running(make_pump(bus, machine)):
        await say(bus, "a", "a")
        await until(lambda: machine.applied == 2)
    await say(bus, "lost", "lost", "b")
    place = TopicPartition(topics.FLOOR_EVENTS.name, 0)
    await administer(broker, "delete_records", {place: RecordsToDelete(before_offset=4)})
    machine, registry = Counter(), CollectorRegistry()
    with capture_logs() as logs:
        async with running(pump := make_pump(bus, machine, registry=registry)):
            await until(lambda: machine.applied == 3 and pump.status.ready)
    assert machine.times == {"a": 2, "b": 1}, "the state is kept, and goes on with the first record there is"
    (told,) = [entry for entry in logs if entry["event"] == "records_not_kept"]
    assert (told["log_level"], told["offset"], told["first"], told["lost"]) == ("error", 2, 4, 2)
    assert registry.get_sample_value("pump_offsets_lost_total", {"pump": "counter", "why": "not_kept"}) == 1
    await bus.close()


async def test_records_of_a_raw_topic_that_was_made_anew_are_no_duplicates_of_its_first_life(broker: Running) -> None:
    """Offsets begin at 0 again, while `floor.events` still holds what was made of the first ones."""
    bus = connect(broker)
    await bus.create(topics.ALL)
    async with ingesting(broker):
        await send(bus, *(ready(number) for number in range(6)))
        await read_until(bus, topics.FLOOR_EVENTS, agents(6))
    await administer(broker, "delete_topics", [topics.SWITCH_RAW.name])
    await bus.close()
    bus = connect(broker)
    await bus.create(topics.ALL)
    async with ingesting(broker):
        await send(bus, *(ready(number) for number in range(6, 9)))
        records = await read_until(bus, topics.FLOOR_EVENTS, agents(9))
    found = canonical(records)
    assert [event.rawoffset for event in found] == [*range(6), *(LIFE + offset for offset in range(3))]
    assert len({event.id for event in found}) == 9
    passed = Passed()
    assert not any(passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex) for e in found)
    engine = Engine(Sites(), RuleBook(()))
    for event in found:
        engine.apply(event)
    assert [engine.view("agent", "s1", str(number)) is not None for number in range(9)] == [True] * 9
    assert all(isinstance(event.data, events.AgentReady) for event in found)
    await bus.close()
