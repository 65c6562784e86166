"""How fast services came up to the present after faults, read off their logs: a service that only just keeps up never does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

LEAST: Final = 1000  # records; the time for fewer is that of everything else


class Replay(NamedTuple):
    """How many records there were to be worked through, and how long that took with those that came meanwhile."""

    records: int
    seconds: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds


def replays(log: Path) -> Iterator[Replay]:
    """Each time that a pump was restored and then live, in the log of one service."""
    restored: tuple[int, datetime] | None = None
    for line in log.read_text(errors="replace").splitlines():
        try:
            said = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.MsgspecError:
            continue  # a traceback
        if said.get("event") == "pump_restored":
            restored = (int(str(said["records_to_replay"])), _at(said))
        elif said.get("event") == "pump_live" and restored is not None:
            records, began = restored
            restored = None
            seconds = (_at(said) - began).total_seconds()
            if seconds > 0:  # else its clock was set meanwhile
                yield Replay(records, seconds)


def _at(said: dict[str, object]) -> datetime:
    return datetime.fromisoformat(str(said["timestamp"]))


def words(found: Iterable[Replay]) -> str:
    """One line for people."""
    large = sorted((one for one in found if one.records >= LEAST), key=lambda one: one.rate)
    if not large:
        return f"nobody had {LEAST} records or more to catch up with"
    middle, slowest = large[len(large) // 2], large[0]
    return (
        f"caught up {len(large)} times with {LEAST} records or more: {middle.rate:.0f} records a second (median), "
        f"{slowest.rate:.0f} the slowest ({slowest.records} in {slowest.seconds:.1f} s)"
    )
