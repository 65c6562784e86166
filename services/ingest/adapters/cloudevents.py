"""Our own events as producers send them: CloudEvents 1.0 in structured JSON, one object or an array of them.

Every error names the field by its path (`$.data.agent_id`, in a batch `$[3].data.agent_id`). Attributes that we do not
know are allowed beside `data`, as CloudEvents asks (tracing adds some), but not inside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Union, get_type_hints

import msgspec
from msgspec import Meta, Struct

from shared import events
from shared.envelope import EARLIEST, LATEST, Data, cloud_type
from shared.errors import InvalidInput
from shared.events import Provenance

LONGEST_TEXT = 512  # names are kept for as long as what they name
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]

MOST_SPEED = 1000  # of a simulated floor or a replay; without a limit its time would leave the calendar

MOST_ATTRIBUTES = 20  # of a call, and characters of each: they go with every record of it
LONGEST_ATTRIBUTE = 256

# What the switch's clock shows, and that it was set, ingest finds out by itself: a word from outside would move every timer
# of the site. What became of a command its connector says, in a record of kind `link`.
ACCEPTED: tuple[type[Data], ...] = tuple(
    kind for kind in events.DATA_TYPES if kind not in (events.Clock, events.ClockJumped, events.CommandAnswered)
)


class Incoming(Struct, frozen=True, kw_only=True):
    """One CloudEvent from a producer. `time` is the switch's clock."""

    specversion: Literal["1.0"]
    id: Text
    source: Text
    data: Data
    time: Annotated[datetime, Meta(tz=True)] | None = None
    site: str = ""
    sequence: str | int | None = None  # CloudEvents extension: a number per source, one more with each event
    provenance: Provenance = "observed"
    precisionms: events.PrecisionMs = 0
    datacontenttype: str = "application/json"


class Reader:
    """Reads CloudEvents whose types are those of `kinds`; `forms` has the class of each type."""

    def __init__(self, kinds: Iterable[type[Data]]) -> None:
        self.forms: dict[str, type[Incoming]] = {cloud_type(kind): _incoming(kind) for kind in kinds}
        union: Any = Union[tuple(self.forms.values())]  # noqa: UP007  (known only at run time)
        self._decoder: msgspec.json.Decoder[Incoming] = msgspec.json.Decoder(union)

    def read(self, value: bytes) -> list[Incoming]:
        """The events in `value`, in order; a batch is good as a whole or not at all.

        Raises InvalidInput: `not_json`, `unknown_type`, `invalid_event`.
        """
        try:
            parts = _split(value)
            if parts is None:
                return [self._one(value, "$")]
            return [self._one(part, f"$[{index}]") for index, part in enumerate(parts)]
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise InvalidInput("not_json", f"not JSON: {exc}") from exc
        except RecursionError as exc:
            raise InvalidInput("not_json", "not JSON that can be read: nested too deeply") from exc

    def _one(self, value: bytes | msgspec.Raw, path: str) -> Incoming:
        try:
            event = self._decoder.decode(value)
        except msgspec.ValidationError as exc:
            raise self._explain(str(exc), value, path) from exc
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise InvalidInput("not_json", f"not JSON: {exc}") from exc
        problem = _problem(event)
        if not problem and memoryview(value).nbytes > LONGEST_TEXT:
            problem = _too_long(event.data)
        if problem:
            raise InvalidInput("invalid_event", f"{path}{problem}")
        return event

    def _explain(self, text: str, value: bytes | msgspec.Raw, path: str) -> InvalidInput:
        message, _, tail = text.partition(" - at `$")
        at = path + tail.rstrip("`")
        named = re.search(r"(?:missing required|unknown) field `(.+?)`", message)
        if named:
            at = f"{at}.{named.group(1)}"
            word = "is missing" if "missing" in message else "is not a field of this event"
            return InvalidInput("invalid_event", f"{at} {word}")
        if tail == ".type`":
            found = msgspec.json.decode(value).get("type")
            if isinstance(found, str) and found not in self.forms:
                return InvalidInput("unknown_type", f"{at}: {_short(found)} is not a type that may be sent here")
        if "datetime" in message:
            message = "expected a time with a time zone, such as 2026-03-02T09:15:00Z"
        return InvalidInput("invalid_event", f"{at}: {message[:1].lower()}{message[1:]}")


def in_utc(when: datetime, shift_s: float) -> datetime:
    """`when` moved by `shift_s` seconds, in UTC. Raises InvalidInput `time_out_of_range`."""
    try:
        moved = when.astimezone(UTC) + timedelta(seconds=shift_s)
    except (OverflowError, ValueError) as exc:
        raise InvalidInput(
            "time_out_of_range", f"{when.isoformat()} moved by {shift_s} s is not a time that exists"
        ) from exc
    if not EARLIEST <= moved <= LATEST:
        between = f"{EARLIEST.year} and {LATEST.year}"
        raise InvalidInput("time_out_of_range", f"{when.isoformat()} moved by {shift_s} s is not between {between}")
    return moved


