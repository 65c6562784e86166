"""Forks and listeners of this relay, arranged as the orders say."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from typing import Final, get_args

import structlog
from msgspec import Struct, field

from services.monitor.listen.contract import (
    ForkEnd,
    ForkEnded,
    ForkOrdered,
    ForkRefused,
    Leaving,
    ListenerHeard,
    ListenerJoined,
    ListenerLeft,
    ListenOrdered,
    Order,
    RelayStarted,
)
from services.monitor.listen.relay import wire
from services.monitor.listen.relay.fork import Fork, Refused, Source
from services.monitor.listen.relay.listener import Heard, Listener
from services.monitor.listen.relay.orders import OrderedListen, Orders
from services.monitor.listen.relay.slots import LATE_S
from shared.clock import Clock
from shared.envelope import Data

log = structlog.get_logger()

FORK_WAIT_S: Final = 1.0  # a switch may be faster than the order
LISTEN_WAIT_S: Final = 2.0  # and so may a page
_REFUSALS_PER_S: Final = 10.0  # that are reported; all are counted
_WALL_EVERY_S: Final = 1.0

REFUSALS: Final = ("unknown", "ended", "second", "unnamed", "malformed", "busy", "bad_audio")
FORK_ENDS: Final = get_args(ForkEnd)
LEAVINGS: Final = (*get_args(Leaving), "taken_over")


class Counts(Struct):
    """Since the start; of forks and listeners that are still there, see the collector."""

    connections: int = 0  # of switches, open now
    odd_frames: int = 0
    frames: int = 0
    late: int = 0
    sent_frames: int = 0
    sent_bytes: int = 0
    discarded: int = 0
    spoken: int = 0
    spoken_discarded: int = 0
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REFUSALS, 0))
    downs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FORK_ENDS, 0))
    lefts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEAVINGS, 0))


class Hub:
    """What a relay process knows and does. `say` takes a site and a report."""

    def __init__(
        self,
        clock: Clock,
        say: Callable[[str, Data], None],
        *,
        name: str,
        run: str,
        max_forks: int = 1000,
        max_listeners: int = 2000,
        late_s: float = LATE_S,
    ) -> None:
        self.clock = clock
        self.name = name
        self.run = run
        self.report = say
        self.orders = Orders()
        self.forks: dict[str, Fork] = {}
        self.listeners: dict[str, Listener] = {}
        self.counts = Counts()
        self.live = False  # every order there was at the start was read
        self.late_s = late_s
        self._max_forks = max_forks
        self._max_listeners = max_listeners
        self._heard: dict[str, dict[str, Heard]] = {}  # by listen, by fork: a page that comes back goes on with it
        self._awaited: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self.went_live = asyncio.Event()
        self._may_report = _REFUSALS_PER_S
        self._reported_at = clock.monotonic()
        self._wall = (0.0, 0)

    # ---------------------------------------------------------------- time

    def wall_us(self, now: float) -> int:
        """Microseconds since 1970 at `now` of the monotonic clock."""
        since, base = self._wall
        if now - since > _WALL_EVERY_S or now < since:
            moment = self.clock.monotonic()
            since, base = self._wall = (moment, int(self.clock.now().timestamp() * 1_000_000))
        return base + int((now - since) * 1_000_000)

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return self.wall_us(self.clock.monotonic())

    # ---------------------------------------------------------------- orders

    def take(self, order: Order) -> None:
        """One order. Before `go_live` it is only remembered."""
        if not self.orders.apply(order) or not self.live:
            return
        match order.data:
            case ForkOrdered(fork_id=fork_id):
                self._expect(fork_id)
            case ForkEnded(fork_id=fork_id, reason=reason):
                if fork_id in self.forks:
                    self.forks[fork_id].close(reason)
            case ListenOrdered() as listen:
                self._arrange(listen)

    def go_live(self) -> None:
        """All orders that there were are read: what is still to come is expected, and the monitors hear of a new run."""
        if self.live:
            return
        self.live = True
        self.went_live.set()
        for site in sorted(self.orders.sites()):
            self.report(site, RelayStarted(relay=self.name, run=self.run))
        for fork_id in list(self.orders.forks):
            self._expect(fork_id)

    def _expect(self, fork_id: str) -> None:
        known = self.orders.forks[fork_id]
        if known.ended or fork_id in self.forks or known.fork.expires <= self.clock.now():
            return
        fork = self.forks[fork_id] = Fork(self, known.site, known.fork)
        for listener in list(self.listeners.values()):
            if listener.order.fork_id == fork_id:
                self._tune(listener)
            if listener.order.speak_fork_id == fork_id:
                fork.speaker = listener.listen_id
        self._wake(fork_id)

    def _arrange(self, listen: ListenOrdered) -> None:
        self._wake(listen.listen_id)
        if listen.speak_fork_id in self.forks:
            self.forks[listen.speak_fork_id].speaker = listen.listen_id
        listener = self.listeners.get(listen.listen_id)
        if listener is None:
            if listen.state == "ended":
                self._heard.pop(listen.listen_id, None)
            return
        listener.follow(listen)
        if listen.state == "ended":
            listener.end(wire.OVER, listen.reason or "ended", "ended")
            self.leave(listener)
            self._heard.pop(listen.listen_id, None)
            return
        self._tune(listener)
        listener.show()

    def _tune(self, listener: Listener) -> None:
        """Let it hear what its order says."""
        wanted = self.forks.get(listener.order.fork_id)
        before = listener.fork
        if wanted is before:
            return
        if before is not None:
            self.report_heard(listener)
        heard = self._heard.setdefault(listener.listen_id, {})
        listener.hears(wanted, heard.setdefault(wanted.fork_id, Heard()) if wanted is not None else Heard())
        if wanted is not None:
            wanted.join(listener)
        if before is not None:
            before.leave(listener)
            self._show(before)
        if wanted is not None:
            self._show(wanted)

    # ---------------------------------------------------------------- switches

    def opened(self) -> bool:
        """A switch connects: whether there is room."""
        self.counts.connections += 1
        return self.counts.connections <= self._max_forks

    def closed(self) -> None:
        """Its connection is over."""
        self.counts.connections -= 1

    async def admit(self, fork_id: str, source: Source) -> Fork:
        """The fork that a switch's connection names, which has its source then. Raises Refused, counted and reported."""
        try:
            await self._await(fork_id, self.forks, FORK_WAIT_S)
            fork = self.forks.get(fork_id)
            if fork is None:
                known = self.orders.forks.get(fork_id)
                raise Refused("ended" if known is not None else "unknown")
            fork.attach(source)
        except Refused as exc:
            self.refused(fork_id, source.peer, str(exc))
            raise
        return fork

    def refused(self, fork_id: str, peer: str, reason: str) -> None:
        """A connection of a switch was refused."""
        self.counts.refused[reason] += 1
        now = self.clock.monotonic()
        earned = (now - self._reported_at) * _REFUSALS_PER_S
        self._may_report, self._reported_at = min(_REFUSALS_PER_S, self._may_report + earned), now
        if self._may_report < 1.0:
            return
        self._may_report -= 1.0
        log.warning("a switch's connection was refused", reason=reason, fork=fork_id, peer=peer)
        known = self.orders.forks.get(fork_id)
        self.report(known.site if known is not None else "", ForkRefused(fork_id=fork_id, relay=self.name, peer=peer))

    def fork_changed(self, fork: Fork) -> None:
        """Its first sound came."""
        self._show(fork)
        for listener in list(self.listeners.values()):
            if listener.order.speak_fork_id == fork.fork_id:
                listener.show()

    def fork_over(self, fork: Fork, how: ForkEnd) -> None:
        """It ended, and said so."""
        self.forks.pop(fork.fork_id, None)
        counts = self.counts
        counts.downs[how] += 1
        counts.frames += fork.frames
        counts.late += fork.late
        counts.spoken += fork.mouth.spoken
        counts.spoken_discarded += fork.mouth.discarded
        if how == "bad_audio":
            counts.refused["bad_audio"] += 1
        for listener in fork.listeners:
            self._tune(listener)
            listener.show()
        for listener in list(self.listeners.values()):
            if listener.order.speak_fork_id == fork.fork_id:
                listener.show()

    # ---------------------------------------------------------------- pages

    async def is_ready(self) -> bool:
        """Whether the orders that there were are read; waits for it for a moment. Before, an order may be an old one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_WAIT_S):
                await self.went_live.wait()
        return self.live

    async def order_of(self, listen_id: str) -> OrderedListen | None:
        """The newest order of a listen; waits for it for a moment."""
        await self._await(listen_id, self.orders.listens, LISTEN_WAIT_S)
        return self.orders.listens.get(listen_id)

    def has_room(self) -> bool:
        """Whether one more page may listen."""
        return len(self.listeners) < self._max_listeners

    def is_here(self, listen_id: str) -> bool:
        """Whether the page of that listen is connected."""
        return listen_id in self.listeners

    def join(self, listener: Listener) -> None:
        """A page's connection is there."""
        before = self.listeners.get(listener.listen_id)
        self.listeners[listener.listen_id] = listener
        self.report(listener.site, ListenerJoined(listen_id=listener.listen_id, relay=self.name, run=self.run))
        listener.begin()
        self._tune(listener)
        if listener.order.speak_fork_id in self.forks:
            self.forks[listener.order.speak_fork_id].speaker = listener.listen_id
        listener.show()
        if before is not None:  # after the new one joined, so that the fork is never without a listener
            before.end(wire.TAKEN_OVER, "taken over", "ended")
            self._detach(before)
            self.counts.lefts["taken_over"] += 1

    def leave(self, listener: Listener) -> None:
        """Its connection is over, or will be in a moment."""
        how: Leaving = listener.gone()
        if self.listeners.get(listener.listen_id) is not listener:
            return
        del self.listeners[listener.listen_id]
        self.counts.lefts[how] += 1
        self.report_heard(listener)
        # before its fork ends for want of listeners: the monitor would take that for sound that was lost
        self.report(listener.site, ListenerLeft(listen_id=listener.listen_id, relay=self.name, run=self.run, how=how))
        self._detach(listener)
        for fork in list(self.forks.values()):
            if fork.speaker == listener.listen_id and fork.order.speaks:
                fork.close("the speaker left")

    def _detach(self, listener: Listener) -> None:
        listener.gone()
        listener.settle()
        counts = self.counts
        counts.sent_frames += listener.sent_frames
        counts.sent_bytes += listener.sent_bytes
        counts.discarded += listener.discarded
        counts.spoken_discarded += listener.spoken_refused
        fork = listener.fork
        listener.hears(None, Heard())
        if fork is not None:
            fork.leave(listener)
            self._show(fork)

    def report_heard(self, listener: Listener) -> None:
        """How much it was sent of what it hears now."""
        listener.settle()
        fork = listener.fork
        heard = self._heard.get(listener.listen_id, {}).get(fork.fork_id) if fork is not None else None
        if fork is None or heard is None:
            return
        self.report(
            listener.site,
            ListenerHeard(
                listen_id=listener.listen_id,
                fork_id=fork.fork_id,
                bytes=heard.bytes,
                seconds=heard.seconds,
                discarded=heard.discarded + listener.late(),
            ),
        )

    def state_of(self, listener: Listener) -> wire.State:
        """How it is with this listen, as its page is told."""
        order, fork = listener.order, listener.fork
        up = fork is not None and fork.up
        state = order.state if order.state == "ended" else "live" if up else order.state
        mouth = self.forks.get(order.speak_fork_id)
        return wire.State(
            state="starting" if state == "live" and not up else state,
            reason=order.reason,
            mode=order.mode,
            muted=order.muted,
            fork_id=order.fork_id,
            call_id=order.call_id,
            agent_id=order.agent_id,
            channels=fork.channels if fork is not None else 0,
            rate_hz=fork.rate_hz if fork is not None else 0,
            speaking=order.mode != "listen" and mouth is not None and mouth.up,
            listeners=[one.order.user for one in fork.listeners] if fork is not None else [],
        )

    def part(self) -> None:
        """The relay ends: say so to everybody. Pages come back to the next one."""
        for listener in list(self.listeners.values()):
            listener.end(wire.RELAY_ENDS, "relay ends", "lost")
            self.leave(listener)
        for fork in list(self.forks.values()):
            fork.close("the relay ends")

    def tidy(self) -> None:
        """Forget what is long over."""
        self.orders.forget(self.clock.now())
        for listen_id in [name for name in self._heard if name not in self.orders.listens]:
            del self._heard[listen_id]

    # ---------------------------------------------------------------- inside

    def _show(self, fork: Fork) -> None:
        for listener in fork.listeners:
            listener.show()

    async def _await(self, name: str, where: dict[str, Fork] | dict[str, OrderedListen], within_s: float) -> None:
        """Until `name` is there; not longer."""
        if name in where or (self.live and name in self.orders.forks):
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited[name].add(woken)
        try:
            await asyncio.wait([woken], timeout=within_s)
        finally:
            self._awaited[name].discard(woken)
            if not self._awaited[name]:
                del self._awaited[name]

    def _wake(self, name: str) -> None:
        for woken in self._awaited.get(name, ()):
            if not woken.done():
                woken.set_result(None)
