"""One connection of the feed: what it is still to be told, and until when.

It holds at most one message for each incident, the newest, and a bounded number of them: who falls further behind is told to
ask for the list anew. Whether its user may see an incident is looked at again when the message leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final

from services.alerts.api.views import IncidentView
from services.alerts.feed import messages
from services.alerts.feed.messages import Message
from services.alerts.visibility import sees
from shared.frames import Frame
from shared.identity import Principal, Scope
from shared.outlets import Outlet

MAX_WAITING: Final = 200  # messages; a page that far behind is better off with a fresh list

Key = int | str  # an incident's number, or a message's type


class Told:
    """A message for several readers, encoded when the first of them gets it. Who may not see what it is `about` hears nothing.

    `parts`: what it is for a scope, where it is not the same for all.
    """

    def __init__(
        self,
        key: Key,
        message: Message,
        about: IncidentView | None = None,
        parts: Callable[[Scope], Message] | None = None,
    ) -> None:
        self.key = key
        self.about = about
        self._message = message
        self._parts = parts
        self._frames: dict[Scope, Frame] = {}

    def frame_for(self, scope: Scope) -> Frame:
        """As somebody with this scope gets it."""
        if self._parts is None:
            return self.frame
        found = self._frames.get(scope)
        if found is None:
            found = self._frames[scope] = self._parts(scope).frame()
        return found

    @cached_property
    def frame(self) -> Frame:
        return self._message.frame()


RESYNC: Final = Told("resync", messages.Resync())


class Reader:
    """One connection of `who`. `current` tells who that is now: None when their token ended."""

    def __init__(self, outlet: Outlet, who: Principal, current: Callable[[], Principal | None], hello: Told) -> None:
        self.who = who
        self.outlet = outlet
        self.ended: tuple[int, str] | None = None
        self.resyncs = 0
        self._current = current
        self._waiting: dict[Key, Told] = {hello.key: hello}
        self._stuck: tuple[int, float] | None = None  # what its connection had taken, and when it last took something

    def tell(self, told: Told) -> None:
        """Send it, now or when the connection takes more; the newest of a key takes the place of one that waits."""
        if self.ended is not None or (told.about is not None and not sees(self.who.scope, told.about)):
            return
        if told.key not in self._waiting and len(self._waiting) >= MAX_WAITING:
            self._waiting = {key: one for key, one in self._waiting.items() if one.about is None}
            self._waiting[RESYNC.key] = RESYNC
            self.resyncs += 1
            if told.about is not None:
                return  # it is in the list that will be asked for
        self._waiting[told.key] = told
        self.serve()

    def serve(self) -> None:
        """Send what waits, as far as the connection takes it."""
        while self._waiting and self.outlet.ready and self.check():
            told = self._waiting.pop(next(iter(self._waiting)))
            self.outlet.write(told.frame_for(self.who.scope))

    def check(self) -> bool:
        """Whether it is still who it was, with the same rights; else the connection is ended."""
        if self.ended is None:
            now = self._current()
            if now is None:
                self.end(messages.NOT_AUTHENTICATED, "your token ended: sign in again")
            elif now != self.who:
                self.end(messages.AUTHORISATION_CHANGED, "what you may see has changed: come with a new ticket")
        return self.ended is None

    @property
    def behind(self) -> bool:
        return bool(self._waiting)

    def stuck_s(self, now: float) -> float:
        """For how long its connection took nothing though something waits, by the loop's clock; asked now and then."""
        if not self._waiting or self.outlet.ready:
            self._stuck = None
            return 0.0
        taken = self.outlet.taken()
        if self._stuck is None or taken > self._stuck[0]:
            self._stuck = (taken, now)
        return now - self._stuck[1]

    def end(self, code: int, reason: str) -> None:
        """End the connection; the first reason counts."""
        if self.ended is None:
            self.ended = (code, reason)
            self._waiting.clear()
            self.outlet.close(code, reason)
