"""The audit's chain: each row carries the hash of the one before, so that nothing can be changed without its being seen. Pure.

Who can write to the database can also make all hashes anew; what they cannot do is match a hash that somebody else has kept
(`expected`), and only that shows that rows are missing at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from services.monitor.listen.model import Entry

BEGIN: Final = "0" * 64  # what the first row carries


class Link(Entry, frozen=True, kw_only=True):
    """An entry in its place. `id` counts from 1 without a gap."""

    id: int
    prev_hash: str
    hash: str


class Break(Struct, frozen=True):
    """Where the chain does not hold. `row`: the id at which it is seen."""

    row: int
    what: str


class Finding(Struct, frozen=True):
    """What `verify` found: how many rows there are, the last one's number and hash, and where the chain breaks."""

    rows: int
    last: int
    head: str
    breaks: tuple[Break, ...]


def digest(number: int, entry: Entry, prev_hash: str) -> str:
    """SHA-256 over the JSON array of all fields in their order, times as UTC with microseconds; hexadecimal."""
    fields = [getattr(entry, name) for name in Entry.__struct_fields__ if name != "at"]
    return hashlib.sha256(msgspec.json.encode([number, stamp(entry.at), *fields, prev_hash])).hexdigest()


def stamp(at: datetime) -> str:
    """A time as it is hashed and exported: `2026-03-02T09:00:00.000000Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def link(number: int, entry: Entry, prev_hash: str) -> Link:
    """The entry as row `number`."""
    values = msgspec.structs.asdict(entry)
    return Link(**values, id=number, prev_hash=prev_hash, hash=digest(number, entry, prev_hash))


class Verifier:
    """Looks at rows one after the other, in the order of their ids."""

    def __init__(self, expected: Iterable[tuple[int, str]] = ()) -> None:
        """`expected`: number of a row and its hash, as somebody noted them earlier."""
        self._expected = dict(expected)
        self._number = 0
        self._head = BEGIN
        self._rows = 0
        self._seen: dict[str, int] = {BEGIN: 0}  # hash -> its row, of the rows so far
        self._breaks: list[Break] = []

    def take(self, row: Link) -> None:
        """The next row."""
        wanted = self._number + 1
        missing = row.id > wanted
        if missing:
            gone = f"row {wanted} is" if row.id == wanted + 1 else f"rows {wanted} to {row.id - 1} are"
            self._says(row.id, f"{gone} missing before row {row.id}")
        elif row.id < wanted:
            self._says(row.id, f"row {row.id} stands after row {self._number}: out of order or there twice")
        if digest(row.id, row, row.prev_hash) != row.hash:
            self._says(row.id, f"row {row.id} was changed: its fields do not make its hash {row.hash[:12]}")
        if row.prev_hash != self._head and not missing:
            self._says(row.id, self._follows_wrongly(row))
        noted = self._expected.pop(row.id, None)
        if noted is not None and noted != row.hash:
            self._says(row.id, f"row {row.id} has the hash {row.hash[:12]} and not {noted[:12]}, as was noted: "
                       "it or one before it was changed, and the hashes after it were made anew")  # fmt: skip
        self._number, self._head = row.id, row.hash
        self._seen[row.hash] = row.id
        self._rows += 1

    def finding(self) -> Finding:
        """After the last row."""
        for number, noted in sorted(self._expected.items()):
            self._says(number, f"row {number} ({noted[:12]}), as was noted, is missing: rows were removed at the end")
        self._expected.clear()
        return Finding(self._rows, self._number, self._head, tuple(self._breaks))

    def _follows_wrongly(self, row: Link) -> str:
        before = self._seen.get(row.prev_hash)
        named = f"row {row.id} names {row.prev_hash[:12]} as the hash before it, but row {self._number} has {self._head[:12]}"
        if before is not None:
            place = f"row {before}" if before else "the beginning"
            return f"{named}; it once followed {place}: rows between were inserted, or the order was changed"
        return (
            f"{named}: row {self._number} was changed and its hash made anew, or one between them was removed or moved"
        )

    def _says(self, row: int, what: str) -> None:
        self._breaks.append(Break(row, what))


def verify(rows: Iterable[Link], expected: Iterable[tuple[int, str]] = ()) -> Finding:
    """Look at all rows, given in the order of their ids."""
    verifier = Verifier(expected)
    for row in rows:
        verifier.take(row)
    return verifier.finding()
