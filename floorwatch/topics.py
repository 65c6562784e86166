"""`floorwatch topics`: what Kafka has to have before services start that may create nothing, or not with one partition alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
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
    first. Those that are there stay as they are: a site stays on its partition for ever. Exit code 1 when some of them have
    another number of partitions. More: docs/operations.md.
    """
    if not create:
        typer.echo(table(partitions, replication))
        return
    there = asyncio.run(make(load(CommonSettings), partitions, replication))
    typer.echo(table_there(there))
    if unlike := others(there, partitions):
        typer.echo(
            f"were there before and keep the partitions they have, not {partitions}: {', '.join(unlike)}. To change that: "
            "docs/operations.md, Partitions and sites",
            err=True,
        )
        raise typer.Exit(1)


def partitions_of(topic: Topic, partitions: int) -> int:
    """A checkpoint is found by its key, whatever its partition, and few are kept: one partition, read from its start."""
    return 1 if topic.compacted else partitions


def table(partitions: int, replication: int) -> str:
    """Every topic with what it is made with, for people."""
    lines = [f"{'topic':<20} {'partitions':>10} {'replicas':>8}  kept"]
    for topic in ALL:
        lines.append(f"{topic.name:<20} {partitions_of(topic, partitions):>10} {replication:>8}  {_kept(topic)}")
    return "\n".join(lines)


def table_there(there: Mapping[str, int]) -> str:
    """Every topic with the partitions that it has, for people."""
    lines = [f"{'topic':<20} {'partitions':>10}"]
    return "\n".join([*lines, *(f"{topic.name:<20} {there[topic.name]:>10}" for topic in ALL)])


def others(there: Mapping[str, int], partitions: int) -> list[str]:
    """The topics that have another number of partitions than was asked for."""
    return [topic.name for topic in ALL if there[topic.name] != partitions_of(topic, partitions)]


async def make(settings: CommonSettings, partitions: int, replication: int) -> Mapping[str, int]:
    """Create what is missing; what is there stays as it is. Each topic's partitions. Raises BusError, SettingsError."""
    from shared.kafka import KafkaBus  # takes a while, and most who ask only look

    bus = KafkaBus.of(settings, replication=replication)
    try:
        for compacted in (False, True):
            wanted = [topic for topic in ALL if topic.compacted is compacted]
            await bus.create(wanted, partitions=partitions_of(wanted[0], partitions))
        reader = await bus.read(ALL)
        try:
            return Counter(topic for topic, _ in await reader.bounds())
        finally:
            await reader.close()
    finally:
        await bus.close()


def _kept(topic: Topic) -> str:
    return "the last of each key" if topic.keep is None else _days(topic.keep)


def _days(keep: timedelta) -> str:
    return f"{keep.days} days" if keep.days > 1 else f"{keep.total_seconds() / 3600:g} hours"
