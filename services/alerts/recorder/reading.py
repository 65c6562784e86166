"""From a record of `floor.records` to a row. Callers' numbers are masked here: the database never holds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

from msgspec import Struct

from shared import facts
from shared.bus import Record
from shared.codec import decode_fact
from shared.errors import InvalidInput
from shared.masking import masked

Kind = Literal["agent", "call", "queue", "transfer"]
Place = tuple[int, int, int]  # raw partition, offset, index; offset -1: none

_NUL, _REPLACEMENT = rb"\u0000", rb"\ufffd"  # PostgreSQL stores any character but NUL
QUARTER: Final = timedelta(minutes=15)
_LONGEST: Final = timedelta(days=400)  # of an interval: each of its days becomes a row
_LARGEST: Final = 2**50  # microseconds, 35 years: databases can add up thousands of them
MOST_LETTERS: Final = 200  # of what a switch may say in words of its own


class Recorded(Struct, frozen=True, gc=False):
    """A record as a row: its columns by name. `time`: by the switch's clock, of what it is about the end."""

    kind: Kind
    site: str
    key: tuple[Any, ...]
    place: Place
    time: datetime
    values: dict[str, Any]


def read(record: Record) -> Recorded:
    """The row that `record` makes.

    Raises InvalidInput: `not_json`, `invalid_event`, `not_a_record` (another kind of fact), `no_time_zone`, `no_duration` (an end
    before the beginning, more than 400 days, a sum below 0 or beyond counting).
    """
    fact = decode_fact(record.value.replace(_NUL, _REPLACEMENT))
    make = _ROWS.get(type(fact.data))
    if make is None:
        raise InvalidInput("not_a_record", f"{type(fact.data).__name__} does not belong on {record.topic}")
    kind, values = make(fact.data, fact)
    values["site"] = fact.site
    values["origin"] = "replay" if fact.replay else "simulated" if fact.simulated else "real"
    values["recorded_at"] = record.written
    place = (fact.rawpartition, fact.rawoffset, fact.rawindex)
    return Recorded(kind, fact.site, tuple(values[name] for name in KEYS[kind]), place, values["ended_at"], values)


KEYS: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {
        "agent": ("interval_id",),
        "call": ("record_id",),
        "queue": ("site", "queue", "counted_from", "ended_at"),
        "transfer": ("site", "transfer_id"),
    }
)

Row = tuple[Kind, dict[str, Any]]


def _agent(data: facts.AgentInterval, fact: facts.Fact) -> Row:
    started, ended = _span(data.started_at, data.ended_at)
    return (
        "agent",
        {
            "interval_id": "/".join(
                (*(part.replace("/", "%2F") for part in (fact.site, data.agent_id)), started.isoformat())
            ),
            "agent_id": data.agent_id,
            "started_at": started,
            "ended_at": ended,
            "state": data.state,
            "reason": data.reason[:MOST_LETTERS],
            "provenance": data.provenance[:MOST_LETTERS],
            "queue": data.queue,
            "call_id": data.call_id,
        },
    )


def _call(data: facts.CallEnded, fact: facts.Fact) -> Row:
    started, ended = _span(data.started_at, data.ended_at, longest=None)
    return (
        "call",
        {
            "record_id": fact.id,
            "call_id": data.call_id,
            "direction": data.direction[:MOST_LETTERS],
            "queue": data.queue,
            "outcome": data.outcome,
            "agent_id": data.agent_id,
            "from_number": masked(data.from_number),
            "started_at": started,
            "answered_at": _aware(data.answered_at, "answered_at"),
            "ended_at": ended,
            "waited_us": _micros(data.waited_s, "waited_s"),
            "talk_us": _micros(data.talk_s, "talk_s"),
            "hold_us": _micros(data.hold_s, "hold_s"),
        },
    )


_COUNTS: Final = (
    "offered",
    "answered",
    "abandoned",
    "short_abandoned",
    "other_ended",
    "answered_within",
    "abandoned_within",
    "handled",
    "transfers",
)
_SUMS: Final = (
    "wait_answered",
    "wait_abandoned",
    "longest_waited",
    "talk",
    "hold",
    "wrap",
    "handling",
    "ready",
    "within",
    "short_abandon",
)


def _queue(data: facts.QueueInterval, _fact: facts.Fact) -> Row:
    started, ended = _span(data.started_at, data.ended_at)
    counted_from, _ = _span(data.counted_from, data.ended_at)
    values: dict[str, Any] = {"queue": data.queue, "started_at": started, "ended_at": ended}
    values["counted_from"] = counted_from
    values["partial"] = ended - counted_from < QUARTER
    for name in _COUNTS:
        values[name] = count = getattr(data, name)
        if not 0 <= count < 2**31:
            raise InvalidInput("no_duration", f"{name} {count} is no count")
    for name in _SUMS:
        # times of agents may be put right to below 0 by what comes late
        values[f"{name}_us"] = _micros(getattr(data, f"{name}_s"), name, below=name in ("handling", "ready"))
    return "queue", values


_LEGS: Final = ("seek", "ring", "brief", "customer_gap", "total")
_STAMPS: Final = ("requested", "ringing", "answered", "bridged", "released")


def _transfer(data: facts.TransferEnded, _fact: facts.Fact) -> Row:
    _, ended = _span(data.requested_at, data.ended_at, longest=None)
    values = {name: getattr(data, name) for name in ("transfer_id", "call_id", "kind", "from_agent", "to_agent")}
    values |= {f"{name}_at": _aware(getattr(data, f"{name}_at"), name) for name in _STAMPS}
    values |= {f"{name}_us": _micros(getattr(data, f"{name}_s"), name) for name in _LEGS}
    values |= {
        "to_queue": data.to_queue,
        "to_number": masked(data.to_number),
        "ended_at": ended,
        "outcome": data.outcome,
        "reason": data.reason[:MOST_LETTERS],
        "precision_ms": data.precision_ms,
        "slow": data.slow,
    }
    return "transfer", values


_ROWS: Final[Mapping[type, Callable[[Any, facts.Fact], Row]]] = MappingProxyType(
    {
        facts.AgentInterval: _agent,
        facts.CallEnded: _call,
        facts.QueueInterval: _queue,
        facts.TransferEnded: _transfer,
    }
)


def _span(start: datetime, end: datetime, *, longest: timedelta | None = _LONGEST) -> tuple[datetime, datetime]:
    start, end = _aware(start, "started_at"), _aware(end, "ended_at")
    if end < start or (longest is not None and end - start > longest):
        raise InvalidInput("no_duration", f"from {start.isoformat()} to {end.isoformat()}")
    return start, end


def _aware(value: Any, name: str) -> Any:
    """`value` in UTC."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise InvalidInput("no_time_zone", f"{name} {value.isoformat()} has no time zone")
    if not 1970 <= value.year < 9000:  # the first and last days of the calendar are in no other time zone
        raise InvalidInput("no_duration", f"{name} {value.isoformat()} is of no year that a floor worked in")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _micros(seconds: float | None, name: str, *, below: bool = False) -> int | None:
    """Whole microseconds, which is all that a duration had."""
    if seconds is None:
        return None
    if not (0 <= seconds * 1e6 < _LARGEST or (below and abs(seconds) * 1e6 < _LARGEST)):  # NaN is neither
        raise InvalidInput("no_duration", f"{name} is {seconds} seconds")
    return round(seconds * 1_000_000)


def micros_between(start: datetime, end: datetime) -> int:
    """From one moment to another."""
    span = end - start
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
