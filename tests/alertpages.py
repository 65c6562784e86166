"""Pages of the incidents' feed within the process: a way out that tests open and shut, and a page as docs/alerts.md has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from services.alerts.api.statusviews import StatusView
from services.alerts.api.views import IncidentView
from services.alerts.feed.hub import Hub
from services.alerts.feed.reader import Reader
from services.alerts.link import LinkStatus
from shared.clock import Clock, FakeClock
from shared.frames import Frame
from shared.identity import LOCAL, Principal
from shared.outlets import Outlet
from tests.flagkit import T0, flag, opened


def view(number: int, version: int = 1, **more: Any) -> IncidentView:
    """Incident `number` in that version; `more` are fields of its flag."""
    one = opened(flag(f"f{number}", f"t{number}", **more), T0 + timedelta(seconds=number)).incident
    return IncidentView.of(one).model_copy(update={"id": number, "version": version})


def status() -> StatusView:
    link = LinkStatus("live", T0)
    return StatusView(state=link.state, since=link.since, reason="", channels=[], receivers=[], file_error=None, now=T0)


def hub_of(clock: Clock | None = None, **more: Any) -> Hub:
    return Hub(clock or FakeClock(), status, CollectorRegistry(), **more)


class Shutter(Outlet):
    """A way out that takes one frame after the other, or none while it is shut."""

    def __init__(self) -> None:
        self.ready = True
        self.frames: list[Any] = []
        self.closed: tuple[int, str] | None = None

    def write(self, frame: Frame) -> None:
        assert self.ready, "written to while it takes nothing"
        self.frames.append(json.loads(frame.text))

    def taken(self) -> int:
        return len(self.frames)

    def unsent(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        self.ready = False
        self.closed = self.closed or (code, reason)


class Page:
    """What a page knows: it asks for the list after `hello` and `resync`, and keeps it by what it hears."""

    def __init__(
        self, hub: Hub, listed: Callable[[], Iterable[IncidentView]], who: Principal = LOCAL, current: Any = None
    ) -> None:
        self.outlet = Shutter()
        found = hub.join(self.outlet, who, current or (lambda: who))
        assert found is not None
        self.reader: Reader = found
        self.known: dict[int, int] = {}  # incident -> version
        self.resyncs = 0
        self._listed = listed
        self._asked: dict[int, int] | None = None  # what the answer will say that is on its way
        self._again = False
        self._since: set[int] = set()
        self.reader.serve()

    def open(self) -> None:
        if self.outlet.closed is None:
            self.outlet.ready = True
            self.reader.serve()

    def shut(self) -> None:
        self.outlet.ready = False

    def hear(self) -> None:
        """Read what came."""
        for message in self.outlet.frames:
            match message["type"]:
                case "incident":
                    found = message["incident"]
                    self.known[found["id"]] = max(found["version"], self.known.get(found["id"], -1))
                    self._since.add(found["id"])
                case "hello" | "resync":
                    self.resyncs += message["type"] == "resync"
                    self._ask()
        self.outlet.frames.clear()

    def _ask(self) -> None:
        if self._asked is not None:
            self._again = True
            return
        self._asked = {one.id: one.version for one in self._listed()}
        self._since = set()

    def answer(self) -> None:
        """The list has come: what was heard of since it was asked for stays where it is newer."""
        if self._asked is None:
            return
        found, self._asked = self._asked, None
        kept = {number: version for number, version in self.known.items() if number in found or number in self._since}
        self.known = {number: max(kept.get(number, -1), found.get(number, -1)) for number in kept | found}
        if self._again:
            self._again = False
            self._ask()
