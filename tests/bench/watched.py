"""The real monitor service in a measuring process, which notes when the feed encoded what of the site that a page shows.

Age is that of P3: an event counts from when it was to be sent, and is out with the first delta after it was applied.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from services.monitor import app
from services.monitor.feed.hub import Hub
from shared import events
from shared.events import Event
from shared.facts import Fact, FlagRaised
from shared.settings import MonitorSettings
from tests.bench.children import say
from tests.bench.floors import START


class Task(Struct, frozen=True):
    bootstrap: str
    idempotent: bool
    port: int
    folder: str
    site: str  # which the page shows


class Out(Struct, frozen=True, array_like=True):
    """One delta: up to which position, when it was encoded (wall clock), when its events were due (seconds of floor time)."""

    position: int
    at: float
    due: list[float]


class Flag(Struct, frozen=True, array_like=True):
    """One flag that was raised by an event, and not by a timer: that event's due time, when the engine had it, the position."""

    due: float
    at: float
    position: int


class Noted(Struct, frozen=True):
    out: list[Out]
    flags: list[Flag]
    cpu_s: float
    events: int  # of all sites


class WatchedHub(Hub):
    """As it is, and takes notes."""

    def __init__(self, engine: Any, *args: Any, **more: Any) -> None:
        self._not_out: list[float] = []
        self._batch_times: set[Any] = set()  # of the events of this batch
        super().__init__(engine, *args, **more)
        self._apply_event = engine.apply
        engine.apply = self._seen
        NOTES.hub = self

    def _seen(self, event: Event) -> list[Fact]:
        if NOTES.base and type(event.data) is not events.Clock:
            NOTES.events += 1
            if event.site == NOTES.site:
                self._not_out.append(round((event.time - START).total_seconds(), 4))
                self._batch_times.add(event.time)
        found: list[Fact] = self._apply_event(event)
        return found

    def _position(self) -> int:
        """Of the page, which is the only one: its filter has positions of its own."""
        return next((group.position for group in self._groups.values() if group.subscribers), 0)

    def on_batch(self, facts: Iterable[Fact]) -> None:
        """Flags leave at once."""
        now, facts = time.time(), list(facts)
        super().on_batch(facts)
        for fact in facts:
            data = fact.data
            if fact.site == NOTES.site and isinstance(data, FlagRaised) and data.raised_at in self._batch_times:
                due = (data.raised_at - START).total_seconds()
                NOTES.flags.append(Flag(due, now, self._position()))
        self._batch_times.clear()

    def flush(self) -> None:
        """Whatever was applied until now is out."""
        super().flush()
        if self._not_out:
            NOTES.out.append(Out(self._position(), time.time(), self._not_out))
            self._not_out = []


class Notes:
    """Of this process."""

    def __init__(self) -> None:
        self.hub: WatchedHub | None = None
        self.base = 0.0
        self.site = ""
        self.events = 0
        self.out: list[Out] = []
        self.flags: list[Flag] = []


NOTES: Final = Notes()


def monitor(task: Task) -> None:
    """A child: serves until it is killed. A first line: note from now on; a second: say what was noted."""
    asyncio.run(_monitor(task))


async def _monitor(task: Task) -> None:
    app.Hub = WatchedHub  # type: ignore[misc]
    NOTES.site = task.site
    folder = Path(task.folder)
    settings = MonitorSettings(
        port=task.port,
        kafka_bootstrap=task.bootstrap,
        kafka_idempotent=task.idempotent,
        run_dir=folder,
        db_url=f"sqlite+aiosqlite:///{folder / 'monitor.db'}",
    )
    serving = asyncio.create_task(app.start(settings))
    listening = asyncio.create_task(_listen())
    await asyncio.wait([serving, listening], return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    await serving


async def _listen() -> None:
    await asyncio.to_thread(sys.stdin.buffer.readline)
    NOTES.base, cpu = time.time(), time.process_time()
    await asyncio.to_thread(sys.stdin.buffer.readline)
    say(Noted(NOTES.out, NOTES.flags, time.process_time() - cpu, NOTES.events))
    await asyncio.Event().wait()
