"""`floorwatch topics`: what Kafka has to have before services start that may create nothing, or not with one partition alone."""

from __future__ import annotations

from datetime import timedelta

from shared import topics
from shared.kafka import KafkaBus
from shared.settings import CommonSettings
from shared.topics import Topic


def partitions_of(topic: Topic, partitions: int) -> int:
    """A checkpoint is found by its key, whatever its partition, and few are kept: one partition, read from its start."""
    return 1 if topic.compacted else partitions


def table(partitions: int, replication: int) -> str:
    """Every topic with what it is made with, for people."""
    lines = [f"{'topic':<20} {'partitions':>10} {'replicas':>8}  kept"]
    for topic in topics.ALL:
        kept = "the last of each key" if topic.keep is None else _days(topic.keep)
        lines.append(f"{topic.name:<20} {partitions_of(topic, partitions):>10} {replication:>8}  {kept}")
    return "\n".join(lines)


async def create(settings: CommonSettings, partitions: int, replication: int) -> None:
    """Create what is missing; what is there stays as it is. Raises BusError, SettingsError."""
    bus = KafkaBus.of(settings, replication=replication)
    try:
        for compacted in (False, True):
            wanted = [topic for topic in topics.ALL if topic.compacted is compacted]
            await bus.create(wanted, partitions=partitions_of(wanted[0], partitions))
    finally:
        await bus.close()


def _days(keep: timedelta) -> str:
    return f"{keep.days} days" if keep.days > 1 else f"{keep.total_seconds() / 3600:g} hours"
