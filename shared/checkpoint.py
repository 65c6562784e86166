"""Checkpoints: a machine's state and the input offsets that it covers, in the compacted topic `floor.checkpoints`.

A checkpoint is compressed and cut into records below the broker's limit. Each names its save, so that records of two saves
never mix, and saves alternate between two sets of keys: compaction leaves the last complete checkpoint whole while the next
one is half written. Replicas of one machine write under names of their own and load whichever was written last.

The state of a machine with parts (`shared.machine.PartedMachine`) may be written part by part, each as it was at another moment:
with the offsets of that moment where they are ahead of the checkpoint's. That is format 2; a whole state is format 1.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import uuid4

import msgspec
import structlog
from msgspec import Struct

from shared.bus import Bus, Partition, Reader, Record
from shared.clock import Clock
from shared.topics import FLOOR_CHECKPOINTS

log = structlog.get_logger()

_CHUNK_BYTES: Final = 900_000
_FIRST_LOOK: Final = 32  # records; a floor of ten thousand agents fits into two
_WHOLE: Final = 1  # the formats
_IN_PARTS: Final = 2
_LEVEL: Final = 1  # of compression
_HEADER: Final = "part"

_Listed = list[tuple[str, int, int]]


class Checkpoint(Struct, frozen=True):
    """`offsets`: the next record to read, by partition. `lives`: how often a partition's topic was made anew since we
    read it, where it was. `ahead`: by part of the state, the next record that is not in it, where that is not the same.
    `generation` counts the checkpoints of a machine. `saved`: when the state was taken, or the first part of it."""

    state: bytes
    offsets: dict[Partition, int]
    saved: datetime
    generation: int = 0
    lives: dict[Partition, int] = {}
    ahead: dict[str, dict[Partition, int]] = {}


class PackedPart(Struct, frozen=True, gc=False):
    """A part of a state, compressed by `packed`; None for one that was gone by then. `ahead`: see `Checkpoint`."""

    name: str
    state: bytes | None
    ahead: dict[Partition, int]


class _ListedPart(Struct, frozen=True, array_like=True):
    name: str
    state: bytes | None
    ahead: _Listed


class _Payload(Struct, frozen=True, array_like=True):
    """The first fields never change, so that every version can tell the format of any other."""

    format: int
    saved: datetime
    offsets: _Listed
    state: bytes
    lives: _Listed = []
    parts: list[_ListedPart] = []


class _Header(Struct, frozen=True):
    """Of each record of a save: it is number `index` of `count`, `digest` is that of all together."""

    machine: str
    save: str
    generation: int
    index: int
    count: int
    digest: bytes
    offsets: _Listed = []  # those that the checkpoint covers, for who does not read the state


class _Found(NamedTuple):
    header: _Header
    record: Record


class Checkpoints:
    """The checkpoints of one machine. `machine` names it and, where it has but a share of the partitions, that share;
    `writer` is the stable name of this replica.
    """

    def __init__(self, bus: Bus, machine: str, clock: Clock, *, writer: str = "0") -> None:
        self._bus = bus
        self._machine = machine
        self._writer = writer
        self._clock = clock
        self._generation = 0

    async def save(
        self, state: bytes, offsets: Mapping[Partition, int], lives: Mapping[Partition, int] | None = None
    ) -> int:
        """Write a checkpoint and return its bytes on the broker once it is acknowledged.

        The caller has flushed what the covered input caused. Raises BusError; the previous checkpoint then holds.
        """
        return await self._write(_Payload(_WHOLE, self._clock.now(), _listed(offsets), state, _listed(lives or {})))

    async def save_parts(
        self,
        parts: Sequence[PackedPart],
        offsets: Mapping[Partition, int],
        lives: Mapping[Partition, int],
        *,
        begun: datetime,
    ) -> int:
        """Like `save`, of a state that was taken part by part since `begun`, when the machine was at `offsets`.

        The caller has flushed what was published until the last part was taken.
        """
        listed = [_ListedPart(part.name, part.state, _listed(part.ahead)) for part in parts]
        return await self._write(_Payload(_IN_PARTS, begun, _listed(offsets), b"", _listed(lives), listed))

    async def _write(self, payload: _Payload) -> int:
        pieces, digest = await asyncio.to_thread(_pack, payload)  # megabytes of it would stall the loop
        generation, save = self._generation + 1, uuid4().hex
        for index, piece in enumerate(pieces):
            header = _Header(self._machine, save, generation, index, len(pieces), digest, payload.offsets)
            key = f"{self._machine}/{self._writer}/{generation % 2}/{index}"
            headers = ((_HEADER, msgspec.json.encode(header)),)
            await self._bus.publish(FLOOR_CHECKPOINTS, piece, key=key, headers=headers)
        await self._bus.flush()
        self._generation = generation
        return sum(map(len, pieces))

    async def load(self, fits: Callable[[Checkpoint], bool] = lambda _: True) -> Checkpoint | None:
        """The checkpoint of this machine that was completely written last, by whichever replica, and that `fits`.

        None if there is none. `fits` is asked from the newest on and says in the log why not. Raises BusError.

        Reads the topic backwards in steps that double, so on a broker that never compacts, too, it reads little more than
        the last checkpoints; only a machine that has none there reads all of it, once.
        """
        reader = await self._bus.read([FLOOR_CHECKPOINTS])
        try:
            found = await self._search(reader, fits)
        finally:
            await reader.close()
        if found is not None:
            self._generation = max(self._generation, found.generation)
        return found

    async def _search(self, reader: Reader, fits: Callable[[Checkpoint], bool]) -> Checkpoint | None:
        bounds = await reader.bounds()
        tried: set[str] = set()
        saves: dict[str, dict[int, _Found]] = {}
        upper = {place: end for place, (_, end) in bounds.items()}
        look = _FIRST_LOOK
        while any(upper[place] > first for place, (first, _) in bounds.items()):
            lower = {place: max(first, upper[place] - look) for place, (first, _) in bounds.items()}
            for record in await _stretch(reader, lower, upper):
                header = self._header(record)
                if header is not None:
                    saves.setdefault(header.save, {})[header.index] = _Found(header, record)
            for save, found in _newest_first(saves):
                if save in tried:
                    continue
                tried.add(save)
                checkpoint = await asyncio.to_thread(_unpack, found)
                if checkpoint is not None and fits(checkpoint):
                    return checkpoint
            upper, look = lower, look * 2
        return None

    def _header(self, record: Record) -> _Header | None:
        try:
            header = msgspec.json.decode(dict(record.headers).get(_HEADER) or b"", type=_Header)
        except msgspec.MsgspecError:
            return None  # not written by us: the checkpoint it may have been part of is incomplete then
        return header if header.machine == self._machine else None


def progress_of(record: Record) -> tuple[str, dict[Partition, int]] | None:
    """Whose checkpoint `record` is part of, and the next record that is not covered by it, by partition; None: cannot be told."""
    try:
        header = msgspec.json.decode(dict(record.headers).get(_HEADER) or b"", type=_Header)
    except msgspec.MsgspecError:
        return None
    return (header.machine, _by_place(header.offsets)) if header.offsets else None


def packed(state: bytes) -> bytes:
    """A part's state for `PackedPart`. Takes long and lets other threads work meanwhile."""
    return zlib.compress(state, level=_LEVEL)


