"""The hub: every change of an incident out to every open page that may see it, slow readers bounded.

`changed` never waits. Changes are gathered for a moment, so that a burst of one incident is one message; it is encoded once
for all who get it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from services.alerts.api.statusviews import StatusView
from services.alerts.api.views import IncidentView
from services.alerts.core.incident import Incident
from services.alerts.feed import messages
from services.alerts.feed.metrics import FeedMetrics
from services.alerts.feed.reader import RESYNC, Reader, Told
from services.alerts.viewing import within
from shared.clock import Clock
from shared.identity import LOCAL, Principal, Scope
from shared.outlets import Outlet

log = structlog.get_logger()

GATHER_S: Final = 0.05
BEAT_S: Final = 1.0  # a page must own up to a dead line within 3 s, so it must hear something more often
PART_S: Final = 1.0
_REMEMBERED: Final = 20_000  # incidents whose version was told last


class Hub:
    """All open pages of this service."""

    def __init__(
        self,
        clock: Clock,
        status: Callable[[], StatusView],
        registry: CollectorRegistry,
        *,
        max_connections: int = 200,
        slow_s: float = 10.0,
        gather_s: float = GATHER_S,
    ) -> None:
        """`max_connections` of one user; `slow_s`: who takes nothing for so long is let go."""
        self._clock = clock
        self._status = status
        self._metrics = FeedMetrics(registry)
        self._max_connections = max_connections
        self._slow_s = slow_s
        self._gather_s = gather_s
        self._readers: set[Reader] = set()
        self._connections: Counter[str] = Counter()
        self._gathered: dict[int, tuple[IncidentView, Incident | None]] = {}
        self._told: dict[int, int] = {}  # incident -> version
        self._flush: asyncio.TimerHandle | None = None
        self._somebody, self._nobody = asyncio.Event(), asyncio.Event()
        self._closed = False

    @property
    def readers(self) -> int:
        """How many pages are open."""
        return len(self._readers)

    # ------------------------------------------------------------ what happened

    def changed(self, view: IncidentView, incident: Incident | None = None) -> None:
        """An incident is as it stands here, from now on. `incident`: by which it is told whom not all of its flags are for."""
        if not self._readers:
            return
        known = self._gathered.get(view.id)
        if known is None or known[0].version <= view.version:
            self._gathered[view.id] = view, incident
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(self._gather_s, self.flush)

    def flush(self) -> None:
        """Tell what was gathered, without the numbers that somebody typed: it is the same for everybody who may see all of it."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        gathered, self._gathered = self._gathered, {}
        for number, (view, incident) in gathered.items():
            self._remember(number, view.version)
            masked = view.masked()
            parts = partial(_part, masked, incident) if incident is not None and incident.facets else None
            self._tell(Told(number, messages.IncidentChanged(incident=masked), view, parts))
        self._metrics.changes.inc(len(gathered))

    def status_changed(self) -> None:
        """Whether flags arrive, or who is notified, may be otherwise."""
        if self._readers:
            self._tell(Told("status", messages.Status(status=self._status())))

    def silences_changed(self) -> None:
        """Silences or maintenance windows are otherwise."""
        self._tell(Told("silences", messages.SilencesChanged()))

    def resync(self) -> None:
        """More changed than can be told one by one: every page is to ask anew."""
        self._tell(RESYNC)

    def told(self, number: int) -> int:
        """The version of an incident that pages were told last; -1: none, as far as it is remembered."""
        return self._told.get(number, -1)

    def _remember(self, number: int, version: int) -> None:
        self._told.pop(number, None)
        self._told[number] = version
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]

    def _tell(self, told: Told) -> None:
        for reader in tuple(self._readers):
            reader.tell(told)

    # ------------------------------------------------------------ as time passes

    async def run(self) -> None:
        """Beat, and let go who is too slow or whose token ended."""
        while True:
            await self.somebody()
            await self._clock.sleep(BEAT_S)
            self.beat()

    async def somebody(self) -> None:
        """Wait until a page is open."""
        await self._somebody.wait()

    def beat(self) -> None:
        """Say to every page that the line lives."""
        beat = Told("beat", messages.Beat(now=self._clock.now()))
        now = asyncio.get_running_loop().time()
        behind = 0
        for reader in tuple(self._readers):
            if not reader.check():
                continue
            if reader.stuck_s(now) >= self._slow_s:
                self._metrics.too_slow.inc()
                log.warning("a reader of the feed was too slow and was let go", user=reader.who.user)
                reader.end(messages.TOO_SLOW, "too slow: come back and ask for the list anew")
            elif reader.behind:
                behind += 1
            else:
                reader.tell(beat)
        self._metrics.behind.set(behind)

    # ------------------------------------------------------------ from connections

    def join(
        self, outlet: Outlet, who: Principal = LOCAL, current: Callable[[], Principal | None] = lambda: LOCAL
    ) -> Reader | None:
        """A new connection; `hello` waits for it. None: its user has too many. `current` as `Reader` has it."""
        if self._connections[who.user] >= self._max_connections:
            self._metrics.refused.inc()
            return None
        hello = messages.Hello(status=self._status(), now=self._clock.now())
        reader = Reader(outlet, who, current, Told("hello", hello))
        self._connections[who.user] += 1
        self._readers.add(reader)
        self._somebody.set()
        self._metrics.readers.set(len(self._readers))
        if self._closed:
            self._send_away(reader)
        return reader

    def left(self, reader: Reader) -> None:
        """The connection is gone."""
        if reader not in self._readers:
            return
        self._readers.discard(reader)
        self._connections[reader.who.user] -= 1
        if not self._connections[reader.who.user]:
            del self._connections[reader.who.user]
        self._metrics.resyncs.inc(reader.resyncs)
        self._metrics.readers.set(len(self._readers))
        if not self._readers:
            self._somebody.clear()
            self._nobody.set()

    def close(self) -> None:
        """The service ends: send every page away, also those to come; they come back to another."""
        self._closed = True
        for reader in tuple(self._readers):
            self._send_away(reader)

    def _send_away(self, reader: Reader) -> None:
        reader.end(messages.GOING_AWAY, "this service ends, come back")

    async def part(self) -> None:
        """Close, and wait until every page was told; not for those that do not listen."""
        self.close()
        self._nobody.clear()
        if self._readers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nobody.wait(), PART_S)


def _part(view: IncidentView, incident: Incident, scope: Scope) -> messages.Message:
    """The same for somebody with this scope."""
    return messages.IncidentChanged(incident=within(view, incident, scope))
