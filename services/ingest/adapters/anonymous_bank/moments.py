"""When the things of a row happened. The log has wall times without date or offset, from clocks not quite in step.

`date` is the day of `vru_entry`; every other time is taken on the day that brings it nearest to what comes before it in the
row. Waits and services end after their own durations: differences between two machines' clocks mean nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from services.ingest.adapters.anonymous_bank.rows import DAY_S, Row

TIME_ZONE: Final = "Asia/Jerusalem"  # of the data set, for a site whose time zone is not configured
_DAYS_KNOWN: Final = 64


class Moments(Struct, frozen=True, gc=False):
    """Aware UTC. `odd_clock` names what the change to or from summer time did to the row, "" when nothing."""

    entered: datetime  # the VRU
    exited: datetime  # the VRU, asking for an agent
    queued: datetime  # began to wait
    left: datetime  # was answered, or hung up
    served: datetime  # the agent's line began
    done: datetime  # the agent's line ended
    odd_clock: str = ""
    offset: str = ""  # of the log's clock when it was not the time zone's: "+02:00"


class Walls:
    """Wall times of one time zone as UTC."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._offsets: dict[date, timedelta | None] = {}

    def moments(self, row: Row) -> Moments:
        """When the things of `row` happened."""
        midnight = datetime.combine(row.day, time())
        entered = row.vru_entry
        exited = _nearest(row.vru_exit, entered)
        queued = _nearest(row.q_start, exited) if row.q_time else exited
        waited = max(0, row.q_time)
        left = queued + waited
        served = _nearest(row.ser_start, left) if row.ser_time > 0 else left
        walls = [midnight + timedelta(seconds=seconds) for seconds in (entered, exited, queued, served)]
        offset = self._offset(row.day)
        odd, log_offset = "", ""
        if offset is None:
            found, odd, log_offset = self._on_a_day_of_change(walls)
        else:
            found = [(wall - offset).replace(tzinfo=UTC) for wall in walls]
        gone = found[2] + timedelta(seconds=waited)
        began = found[3] if row.ser_time > 0 else gone
        return Moments(
            entered=found[0],
            exited=found[1],
            queued=found[2],
            left=gone,
            served=began,
            done=began + timedelta(seconds=max(0, row.ser_time)),
            odd_clock=odd,
            offset=log_offset,
        )

    def utc(self, wall: datetime) -> datetime:
        """A naive wall time; the first of two, and by the offset before it for one that never was."""
        return wall.replace(tzinfo=self._zone).astimezone(UTC)

    def _offset(self, day: date) -> timedelta | None:
        """The offset that holds from the day before to the day after; None when it changes in that time."""
        if day not in self._offsets:
            while len(self._offsets) >= _DAYS_KNOWN:
                del self._offsets[next(iter(self._offsets))]
            noon = datetime.combine(day, time(12), self._zone)
            around = {(noon + timedelta(days=days)).utcoffset() for days in (-1, 0, 1, 2)}
            self._offsets[day] = around.pop() if len(around) == 1 else None
        return self._offsets[day]

    def _on_a_day_of_change(self, walls: list[datetime]) -> tuple[list[datetime], str, str]:
        """A time that never was comes from a clock not yet moved: the whole row is read by the offset before the change.
        Of a time that was twice the first is meant, unless the row goes on after the change.
        """
        unmoved = next((wall for wall in walls if not self._exists(wall)), None)
        if unmoved is not None:
            before = unmoved.replace(tzinfo=self._zone).utcoffset() or timedelta()
            zone = timezone(before)
            text = datetime.combine(unmoved.date(), time(), zone).isoformat()[-6:]
            return [wall.replace(tzinfo=zone).astimezone(UTC) for wall in walls], "dst_gap", text
        twice = [wall for wall in walls if self._was_twice(wall)]
        if not twice:
            return [self.utc(wall) for wall in walls], "", ""
        last = max(walls)
        goes_on = not self._was_twice(last)
        fold = int(goes_on)
        return [wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for wall in walls], "dst_overlap", ""

    def _exists(self, wall: datetime) -> bool:
        return self.utc(wall).astimezone(self._zone).replace(tzinfo=None) == wall

    def _was_twice(self, wall: datetime) -> bool:
        first = wall.replace(tzinfo=self._zone)
        return first.utcoffset() != first.replace(fold=1).utcoffset()


def _nearest(clock: int, to: int) -> int:
    """The time of day `clock` on the day that brings it nearest to `to`, both seconds since the row's midnight."""
    return to + (clock - to + DAY_S // 2) % DAY_S - DAY_S // 2
