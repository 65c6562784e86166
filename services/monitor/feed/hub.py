"""The hub: engine changes out to every wallboard, encoded once, slow readers bounded.

Engine, log and hub share one event loop, and nothing here awaits between reading state and queueing frames, so a
snapshot and the subscription that follows it leave no gap.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from uuid import uuid4

import structlog

from services.monitor.core.engine import Changed, Engine
from services.monitor.feed import messages
from services.monitor.feed.log import MAX_BYTES, FeedLog
from services.monitor.feed.messages import Change, Clocks, Delta, SiteClock, Snapshot
from services.monitor.metrics import FeedMetrics
from shared.clock import Clock
from shared.facts import FLAG_TYPES, Fact, FlagCleared, FlagRaised

log = structlog.get_logger()

CLOCK_EVERY_S = 0.5
PART_S = 1.0


class Subscriber:
    """One connection's frames to be sent. Unsent bytes are bounded: a reader that falls behind is let go."""

    def __init__(self, max_unsent_bytes: int) -> None:
        self._max = max_unsent_bytes
        self._frames: deque[tuple[str, int]] = deque()  # each with the bytes that it counts for
        self._unsent = 0
        self._sending = 0  # of `_unsent`, those of the frame that `get` gave
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
        self.too_slow = False

    def put(self, frame: str) -> None:
        """Queue a frame. Where more than the bound is unsent then, all are dropped and the reader is let go.

        Not for one frame alone: on a large floor a lost link is a delta beyond the bound, and nobody is slow for that.
        """
        if self.too_slow:
            return
        waiting, self._unsent = self._unsent, self._unsent + len(frame)
        if waiting and self._unsent > self._max:
            self.too_slow = True
            self._drop()
            self._ending.set()
        else:
            self._frames.append((frame, len(frame)))
        self._wake.set()

    def start_over(self, *frames: str) -> None:
        """Queue what makes everything still queued obsolete: a snapshot, or all that was missed.

        These count for nothing: they are the least that a client needs, however large the floor, and asking again only
        replaces them.
        """
        if self.too_slow:
            return
        self._drop()
        self._frames.extend((frame, 0) for frame in frames)
        self._wake.set()

    def _drop(self) -> None:
        self._frames.clear()
        self._unsent = self._sending

    @property
    def is_ending(self) -> bool:
        """The connection is to be closed: too slow, or the service ends."""
        return self._ending.is_set()

    async def ending(self) -> None:
        """Wait until the connection is to be closed."""
        await self._ending.wait()

    def leave(self) -> None:
        """Ask the connection to end because the service does."""
        self._ending.set()
        self._wake.set()

    async def get(self) -> str | None:
        """The next frame; None when the connection is to be closed."""
        while not self._frames:
            if self.is_ending:
                return None
            self._wake.clear()
            await self._wake.wait()
        frame, self._sending = self._frames.popleft()
        return frame

    def sent(self) -> None:
        """The frame that `get` gave has left; its bytes count no longer."""
        self._unsent -= self._sending
        self._sending = 0


