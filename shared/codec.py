"""Bytes to events and facts, and back: JSON CloudEvents 1.0, described in docs/events.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar, Union

import msgspec

from shared import events, facts
from shared.envelope import E, beyond
from shared.errors import InvalidInput

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


def _union(types: Any) -> Any:
    return Union[tuple(types)]  # noqa: UP007  (the members are known only at run time)


_event_decoder: msgspec.json.Decoder[events.Event] = msgspec.json.Decoder(_union(events.ENVELOPES.values()))
_fact_decoder: msgspec.json.Decoder[facts.Fact] = msgspec.json.Decoder(_union(facts.ENVELOPES.values()))


def encode(value: Any) -> bytes:
    """JSON bytes of a struct, or of a plain value."""
    return _encoder.encode(value)


def decode_event(raw: bytes) -> events.Event:
    """The canonical event in `raw`.

    Raises InvalidInput (`not_json`, `invalid_event`, `time_out_of_range`) naming the field that is wrong.
    """
    found = _in_our_time(decode(_event_decoder, raw), "time")
    if found.receivedtime is not None:
        _in_our_time(found, "receivedtime")
    return found


def decode_fact(raw: bytes) -> facts.Fact:
    """The flag or record in `raw`. Raises InvalidInput like `decode_event`."""
    return _in_our_time(decode(_fact_decoder, raw), "time")


def _in_our_time(found: E, name: str) -> E:
    when: datetime = getattr(found, name)
    if why := beyond(when):
        raise InvalidInput("time_out_of_range", f"$.{name}: {why}")
    return found


def decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """Decode `raw`, turning msgspec's errors into InvalidInput."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        raise InvalidInput("invalid_event", f"does not fit its schema: {exc}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise InvalidInput("not_json", f"not JSON: {exc}") from exc
    except RecursionError as exc:
        raise InvalidInput("not_json", "JSON that is nested too deeply") from exc
