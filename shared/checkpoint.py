"""Checkpoints: a machine's state and the input offsets that it covers, in the compacted topic `floor.checkpoints`.

A checkpoint is compressed and cut into records below the broker's limit. Each names its save, so that parts of two saves
never mix, and saves alternate between two sets of keys: compaction leaves the last complete checkpoint whole while the next
one is half written. Replicas of one machine write under names of their own and load whichever was written last.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
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
_FORMAT: Final = 1


class Checkpoint(Struct, frozen=True):
    """`offsets`: the next record to read, by partition. `lives`: how often a partition's topic was made anew since we
    read it, where it was. `generation` counts the checkpoints of a machine."""

    state: bytes
    offsets: dict[Partition, int]
    saved: datetime
    generation: int = 0
    lives: dict[Partition, int] = {}


class _Payload(Struct, frozen=True, array_like=True):
    format: int
    saved: datetime
    offsets: list[tuple[str, int, int]]
    state: bytes
    lives: list[tuple[str, int, int]] = []


class _Part(Struct, frozen=True):
    """Header of each record of a save: part `index` of `count`, `digest` that of all parts together."""

    machine: str
    save: str
    generation: int
    index: int
    count: int
    digest: bytes


class _Found(NamedTuple):
    part: _Part
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
        payload = _Payload(_FORMAT, self._clock.now(), _listed(offsets), state, _listed(lives or {}))
        packed, digest = await asyncio.to_thread(_pack, payload)  # megabytes of it would stall the loop
        generation, save = self._generation + 1, uuid4().hex
        chunks = [packed[start : start + _CHUNK_BYTES] for start in range(0, len(packed), _CHUNK_BYTES)]
        for index, chunk in enumerate(chunks):
            part = _Part(self._machine, save, generation, index, len(chunks), digest)
            key = f"{self._machine}/{self._writer}/{generation % 2}/{index}"
            await self._bus.publish(FLOOR_CHECKPOINTS, chunk, key=key, headers=(("part", msgspec.json.encode(part)),))
        await self._bus.flush()
        self._generation = generation
        return len(packed)

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
                part = self._part(record)
                if part is not None:
                    saves.setdefault(part.save, {})[part.index] = _Found(part, record)
            for save, parts in _newest_first(saves):
                if save in tried:
                    continue
                tried.add(save)
                checkpoint = await asyncio.to_thread(_unpack, parts)
                if checkpoint is not None and fits(checkpoint):
                    return checkpoint
            upper, look = lower, look * 2
        return None

    def _part(self, record: Record) -> _Part | None:
        header = dict(record.headers).get("part")
        try:
            part = msgspec.json.decode(header or b"", type=_Part)
        except msgspec.MsgspecError:
            return None  # not written by us: the checkpoint it may have been part of is incomplete then
        return part if part.machine == self._machine else None


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
    for save, parts in saves.items():
        last = max((found.record.written, found.part.generation, found.record.offset) for found in parts.values())
        if len(parts) == next(iter(parts.values())).part.count:
            finished.append((last, save))
    for _, save in sorted(finished, reverse=True):
        yield save, saves[save]


def _listed(numbers: Mapping[Partition, int]) -> list[tuple[str, int, int]]:
    return [(*place, number) for place, number in numbers.items()]


def _pack(payload: _Payload) -> tuple[bytes, bytes]:
    packed = zlib.compress(msgspec.msgpack.encode(payload), level=1)
    return packed, hashlib.blake2b(packed, digest_size=16).digest()


def _unpack(parts: Mapping[int, _Found]) -> Checkpoint | None:
    """The checkpoint; None, and a word in the log, for one that is damaged or of another format."""
    packed = b"".join(parts[index].record.value for index in sorted(parts))
    part = parts[0].part
    why = ""
    try:
        if hashlib.blake2b(packed, digest_size=16).digest() != part.digest:
            why = "its bytes are not those that were written"
        else:
            payload = msgspec.msgpack.decode(zlib.decompress(packed), type=_Payload)
            if payload.format != _FORMAT:
                why = f"it has format {payload.format}, this version writes {_FORMAT}"
    except (msgspec.MsgspecError, zlib.error) as exc:
        why = f"it has another format: {exc}"
    if why:
        log.error(
            "checkpoint_damaged",
            machine=part.machine,
            generation=part.generation,
            key=parts[0].record.key.decode(errors="replace"),
            why=why,
            consequence="passed over; the one before it is tried",
        )
        return None
    offsets = {(topic, number): offset for topic, number, offset in payload.offsets}
    lives = {(topic, number): life for topic, number, life in payload.lives}
    return Checkpoint(payload.state, offsets, payload.saved, part.generation, lives)
