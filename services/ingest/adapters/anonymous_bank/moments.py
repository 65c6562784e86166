"""When the things of a row happened. The log has wall times without date or offset, from clocks not quite in step.

`date` is the day of `vru_entry`; every other time is taken on the day that brings it nearest to what comes before it in the
row. Waits and services end after their own durations: differences between two machines' clocks mean nothing. A clock that is
too far off to be believed is passed over: what it stamped begins where the thing before it ended.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from services.ingest.adapters.anonymous_bank.rows import DAY_S, Row

TIME_ZONE: Final = "Asia/Jerusalem"  # of the data set, for a site whose time zone is not configured
_DAYS_KNOWN: Final = 64

# How far the clocks of VRU, queue and agents are believed to differ. In a month of 31 599 rows a service begins 225 s before
# to 830 s after its call was answered.
OLDER_THAN_ENTRY_S: Final = 600
_LATER_S: Final = 7200  # a clock that was not set to summer time is an hour off


class Moments(Struct, frozen=True, gc=False):
    """Aware UTC. `odd` names what was odd about the row's clocks, `vru_exit` is that clock where `queued` is not by it."""

    entered: datetime  # the VRU
    queued: datetime  # began to wait
    left: datetime  # was answered, or hung up
    served: datetime  # the agent's line began
    done: datetime  # the agent's line ended
    odd: tuple[str, ...] = ()
    vru_exit: str = ""  # "14:05:59"
    offset: str = ""  # of the log's clock when it was not the time zone's: "+02:00"


class Walls:
    """Wall times of one time zone as UTC."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._offsets: dict[date, timedelta | None] = {}

    def moments(self, row: Row) -> Moments:
        """When the things of `row` happened."""
        odd: list[str] = []
        entered = row.vru_entry
        exited = queued = _believed(
            odd,
            row.vru_exit,
            near=entered,
            earliest=entered - OLDER_THAN_ENTRY_S,
            latest=entered + max(_LATER_S, row.vru_time),
            otherwise=entered + (row.vru_time if 0 <= row.vru_time <= _LATER_S else 0),
        )
        if row.q_time:
            earliest = max(exited, entered) - OLDER_THAN_ENTRY_S
            queued = _believed(
                odd, row.q_start, near=exited, earliest=earliest, latest=exited + _LATER_S, otherwise=exited
            )
        waited = max(0, row.q_time)
        served = left = queued + waited
        if row.ser_time > 0:
            earliest = entered - OLDER_THAN_ENTRY_S
            served = _believed(odd, row.ser_start, near=left, earliest=earliest, latest=left + _LATER_S, otherwise=left)
        midnight = datetime.combine(row.day, time())
        walls = [midnight + timedelta(seconds=seconds) for seconds in (entered, queued, served)]
        offset, log_offset = self._offset(row.day), ""
        if offset is None:
            found, log_offset = self._on_a_day_of_change(walls, odd)
        else:
            found = [(wall - offset).replace(tzinfo=UTC) for wall in walls]
        gone = found[1] + timedelta(seconds=waited)
        began = found[2] if served != left else gone
        return Moments(
            entered=found[0],
            queued=found[1],
            left=gone,
            served=began,
            done=began + timedelta(seconds=max(0, row.ser_time)),
            odd=tuple(odd),
            vru_exit="" if (row.vru_exit - queued) % DAY_S == 0 else _text(row.vru_exit),
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

    def _on_a_day_of_change(self, walls: list[datetime], odd: list[str]) -> tuple[list[datetime], str]:
        """A time that never was comes from a clock not yet moved: the whole row is read by the offset before the change.
        Of a time that was twice the first is meant, unless the row goes on after the change.
        """
        unmoved = next((wall for wall in walls if not self._exists(wall)), None)
        if unmoved is not None:
            odd.append("dst_gap")
            before = unmoved.replace(tzinfo=self._zone).utcoffset() or timedelta()
            zone = timezone(before)
            text = datetime.combine(unmoved.date(), time(), zone).isoformat()[-6:]
            return [wall.replace(tzinfo=zone).astimezone(UTC) for wall in walls], text
        twice = [wall for wall in walls if self._was_twice(wall)]
        if not twice:
            return [self.utc(wall) for wall in walls], ""
        odd.append("dst_overlap")
        fold = int(not self._was_twice(max(walls)))
        return [wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for wall in walls], ""

    def _exists(self, wall: datetime) -> bool:
        return self.utc(wall).astimezone(self._zone).replace(tzinfo=None) == wall

    def _was_twice(self, wall: datetime) -> bool:
        first = wall.replace(tzinfo=self._zone)
        return first.utcoffset() != first.replace(fold=1).utcoffset()


def _believed(odd: list[str], clock: int, *, near: int, earliest: int, latest: int, otherwise: int) -> int:
    """The time of day `clock` on the day that brings it nearest to `near`, if that can be; all since the row's midnight."""
    found = near + (clock - near + DAY_S // 2) % DAY_S - DAY_S // 2
    if earliest <= found <= latest:
        return found
    odd.append("clock_far_off")
    return otherwise


def _text(clock: int) -> str:
    return f"{clock // 3600 % 24:02}:{clock // 60 % 60:02}:{clock % 60:02}"
