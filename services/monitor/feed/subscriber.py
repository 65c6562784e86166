"""One client of the feed: where it is, and what it is sent next.

A client holds no queue. It holds a position, and whenever its connection takes another frame it is given the one that leads
on from there: a part of its picture, the last values of what changed, the clock. While it takes nothing it costs nothing
but what its connection already holds, and what it missed meanwhile is told as last values.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from services.monitor.feed import messages
from services.monitor.feed.group import Group
from services.monitor.feed.messages import Resumed
from services.monitor.feed.picture import Picture
from shared.frames import Frame, message_frame
from shared.identity import Principal
from shared.outlets import Outlet

if TYPE_CHECKING:
    from services.monitor.feed.hub import Hub

NOTHING: Final = -1  # the position of who has no picture


class Subscriber:
    """One connection of `who`."""

    def __init__(self, hub: Hub, outlet: Outlet, who: Principal, valid: Callable[[], bool], hello: Frame) -> None:
        self.who = who
        self.valid = valid
        self.outlet = outlet
        self.group: Group | None = None
        self.position = NOTHING
        self.waits = False  # in the hub's list of those to be served
        self.behind = False
        self.ended: tuple[int, str] | None = None
        self._hub = hub
        self._picture: Picture | None = None
        self._part = 0
        self._replies: deque[Frame] = deque(
            (hello,)
        )  # each to a message of the client, which waits with the next for it
        self._clock = NOTHING  # the number of the last clock message that it had
        self._taken = 0
        self._taken_at = 0.0  # since when it takes nothing, by the loop's clock

    # ------------------------------------------------------------ what it is to have

    def follow(self, group: Group) -> None:
        """A picture of this group, and what changes from then on."""
        self.group, self.position, self._picture = group, NOTHING, None
        self._clock = NOTHING
        self.serve()

    def follow_from(self, group: Group, position: int) -> None:
        """What changed in this group after `position`, which it covers."""
        self.group, self.position, self._picture = group, position, None
        self._clock = NOTHING
        self._replies.append(message_frame(Resumed(group.epoch, position)))
        self.serve()

    def start_over(self, *, told: bool) -> None:
        """Its group began anew: `told`: it gets a picture of that; else it keeps what it has and only hears the time.

        Who is in the middle of a picture has nothing to keep: its other parts would be of another epoch."""
        assert self.group is not None
        if told or self.position == NOTHING or self._picture is not None:
            self.position, self._picture = NOTHING, None
        else:
            self.position = self.group.position

    def reply(self, message: messages.Pong | messages.Clocks) -> None:
        """Answer a message."""
        self._replies.append(message_frame(message))
        self.serve()

    # ------------------------------------------------------------ sending

    def serve(self) -> None:
        """Send what it is to have next, as far as its connection takes it."""
        outlet, hub = self.outlet, self._hub
        while outlet.ready:
            frame = self._next()
            if frame is None:
                self.behind = False
                return
            outlet.write(frame)
            hub.sent_bytes += len(frame.wire)
        if not self.behind:
            self.behind = True
            self._taken, self._taken_at = outlet.taken(), asyncio.get_running_loop().time()

    def _next(self) -> Frame | None:
        if self._replies:
            return self._replies.popleft()
        group = self.group
        if group is None:
            return None
        while True:
            if self._picture is not None:
                return self._next_part(group, self._picture)
            if self.position == group.position:
                break
            step = group.after(self.position)
            if step is None:
                self._picture, self._part = group.picture(asyncio.get_running_loop().time()), 0
                continue
            frame, self.position = step
            if frame is not None:
                if self.behind:
                    self._hub.conflated += 1
                return frame
        if self._clock != self._hub.clock_number:
            self._clock = self._hub.clock_number
            return self._hub.clock_for(group)
        return None

    def _next_part(self, group: Group, picture: Picture) -> Frame:
        frame = group.part(picture, self._part)
        self._part += 1
        if self._part == picture.parts:
            self.position, self._picture = picture.position, None
        return frame

    # ------------------------------------------------------------ ending

    def stuck_s(self, now: float) -> float:
        """For how long its connection took nothing though something waits, by the loop's clock."""
        if not self.behind or self.outlet.ready:
            return 0.0
        taken = self.outlet.taken()
        if taken > self._taken:
            self._taken, self._taken_at = taken, now
        return now - self._taken_at

    def end(self, code: int, reason: str) -> None:
        """End the connection; the first reason counts."""
        if self.ended is None:
            self.ended = (code, reason)
            self.outlet.close(code, reason)

    def too_slow(self) -> None:
        """Let it go; it may resume where it stopped."""
        where = "subscribe again" if self.position == NOTHING else f"resume from {self.position}"
        self.end(messages.TOO_SLOW, f"too slow, {where}")
