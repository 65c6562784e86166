"""Connectors that fall silent without a word, and those that are heard again, told to the readers of `floor.events`. Pure.

What ingest translates depends on its input alone, and silence is none; so this is the marker's to say, by our clock. What it says
has no position, and is harmless when it is said twice: after a restart it is told anew how things are.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from services.ingest.marks import SiteClock
from shared import events
from shared.clock import EPOCH
from shared.events import Event


class News(NamedTuple):
    """A connector fell silent, or is heard again. `event` says so."""

    connector: str
    silent: bool
    event: Event


class Silences:
    """What was said of the connectors of one site."""

    def __init__(self) -> None:
        self._said: dict[str, bool] = {}  # connector -> whether it was said to be silent; none: nothing yet

    def news(self, clock: SiteClock, wall: datetime) -> list[News]:
        """What has to be said when our clock shows `wall`. Only of connectors that promised to go on, by a heartbeat."""
        found = []
        for connector, link in clock.links.items():
            if not (link.up and link.beats and link.data is not None):
                self._said.pop(connector, None)
                continue
            silent = clock.is_silent(connector, wall)
            if self._said.get(connector) is not silent:
                found.append(
                    News(connector, silent, _event(clock, connector, link.data, link.heard, wall, silent=silent))
                )
        return found

    def said(self, news: News) -> None:
        """It stands in `floor.events` now."""
        self._said[news.connector] = news.silent


def _event(clock: SiteClock, connector: str, data: events.LinkUp, heard: int, wall: datetime, *, silent: bool) -> Event:
    heard_at = EPOCH + timedelta(microseconds=heard)
    since = clock.now(heard_at) or heard_at
    what: events.LinkUp | events.LinkDown
    if silent:
        reason = f"silent since {since.isoformat(timespec='seconds')}: its heartbeat stopped"
        what = events.LinkDown(connector=connector, reason=reason)
    else:
        what = events.LinkUp(
            connector=connector,
            switch=data.switch,
            simulated=data.simulated,
            replay=data.replay,
            speed=data.speed,
            resumed=True,
        )
    return events.make(
        what,
        id=f"{clock.site}:{'silent' if silent else 'heard'}:{connector}:{heard}",
        source=f"/sites/{clock.site}/clock",
        site=clock.site,
        time=since if silent else clock.now(wall) or wall,
        receivedtime=wall,
    )
