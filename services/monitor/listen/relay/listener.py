"""One page that listens: what it is sent, what it says, how much of it arrived."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from services.monitor.listen.contract import Leaving, ListenOrdered
from services.monitor.listen.relay import wire
from services.monitor.listen.relay.media import FRAME_S, MIC_BYTES
from shared.wsserver import DirectProtocol

if TYPE_CHECKING:
    from services.monitor.listen.relay.fork import Fork
    from services.monitor.listen.relay.hub import Hub

TICK_S: Final = 0.5
# a page of which nothing was heard for so long is gone: it is noticed 1.2 to 1.7 s after it fell silent. Browsers answer
# pings whatever their page does
SILENT_S: Final = 1.2
STUCK_S: Final = 5.0  # one that takes nothing for so long is let go
GOODBYE_S: Final = 1.0
STATS_EVERY: Final = 2  # ticks
HEARD_EVERY: Final = 10  # ticks
_PING: Final = b"\x89\x00"
_MONITOR_FIRST_S: Final = 1.0  # it ends a listen whose time is up, and knows why; the relay ends what nobody prolongs
_LEAVES: Final = (1000, 1001)
_UNSENT_FRAMES: Final = 50  # a second of sound may wait for one page
_SEND_BUFFER: Final = 16 << 10  # the kernel's: else it holds seconds of old sound, unseen


class Heard(Struct):
    """How much of a fork a listen was sent."""

    frames: int = 0
    bytes: int = 0
    discarded: int = 0

    @property
    def seconds(self) -> float:
        return round(self.frames * FRAME_S, 2)


class Listener:
    """The connection of one listen; at most one at a time."""

    def __init__(self, hub: Hub, site: str, order: ListenOrdered, protocol: DirectProtocol) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._transport = protocol.transport
        self._write = protocol.transport.write
        self._unsent = protocol.transport.get_write_buffer_size
        self.site = site
        self.order = order
        self.fork: Fork | None = None
        self.muted = bool(order.muted)
        self.left: Leaving | None = None
        self.sent_frames = self.sent_bytes = self.discarded = 0
        self.spoken_refused = 0
        self._heard = Heard()
        self._told = 0  # of `discarded`
        self._written = self._taken = 0
        self._sounded = self._silent = 0  # frames since `settle`
        self._stuck_s = 0.0
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._until: asyncio.TimerHandle | None = None
        self._from = (0, 0, 0)
        self._state: wire.State | None = None

    @property
    def listen_id(self) -> str:
        return self.order.listen_id

    # ---------------------------------------------------------------- sound

    def hear(self, frame: bytes) -> None:
        """A frame of sound of the call. Not for one who did not take the last second's. What it adds up to: `settle`."""
        if self._unsent() > _UNSENT_FRAMES * len(frame):
            self.discarded += 1
            self._heard.discarded += 1
        else:
            self._write(frame)
            self._sounded += 1

    def hear_nothing(self, frame: bytes) -> None:
        """A frame of silence in place of sound that is kept back."""
        if self._unsent() <= _UNSENT_FRAMES * len(frame):
            self._write(frame)
            self._silent += 1

    def settle(self) -> None:
        """Add up what was sent since the last time."""
        fork = self.fork
        if fork is None:
            return
        size, pcm_bytes = fork.frame_bytes
        sounded, both = self._sounded, self._sounded + self._silent
        self._sounded = self._silent = 0
        self._written += both * size
        self._heard.frames += sounded
        self._heard.bytes += sounded * pcm_bytes
        self.sent_frames += both
        self.sent_bytes += sounded * pcm_bytes

    def late(self) -> int:
        """Frames that came too late from the switch since it hears this fork."""
        return self.fork.late - self._from[2] if self.fork is not None else 0

    def speak(self, pcm: bytes) -> None:
        """20 ms of its microphone."""
        fork = self._hub.forks.get(self.order.speak_fork_id)
        wanted = self.order.mode != "listen"
        if len(pcm) != MIC_BYTES or not wanted or fork is None or not fork.speak(pcm):
            self.spoken_refused += 1

    # ---------------------------------------------------------------- what it is told

    def begin(self) -> None:
        """The page is there: greet it."""
        self._transport.set_write_buffer_limits(high=2 * _SEND_BUFFER)
        found = self._transport.get_extra_info("socket")
        if found is not None:
            with contextlib.suppress(OSError):
                found.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, _SEND_BUFFER)
        self._protocol.heard_at = self._loop.time()  # it may have waited for its order
        self.tell(wire.Hello(self.listen_id, self._hub.now_us()))
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._set_until()

    def tell(self, message: wire.Message) -> None:
        """JSON to the page."""
        if self.left is None and not self._transport.is_closing():
            frame = wire.text(message)
            self._write(frame)
            self._written += len(frame)

    def answer(self, n: int) -> None:
        """Its ping; one that does not take what it was sent gets none."""
        if self._protocol.may_write:
            self.tell(wire.Pong(n, self._hub.now_us()))

    def follow(self, order: ListenOrdered) -> None:
        """A newer order."""
        self.order = order
        muted, self.muted = self.muted, bool(order.muted)
        if muted != self.muted and self.fork is not None:
            self.fork.arrange()
        self._set_until()

    def hears(self, fork: Fork | None, heard: Heard) -> None:
        """From now on it hears this fork."""
        self.settle()
        self.fork = fork
        self._heard = heard
        self._from = (fork.frames, fork.slots.lost, fork.late) if fork is not None else (0, 0, 0)

    def show(self) -> None:
        """Tell how it is, if that changed."""
        state = self._hub.state_of(self)
        if state != self._state:
            self._state = state
            self.tell(state)

    # ---------------------------------------------------------------- its end

    def end(self, code: int, reason: str, how: Leaving) -> None:
        """Close, and say so before when it is for good: otherwise the page comes back."""
        if self.left is not None:
            return
        if code == wire.OVER:
            self.tell(wire.Ended(reason))
        self.left = how
        self._protocol.close_now(code, reason, GOODBYE_S)

    def gone(self) -> Leaving:
        """The connection is over: how that came. A page that leaves says so (1000, 1001); whoever falls silent, breaks off or
        closes without a code is lost, and may come back."""
        for timer in (self._timer, self._until):
            if timer is not None:
                timer.cancel()
        if self.left is None:
            said = self._protocol.conn.close_rcvd
            self.left = "closed" if said is not None and said.code in _LEAVES else "lost"
        return self.left

    # ---------------------------------------------------------------- twice a second

    def _tick(self) -> None:
        now = self._loop.time()
        if self._timer is not None:  # while this process stood still it heard nobody: that is no silence of the page
            self._protocol.heard_at = min(now, self._protocol.heard_at + max(0.0, now - self._timer.when()))
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._ticks += 1
        if now - self._protocol.heard_at > SILENT_S:
            self._transport.abort()  # it would not read a goodbye
            return
        self._write(_PING)
        self._written += len(_PING)
        if self._ticks % STATS_EVERY:
            return
        self.settle()
        if self._is_stuck():
            self.end(wire.TOO_SLOW, "too slow", "slow")
            return
        if self.discarded != self._told:
            self._tell_discarded()
        if self._protocol.may_write:
            self.tell(self._stats())
        if self._ticks % HEARD_EVERY == 0:
            self._hub.report_heard(self)

    def _is_stuck(self) -> bool:
        unsent = self._unsent()
        taken = self._written - unsent
        self._stuck_s = self._stuck_s + TICK_S * STATS_EVERY if unsent and taken == self._taken else 0.0
        self._taken = taken
        return self._stuck_s >= STUCK_S

    def _tell_discarded(self) -> None:
        if not self._protocol.may_write:
            return
        frames, self._told = self.discarded - self._told, self.discarded
        self.tell(wire.Discarded(frames, self.discarded))

    def _stats(self) -> wire.Stats:
        fork = self.fork
        frames, lost, late = self._from
        mouth = self._hub.forks.get(self.order.speak_fork_id)
        return wire.Stats(
            received=fork.frames - frames if fork is not None else 0,
            lost=fork.slots.lost - lost if fork is not None else 0,
            late=fork.late - late if fork is not None else 0,
            discarded=self.discarded,
            gap_ms_max=round(fork.gaps.value() * 1000) if fork is not None else 0,
            spoken=mouth.mouth.spoken if mouth is not None else 0,
            spoken_discarded=self.spoken_refused + (mouth.mouth.discarded if mouth is not None else 0),
            now_us=self._hub.now_us(),
        )

    def _set_until(self) -> None:
        if self._until is not None:
            self._until.cancel()
        left_s = (self.order.until - self._hub.clock.now()).total_seconds() + _MONITOR_FIRST_S
        # a day at the most: the loop's timers cannot be set for years
        self._until = self._loop.call_later(min(max(0.0, left_s), 86_400.0), self._time_is_up)

    def _time_is_up(self) -> None:
        self._until = None
        if self._hub.clock.now() >= self.order.until:
            self.end(wire.OVER, "lapsed", "ended")
        else:
            self._set_until()
