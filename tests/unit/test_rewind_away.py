"""What a reader is told when the log cannot be read for a rewind."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from services.monitor.rewind.protocol import AskRange
from services.monitor.rewind.rewinder import Rewinder
from services.monitor.rewind.worker import answer
from shared.kafka import KafkaBus
from tests.floorkit import CONFIG, RULES
from tools.servers import free_port

pytestmark = pytest.mark.asyncio


async def test_where_the_broker_is_stands_in_the_log_and_not_in_the_answer() -> None:
    address = f"127.0.0.1:{free_port()}"
    bus = KafkaBus(address)
    with capture_logs() as said:
        told = await answer(Rewinder(bus, CONFIG, RULES), AskRange("hq", flags=False))
    await bus.close()
    assert (told.status, told.detail) == (
        503,
        "the log of events cannot be read now; it is tried again when you ask again",
    )
    assert [address in line["why"] for line in said if line["log_level"] == "warning"] == [True]
