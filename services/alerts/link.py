"""Whether flags reach the database now, since when, and why not. Read by readiness, the page and metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from shared.clock import Clock

LinkState = Literal["connecting", "live", "lost"]


class LinkStatus(Struct, frozen=True):
    """`since` is the wall clock; `reason` is for people, "" while live."""

    state: LinkState
    since: datetime
    reason: str = ""


class Link:
    """The status and those who want to hear of its changes."""

    def __init__(self, clock: Clock, on_change: Callable[[LinkStatus], None] = lambda _: None) -> None:
        self._clock = clock
        self._on_change = on_change
        self.status = LinkStatus("connecting", clock.now(), "starting")

    def live(self) -> None:
        self._set("live", "")

    def lost(self, reason: str) -> None:
        """Never connected stays `connecting`: nothing was lost yet."""
        self._set("connecting" if self.status.state == "connecting" else "lost", reason)

    def check(self) -> str | None:
        """For readiness: None when live, else why not."""
        if self.status.state == "live":
            return None
        return f"{self.status.reason} (since {self.status.since:%Y-%m-%d %H:%M:%S} UTC)"

    def _set(self, state: LinkState, reason: str) -> None:
        before = self.status
        if (before.state, before.reason) == (state, reason):
            return
        since = before.since if before.state == state else self._clock.now()
        self.status = LinkStatus(state, since, reason)
        self._on_change(self.status)
