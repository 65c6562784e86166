"""The hub: engine changes out to every client, put together once for each filter, slow readers bounded.

Engine, book, groups and hub share one event loop, and nothing here awaits between reading state and settling where a client
is, so a picture and what follows it leave no gap.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final
from uuid import uuid4

import msgspec
import structlog

from services.monitor.core.engine import Changed, Engine
from services.monitor.feed import messages
from services.monitor.feed.book import Book
from services.monitor.feed.group import Group, GroupKey, group_key
from services.monitor.feed.lens import Lens, Look, Wanted, agents_of
from services.monitor.feed.log import ChangeLog
from services.monitor.feed.messages import CHANNELS, KINDS, Allowed, Channel, Filter, Hello, Limits, SiteClock, User
from services.monitor.feed.quota import Quota
from services.monitor.feed.subscriber import Subscriber
from services.monitor.feed.turns import Turns
from services.monitor.metrics import FeedMetrics
from shared.clock import Clock
from shared.facts import FLAG_TYPES, Fact, FlagCleared, FlagRaised
from shared.frames import FRAME_BYTES, Frame, message_frame
from shared.identity import LOCAL, Principal
from shared.outlets import Outlet

log = structlog.get_logger()

CLOCK_EVERY_S: Final = 0.5
PART_S: Final = 1.0
MAX_UNSENT_BYTES: Final = 4 * FRAME_BYTES
_SLICE_S: Final = 0.004  # how long clients are served before anybody else gets a turn
_REPLAY_S: Final = 1.0  # how old a picture of a replay may be
_KEEP_S: Final = 60.0  # a group without clients stays for those who come back
_MOST_IDLE: Final = 32
_FRESH_S: Final = 0.1  # how old the time may be when it is told

_encode = msgspec.json.Encoder().encode


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
        max_unsent_bytes: int = MAX_UNSENT_BYTES,
        slow_s: float = 10.0,
        max_connections: int = 2000,
        max_filters: int = 200,
        messages_per_s: float = 20.0,
        max_message_bytes: int = 1 << 16,
        behind_s: Callable[[], float] = lambda: 0.0,
        live: Callable[[], bool] = lambda: True,
        input_age_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`behind_s` tells how far the engine is behind its input; while it catches up, its age is the board's.
        `live` is false while the engine replays: a board is not shown the past rushing by. `input_age_s` is the age of what
        the engine heard last, for sites that have said nothing since it is live. `max_connections` and `max_filters`,
        different ones at a time, are of one user."""
        self._engine = engine
        self._clock = clock
        self._metrics = metrics
        self._flush_s = flush_s
        self._slow_s = slow_s
        self.limits = Limits(messages_per_s, max_message_bytes, max_unsent_bytes)
        self._connected: set[Subscriber] = set()
        self._quota = Quota(max_connections, max_filters)
        self._nobody = asyncio.Event()
        self._closed = False
        self._restarted = False  # and nobody has been told
        self._pending: asyncio.TimerHandle | None = None
        self._due = 0.0  # when the last flush was, by the loop's clock
        self._arrived: float | None = None  # the newest batch whose clocks were not looked at
        self._moved: dict[str, tuple[datetime, float]] = {}  # site -> its time, and when (ours) it came to be that
        self._behind_s = behind_s
        self._live = live
        self._was_live = False
        self._input_age_s = input_age_s
        self._batches = log_size
        self._waiting: deque[Subscriber] = deque()  # to be served
        self._serving = False  # and that is planned
        self.sent_bytes = 0  # since they were counted last
        self.conflated = 0
        self.clock_number = 0
        self._sites: dict[str, SiteClock] = {}  # as they were read last, and when
        self._sites_read = -_FRESH_S
        self._sites_json: dict[tuple[frozenset[str] | None, ...], bytes] = {}
        self.book = Book(engine)
        self._written: float | None = None  # when the book was written during a replay
        self._numbers = 0
        self._groups: dict[GroupKey, Group] = {}
        self._turns = Turns()
        self.log = ChangeLog(0, log_size, self.book.worth_telling)
        self.epoch = ""
        self._everything = self._group_of(CHANNELS, Lens())
        self._begin()

    @property
    def beginning(self) -> bool:
        """Whether the engine has never been live yet: what it holds is nothing, or the past rushing by."""
        self._was_live = self._was_live or self._live()
        return not self._was_live

    # ------------------------------------------------------------ from the engine

    def restart(self) -> None:
        """The engine's state was replaced: positions mean nothing any more, and every board needs a fresh snapshot.

        It gets that when the engine is live again. Until then it keeps its picture, whose age it is told: that of the
        checkpoint is older still.
        """
        self._restarted, self._written = True, None
        self.flush()

    def _begin(self) -> None:
        """Write the book anew, as a new epoch."""
        self._engine.changes()
        self.book.copy_all()
        self.epoch = uuid4().hex
        self.log = ChangeLog(self.log.position, self._batches, self.book.worth_telling)
        for group in self._groups.values():
            group.begin(self.epoch, self.log)

    def _start_over(self, *, told: bool) -> None:
        """A new epoch. `told`: everybody gets a picture of it; else only who comes, as during a replay."""
        self._begin()
        for group in self._groups.values():
            for subscriber in group.subscribers:
                subscriber.start_over(told=told)
            self._serve_all(group.subscribers)

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
            self._tell(self._engine.changes_of(_shown_with(flags, self._engine.view)))
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
                self._restarted = False
                self._start_over(told=True)  # also whoever asked meanwhile, and has a picture of the replay
            return
        self._tell(self._engine.changes())

    def _tell(self, changed: list[Changed]) -> None:
        """These entities may be otherwise: tell whoever sees them."""
        told = self.book.copy(changed) if changed else changed
        if not told:
            return
        self.log.note(told)
        for group in self._groups.values():
            if group.take(told):
                self._serve_all(group.subscribers)
        self._metrics.deltas.inc()
        self._metrics.changes.inc(len(told))

    # ------------------------------------------------------------ sending

    def _serve_all(self, subscribers: Iterable[Subscriber]) -> None:
        waiting = self._waiting
        for subscriber in subscribers:
            if not subscriber.waits:
                subscriber.waits = True
                waiting.append(subscriber)
        if not self._serving and waiting:
            self._serving = True
            self._serve_some()

    def _serve_some(self) -> None:
        """Serve who waits, by turns with everything else that this loop has to do."""
        waiting, time = self._waiting, asyncio.get_running_loop().time
        until = time() + _SLICE_S
        while waiting:
            for _ in range(min(len(waiting), 16)):
                subscriber = waiting.popleft()
                subscriber.waits = False
                subscriber.serve()
            if waiting and time() >= until:
                asyncio.get_running_loop().call_soon(self._serve_some)
                return
        self._serving = False

    async def run_clock(self) -> None:
        """Tell every board the switch's time, also when nothing changes: silence would mean a dead connection."""
        while True:
            if self._live():
                self.flush()  # what a replay changed, when nothing happens after it
            self.tell_time()
            self._look_after()
            await self._clock.sleep(CLOCK_EVERY_S)

    def tell_time(self) -> None:
        """Send everybody the clock, after what they are still to be told."""
        self._read_clocks()
        self.clock_number += 1
        for group in self._groups.values():
            self._serve_all(group.subscribers)

    def _look_after(self) -> None:
        """Let go who is too slow, groups without clients, and what is kept for speed; count."""
        now = asyncio.get_running_loop().time()
        unsent = behind = 0
        for subscriber in tuple(self._connected):
            unsent += subscriber.outlet.unsent()
            behind += subscriber.behind
            if subscriber.ended is not None:
                continue
            if not subscriber.valid():
                subscriber.end(messages.AUTHORISATION_ENDED, "your authorisation ended: come with a new ticket")
            elif subscriber.stuck_s(now) >= self._slow_s:
                subscriber.too_slow()
                self._metrics.too_slow.inc()
                log.warning("a reader of the feed was too slow and was let go", user=subscriber.who.user)
        for group in self._groups.values():
            group.let_go(now)
        self._drop_idle(now)
        self._count(unsent, behind)

    def _drop_idle(self, now: float) -> None:
        """Forget groups that nobody follows any more, the longest idle first."""
        idle = []
        for key, group in self._groups.items():
            if group.subscribers or group is self._everything:
                group.idle_since = None
                continue
            if group.idle_since is None:
                group.idle_since = now
            idle.append((group.idle_since, group.number, key))
        for place, (since, _, key) in enumerate(sorted(idle, reverse=True, key=lambda one: one[:2])):
            if place >= _MOST_IDLE or now - since > _KEEP_S:
                del self._groups[key]

    def _count(self, unsent: int, behind: int) -> None:
        metrics = self._metrics
        metrics.groups.set(len(self._groups))
        metrics.unsent.set(unsent)
        metrics.behind.set(behind)
        metrics.bytes.inc(self.sent_bytes)
        metrics.conflated.inc(self.conflated)
        self.sent_bytes = self.conflated = 0

    # ------------------------------------------------------------ clocks

    def _look_at_clocks(self) -> None:
        """Note which sites' times the last batches moved; once a flush, because there may be hundreds of sites."""
        arrived, self._arrived = self._arrived, None
        if arrived is None:
            return
        for site, (now, _) in self._engine.clocks().items():
            known = self._moved.get(site)
            if known is None:
                self._sites_read = -_FRESH_S  # there is a time that was not there when they were read
            if known is None or known[0] != now:
                self._moved[site] = (now, arrived)

    def _read_clocks(self) -> None:
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
        self._sites = sites
        self._sites_json = {}
        self._sites_read = ours

    def clock_for(self, group: Group) -> Frame:
        """A clock message with the sites that this group sees."""
        if self._clock.monotonic() - self._sites_read > _FRESH_S:
            self._read_clocks()
        lens = group.lens
        key = lens.site_sets()
        found = self._sites_json.get(key)
        if found is None:
            seen = self._sites if lens.open else {site: it for site, it in self._sites.items() if lens.site(site)}
            found = self._sites_json[key] = _encode(seen)
        return group.clock(found)

    # ------------------------------------------------------------ for REST

    def picture(self, lens: Lens) -> bytes:
        """A whole `snapshot` message as JSON: what is seen through `lens`, and where the feed goes on."""
        self._catch_up()
        self.book.refresh_sites()
        return self._group_of(CHANNELS, lens).whole()

    def _catch_up(self) -> None:
        """Bring the book up to the engine, also while that replays and boards are not told."""
        self.flush()
        if not self._restarted:
            return
        now = self._clock.monotonic()
        if self._written is None or now - self._written > _REPLAY_S:
            self._written = now
            self._start_over(told=False)

    # ------------------------------------------------------------ from connections

    def join(
        self, outlet: Outlet, who: Principal = LOCAL, *, valid: Callable[[], bool] = lambda: True
    ) -> Subscriber | None:
        """A new connection; after `hello` it hears nothing until `subscribe` or `resume`. None: its user has too many.

        `valid` is asked now and then: whether its token still allows the same."""
        if not self._quota.connect(who.user):
            self._metrics.refused.inc()
            return None
        scope = who.scope
        hello = Hello(
            user=User(who.user, who.name, tuple(sorted(who.roles))),
            scope=Allowed(_listed(scope.sites), _listed(scope.teams), _listed(scope.queues)),
            limits=self.limits,
        )
        subscriber = Subscriber(self, outlet, who, valid, message_frame(hello))
        self._connected.add(subscriber)
        if self._closed:
            self._send_away(subscriber)
        return subscriber

    def subscribe(
        self, subscriber: Subscriber, channels: Iterable[Channel] | None = None, asked: Filter | None = None
    ) -> None:
        """From now on: a snapshot, then every change of what is asked for and allowed. Raises TooManyFilters."""
        self._catch_up()
        self._move(subscriber, self._group_for(subscriber, channels, asked))
        assert subscriber.group is not None
        subscriber.follow(subscriber.group)

    def resume(
        self,
        subscriber: Subscriber,
        epoch: str,
        position: int,
        channels: Iterable[Channel] | None = None,
        asked: Filter | None = None,
    ) -> None:
        """Only what was missed where that can be told, a fresh snapshot otherwise. Raises TooManyFilters."""
        self.flush()
        group = self._group_for(subscriber, channels, asked)
        if not group.covers(epoch, position):
            self._metrics.resumes.labels("snapshot").inc()
            self.subscribe(subscriber, channels, asked)
            return
        self._metrics.resumes.labels("resumed").inc()
        self._move(subscriber, group)
        subscriber.follow_from(group, position)

    def turn(
        self, who: Principal, channels: Iterable[Channel] | None = None, asked: Filter | None = None
    ) -> AbstractAsyncContextManager[None]:
        """In which `subscribe` and `resume` keep nobody waiting long, also when many come with filters of their own."""
        return self.turn_of(who, channels, _lens(who, asked))

    def turn_of(
        self, who: Principal, channels: Iterable[Channel] | None, lens: Lens
    ) -> AbstractAsyncContextManager[None]:
        """As `turn`, for `picture`."""
        key = group_key(channels, lens)
        return self._turns.one(who.user, lambda: key not in self._groups)

    def _group_of(self, channels: Iterable[Channel] | None, lens: Lens) -> Group:
        key = group_key(channels, lens)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) > len(self._connected) + 2 * _MOST_IDLE:
                self._drop_idle(asyncio.get_running_loop().time())
            group = self._groups[key] = Group(self._numbers, key[0], lens, self.book, self._batches)
            self._numbers += 1
            group.begin(self.epoch, self.log)
        return group

    def _group_for(self, subscriber: Subscriber, channels: Iterable[Channel] | None, asked: Filter | None) -> Group:
        lens = _lens(subscriber.who, asked)
        self._leave_group(subscriber)  # its filter of before does not count any more
        if not lens.open:
            self._quota.check(subscriber.who.user, group_key(channels, lens))
        return self._group_of(channels, lens)

    def _move(self, subscriber: Subscriber, group: Group) -> None:
        self._leave_group(subscriber)
        group.subscribers.add(subscriber)
        subscriber.group = group
        if not group.lens.open:
            self._quota.follow(subscriber.who.user, group_key(group.channels, group.lens))
        self._metrics.subscribers.set(self.subscribers)

    def _leave_group(self, subscriber: Subscriber) -> None:
        group, subscriber.group = subscriber.group, None
        if group is None:
            return
        group.subscribers.discard(subscriber)
        if not group.lens.open:
            self._quota.unfollow(subscriber.who.user, group_key(group.channels, group.lens))

    @property
    def subscribers(self) -> int:
        """Connections that asked for something."""
        return sum(len(group.subscribers) for group in self._groups.values())

    def left(self, subscriber: Subscriber) -> None:
        """The connection is gone."""
        if subscriber not in self._connected:
            return
        self._connected.discard(subscriber)
        self._quota.disconnect(subscriber.who.user)
        self._leave_group(subscriber)
        if not self._connected:
            self._nobody.set()
        self._metrics.subscribers.set(self.subscribers)

    def close(self) -> None:
        """The service ends: ask every connection, also those to come, to come back to another."""
        self._closed = True
        for subscriber in tuple(self._connected):
            self._send_away(subscriber)

    def _send_away(self, subscriber: Subscriber) -> None:
        subscriber.end(messages.GOING_AWAY, "this monitor ends, come back")

    async def part(self) -> None:
        """Close, and wait until every connection was told; not for those that do not listen."""
        self.close()
        self._nobody.clear()
        if self._connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nobody.wait(), PART_S)


def _lens(who: Principal, asked: Filter | None) -> Lens:
    if asked is None:
        return Lens(who.scope)
    sets = (asked.sites, asked.teams, asked.queues, asked.agents)
    wanted = Wanted(*(None if names is None else frozenset(names) for names in sets))
    if asked.channels is None:
        return Lens(who.scope, wanted)
    return Lens(who.scope, wanted, (kind for name in asked.channels for kind in KINDS[name]))


def _listed(names: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))


def _shown_with(flags: Iterable[Fact], look: Look) -> Iterator[Changed]:
    """The entities that a board needs at once: each flag, what it is about, and the agents by whom that is seen: one may just
    have left a queue, and then whoever sees that queue alone must not be told."""
    for fact in flags:
        about = fact.data
        assert isinstance(about, FlagRaised | FlagCleared)
        for name in (("flag", fact.site, about.flag_id), (about.subject, fact.site, about.subject_id)):
            yield name
            yield from (("agent", fact.site, agent) for agent in agents_of(look(*name)))
