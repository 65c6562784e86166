"""The feed's messages, as JSON text over WebSocket.

The server greets with `hello`; the client answers `subscribe`, or `resume` with what it last had. It then gets a
`snapshot` in parts (or `resumed` and what it missed), `delta`s, and a `clock` twice a second. A delta holds the last
value of every entity that changed; null means that the entity is gone, or not to be seen any more.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from services.monitor.core.floor import Kind
from services.monitor.core.views import FloorView

Channel = Literal["site", "queues", "agents", "calls", "flags"]
CHANNELS: Final[tuple[Channel, ...]] = ("site", "queues", "agents", "calls", "flags")
KINDS: Final = MappingProxyType[Channel, tuple[Kind, ...]](
    {
        "site": ("site",),
        "queues": ("queue",),
        "agents": ("agent",),
        "calls": ("call", "transfer"),
        "flags": ("flag",),
    }
)

_Name = Annotated[str, Meta(max_length=200)]
Names = Annotated[tuple[_Name, ...], Meta(max_length=2000)]  # of a message of at most 64 KiB


# ---------------------------------------------------------------- from the server


class User(Struct, frozen=True, gc=False):
    """Who the connection belongs to."""

    user: str
    name: str
    roles: tuple[str, ...]


class Allowed(Struct, frozen=True, gc=False):
    """What the token lets its user see; null: all."""

    sites: tuple[str, ...] | None = None
    teams: tuple[str, ...] | None = None
    queues: tuple[str, ...] | None = None


class Limits(Struct, frozen=True, gc=False):
    """What a client may do, and how much may be on its way to it."""

    messages_per_s: float
    max_message_bytes: int
    max_unsent_bytes: int


class Hello(Struct, frozen=True, gc=False, tag_field="type", tag="hello"):
    version: Literal[1] = 1
    user: User = User("local", "", ())
    scope: Allowed = Allowed()
    limits: Limits = Limits(20.0, 1 << 16, 1 << 18)


class Snapshot(Struct, frozen=True, gc=False, tag_field="type", tag="snapshot"):
    """Everything of a subscription, as of `position` within `epoch`. It comes in `parts`, which together replace what was."""

    epoch: str
    position: int
    floor: FloorView
    part: int = 1
    parts: int = 1
    channels: tuple[Channel, ...] = CHANNELS


class Resumed(Struct, frozen=True, gc=False, tag_field="type", tag="resumed"):
    """What changed after `position` follows; what the client has stays."""

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
    """The switch's time now, by site. All deltas of the subscription up to `position` were sent before.

    A client that hears nothing for three seconds is disconnected."""

    sites: dict[str, SiteClock]
    position: int = 0


class Pong(Struct, frozen=True, gc=False, tag_field="type", tag="pong"):
    """The answer to a ping, with its `id`."""

    id: int | str | None = None


ServerMessage = Hello | Snapshot | Resumed | Delta | Clocks | Pong

# ---------------------------------------------------------------- from the client


class Filter(Struct, frozen=True, gc=False):
    """What a client wants to see of what it may see; what is absent restricts nothing.

    `channels` are those that it narrows, all unless named: of the others the client gets what it may see."""

    sites: Names | None = None
    teams: Names | None = None
    queues: Names | None = None
    agents: Names | None = None  # each "site/id"
    channels: tuple[Channel, ...] | None = None


class Subscribe(Struct, frozen=True, gc=False, tag_field="type", tag="subscribe"):
    """A fresh picture now and what changes from now on; sent again, it replaces the subscription."""

    channels: tuple[Channel, ...] | None = None
    filter: Filter | None = None


class Resume(Struct, frozen=True, gc=False, tag_field="type", tag="resume"):
    """What was missed since `position`; with the channels and the filter of then."""

    epoch: str
    position: int
    channels: tuple[Channel, ...] | None = None
    filter: Filter | None = None


class Ping(Struct, frozen=True, gc=False, tag_field="type", tag="ping"):
    id: int | Annotated[str, Meta(max_length=200)] | None = None


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
BAD_MESSAGE: Final = 4400
NOT_AUTHENTICATED: Final = 4401
NOT_ALLOWED: Final = 4403
TOO_MANY_MESSAGES: Final = 4429
GOING_AWAY: Final = 4501
TOO_SLOW: Final = 4503
PROVIDER_AWAY: Final = 4504
TOO_MANY_CONNECTIONS: Final = 4508
AUTHORISATION_ENDED: Final = 4511
