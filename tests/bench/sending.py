"""A load that is sent from a process of its own, so that whoever measures does not wait for whoever sends."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from shared.kafka import KafkaBus
from tests.bench.burst import send
from tests.bench.children import say, wait_for_go
from tests.bench.floors import LARGE, SMALL, Item, Load


class Task(Struct, frozen=True):
    """`lasts_s` of a load at `speed`, small or large."""

    bootstrap: str
    idempotent: bool
    small: bool
    speed: float
    lasts_s: float


def load_of(small: bool, speed: float, lasts_s: float) -> tuple[list[Item], list[Item]]:
    """What is written before, and what is sent: sites side by side."""
    load = Load(SMALL if small else LARGE, speed=speed)
    opening = list(load.opening())
    return opening, sorted(load.run(lasts_s * speed), key=lambda item: item.due_s)


def sender(task: Task) -> None:
    """A child: sends from the time that it is told on, and says how many records it sent."""
    asyncio.run(_sender(task))


async def _sender(task: Task) -> None:
    _, items = load_of(task.small, task.speed, task.lasts_s)
    bus = KafkaBus(task.bootstrap, idempotent=task.idempotent)
    await send(bus, items, wait_for_go(), task.speed)
    await bus.close()
    say(len(items))
