"""Records that could not be used, on their way to the dead-letter topic."""

from __future__ import annotations

from collections.abc import Mapping

from shared.bus import Outgoing, Partition, Record
from shared.errors import InvalidInput
from shared.topics import SWITCH_DEAD_LETTER


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
    """`record` untouched, with headers that say why, where it was and who refused it; its own follow as `original-...`."""
    headers = (
        ("reason", why.reason.encode()),
        ("message", str(why)[:1000].encode(errors="replace")),
        ("pump", pump.encode()),
        ("topic", record.topic.encode()),
        ("partition", str(record.partition).encode()),
        ("offset", str(record.offset).encode()),
        *((f"original-{name}", value) for name, value in record.headers),
    )
    return Outgoing(SWITCH_DEAD_LETTER, record.key.decode(errors="replace"), record.value, headers)
