"""One fork: the sound of a call as the switch sends it, to everybody who hears it. Encoded once, written to each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from services.monitor.listen.contract import ForkDown, ForkEnd, ForkOrdered, ForkUp
from services.monitor.listen.relay import wire
from services.monitor.listen.relay.media import FRAME_S, swapped
from services.monitor.listen.relay.mouth import Mouth
from services.monitor.listen.relay.slots import Slots
from shared.errors import FloorwatchError

if TYPE_CHECKING:
    from services.monitor.listen.relay.hub import Hub
    from services.monitor.listen.relay.listener import Listener

ALONE_S: Final = 15.0  # a fork that nobody listens to is closed
_GAP_S: Final = 0.2


class Refused(FloorwatchError):
    """A connection that may not bring sound. The message is the reason, a short stable word."""


class Source(Protocol):
    """Where a fork's sound comes from."""

    peer: str
    can_speak: bool

    def speak(self, pcm: bytes) -> bool:
        """Send 20 ms of a microphone (320 bytes, 8 kHz) to the switch; False when it was not taken."""
        ...

    def close(self) -> None:
        """End the connection, at once. Nothing comes from it any more."""
        ...


class Peak:
    """The largest value of the last one or two windows of time."""

    def __init__(self, window_s: float = 1.0) -> None:
        self._window_s = window_s
        self._began = 0.0
        self._now = self._before = 0.0

    def take(self, value: float, now: float) -> None:
        if now - self._began >= self._window_s:
            self._began, self._before, self._now = now, self._now, 0.0
        if value > self._now:
            self._now = value

    def value(self) -> float:
        return max(self._now, self._before)


class Fork:
    """A fork that is ordered and not over."""

    def __init__(self, hub: Hub, site: str, order: ForkOrdered) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self.site = site
        self.order = order
        self.source: Source | None = None
        self.up = False  # its first sound came
        self.over = False
        self.rate_hz = self.channels = 0
        self.frames = 0  # of 20 ms, from the switch
        self.late = 0
        self.gaps = Peak()
        self.speaker = ""  # the listen whose microphone it takes
        self.slots = Slots(hub.late_s)
        self.mouth = Mouth(self._loop, self._speak)
        self._listeners: dict[Listener, None] = {}
        self._open: tuple[Listener, ...] = ()
        self._muted: tuple[Listener, ...] = ()
        self._sequence = 0
        self._gap = 0
        self._last = 0.0
        self._swap = False
        self._sound: wire.Sound | None = None
        self._detail = ""
        wait = max(0.0, (order.expires - hub.clock.now()).total_seconds())
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(wait, self._never_came)

    @property
    def fork_id(self) -> str:
        return self.order.fork_id

    @property
    def frame_bytes(self) -> tuple[int, int]:
        """Of a frame as it goes to a page, and of the sound in it; 0 before the first."""
        return (self._sound.size, self._sound.pcm_bytes) if self._sound is not None else (0, 0)

    @property
    def listeners(self) -> list[Listener]:
        """Who hears it, in the order in which they came."""
        return list(self._listeners)

    # ---------------------------------------------------------------- the switch's side

    def attach(self, source: Source) -> None:
        """The switch's connection is there. Raises Refused `second` when it has one."""
        if self.source is not None:
            raise Refused("second")
        self.source = source
        self._set_timer(self._loop.call_later(ALONE_S, self._alone))

    def sound(self, pcm: bytes, now: float, channels: int, rate_hz: int) -> None:
        """20 ms of sound came, at `now` of the loop's clock."""
        if self._sound is None:
            self._first(pcm, channels, rate_hz, now)
        sequence = self._sequence
        self._sequence = (sequence + 1) & 0xFFFFFFFF
        self.frames += 1
        apart, self._last = now - self._last, now
        self.gaps.take(apart, now)
        slots = self.slots
        if slots.late(now):
            self.late += 1
            self._gap = wire.GAP
            return
        if apart > _GAP_S or slots.gap:
            self._gap = wire.GAP
            slots.gap = False
        flags, self._gap = self._gap, 0
        assert self._sound is not None
        if self._open:
            frame = self._sound.frame(swapped(pcm) if self._swap else pcm, sequence, self._hub.wall_us(now), flags)
            for listener in self._open:
                listener.hear(frame)
        if self._muted:
            frame = self._sound.frame(b"", sequence, self._hub.wall_us(now), flags | wire.MUTED)
            for listener in self._muted:
                listener.hear_nothing(frame)

    def source_ended(self, source: Source) -> None:
        """The switch hung up."""
        if self.source is source:
            self.source = None
            if self.up:
                self._end("hung_up", self._detail)
            else:
                self._end("no_sound", self._detail or "it was closed before its first frame: no such call")

    def bad(self, detail: str) -> None:
        """What the switch sends cannot be passed on; its connection is closed already."""
        self.source = None
        self._end("bad_audio", detail)

    def say_detail(self, detail: str) -> None:
        """What the switch said of its end to come."""
        self._detail = detail

    def close(self, detail: str) -> None:
        """Hang up."""
        self._end("closed", detail)

    # ---------------------------------------------------------------- the listeners' side

    def join(self, listener: Listener) -> None:
        """It hears from the next frame on."""
        self._listeners[listener] = None
        self.arrange()

    def leave(self, listener: Listener) -> None:
        """It hears no more; the last one ends the fork."""
        if self._listeners.pop(listener, self) is self:
            return
        self.arrange()
        if not self._listeners and not self.over:
            self.close("the last listener left")

    def arrange(self) -> None:
        """Sort those who hear by whether anything is passed on to them."""
        self._open = tuple(one for one in self._listeners if not one.muted)
        self._muted = tuple(one for one in self._listeners if one.muted)

    def speak(self, pcm: bytes) -> bool:
        """20 ms of the microphone; False when there is no way to the switch."""
        if not self.up or self.source is None or not self.source.can_speak:
            return False
        self.mouth.put(pcm)
        return True

    # ---------------------------------------------------------------- inside

    def _speak(self, pcm: bytes) -> bool:
        return self.source is not None and self.source.speak(pcm)

    def _first(self, pcm: bytes, channels: int, rate_hz: int, now: float) -> None:
        self.up = True
        self.channels, self.rate_hz = channels, rate_hz
        self._last = now
        self._swap = channels == 2 and self.order.side == "customer"
        self._sound = wire.Sound(channels, rate_hz, len(pcm))
        hub = self._hub
        hub.report(
            self.site, ForkUp(fork_id=self.fork_id, relay=hub.name, run=hub.run, rate_hz=rate_hz, channels=channels)
        )
        hub.fork_changed(self)

    def _alone(self) -> None:
        self._timer = None
        if not self._listeners and not (self.order.speaks and self._hub.is_here(self.speaker)):
            self.close("nobody listens")

    def _never_came(self) -> None:
        self._timer = None
        if self.source is None:
            self._end("never_came", "")

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None and timer is not self._timer:
            self._timer.cancel()
        self._timer = timer

    def _end(self, how: ForkEnd, detail: str) -> None:
        if self.over:
            return
        self.over = True
        self._set_timer(None)
        self.mouth.close()
        source, self.source = self.source, None
        if source is not None:
            source.close()
        hub = self._hub
        hub.report(
            self.site,
            ForkDown(
                fork_id=self.fork_id,
                relay=hub.name,
                run=hub.run,
                how=how,
                detail=detail,
                frames=self.frames,
                discarded=self.late,
                seconds=round(self.frames * FRAME_S, 2),
            ),
        )
        hub.fork_over(self, how)
