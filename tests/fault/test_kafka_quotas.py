"""Apache Kafka that slows us down by quotas: what is shown grows old and says so, and nothing is lost or told too early."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from shared import events, topics
from shared.codec import decode_event
from shared.dedup import Passed
from shared.kafka import KafkaBus
from tests.brokers import APACHE, Broker, administering
from tests.fault.kit import Service, create_topics, following, read_all, services
from tests.fault.load import FromTheSwitch, Plan, pouring
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.long]

SITE = "north"
OURS = "floorwatch"  # what every client of ours calls itself
WRITE, READ = 12_000.0, 24_000.0  # bytes a second; the load is several times that

Tell = Callable[[str], None]
_ENTITY = Array(("type", String("utf-8")), ("name", String("utf-8")))


class _Answer(Response):
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error", String("utf-8")), ("entity", _ENTITY))),
    )


class _Question(RequestStruct):
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", _ENTITY), ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean)))
            ),
        ),
        ("validate_only", Boolean),
    )


class AlterClientQuotas(Request[_Question]):
    """https://kafka.apache.org/protocol#The_Messages_AlterClientQuotas, which the client has no word for."""

    API_KEY = 49

    def __init__(self, remove: bool) -> None:
        self._remove = remove

    def build(self, request_struct_class: type[_Question]) -> _Question:
        ops = [("producer_byte_rate", WRITE, self._remove), ("consumer_byte_rate", READ, self._remove)]
        return request_struct_class([([("client-id", OURS)], ops)], False)


@pytest.fixture(autouse=True)
def only_when_asked_for(request: pytest.FixtureRequest) -> None:
    if "long" not in request.config.option.markexpr:
        pytest.skip("takes most of a minute: pytest -m long")


@asynccontextmanager
async def slowed_down(broker: Broker) -> AsyncIterator[None]:
    """Who calls himself as we do, in this block."""
    async with administering(broker.bootstrap, client_id="admin") as admin:
        for remove in (False, True):
            answer = await admin._send_to_controller(AlterClientQuotas(remove))
            assert [code for code, *_ in answer.entries] == [0]
            if not remove:
                yield


@pytest.mark.timeout(400)
@pytest.mark.parametrize("broker", [APACHE], indirect=True)
async def test_quotas_make_the_picture_old_and_cost_nothing(broker: Broker, tmp_path: Path, measured: Tell) -> None:
    await create_topics(broker, partitions=1)
    switch = KafkaBus(broker.bootstrap, idempotent=True, request_timeout_s=60)
    switch._common["client_id"] = "switch"  # it and we, who look, are not slowed down
    plan = Plan([SITE], rate=250, lasts_s=25, transfers_a_second=8)
    ingest, monitor = (Service(kind, broker, tmp_path, checkpoint_s=2) for kind in ("ingest", "monitor"))
    async with services(ingest, monitor), following(broker, topics.FLOOR_FLAGS) as flags:
        async with pouring(plan, FromTheSwitch(switch, [SITE])) as load:
            await load.until(1)
            async with slowed_down(broker):
                said = await until(lambda: says(ingest), "ingest says that it is behind", every_s=0.1)
                said_s = load.now_s() - 1
                await load.until(plan.lasts_s)
            ended_s = load.now_s()
            for one in (ingest, monitor):
                await until(one.is_ready, f"{one.kind} is up to date", every_s=0.2)
            ready_s = load.now_s() - ended_s
            await load.done.wait()
            await load.until(plan.ends_s + 1)
            await until(lambda: plan.slow.keys() <= flags.slow().keys(), "every slow transfer is flagged")
        await ingest.stop()
        await monitor.stop()
        assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
        found = [decode_event(record.value) for record in await read_all(switch, topics.FLOOR_EVENTS)]
        passed = Passed()
        happened = [event for event in found if not isinstance(event.data, events.Clock)]
        once = [e for e in happened if not passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex)]
        assert [(event.time, event.data) for event in once] == [(load.at(w.at_s), w.data) for w in plan.happenings]
    await switch.close()
    measured(
        f"said after {said_s:.1f} s: {said}; up to date {ready_s:.1f} s after the quotas; {len(happened)} events written"
    )


async def says(service: Service) -> str:
    service.must_run()
    return await service.readiness()
