"""One line of the log, read: 17 fields, whatever separates and pads them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final, Literal, get_args

from msgspec import Struct

from shared.errors import InvalidInput

Outcome = Literal["AGENT", "HANG", "PHANTOM"]

OUTCOMES: Final = frozenset(get_args(Outcome))
NO_SERVER: Final = "NO_SERVER"
COLUMNS: Final = (
    "vru+line", "call_id", "customer_id", "priority", "type", "date", "vru_entry", "vru_exit", "vru_time",
    "q_start", "q_exit", "q_time", "outcome", "ser_start", "ser_exit", "ser_time", "server",
)  # fmt: skip
DAY_S: Final = 86_400
LONGEST_S: Final = 999_999  # 11 days; a longer wait or service is a mistake

_TIME: Final = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})", re.ASCII)
_DATE: Final = re.compile(r"(\d\d)(\d\d)(\d\d)", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,9}", re.ASCII)
_CENTURY: Final = 70  # two-digit years from here on are 19..


class Row(Struct, frozen=True, gc=False):
    """A readable line. Clock fields are seconds since midnight as written, 86 400 and more for hour 24; times are seconds."""

    line: str
    call_id: str
    priority: str
    service: str  # the column `type`
    day: date
    vru_entry: int
    vru_exit: int
    vru_time: int
    q_start: int
    q_exit: int
    q_time: int
    outcome: Outcome
    ser_start: int
    ser_exit: int
    ser_time: int
    server: str
    repaired: bool  # tabs alone would not have separated it into 17 clean fields

    @property
    def has_hour_24(self) -> bool:
        """A clock field says 24:.., which is read as just after midnight."""
        return max(self.vru_entry, self.vru_exit, self.q_start, self.q_exit, self.ser_start, self.ser_exit) >= DAY_S


def fields_of(line: bytes) -> tuple[list[str], bool]:
    """The line split on runs of whitespace, and whether a split at its tabs would have been different."""
    try:
        text = line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        text = line.rstrip(b"\r\n").decode("latin-1")
    found = text.split()
    return found, found != text.split("\t")


def is_header(fields: list[str]) -> bool:
    """The line of column names, which some files repeat."""
    return bool(fields) and fields[0].lower() == COLUMNS[0]


def entry_of(line: bytes) -> datetime | None:
    """When the call of this line entered the VRU, by the log's own clock; None for a line that cannot be read."""
    fields, _ = fields_of(line)
    if len(fields) != len(COLUMNS):
        return None
    try:
        return datetime.combine(_day(fields[5]), datetime.min.time()) + timedelta(seconds=_clock("", fields[6]))
    except InvalidInput:
        return None


def over_at(line: bytes) -> datetime | None:
    """When everything that this line tells is over, by the log's own clock and roughly; None for a line that cannot be read."""
    fields, repaired = fields_of(line)
    try:
        row = parse(fields, repaired=repaired)
    except InvalidInput:
        return None
    lasts = row.vru_entry + sum(max(0, one) for one in (row.vru_time, row.q_time, row.ser_time))
    return datetime.combine(row.day, datetime.min.time()) + timedelta(seconds=lasts)


def parse(fields: list[str], *, repaired: bool) -> Row:
    """The row that these fields are. Raises InvalidInput: `wrong_field_count`, `bad_date`, `bad_time`, `bad_number`,
    `unknown_outcome`.
    """
    if len(fields) != len(COLUMNS):
        raise InvalidInput(
            "wrong_field_count",
            f"{len(fields)} field{'s' * (len(fields) != 1)} instead of {len(COLUMNS)}: {' '.join(fields)[:160]!r}",
        )
    line, call_id, _customer, priority, service = fields[:5]
    outcome = fields[12]
    if outcome not in OUTCOMES:
        raise InvalidInput("unknown_outcome", f"outcome: {outcome[:40]!r} is none of {', '.join(sorted(OUTCOMES))}")
    return Row(
        line=line,
        call_id=call_id,
        priority=priority,
        service=service,
        day=_day(fields[5]),
        vru_entry=_clock("vru_entry", fields[6]),
        vru_exit=_clock("vru_exit", fields[7]),
        vru_time=_number("vru_time", fields[8]),
        q_start=_clock("q_start", fields[9]),
        q_exit=_clock("q_exit", fields[10]),
        q_time=_number("q_time", fields[11]),
        outcome=outcome,  # type: ignore[arg-type]  # one of OUTCOMES
        ser_start=_clock("ser_start", fields[13]),
        ser_exit=_clock("ser_exit", fields[14]),
        ser_time=_number("ser_time", fields[15]),
        server=fields[16],
        repaired=repaired,
    )


def _day(text: str) -> date:
    found = _DATE.fullmatch(text)
    if found is not None:
        year, month, day = map(int, found.groups())
        try:
            return date(year + (1900 if year >= _CENTURY else 2000), month, day)
        except ValueError:
            pass
    raise InvalidInput("bad_date", f"date: {text[:40]!r} is no day as YYMMDD")


def _clock(column: str, text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is not None:
        hour, minute, second = map(int, found.groups())
        if hour <= 24 and minute < 60 and second < 60:
            return hour * 3600 + minute * 60 + second
    raise InvalidInput("bad_time", f"{column}: {text[:40]!r} is no time of day as H:MM:SS")


def _number(column: str, text: str) -> int:
    if _NUMBER.fullmatch(text) is not None:
        value = int(text)
        if abs(value) <= LONGEST_S:
            return value
    raise InvalidInput("bad_number", f"{column}: {text[:40]!r} is no number of seconds up to {LONGEST_S}")
