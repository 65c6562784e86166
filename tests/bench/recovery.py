"""P11: kill -9 of a monitor at five thousand events a second: how long until its boards are right again.

Two monitors, as services of their own, follow the same log. One is killed, at a moment that has nothing to do with their
checkpoints, and started again at once; a supervisor adds its pause. Its boards are right when it says that it is ready
and its snapshot shows every site as of less than a second ago. In the end the snapshots of both must be the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct

from tests.bench import brokers, sending
from tests.bench.children import child, say, wait_for_go
from tests.bench.figures import Figure, Scale, Yardstick
from tests.bench.floors import START, Item
from tests.bench.prototype import Prototype
from tests.bench.throughput import drained, write
from tests.fault.kit import Service

_SPEED: Final = 4.5  # times the ordinary load: 5000 events a second
_RIGHT_S: Final = 1.0
_CHECKPOINT_S: Final = 5.0  # the default
_KILL_S: Final = 19.0
_GIVE_UP_S: Final = 60.0
_LOOK_S: Final = 0.02
_LOOK_AGAIN_S: Final = 0.05  # at the other monitor; each look costs all of them something


class Task(Struct, frozen=True):
    """For the yardstick: as many records as were replayed."""

    bootstrap: str
    tail: int


class Found(Struct):
    """Seconds from the kill, unless said otherwise."""

    ready_s: float = 0.0
    right_s: float = 0.0
    other_gap_s: float = 0.0  # the longest time between two answers of the other monitor that it is ready
    replayed: int = 0
    same: bool = False


def bare(task: Task) -> None:
    """A child: the prototype starts and reads the same tail. Seconds, with the start of the process."""
    began = wait_for_go()
    asyncio.run(_bare(task))
    say(time.time() - began)


async def _bare(task: Task) -> None:
    await drained(task.bootstrap, Prototype(), task.tail)


class _SiteNow(Struct):
    now: datetime


class _Sites(Struct):
    sites: list[_SiteNow]


class _Shown(Struct):
    floor: _Sites


_clocks: Final = msgspec.json.Decoder(_Shown)


class _Floor:
    """What a monitor shows."""

    def __init__(self, service: Service, base: float) -> None:
        self._client = httpx.AsyncClient(base_url=service.url, timeout=5)
        self._base = base

    async def ready(self) -> bool:
        try:
            return (await self._client.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def shown(self) -> Any:
        answer = await self._client.get("/api/v1/floor")
        return msgspec.json.decode(answer.raise_for_status().content)["floor"]

    async def age_s(self) -> float:
        """How old the oldest site's picture was when it was asked for."""
        asked = time.time()
        answer = await self._client.get("/api/v1/floor")
        shown = _clocks.decode(answer.raise_for_status().content)  # all of it would take us longer than the monitor
        oldest = min(site.now for site in shown.floor.sites)
        return asked - self._base - (oldest - START).total_seconds() / _SPEED


async def _gap(floor: _Floor, found: Found) -> None:
    last = time.monotonic()
    while True:
        if await floor.ready():
            found.other_gap_s = max(found.other_gap_s, time.monotonic() - last)
            last = time.monotonic()
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _kill(service: Service, floor: _Floor, found: Found) -> None:
    killed = time.monotonic()
    await service.kill()
    await service.spawn()
    give_up = killed + _GIVE_UP_S
    while not await floor.ready():
        if time.monotonic() > give_up:
            raise RuntimeError(f"the monitor did not come back: {service.log.read_text()[-2000:]}")
        await asyncio.sleep(_LOOK_S)
    found.ready_s = time.monotonic() - killed
    while await floor.age_s() > _RIGHT_S and time.monotonic() < give_up:
        await asyncio.sleep(_LOOK_S)
    found.right_s = time.monotonic() - killed
    lines = [msgspec.json.decode(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    found.replayed = [line["records_to_replay"] for line in lines if line.get("event") == "pump_restored"][-1]


async def _same(one: _Floor, other: _Floor) -> bool:
    """Whether both show the same, once both have everything."""
    for _ in range(100):
        if await one.shown() == await other.shown():
            return True
        await asyncio.sleep(0.1)
    return False


async def _run(
    kind: brokers.Kind, opening: list[Item], small: bool, lasts_s: float, kill_after_s: float
) -> tuple[Found, float]:
    found = Found()
    with brokers.broker(kind) as at, _folder() as folder:
        await write(at, opening)
        one, other = (
            Service("monitor", at, folder, name=name, checkpoint_s=_CHECKPOINT_S) for name in ("one", "other")
        )
        load = sending.Task(at.bootstrap, at.idempotent, small, _SPEED, lasts_s)
        try:
            async with child(sending.sender, load) as sender:
                await asyncio.gather(sender.ready(), one.start(), other.start())
                base = time.time() + 0.2
                sender.tell(base)
                floors = _Floor(one, base), _Floor(other, base)
                await asyncio.sleep(base - time.time() + kill_after_s)
                watching = asyncio.create_task(_gap(floors[1], found))
                await _kill(one, floors[0], found)
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                await sender.hear()
                found.same = await _same(*floors)
        finally:
            await one.kill()
            await other.kill()
        bare_s = await _yardstick(at, found.replayed)
    return found, bare_s


async def _yardstick(at: brokers.At, tail: int) -> float:
    async with child(bare, Task(at.bootstrap, max(1, tail))) as one:
        await one.ready()
        one.tell(time.time())
        return float(await one.hear())


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="floorwatch-bench-") as name:
        yield Path(name)


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P11: from the kill to right boards."""
    quick = scale == "quick"
    kill_after_s, lasts_s = (1.0, 6.0) if quick else (_KILL_S, _KILL_S + 12.0)
    opening, items = sending.load_of(quick, _SPEED, lasts_s)
    found, bare_s = await _run(kind, opening, quick, lasts_s, kill_after_s)
    return Figure(
        id="P11",
        figure="kill -9, boards right",
        unit="s",
        value=found.right_s,
        must=5,
        aim=2,
        better="lower",
        broken=() if found.same else ("the state is not that of the monitor that was never killed",),
        yardstick=Yardstick(what="the bare prototype reads the same tail", unit="s", value=bare_s, ours=found.right_s),
        detail={
            "records_a_second": len(items) / lasts_s,
            "ready_s": found.ready_s,
            "replayed": found.replayed,
            "other_replica_gap_s": found.other_gap_s,
            "state_equal": found.same,
        },
    )
