"""Brokers for benchmarks: real processes on free ports, made empty for each measurement."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tests.embedded import embedded_broker
from tools.real_kafka import JARS, Kafka
from tools.servers import free_port

Kind = Literal["embedded", "kafka"]

# A benchmark's topics hold a minute of records; the embedded broker gets slower with those of one partition.
PARTITIONS: Final = 20


class At(NamedTuple):
    """A running broker."""

    bootstrap: str
    idempotent: bool
    kind: Kind


def jars() -> Path | None:
    """Where Apache Kafka's jars are; None where they were never fetched (`make test-kafka` does)."""
    folder = Path(os.environ.get("KAFKA_REAL_JARS", JARS))
    return folder if any(folder.glob("kafka-server-*.jar")) else None


def best() -> Kind:
    """Apache Kafka where its jars are, else the embedded broker."""
    return "kafka" if jars() is not None else "embedded"


@contextlib.contextmanager
def broker(kind: Kind) -> Iterator[At]:
    """An empty broker, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="floorwatch-bench-") as name:
        folder = Path(name)
        if kind == "embedded":
            with embedded_broker(folder / "broker.log") as embedded:
                yield At(embedded.bootstrap, False, kind)
            return
        found = jars()
        if found is None:
            raise RuntimeError("no jars of Apache Kafka here; `python -m tools.real_kafka check` fetches them")
        kafka = Kafka(folder / "kafka", found, free_port())
        try:
            kafka.start()
            yield At(kafka.address, True, kind)
        finally:
            kafka.kill()
