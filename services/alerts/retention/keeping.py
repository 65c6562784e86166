"""The section `retention` of the alert file: how long each group of tables is kept, and when in the day it is seen to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct

from services.alerts.alertfile.receivers import Reading
from services.alerts.retention.groups import GROUPS
from shared.durations import parse_duration
from shared.hours import Hours, parse_window

Written = Mapping[str, str | int | float]

SHORTEST: Final = timedelta(days=1)  # what is younger may still be in a report of yesterday
LONGEST: Final = timedelta(days=36_500)
AT: Final = "03:30"  # after the day's reports, before the first shift


class Retention(Struct, frozen=True):
    """`keep`: by group, None for ever. `at`: minutes after midnight in `time_zone`; "": that of `defaults` in the sites file."""

    keep: dict[str, timedelta | None]
    at: int = 210
    time_zone: str = ""

    def next_purge(self, after: datetime, default_zone: str) -> datetime:
        """The first quiet hour after a moment."""
        hours = Hours(((self.at, self.at + 1),), frozenset())
        zone = ZoneInfo(self.time_zone or default_zone)
        change = hours.next_change(after, zone)
        while change is not None and not hours.open_at(change, zone):
            change = hours.next_change(change, zone)
        assert change is not None, "a minute of every day begins within a day"
        return change

    def day(self, at: datetime, default_zone: str) -> str:
        """The day of a purge, by which it is known; it begins at the quiet hour."""
        local = at.astimezone(ZoneInfo(self.time_zone or default_zone)) - timedelta(minutes=self.at)
        return local.date().isoformat()


DEFAULT: Final = Retention({one.name: one.keep for one in GROUPS})


def read_retention(written: Written, file: Reading) -> Retention:
    """Checked, and what is not written by default. Raises SettingsError that names file, line and key."""
    keep = dict(DEFAULT.keep)
    for name, value in written.items():
        if name in ("at", "time_zone"):
            continue
        if name not in keep:
            raise file.wrong(f"retention.{name}", f"there is no such group; there are {', '.join(keep)}, at, time_zone")
        keep[name] = None if value == "never" else _time(value, f"retention.{name}", file)
    time_zone = str(written.get("time_zone", ""))
    if time_zone and time_zone not in available_timezones():
        raise file.wrong("retention.time_zone", f"{time_zone!r} is not an IANA time zone")
    return Retention(keep, _minute(str(written.get("at", AT)), file), time_zone)


def _time(value: str | float, key: str, file: Reading) -> timedelta:
    try:
        found = parse_duration(value, LONGEST)
    except ValueError as exc:
        raise file.wrong(key, f'expected days such as "400d", or never, got {value!r}') from exc
    if found < SHORTEST:
        raise file.wrong(key, "expected at least a day, 1d")
    return found


def _minute(at: str, file: Reading) -> int:
    try:
        return parse_window(f"{at}-00:00")[0]
    except ValueError as exc:
        raise file.wrong("retention.at", f'expected a time of day such as "03:30", got {at!r}') from exc