def times_moved(data: Data, shift_s: float) -> Data:
    """`data` with every time inside it moved by `shift_s` seconds and in UTC."""
    names = _TIME_FIELDS[type(data)]
    changed = {name: in_utc(value, shift_s) for name in names if (value := getattr(data, name)) is not None}
    return msgspec.structs.replace(data, **changed) if changed else data


def _split(value: bytes) -> list[msgspec.Raw] | None:
    """The parts of a batch; None when `value` is not an array."""
    if value.lstrip()[:1] != b"[":
        return None
    return msgspec.json.decode(value, type=list[msgspec.Raw])


def _incoming(kind: type[Data]) -> type[Incoming]:
    return msgspec.defstruct(  # type: ignore[return-value]
        "Incoming" + kind.__name__,
        [("data", kind)],
        bases=(Incoming,),
        tag_field="type",
        tag=cloud_type(kind),
        frozen=True,
        kw_only=True,
    )


def _problem(event: Incoming) -> str:
    """What the types cannot say: where, and what is wrong; empty when nothing is."""
    data = event.data
    for name in _NAMING_FIELDS[type(data)]:
        if not getattr(data, name):
            return f".data.{name}: is empty"
    for name in _TIME_FIELDS[type(data)]:
        value = getattr(data, name)
        if value is not None and value.tzinfo is None:
            return f".data.{name}: expected a time with a time zone, such as 2026-03-02T09:15:00Z"
    if isinstance(data, events.LinkUp) and not 0 < data.speed <= MOST_SPEED:
        return f".data.speed: expected more than 0 and at most {MOST_SPEED}, got {data.speed}"
    if isinstance(data, events.CallQueued) and data.position is not None and data.position < 1:
        return f".data.position: expected 1 (next) or more, got {data.position}"
    if isinstance(data, events.CallStarted) and (problem := _attributes_problem(data.attributes)):
        return f".data.attributes{problem}"
    if isinstance(data, events.AgentSeen) and data.lease_s is not None and not data.lease_s > 0:
        return f".data.lease_s: expected more than 0 seconds, or null for no promise, got {data.lease_s}"
    if isinstance(event.sequence, str) and not re.fullmatch(r"\d{1,18}", event.sequence, re.ASCII):
        return f".sequence: expected a whole number, got {_short(event.sequence)}"
    if isinstance(event.sequence, int) and not 0 <= event.sequence < 10**18:
        return f".sequence: expected 0 or more and at most 18 digits, got {event.sequence}"
    if not re.match(r"application/([\w.+-]+\+)?json\b", event.datacontenttype):
        return f".datacontenttype: expected application/json, got {_short(event.datacontenttype)}"
    return ""


def _too_long(data: Data) -> str:
    """Where a text is too long; empty when none is."""
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            return f".data.{name}: longer than {LONGEST_TEXT} characters"
        if isinstance(value, tuple | dict) and any(len(text) > LONGEST_TEXT for text in _texts(value)):
            return f".data.{name}: holds a text that is longer than {LONGEST_TEXT} characters"
    return ""


def _texts(value: Any) -> Iterator[str]:
    """Every text in a list, or in an object of texts or lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _texts(one)


def _attributes_problem(attributes: dict[str, str]) -> str:
    if len(attributes) > MOST_ATTRIBUTES:
        return f": expected at most {MOST_ATTRIBUTES}, got {len(attributes)}"
    for name, text in attributes.items():
        if len(name) > LONGEST_ATTRIBUTE or len(text) > LONGEST_ATTRIBUTE:
            return f".{_short(name)}: longer than {LONGEST_ATTRIBUTE} characters"
    return ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _naming_fields(kind: type[Data]) -> tuple[str, ...]:
    """Required texts are ids and names: an empty one would join what does not belong together."""
    hints = get_type_hints(kind)
    names = [f.name for f in msgspec.structs.fields(kind) if f.required and hints[f.name] is str]
    if kind is events.LegStarted:
        names.remove("agent_id")  # whose phone it is may be unknown
    return tuple(names)


def _time_fields(kind: type[Data]) -> tuple[str, ...]:
    hints = get_type_hints(kind)
    return tuple(name for name, hint in hints.items() if hint in (datetime, datetime | None))


_NAMING_FIELDS = {kind: _naming_fields(kind) for kind in events.DATA_TYPES}
_TIME_FIELDS = {kind: _time_fields(kind) for kind in events.DATA_TYPES}