class Hub:
    """All subscribers of one engine's feed."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        metrics: FeedMetrics,
        *,
        flush_s: float = 0.05,
        log_size: int = 2000,
        max_unsent_bytes: int = MAX_BYTES,
        behind_s: Callable[[], float] = lambda: 0.0,
        live: Callable[[], bool] = lambda: True,
        input_age_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`behind_s` tells how far the engine is behind its input; while it catches up, its age is the board's.
        `live` is false while the engine replays: a board is not shown the past rushing by. `input_age_s` is the age of what
        the engine heard last, for sites that have said nothing since it is live."""
        self._engine = engine
        self._clock = clock
        self._metrics = metrics
        self._flush_s = flush_s
        self._max_unsent = max_unsent_bytes
        self._connected: set[Subscriber] = set()
        self._subscribers: set[Subscriber] = set()  # those of them that asked
        self._nobody = asyncio.Event()
        self._closed = False
        self._restarted = False  # and nobody has been told
        self._pending: asyncio.TimerHandle | None = None
        self._due = 0.0  # when the last flush was, by the loop's clock
        self._arrived: float | None = None  # the newest batch whose clocks were not looked at
        self._moved: dict[str, tuple[datetime, float]] = {}  # site -> its time, and when (ours) it came to be that
        self._behind_s = behind_s
        self._live = live
        self._input_age_s = input_age_s
        self._log_size = log_size
        self.log = FeedLog(uuid4().hex, log_size)

    # ------------------------------------------------------------ from the engine

    def restart(self) -> None:
        """The engine's state was replaced: positions mean nothing any more, and every board needs a fresh snapshot.

        It gets that when the engine is live again. Until then it keeps its picture, whose age it is told: that of the
        checkpoint is older still.
        """
        self._engine.changes()
        self.log = FeedLog(uuid4().hex, self._log_size)
        self._restarted = True
        self.flush()

    def _start_over(self) -> None:
        """Everybody's fresh snapshot after a restart."""
        self._engine.changes()
        self._restarted = False
        self.log = FeedLog(uuid4().hex, self._log_size)  # whoever asked meanwhile has the picture of the replay
        frame = messages.encode(Snapshot(self.log.epoch, self.log.position, self._engine.floor_view()))
        for subscriber in self._subscribers:
            subscriber.start_over(frame)

    def on_batch(self, facts: Iterable[Fact]) -> None:
        """The engine applied a batch: flags go out at once, each with its subject, the rest within the flush window.

        Not everything with them: on a large floor some flag comes every few milliseconds, and the window is what lets the
        changes of a queue go out as one.
        """
        if not self._live():
            return
        self._arrived = self._clock.monotonic()
        flags = [fact for fact in facts if isinstance(fact.data, FLAG_TYPES)]
        if flags and not self._restarted:
            self._tell(self._engine.changes_of(_shown_with(flags)))
        if self._pending is None:
            self._pending = asyncio.get_running_loop().call_at(self._flush_at(), self.flush)

    def _flush_at(self) -> float:
        """When changes that come now go out, by the loop's clock: a window after the first of them, and on a busy floor a window
        after the changes before, however long those took."""
        now = asyncio.get_running_loop().time()
        after = self._due + self._flush_s
        self._due = now + self._flush_s if now - after > self._flush_s else max(now, after)
        return self._due

    def flush(self) -> None:
        """Send what changed since the last flush: the last value of each entity, encoded once."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        self._look_at_clocks()
        if self._restarted:
            if self._live():
                self._start_over()
            return
        self._tell(self._engine.changes())

    def _tell(self, changed: list[Changed]) -> None:
        """Send one delta with these entities as they are now."""
        if not changed:
            return
        delta = Delta(
            position=self.log.position + 1,
            changes=[
                Change(kind, site if kind == "site" else f"{site}/{key}", self._engine.view(kind, site, key))
                for kind, site, key in changed
            ],
        )
        frame = messages.encode(delta)
        self.log.append(frame)
        self._broadcast(frame)
        self._metrics.deltas.inc()
        self._metrics.changes.inc(len(changed))

    def _broadcast(self, frame: str) -> None:
        for subscriber in self._subscribers:
            subscriber.put(frame)

    async def run_clock(self) -> None:
        """Tell every board the switch's time, also when nothing changes: silence would mean a dead connection."""
        while True:
            if self._live():
                self.flush()  # what a replay changed, when nothing happens after it
            self._broadcast(self._clocks())
            await self._clock.sleep(CLOCK_EVERY_S)

    def _look_at_clocks(self) -> None:
        """Note which sites' times the last batches moved; once a flush, because there may be hundreds of sites."""
        arrived, self._arrived = self._arrived, None
        if arrived is None:
            return
        for site, (now, _) in self._engine.clocks().items():
            known = self._moved.get(site)
            if known is None or known[0] != now:
                self._moved[site] = (now, arrived)

    def _clocks(self) -> str:
        self._look_at_clocks()
        ours = self._clock.monotonic()
        sites = {}
        for site, (now, speed) in self._engine.clocks().items():
            if site in self._moved:
                moved = self._moved[site][1]
            else:  # known from a checkpoint or a replay only
                moved = ours - self._input_age_s()
                if self._live():
                    self._moved[site] = (now, moved)
            sites[site] = SiteClock(now, speed, round(max(ours - moved, self._behind_s()), 3))
        return messages.encode(Clocks(sites))

    # ------------------------------------------------------------ from connections

    def snapshot(self) -> Snapshot:
        """Everything as it is now, pending changes sent first so that the position says what it holds."""
        self.flush()
        return Snapshot(self.log.epoch, self.log.position, self._engine.floor_view())

    def join(self) -> Subscriber:
        """A new connection; after `hello` it hears nothing until `subscribe` or `resume`."""
        subscriber = Subscriber(self._max_unsent)
        subscriber.put(messages.encode(messages.Hello()))
        self._connected.add(subscriber)
        if self._closed:
            subscriber.leave()
        return subscriber

    def subscribe(self, subscriber: Subscriber) -> None:
        """From now on: a snapshot, then every delta."""
        subscriber.start_over(messages.encode(self.snapshot()))
        subscriber.put(self._clocks())
        self._add(subscriber)

    def resume(self, subscriber: Subscriber, epoch: str, position: int) -> None:
        """Only what was missed where that can be told, a fresh snapshot otherwise."""
        self.flush()
        missed = self.log.since(epoch, position)
        if missed is None:
            self._metrics.resumes.labels("snapshot").inc()
            self.subscribe(subscriber)
            return
        self._metrics.resumes.labels("resumed").inc()
        subscriber.start_over(messages.encode(messages.Resumed(epoch, position)), *missed)
        subscriber.put(self._clocks())
        self._add(subscriber)

    def _add(self, subscriber: Subscriber) -> None:
        self._subscribers.add(subscriber)
        self._metrics.subscribers.set(len(self._subscribers))

    def left(self, subscriber: Subscriber) -> None:
        """The connection is gone."""
        self._connected.discard(subscriber)
        self._subscribers.discard(subscriber)
        if not self._connected:
            self._nobody.set()
        self._metrics.subscribers.set(len(self._subscribers))
        if subscriber.too_slow:
            self._metrics.too_slow.inc()
            log.warning("a reader of the feed was too slow and was let go", max_unsent_bytes=self._max_unsent)

    def close(self) -> None:
        """The service ends: ask every connection, also those to come, to come back to another."""
        self._closed = True
        for subscriber in tuple(self._connected):
            subscriber.leave()

    async def part(self) -> None:
        """Close, and wait until every connection was told; not for those that do not listen."""
        self.close()
        self._nobody.clear()
        if self._connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nobody.wait(), PART_S)


def _shown_with(flags: Iterable[Fact]) -> Iterator[Changed]:
    """The entities that a board needs at once: each flag and what it is about."""
    for fact in flags:
        assert isinstance(fact.data, FlagRaised | FlagCleared)
        yield "flag", fact.site, fact.data.flag_id
        yield fact.data.subject, fact.site, fact.data.subject_id