async def _stretch(reader: Reader, lower: Mapping[Partition, int], upper: Mapping[Partition, int]) -> list[Record]:
    """The records from `lower` up to `upper`. Compaction may have left holes, also at the ends."""
    await reader.seek(lower)
    open_places = {place for place, offset in lower.items() if offset < upper[place]}
    found: list[Record] = []
    while open_places:
        records = await reader.getmany(timeout_s=0.1, max_records=64)
        for record in records:
            place = (record.topic, record.partition)
            if record.offset < upper[place]:
                found.append(record)
            if record.offset + 1 >= upper[place]:
                open_places.discard(place)
        if not records and not any((await reader.lag()).values()):
            break
    return found


def _newest_first(saves: Mapping[str, Mapping[int, _Found]]) -> Iterator[tuple[str, Mapping[int, _Found]]]:
    """The complete saves, the one that was finished last first."""
    finished = []
    for save, pieces in saves.items():
        last = max((found.record.written, found.header.generation, found.record.offset) for found in pieces.values())
        if len(pieces) == next(iter(pieces.values())).header.count:
            finished.append((last, save))
    for _, save in sorted(finished, reverse=True):
        yield save, saves[save]


def _listed(numbers: Mapping[Partition, int]) -> _Listed:
    return [(*place, number) for place, number in numbers.items()]


def _by_place(listed: _Listed) -> dict[Partition, int]:
    return {(topic, partition): number for topic, partition, number in listed}


def _pack(payload: _Payload) -> tuple[list[bytes], bytes]:
    """What goes into the records, and the digest of all of it. Parts come compressed."""
    whole = zlib.compress(msgspec.msgpack.encode(payload), level=_LEVEL if payload.format == _WHOLE else 0)
    pieces = [whole[start : start + _CHUNK_BYTES] for start in range(0, len(whole), _CHUNK_BYTES)]
    return pieces, hashlib.blake2b(whole, digest_size=16).digest()


def _unpack(pieces: Mapping[int, _Found]) -> Checkpoint | None:
    """The checkpoint; None, and a word in the log, for one that is damaged or of another format."""
    whole = b"".join(pieces[index].record.value for index in sorted(pieces))
    header = pieces[0].header
    try:
        if hashlib.blake2b(whole, digest_size=16).digest() != header.digest:
            why = "its bytes are not those that were written"
        else:
            payload = msgspec.msgpack.decode(zlib.decompress(whole), type=_Payload)
            if payload.format in (_WHOLE, _IN_PARTS):
                return _checkpoint(payload, header.generation)
            why = f"it has format {payload.format}, this version writes {_WHOLE} and {_IN_PARTS}"
    except (msgspec.MsgspecError, zlib.error) as exc:
        why = f"it has another format: {exc}"
    log.error(
        "checkpoint_damaged",
        machine=header.machine,
        generation=header.generation,
        key=pieces[0].record.key.decode(errors="replace"),
        why=why,
        consequence="passed over; the one before it is tried",
    )
    return None


def _checkpoint(payload: _Payload, generation: int) -> Checkpoint:
    state, ahead = payload.state, {}
    if payload.format == _IN_PARTS:
        there = {part.name: part.state for part in payload.parts if part.state is not None}
        state = msgspec.msgpack.encode({name: msgspec.Raw(zlib.decompress(part)) for name, part in there.items()})
        ahead = {part.name: _by_place(part.ahead) for part in payload.parts if part.ahead}
    return Checkpoint(state, _by_place(payload.offsets), payload.saved, generation, _by_place(payload.lives), ahead)
