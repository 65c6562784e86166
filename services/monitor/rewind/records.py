"""The past of each site in `floor.history`: its state now and then, with the place in `floor.events` up to which it holds.

`floor.checkpoints` is compacted and knows only the present. An entry here is one site's state as the monitor took it for a
checkpoint, compressed and cut into records below the broker's limit; each record carries all about the entry in a header, so
that who looks for a moment need not unpack states.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from shared.bus import Headers, Partition, Record

FORMAT: Final = 1  # of the records; of the state inside, whether it loads tells
_CHUNK_BYTES: Final = 900_000
_HEADER: Final = "entry"

Listed = tuple[tuple[str, int, int], ...]  # topic, partition, number


class Entry(Struct, frozen=True):
    """What is known of an entry without its state.

    `save` names it among all; `time` is the site's clock, `taken` ours. `offsets`: by partition of `floor.events` the next
    record that is not in the state; `lives`: how often that topic was made anew, where it was. `clock_jumps`: how often the
    site's clock was set until then.
    """

    site: str
    save: str
    time: datetime
    taken: datetime
    offsets: Listed
    lives: Listed = ()
    clock_jumps: int = 0

    def offset(self, place: Partition) -> int:
        """The next record of `place` that is not in it; 0 where nothing is known of that partition."""
        return next((number for topic, partition, number in self.offsets if (topic, partition) == place), 0)

    @property
    def reached(self) -> int:
        """Grows with the log: by it entries of one site are in order."""
        return sum(number for _, _, number in self.offsets)


class Piece(Struct, frozen=True):
    """The header of a record: it is number `index` of `count`, `digest` is that of all together."""

    format: int
    entry: Entry
    index: int
    count: int
    digest: bytes


class _FormatOnly(Struct, frozen=True):
    format: int


def listed(numbers: Mapping[Partition, int]) -> Listed:
    """As an entry has it."""
    return tuple((*place, number) for place, number in sorted(numbers.items()))


def pieces_of(entry: Entry, packed: bytes) -> list[tuple[bytes, Headers]]:
    """Values and headers of the records of an entry whose compressed state is `packed`."""
    digest = hashlib.blake2b(packed, digest_size=16).digest()
    chunks = [packed[start : start + _CHUNK_BYTES] for start in range(0, len(packed), _CHUNK_BYTES)]
    return [
        (chunk, ((_HEADER, msgspec.json.encode(Piece(FORMAT, entry, index, len(chunks), digest))),))
        for index, chunk in enumerate(chunks)
    ]


def piece_of(record: Record) -> Piece | None:
    """What a record is part of; None for one of another format, or not written by a monitor."""
    header = dict(record.headers).get(_HEADER) or b""
    try:
        if msgspec.json.decode(header, type=_FormatOnly).format != FORMAT:
            return None
        return msgspec.json.decode(header, type=Piece)
    except msgspec.MsgspecError:
        return None


def state_of(records: dict[int, Record], piece: Piece) -> bytes | None:
    """The state in the records of an entry, by index; None when they are damaged or not all there."""
    if sorted(records) != list(range(piece.count)):
        return None
    packed = b"".join(records[index].value for index in range(piece.count))
    if hashlib.blake2b(packed, digest_size=16).digest() != piece.digest:
        return None
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return None
