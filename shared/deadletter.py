"""Records that could not be used, on their way to the dead-letter topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.bus import MAX_DEAD_LETTER_BYTES, Outgoing, Partition, Record, size_of
from shared.errors import InvalidInput
from shared.topics import SWITCH_DEAD_LETTER

# of a record that is cut: what tells whence it came fits, and most of its value
_CUT_HEADER: Final = 1000
_CUT_NAME: Final = 100
_MOST_HEADERS: Final = 50


class DeadLetters:
    """What a pump rejects. A replay within the process rejects nothing twice; one after a restart may."""

    def __init__(self, pump: str) -> None:
        self._pump = pump
        self._queued: list[Outgoing] = []
        self._rejected_to: dict[Partition, int] = {}
        self._broken: dict[tuple[str, int, int], InvalidInput] = {}

    def add(self, record: Record, why: InvalidInput) -> bool:
        """Queue the dead letter of `record`; False if that was done before."""
        place = (record.topic, record.partition)
        if record.offset < self._rejected_to.get(place, 0):
            return False
        self._rejected_to[place] = record.offset + 1
        self._queued.append(dead_letter(record, why, self._pump))
        return True

    def take(self) -> list[Outgoing]:
        """What is to be published, once."""
        queued, self._queued = self._queued, []
        return queued

    def start_over(self) -> None:
        """What was taken may not have been sent: the replay rejects it again."""
        self._queued.clear()
        self._rejected_to.clear()

    # Records on which the machine broke: it must not see them again, and they become dead letters when they are passed.

    def remember(self, record: Record, why: InvalidInput) -> None:
        self._broken[record.topic, record.partition, record.offset] = why

    @property
    def has_broken(self) -> bool:
        """Whether there is any record that the machine must not see."""
        return bool(self._broken)

    def broken(self, record: Record) -> InvalidInput | None:
        """Why the machine must not see `record`; None if it may."""
        return self._broken.get((record.topic, record.partition, record.offset))

    def forget_before(self, offsets: Mapping[Partition, int]) -> None:
        """A checkpoint covers these: no replay comes back to what is before."""
        for topic, partition, offset in list(self._broken):
            if offset < offsets.get((topic, partition), 0):
                del self._broken[topic, partition, offset]


def dead_letter(record: Record, why: InvalidInput, pump: str) -> Outgoing:
    """`record` untouched, with headers that say why, where it was and who refused it; its own follow as `original-...`.

    Other producers may write more than we do: what no longer fits with its headers is cut, and `truncated` says from how many
    bytes of value.
    """
    ours = (
        ("reason", why.reason.encode()),
        ("message", str(why)[:1000].encode(errors="replace")[:4000]),
        ("pump", pump.encode()),
        ("topic", record.topic.encode()),
        ("partition", str(record.partition).encode()),
        ("offset", str(record.offset).encode()),
    )
    key = record.key.decode(errors="replace")
    theirs = tuple((f"original-{name}", value) for name, value in record.headers)
    plain = all(len(name) <= _CUT_NAME for name, _ in theirs)
    if plain and size_of(key.encode(), record.value, ours + theirs) <= MAX_DEAD_LETTER_BYTES:
        return Outgoing(SWITCH_DEAD_LETTER, key, record.value, ours + theirs)
    truncated = ("truncated", str(len(record.value)).encode())
    short = tuple((name[:_CUT_NAME], value[:_CUT_HEADER]) for name, value in theirs[:_MOST_HEADERS])
    headers = (*ours, truncated, *short)
    key = key[:_CUT_HEADER]
    left = MAX_DEAD_LETTER_BYTES - size_of(key.encode(), b"", headers)
    return Outgoing(SWITCH_DEAD_LETTER, key, record.value[:left], headers)
