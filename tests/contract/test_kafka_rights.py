"""A real Apache Kafka that lets a service do only a part of what it needs: it says what is missing, and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest
from prometheus_client import CollectorRegistry

from services.ingest.app import Ingest
from shared import topics
from shared.clock import SystemClock
from shared.dedup import Passed
from shared.kafka import KafkaBus
from shared.raw import Raw
from shared.settings import IngestSettings
from shared.siteconfig import Sites
from tests.brokers import JARS, administering
from tests.contract.test_ingest import canonical, send
from tests.fault.kit import read_all
from tests.guardedkafka import LIMITED, PASSWORD, Doors, bus_of
from tests.ingestkit import cloud, raw
from tests.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(not JARS, reason="KAFKA_REAL_JARS names no jars of Apache Kafka: make test-kafka"),
]

SITE = "rights"

# https://kafka.apache.org/protocol and the enums that it refers to: of resources, of patterns, of operations
TOPIC, CLUSTER = 2, 4
LITERAL, ALLOW = 3, 3
READ, WRITE, DESCRIBE, IDEMPOTENT_WRITE = 3, 4, 8, 12


def may(operation: int) -> tuple[int, str, int, str, str, int, int]:
    """The right of the limited user to do this with every topic, or with the cluster."""
    what, name = (CLUSTER, "kafka-cluster") if operation == IDEMPOTENT_WRITE else (TOPIC, "*")
    return what, name, LITERAL, f"User:{LIMITED}", "*", operation, ALLOW


async def give(doors: Doors, *operations: int) -> None:
    async with administering(doors.in_the_clear) as admin:
        for operation in operations:
            answer = await admin._send_request(CreateAclsRequest(*may(operation)))
            assert [code for code, *_ in answer.creation_responses] == [0]


async def take_away(doors: Doors, operation: int) -> None:
    async with administering(doors.in_the_clear) as admin:
        answer = await admin._send_request(DeleteAclsRequest(*may(operation)))
        assert [code for code, *_ in answer.filter_responses] == [0]


@asynccontextmanager
async def ingesting(doors: Doors) -> AsyncIterator[Ingest]:
    """The service without its HTTP side, as the user whose rights are decided here."""
    asked = doors.as_user("PLAIN", PASSWORD, kafka_sasl_username=LIMITED).model_dump(exclude_unset=True)
    settings = IngestSettings(checkpoint_s=0.05, **asked)
    bus, side_bus = (KafkaBus.of(settings, request_timeout_s=30) for _ in range(2))
    ingest = Ingest(settings, bus, side_bus, SystemClock(), Sites(), CollectorRegistry())
    tasks = [asyncio.create_task(work) for work in (ingest.pump.run(), ingest.marker.run(), ingest.dead_letters.run())]
    try:
        yield ingest
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await side_bus.close()
        await bus.close()


def ready(number: int) -> Raw:
    value = cloud("agent_ready", {"agent_id": str(number)}, at_s=number, id=str(number))
    return raw(value, site=SITE, session="x", seq=number)


async def agents(bus: KafkaBus) -> list[str]:
    """Whom `floor.events` tells of, in its order and once each, as its readers see it."""
    passed = Passed()
    found = [event for event in canonical(await read_all(bus, topics.FLOOR_EVENTS)) if event.site == SITE]
    once = [e for e in found if not passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex)]
    return [event.data.agent_id for event in once]


async def test_rights_that_are_missing_are_named_and_all_is_there_when_they_are_given(doors: Doors) -> None:
    async with bus_of(doors.as_user("PLAIN", PASSWORD), request_timeout_s=60) as bus:
        await bus.create(topics.ALL)
        await send(bus, *(ready(number) for number in range(5)))
        await give(doors, DESCRIBE, IDEMPOTENT_WRITE)
        async with ingesting(doors) as ingest:

            async def says(*words: str) -> bool:
                why = ingest.not_ready()
                return why is not None and all(word in why for word in words)

            await until(lambda: says("denies this user the right to that (reading of ", "see its ACLs"))
            await give(doors, READ)
            await until(lambda: says("denies this user the right to that (sending to floor.", "see its ACLs"))
            assert await agents(bus) == []
            await give(doors, WRITE)
            await until(lambda: ingest.not_ready() is None, "it is well again by itself")
            await send(bus, *(ready(number) for number in range(5, 10)))
            await until(lambda: told(bus, 10), "all that waited is there", every_s=0.1)

            await take_away(doors, WRITE)
            await send(bus, *(ready(number) for number in range(10, 15)))
            await until(lambda: says("denies this user the right to that (sending to floor.", "see its ACLs"))
            await give(doors, WRITE)
            await until(lambda: told(bus, 15), "what was refused is there", every_s=0.1)
            await until(lambda: ingest.not_ready() is None, "it is well again by itself")
        assert await agents(bus) == [str(number) for number in range(15)]


async def told(bus: KafkaBus, count: int) -> bool:
    return len(await agents(bus)) >= count
