"""Keeps the past: now and then the state of a site, as a checkpoint takes it anyway, goes into `floor.history` too.

Taking a part costs the event loop nothing more (`shared.saving` tells of each that it took); compressing is a thread's work
and writing a task's, over a connection of its own. What cannot be written is left out and said: the past has a hole then, which a
rewind bridges with more of the log. Replicas need no agreement: before one writes, it looks whether another has just done so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final
from uuid import uuid4

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter

from services.monitor.core.views import SiteView
from services.monitor.rewind.reading import between
from services.monitor.rewind.records import Entry, Listed, listed, piece_of, pieces_of
from shared.backoff import Backoff
from shared.bus import Bus, Partition
from shared.checkpoint import packed
from shared.clock import Clock
from shared.errors import BusError
from shared.topics import FLOOR_HISTORY

log = structlog.get_logger()

_MOST_WAITING: Final = 32_000_000  # bytes of states that wait to be written
_SOONEST: Final = 0.2  # of the usual time, however much happens
_YOUNG: Final = 0.5  # of it: another replica's entry that is no older will do
_TAIL: Final = 200  # records looked through at the start
_RETRY_S: Final = 5.0

Offsets = Mapping[Partition, int]
Look = Callable[[str], SiteView | None]


class _Last(Struct):
    """The newest entry of a site."""

    at: float  # by our monotonic clock
    reached: int
    lives: Listed
    clock_jumps: int


class _Taken(Struct, frozen=True):
    entry: Entry
    state: bytes


class HistoryWriter:
    """Of one monitor. `look` shows a site as it is now; `every_s` and `records` say after how long, and after how many
    records of the log, a site's state is kept again."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        look: Look,
        registry: CollectorRegistry,
        *,
        every_s: float,
        records: int,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._look = look
        self._every_s = every_s
        self._records = records
        self._last: dict[str, _Last] = {}
        self._waiting: dict[str, _Taken] = {}
        self._bytes = 0
        self._more = asyncio.Event()
        self._read: dict[Partition, int] = {}  # of `floor.history`, how far we have looked
        kept = Counter("monitor_history_entries", "States of sites kept for rewinding", ["outcome"], registry=registry)
        self._written, self._spared, self._failed = map(kept.labels, ("written", "spared", "failed"))

    def take(self, site: str, state: bytes | None, offsets: Offsets, lives: Offsets) -> None:
        """Told of each part that was taken for a checkpoint: keep it if it is time. Never waits."""
        if state is None or site in self._waiting or self._bytes + len(state) > _MOST_WAITING:
            return  # the next checkpoint brings it again
        view = self._look(site)
        if view is None or view.now is None:
            return
        entry = Entry(
            site=site,
            save="",
            time=view.now,
            taken=self._clock.now(),
            offsets=listed(offsets),
            lives=listed({place: number for place, number in lives.items() if number}),
            clock_jumps=view.clock_jumps,
        )
        if not self._is_due(entry):
            return
        entry = msgspec.structs.replace(entry, save=uuid4().hex)
        self._waiting[site] = _Taken(entry, state)
        self._bytes += len(state)
        self._more.set()

    def _is_due(self, entry: Entry) -> bool:
        last = self._last.get(entry.site)
        if last is None or last.lives != entry.lives:
            return True
        if entry.reached <= last.reached:
            return False  # after a restart the log comes once more
        if entry.clock_jumps != last.clock_jumps:
            return True  # a clock was set: the moments that come twice shall be told apart
        age = self._clock.monotonic() - last.at
        busy = entry.reached - last.reached >= self._records
        return age >= (self._every_s * _SOONEST if busy else self._every_s)

    @property
    def waits(self) -> bool:
        """Whether anything that was taken is still to be written."""
        return bool(self._waiting)

    async def run(self) -> None:
        """Write what is taken, for ever."""
        backoff = Backoff(_RETRY_S)
        while True:
            await self._more.wait()
            self._more.clear()
            try:
                await self._write_all()
            except BusError as exc:
                self._failed.inc(len(self._waiting))
                log.warning("history_not_written", why=str(exc), consequence="a rewind replays more of the log")
                self._forget_waiting()
                await self._clock.sleep(backoff.next_s())

    async def _write_all(self) -> None:
        await self._look_at_others()
        while self._waiting:
            site, taken = next(iter(self._waiting.items()))
            if self._is_due(taken.entry):
                await self._write(taken)
                self._written.inc()
            else:
                self._spared.inc()
            self._drop(site)

    async def _write(self, taken: _Taken) -> None:
        compressed = await asyncio.to_thread(packed, taken.state)
        for value, headers in pieces_of(taken.entry, compressed):
            await self._bus.publish(FLOOR_HISTORY, value, key=taken.entry.site, headers=headers)
        await self._bus.flush()
        self._note(taken.entry, self._clock.monotonic())

    async def _look_at_others(self) -> None:
        """Note what is written already: before this process began, and by other replicas since."""
        await self._bus.create([FLOOR_HISTORY])
        reader = await self._bus.read([FLOOR_HISTORY])
        try:
            bounds = await reader.bounds()
            upper = {place: end for place, (_, end) in bounds.items()}
            lower = {
                place: max(first, end - _TAIL, min(self._read.get(place, 0), end))
                for place, (first, end) in bounds.items()
            }
            now, ours = self._clock.now(), self._clock.monotonic()
            async for records in between(reader, lower, upper, batch=16):
                for record in records:
                    piece = piece_of(record)
                    if piece is not None and piece.index == piece.count - 1:
                        age = max(timedelta(0), now - piece.entry.taken)
                        self._note_other(piece.entry, ours - age.total_seconds())
            self._read = upper
        finally:
            await reader.close()

    def _note_other(self, entry: Entry, at: float) -> None:
        """An entry that was read. A young one of another replica is as good as one of ours."""
        last = self._last.get(entry.site)
        if last is not None and last.at >= at:
            return
        if self._clock.monotonic() - at <= self._every_s * _YOUNG:
            self._note(entry, at)

    def _note(self, entry: Entry, at: float) -> None:
        self._last[entry.site] = _Last(at, entry.reached, entry.lives, entry.clock_jumps)

    def _drop(self, site: str) -> None:
        self._bytes -= len(self._waiting.pop(site).state)

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._bytes = 0
