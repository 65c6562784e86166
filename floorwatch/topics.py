"""`floorwatch topics`: what Kafka has to have before services start that may create nothing, or not with one partition alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from shared.settings import CommonSettings, load
from shared.topics import ALL, Topic


def topics(
    partitions: Annotated[int, typer.Option(min=1, max=10_000, help="Of each topic; sites are spread over them.")] = 1,
    replication: Annotated[int, typer.Option(min=1, max=9, help="How many brokers keep each; 3 in production.")] = 1,
    create: Annotated[bool, typer.Option("--create", help="Create at KAFKA_BOOTSTRAP what is missing.")] = False,
) -> None:
    """Show the topics that Floorwatch needs, or create them.

    Services create what is missing, with one partition and one replica, which is right for one machine. For more, create them
    first. Those that are there stay as they are: a site stays on its partition for ever. More: docs/operations.md.
    """
    if create:
        asyncio.run(make(load(CommonSettings), partitions, replication))
    typer.echo(table(partitions, replication))


def partitions_of(topic: Topic, partitions: int) -> int:
    """A checkpoint is found by its key, whatever its partition, and few are kept: one partition, read from its start."""
    return 1 if topic.compacted else partitions


def table(partitions: int, replication: int) -> str:
    """Every topic with what it is made with, for people."""
    lines = [f"{'topic':<20} {'partitions':>10} {'replicas':>8}  kept"]
    for topic in ALL:
        kept = "the last of each key" if topic.keep is None else _days(topic.keep)
        lines.append(f"{topic.name:<20} {partitions_of(topic, partitions):>10} {replication:>8}  {kept}")
    return "\n".join(lines)


async def make(settings: CommonSettings, partitions: int, replication: int) -> None:
    """Create what is missing; what is there stays as it is. Raises BusError, SettingsError."""
    from shared.kafka import KafkaBus  # takes a while, and most who ask only look

    bus = KafkaBus.of(settings, replication=replication)
    try:
        for compacted in (False, True):
            wanted = [topic for topic in ALL if topic.compacted is compacted]
            await bus.create(wanted, partitions=partitions_of(wanted[0], partitions))
    finally:
        await bus.close()


def _days(keep: timedelta) -> str:
    return f"{keep.days} days" if keep.days > 1 else f"{keep.total_seconds() / 3600:g} hours"
