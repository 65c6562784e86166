"""Brokers for tests, each a real process: the embedded one, and Apache Kafka where KAFKA_REAL_JARS names its jars.

One that a test breaks is its own. Who leaves it running takes the Apache Kafka that all tests share, at KAFKA_BOOTSTRAP_REAL,
with no topic left from the test before: that takes a tenth of a second, and another one five.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.embedded import embedded_broker
from tests.waiting import until
from tools.real_kafka import Kafka
from tools.servers import free_port

JARS: Final = os.environ.get("KAFKA_REAL_JARS", "")
SHARED: Final = os.environ.get("KAFKA_BOOTSTRAP_REAL", "")

# A broker that was killed may come back only when the controller has given up its last life, after 9 s if not told otherwise.
QUICK: Final = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "300"}

APACHE: Final = pytest.param(
    "apache",
    marks=[
        pytest.mark.kafka,
        pytest.mark.skipif(not JARS, reason="KAFKA_REAL_JARS names no jars of Apache Kafka: make test-kafka"),
    ],
)
BOTH: Final = ["embedded", APACHE]


class Running(Protocol):
    """A broker that runs."""

    bootstrap: str
    idempotent: bool  # whether it can tell a batch that is sent twice


class Broker(Running, Protocol):
    """A broker that a test may kill and start again on the same port."""

    def start(self) -> None:
        """Return when it answers."""
        ...

    def kill(self) -> None: ...

    def wipe(self) -> None:
        """Forget every record, while it does not run."""
        ...

    def pause(self) -> None:
        """From now on it takes connections and answers nothing: SIGSTOP."""
        ...

    def go_on(self) -> None: ...


class ApacheBroker:
    idempotent = True

    def __init__(self, folder: Path) -> None:
        self._kafka = Kafka(folder, Path(os.environ["KAFKA_REAL_JARS"]), free_port(), **QUICK)
        self.bootstrap = self._kafka.address

    def start(self) -> None:
        self._kafka.start()

    def kill(self) -> None:
        self._kafka.kill()

    def wipe(self) -> None:
        self._kafka.wipe()

    def pause(self) -> None:
        self._kafka.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._kafka.signal(signal.SIGCONT)


@contextlib.contextmanager
def broker_of_its_own(kind: str, folder: Path) -> Iterator[Broker]:
    """`kind`: "embedded" or "apache"."""
    if kind == "embedded":
        with embedded_broker(folder / "broker.log") as embedded:
            yield embedded
        return
    apache = ApacheBroker(folder / "kafka")
    try:
        apache.start()
        yield apache
    finally:
        apache.kill()


class SharedBroker:
    idempotent = True
    bootstrap = SHARED


@contextlib.contextmanager
def empty_broker(kind: str, folder: Path) -> Iterator[Running]:
    """One without topics, for a test that leaves it running. `kind`: "embedded" or "apache"."""
    if kind == "embedded":
        with embedded_broker(folder / "broker.log") as embedded:
            yield embedded
        return
    with ThreadPoolExecutor(1) as thread:  # a loop of its own, there may be one here already
        thread.submit(asyncio.run, _delete_topics()).result()
    yield SharedBroker()


@contextlib.asynccontextmanager
async def administering(bootstrap: str, **more: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Who changes what the broker there has; `more`: arguments of the client."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **more)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _delete_topics() -> None:
    async with administering(SHARED) as admin:

        async def left() -> list[str]:
            return [name for name in await admin.list_topics() if not name.startswith("__")]

        if names := await left():
            await admin.delete_topics(names)

            async def gone() -> bool:
                return not await left()

            await until(gone, "the topics of the test before are deleted")
