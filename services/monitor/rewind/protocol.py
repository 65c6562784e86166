"""What the monitor and its rewind worker say to each other over the worker's stdin and stdout: a length, then MessagePack."""

from __future__ import annotations

import asyncio
import struct
from datetime import datetime
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Struct

from services.monitor.core.views import FloorView
from services.monitor.rewind.raised import RaisedFlag
from shared.identity import Scope
from shared.siteconfig import Sites

MOST_BYTES: Final = 256 << 20  # of an answer; a floor of ten thousand agents has some ten million

_LENGTH: Final = struct.Struct(">I")


class Configure(Struct, frozen=True, tag=True):
    """How the floor is to be shown: as configured today. Not answered."""

    bootstrap: str
    sites: Sites
    rules: bytes  # pickled tuple of Rule: their conditions are values of any plain kind, tuples and sets among them
    memory_bytes: int


class AskRange(Struct, frozen=True, tag=True):
    """`flags`: also when flags were raised, which is for those who may see all of the site."""

    site: str
    flags: bool = False


class Kept(Struct, frozen=True):
    """The answer's body: the first moment that can be shown, and the flags since."""

    since: datetime
    flags: list[RaisedFlag] = []


class AskFloor(Struct, frozen=True, tag=True):
    site: str
    at: datetime
    scope: Scope


class RewoundFloor(Struct, frozen=True, kw_only=True):
    """The floor of one site as the board showed it at `at`. `now` is the site's clock in this picture: that of the last mark
    or event until then. `epoch` is null: no feed goes on from here."""

    site: str
    at: datetime
    now: datetime | None
    epoch: None = None
    floor: FloorView


class Answer(Struct, frozen=True):
    """`body`: what goes out over HTTP with 200. Else `detail` says why not, and `earliest` the first moment kept, if known."""

    status: int
    body: bytes = b""
    detail: str = ""
    earliest: datetime | None = None


Said = Configure | AskRange | AskFloor

said: Final[msgspec.msgpack.Decoder[Said]] = msgspec.msgpack.Decoder(Said)
answers: Final = msgspec.msgpack.Decoder(Answer)


def framed(message: Any) -> bytes:
    """`message` with its length."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


async def receive(stream: asyncio.StreamReader) -> bytes | None:
    """The next message; None at the end. Raises ValueError for one over `MOST_BYTES`."""
    try:
        (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
        if length > MOST_BYTES:
            raise ValueError(f"a message of {length} bytes")
        return await stream.readexactly(length)
    except asyncio.IncompleteReadError:
        return None


def send(stream: BinaryIO, message: Any) -> None:
    """Write a message, and wait until it is taken."""
    stream.write(framed(message))
    stream.flush()
