"""The periods that reports are about: days, weeks, months, quarters and years by a site's calendar. Pure.

A period is made of whole days of the site. A day goes from midnight to midnight of the wall clock, 23 or 25 hours when the
clocks change (docs/metrics.md). A week begins on Monday and is numbered as ISO 8601 has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct

from shared.errors import InvalidInput

Kind = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]
Language = Literal["en", "zh"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_DAY: Final = timedelta(days=1)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9000  # the calendar of Python ends soon after


class Period(Struct, frozen=True):
    """One period of a site; `first` is its first day there. Made by `containing` and `parse`, which see to that it is one."""

    kind: Kind
    first: date
    time_zone: str

    @property
    def next_first(self) -> date:
        """The first day after it."""
        return _FIRST_AFTER[self.kind](self.first)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.next_first - _DAY

    @property
    def days(self) -> tuple[date, ...]:
        """Each of its days, the first one first."""
        return tuple(self.first + timedelta(days=n) for n in range((self.next_first - self.first).days))

    @property
    def start(self) -> datetime:
        """The moment it begins at, aware UTC; it belongs to the period."""
        return midnight(self.first, self.time_zone)

    @property
    def end(self) -> datetime:
        """The moment it ends at, aware UTC; it belongs to the next one."""
        return midnight(self.next_first, self.time_zone)

    @property
    def key(self) -> str:
        """Its name in addresses and file names, which `parse` reads: 2026-11-23, 2026-W48, 2026-11, 2026-Q4, 2026."""
        return _KEY[self.kind](self.first)

    def before(self) -> Period:
        """The one before it, of the same kind."""
        return containing(self.kind, self.first - _DAY, self.time_zone)

    def after(self) -> Period:
        """The one after it, of the same kind."""
        return containing(self.kind, self.next_first, self.time_zone)

    def label(self, language: Language = "en") -> str:
        """Its name for people: `Monday 23 November 2026`, `2026年11月23日 星期一`."""
        return (_EN if language == "en" else _ZH)[self.kind](self)


@lru_cache(maxsize=4096)
def midnight(day: date, time_zone: str) -> datetime:
    """When `day` begins at the site, aware UTC: its first midnight, or the moment the clock is set forward over it."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)


def day_at(moment: datetime, time_zone: str) -> date:
    """The day of the site that `moment` is in; where the clock is set back over midnight, the later one from its begin on."""
    day = moment.astimezone(ZoneInfo(time_zone)).date()
    while midnight(day + _DAY, time_zone) <= moment:
        day += _DAY
    return day


def containing(kind: Kind, day: date, time_zone: str) -> Period:
    """The period of this kind that `day` is in."""
    return Period(kind, _FIRST_OF[kind](day), time_zone)


def parse(text: str, time_zone: str) -> Period:
    """The period whose key is `text`.

    Raises InvalidInput `not_a_period`.
    """
    for kind, shape in _SHAPES.items():
        found = shape.fullmatch(text.strip().upper())
        if found is None:
            continue
        numbers = [int(group) for group in found.groups()]
        try:
            day = _READ[kind](*numbers)
        except ValueError as exc:
            raise InvalidInput("not_a_period", f"{text!r} is not in the calendar: {exc}") from exc
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise InvalidInput("not_a_period", f"{text!r} is not of the years {_FIRST_YEAR} to {_LAST_YEAR}")
        return containing(kind, day, time_zone)
    raise InvalidInput(
        "not_a_period",
        f"{text!r} is no period: expected a day 2026-11-23, a week 2026-W48, a month 2026-11, a quarter 2026-Q4 or a year 2026",
    )


# ---------------------------------------------------------------- calendars


def _quarter(day: date) -> int:
    return (day.month + 2) // 3


def _first_of_week(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _first_of_quarter(day: date) -> date:
    return date(day.year, 3 * _quarter(day) - 2, 1)


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)


_FIRST_OF: Final = MappingProxyType[Kind, Callable[[date], date]](
    {
        "daily": lambda day: day,
        "weekly": _first_of_week,
        "monthly": lambda day: day.replace(day=1),
        "quarterly": _first_of_quarter,
        "yearly": lambda day: date(day.year, 1, 1),
    }
)
_FIRST_AFTER: Final = MappingProxyType[Kind, Callable[[date], date]](
    {
        "daily": lambda first: first + _DAY,
        "weekly": lambda first: first + 7 * _DAY,
        "monthly": lambda first: _months_later(first, 1),
        "quarterly": lambda first: _months_later(first, 3),
        "yearly": lambda first: date(first.year + 1, 1, 1),
    }
)


def _week_key(first: date) -> str:
    year, week, _ = first.isocalendar()
    return f"{year:04}-W{week:02}"


_KEY: Final = MappingProxyType[Kind, Callable[[date], str]](
    {
        "daily": lambda first: first.isoformat(),
        "weekly": _week_key,
        "monthly": lambda first: f"{first.year:04}-{first.month:02}",
        "quarterly": lambda first: f"{first.year:04}-Q{_quarter(first)}",
        "yearly": lambda first: f"{first.year:04}",
    }
)
_SHAPES: Final = MappingProxyType[Kind, re.Pattern[str]](
    {
        "daily": re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII),
        "weekly": re.compile(r"(\d{4})-W(\d{2})", re.ASCII),
        "monthly": re.compile(r"(\d{4})-(\d{2})", re.ASCII),
        "quarterly": re.compile(r"(\d{4})-Q([1-4])", re.ASCII),
        "yearly": re.compile(r"(\d{4})", re.ASCII),
    }
)
_READ: Final = MappingProxyType[Kind, Callable[..., date]](
    {
        "daily": date,
        "weekly": lambda year, week: date.fromisocalendar(year, week, 1),
        "monthly": lambda year, month: date(year, month, 1),
        "quarterly": lambda year, quarter: date(year, 3 * quarter - 2, 1),
        "yearly": lambda year: date(year, 1, 1),
    }
)

# ---------------------------------------------------------------- words

_DAYS_EN: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS_ZH: Final = "一二三四五六日"
_MONTHS_EN: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def _day_en(day: date) -> str:
    return f"{day.day} {_MONTHS_EN[day.month - 1]} {day.year}"


def _day_zh(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


_EN: Final = MappingProxyType[Kind, Callable[[Period], str]](
    {
        "daily": lambda one: f"{_DAYS_EN[one.first.weekday()]} {_day_en(one.first)}",
        "weekly": lambda one: f"Week {one.first.isocalendar().week}, {_day_en(one.first)} to {_day_en(one.last)}",
        "monthly": lambda one: f"{_MONTHS_EN[one.first.month - 1]} {one.first.year}",
        "quarterly": lambda one: f"Quarter {_quarter(one.first)} of {one.first.year}",
        "yearly": lambda one: f"Year {one.first.year}",
    }
)
_ZH: Final = MappingProxyType[Kind, Callable[[Period], str]](
    {
        "daily": lambda one: f"{_day_zh(one.first)} 星期{_DAYS_ZH[one.first.weekday()]}",
        "weekly": lambda one: (
            f"{one.first.isocalendar().year}年第{one.first.isocalendar().week}周，{_day_zh(one.first)}至{_day_zh(one.last)}"
        ),
        "monthly": lambda one: f"{one.first.year}年{one.first.month}月",
        "quarterly": lambda one: f"{one.first.year}年第{_quarter(one.first)}季度",
        "yearly": lambda one: f"{one.first.year}年",
    }
)
