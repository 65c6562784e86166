"""One AMI packet: headers from raw text or from JSON, and when it happened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from shared.errors import InvalidInput
from shared.raw import Raw

Headers = dict[str, str]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Without a Timestamp we only know when the packet came in; a busy switch hands over packets in bursts of up to 25 ms.
RECEIVED_PRECISION_MS: Final = 50
LONGEST_VALUE: Final = 512  # of a long packet's header, as of any name: names are kept for as long as what they name
LONG_PACKET: Final = 4096  # bytes; what is in a shorter one is short enough
FARTHEST_CLOCK: Final = timedelta(days=1)  # one damaged stamp must not run every timer of the floor
_STAMP: Final = re.compile(r"(\d{1,11})(?:\.(\d{1,9}))?")
# seconds since 1970, and nothing that state or calendar could not hold
_NUMBER: Final = re.compile(r"\d{1,10}", re.ASCII)
_json: Final = msgspec.json.Decoder(dict[str, Any])


class Packet:
    """Headers by name; of a repeated header the last value counts, since none that we read repeats."""

    __slots__ = ("event", "headers", "precision_ms", "shift", "stamped", "time")

    def __init__(self, headers: Headers, raw: Raw) -> None:
        if len(raw.value) > LONG_PACKET:
            headers = {name: value[:LONGEST_VALUE] for name, value in headers.items()}
        self.headers = headers
        self.event = headers.get("Event", "")
        stamp = headers.get("Timestamp", "")
        self.stamped = bool(stamp)
        if stamp:
            self.time, self.precision_ms = _time_of(stamp)
            if abs(self.time - raw.received) > FARTHEST_CLOCK:
                raise InvalidInput("time_out_of_range", f"Timestamp {stamp} is more than a day off {raw.received}")
        else:
            self.time, self.precision_ms = raw.received, RECEIVED_PRECISION_MS
        self.shift = timedelta(seconds=raw.shift_s)
        self.time += self.shift

    def get(self, name: str, default: str = "") -> str:
        """The header's value; a missing one and Asterisk's `<unknown>` are `default`."""
        value = self.headers.get(name, default)
        return default if value == "<unknown>" else value

    def fold(self, names: Mapping[str, str]) -> None:
        """Give headers that are spelt in another case the spelling of `names` (lower case -> as we know it)."""
        self.headers = {names.get(name.lower(), name): value for name, value in self.headers.items()}

    def number(self, name: str) -> int:
        """The header as a whole number; 0 when it is missing, or none, or more than any that a switch means."""
        value = self.headers.get(name, "")
        return int(value) if _NUMBER.fullmatch(value) else 0


def read(raw: Raw) -> Packet:
    """The packet in `raw.value`.

    Raises InvalidInput: `not_ami` for anything that is no set of headers, `bad_timestamp` for a Timestamp that is no time.
    """
    value = raw.value.lstrip()
    return Packet(_from_json(value) if value.startswith((b"{", b"[")) else _from_text(value), raw)


def _from_json(value: bytes) -> Headers:
    try:
        found = _json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise InvalidInput("not_ami", f"not a JSON object of AMI headers: {exc}") from exc
    headers = {name: _text(name, one) for name, one in found.items()}
    _check(headers)
    return headers


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return _text(name, value[-1]) if value else ""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    raise InvalidInput("not_ami", f"header {name} is neither text nor a list of texts")


def _from_text(value: bytes) -> Headers:
    text = value.decode("utf-8", "replace").rstrip("\r\n")
    if text.startswith("Asterisk Call Manager/"):  # the greeting, before any packet
        text = text.partition("\n")[2]
        if not text.strip():
            return {"Response": "Greeting"}
    headers: Headers = {}
    for line in text.split("\n"):
        name, colon, content = line.rstrip("\r").partition(":")
        if not colon or not name or " " in name:
            if headers.get("Response") == "Follows":  # the free text of a CLI command's answer
                break
            raise InvalidInput("not_ami", f"not a `Key: value` line: {line[:60]!r}")
        headers[name] = content.strip(" ")
    _check(headers)
    return headers


def _check(headers: Headers) -> None:
    if not ("Event" in headers or "Response" in headers):
        raise InvalidInput("not_ami", "neither an Event nor a Response header")


def _time_of(stamp: str) -> tuple[datetime, int]:
    found = _STAMP.fullmatch(stamp)
    if found is None:
        raise InvalidInput("bad_timestamp", f"Timestamp {stamp[:40]!r} is not seconds since 1970")
    seconds, fraction = found.groups()
    micros = int((fraction or "").ljust(6, "0")[:6] or 0)
    precision = 0 if fraction and len(fraction) > 3 else 1 if fraction and len(fraction) == 3 else 1000
    return EPOCH + timedelta(seconds=int(seconds), microseconds=micros), precision
