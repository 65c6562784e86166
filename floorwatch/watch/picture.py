"""The floor as a client of the feed holds it: plain JSON values by kind and key. Pure: fed with messages, knows no connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

Entity = Mapping[str, Any]
Floor = dict[str, dict[str, Entity]]

RUN_ON_S: Final = 2.5
_LISTS: Final = {
    "site": ("sites", ("site",)),
    "queue": ("queues", ("site", "queue")),
    "agent": ("agents", ("site", "agent_id")),
    "call": ("calls", ("site", "call_id")),
    "transfer": ("transfers", ("site", "transfer_id")),
    "flag": ("flags", ("site", "flag_id")),
}


@dataclass
class SiteTime:
    """A site's clock as it was told last: its time `now`, when ours was `heard` (monotonic seconds)."""

    now: datetime
    speed: float
    age_s: float
    heard: float


@dataclass
class Picture:
    """All that the feed told. `position` is None until the first snapshot is whole."""

    epoch: str | None = None
    position: int | None = None
    floor: Floor = field(default_factory=lambda: {kind: {} for kind in _LISTS})
    times: dict[str, SiteTime] = field(default_factory=dict)
    _coming: Floor | None = None  # parts of a snapshot that is not whole yet

    def take(self, message: Mapping[str, Any], heard: float) -> bool:
        """Take one message, heard at `heard`; True when the floor is another one. Unknown kinds of messages are passed over."""
        kind = message.get("type")
        if kind == "hello":
            self._coming = None  # a new connection: what was left of the last one's snapshot will not come
        if kind == "snapshot":
            return self._take_part(message)
        if kind == "delta":
            self.position = int(message["position"])
            self._apply(message["changes"])
            return True
        if kind == "clock":
            self._take_times(message["sites"], heard)
            if self.position is not None and message.get("position") is not None:
                self.position = max(self.position, int(message["position"]))
        return False

    def _take_part(self, message: Mapping[str, Any]) -> bool:
        part, parts = message.get("part", 1), message.get("parts", 1)
        if part == 1 or self._coming is None:
            self._coming = {kind: {} for kind in _LISTS}
        for kind, (name, ids) in _LISTS.items():
            for entity in message["floor"].get(name, ()):
                self._coming[kind]["/".join(str(entity[one]) for one in ids)] = entity
        if part < parts:
            return False
        self.floor, self._coming = self._coming, None
        self.epoch, self.position = str(message["epoch"]), int(message["position"])
        self.times = {site: time for site, time in self.times.items() if site in self.floor["site"]}
        return True

    def _apply(self, changes: list[Mapping[str, Any]]) -> None:
        for change in changes:
            entities = self.floor.get(change["kind"])
            if entities is None:
                continue  # a newer monitor tells of kinds that this client does not know
            if change["value"] is None:
                entities.pop(change["key"], None)
            else:
                entities[change["key"]] = change["value"]

    def _take_times(self, sites: Mapping[str, Mapping[str, Any]], heard: float) -> None:
        for site, told in sites.items():
            now = datetime.fromisoformat(told["now"])
            self.times[site] = SiteTime(now, float(told["speed"]), float(told["age_s"]), heard)

    # ------------------------------------------------------------ what a screen asks

    def now(self, site: str, ours: float) -> datetime | None:
        """The site's time when our monotonic clock shows `ours`; without word it stands still after `RUN_ON_S`."""
        time = self.times.get(site)
        if time is None:
            return None
        return time.now + timedelta(seconds=min(time.age_s + ours - time.heard, RUN_ON_S) * time.speed)

    def age_s(self, site: str, ours: float) -> float | None:
        """Seconds since the site's time last moved; None when it was never told."""
        time = self.times.get(site)
        return None if time is None else time.age_s + ours - time.heard

    def since_s(self, site: str, moment: str | None, ours: float) -> float | None:
        """Seconds of the site's clock since `moment` (ISO 8601); None when either is not known."""
        now = self.now(site, ours)
        if moment is None or now is None:
            return None
        return (now - datetime.fromisoformat(moment)).total_seconds()
