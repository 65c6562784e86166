"""The feed's longer messages as frames.

What would be long is sent in several, so that what waits for a slow reader is bounded by bytes: nothing is meant to be
longer than `FRAME_BYTES`, but for one entity that is longer by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.monitor.core.engine import Changed
from services.monitor.core.floor import Kind
from shared.frames import FRAME_BYTES, Frame, frame_of

ROOM: Final = FRAME_BYTES - 1024  # for the entities; the rest is the message around them

LISTS: Final[Mapping[Kind, bytes]] = {
    "site": b"sites",
    "queue": b"queues",
    "agent": b"agents",
    "call": b"calls",
    "transfer": b"transfers",
    "flag": b"flags",
}
Values = Mapping[Kind, Sequence[bytes]]  # entities encoded already

_encode = msgspec.json.Encoder().encode


def change_head(name: Changed) -> bytes:
    """The beginning of a change, up to its value."""
    kind, site, key = name
    full = site if kind == "site" else f"{site}/{key}"
    return b'{"kind":"%b","key":%b,"value":' % (kind.encode(), _encode(full))


def delta_frame(position: int, changes: Sequence[bytes]) -> Frame:
    """The changes that lead to `position`."""
    return frame_of(b'{"type":"delta","position":%d,"changes":[%b]}' % (position, b",".join(changes)))


def snapshot_json(
    epoch: str, position: int, channels: Sequence[str], values: Values, *, part: int = 1, parts: int = 1
) -> bytes:
    """A picture, or a part of one: a floor with some of the entities."""
    floor = b",".join(b'"%b":[%b]' % (name, b",".join(values.get(kind, ()))) for kind, name in LISTS.items())
    return b'{"type":"snapshot","epoch":"%b","position":%d,"part":%d,"parts":%d,"channels":%b,"floor":{%b}}' % (
        epoch.encode(),
        position,
        part,
        parts,
        _encode(list(channels)),
        floor,
    )


def clock_frame(position: int, sites: bytes) -> Frame:
    """The time at `sites`, an object encoded already."""
    return frame_of(b'{"type":"clock","sites":%b,"position":%d}' % (sites, position))
