"""The feed's messages, as JSON text over WebSocket.

The server greets with `hello`; the client answers `subscribe`, or `resume` with what it last had. It then gets a
`snapshot` (or `resumed` and the deltas it missed), `delta`s, and a `clock` at least once a second. A delta holds the last
value of every entity that changed; null means that the entity is gone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from services.monitor.core.floor import Kind
from services.monitor.core.views import FloorView


class Hello(Struct, frozen=True, gc=False, tag_field="type", tag="hello"):
    version: Literal[1] = 1


class Snapshot(Struct, frozen=True, gc=False, tag_field="type", tag="snapshot"):
    """Everything, as of `position` within `epoch`."""

    epoch: str
    position: int
    floor: FloorView


class Resumed(Struct, frozen=True, gc=False, tag_field="type", tag="resumed"):
    """The deltas after `position` follow; what the client has stays."""

    epoch: str
    position: int


class Change(Struct, frozen=True, gc=False):
    kind: Kind
    key: str  # the site's name, or "site/id"
    value: Any | None


class Delta(Struct, frozen=True, gc=False, tag_field="type", tag="delta"):
    """`position` is the position after this delta."""

    position: int
    changes: list[Change]


class SiteClock(Struct, frozen=True, gc=False):
    """`age_s`: seconds (ours) since the switch's time last moved on, which is the age of all that the board shows."""

    now: datetime
    speed: float
    age_s: float


class Clocks(Struct, frozen=True, gc=False, tag_field="type", tag="clock"):
    """The switch's time now, by site. A client that hears nothing for three seconds is disconnected."""

    sites: dict[str, SiteClock]


class Pong(Struct, frozen=True, gc=False, tag_field="type", tag="pong"):
    pass


class Subscribe(Struct, frozen=True, gc=False, tag_field="type", tag="subscribe"):
    pass


class Resume(Struct, frozen=True, gc=False, tag_field="type", tag="resume"):
    epoch: str
    position: int


class Ping(Struct, frozen=True, gc=False, tag_field="type", tag="ping"):
    pass


ClientMessage = Subscribe | Resume | Ping

client_messages: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_encoder = msgspec.json.Encoder()


def encode(message: Struct) -> str:
    """The text frame of a message."""
    return _encoder.encode(message).decode()


def raw(value: Struct | None) -> Raw | None:
    """A value encoded once, for use inside a larger message."""
    return None if value is None else Raw(_encoder.encode(value))


# Close codes: 4000-4499 do not come back, 4500-4999 do.
BAD_MESSAGE = 4400
TOO_SLOW = 4503
GOING_AWAY = 4501
