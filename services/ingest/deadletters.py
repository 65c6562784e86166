"""The last dead letters, for people: read back from their topic, so that a restart does not forget them."""

from __future__ import annotations

import zlib
from collections import deque
from datetime import datetime, timedelta

import structlog
from msgspec import Struct

from shared import topics
from shared.backoff import Backoff
from shared.bus import Bus, Reader, Record
from shared.clock import Clock
from shared.errors import BusError
from shared.masking import masked_text

log = structlog.get_logger()

KEPT = 200
SHOWN_BYTES = 4096
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 10.0
_LONGEST_NUMBER = 64  # bytes


class DeadLetterView(Struct, frozen=True, kw_only=True):
    """A record that could not be used. `value` shows at most the first 4096 of its `size` bytes, callers' numbers masked."""

    at: datetime
    site: str
    vendor: str
    connector: str
    reason: str
    message: str
    pump: str
    topic: str
    partition: int
    offset: int
    size: int
    value: str


class RecentDeadLetters:
    """Follows `switch.dead-letter`."""

    def __init__(self, bus: Bus, clock: Clock, *, limit_a_minute: int = 1000) -> None:
        self._bus = bus
        self._clock = clock
        self._limit = limit_a_minute
        self._last: dict[tuple[object, ...], DeadLetterView] = {}  # oldest first
        self._times: deque[datetime] = deque(maxlen=limit_a_minute)

    def last(self, limit: int) -> list[DeadLetterView]:
        """The newest first."""
        return list(self._last.values())[: -limit - 1 : -1] if limit > 0 else []

    def check(self) -> str | None:
        """For readiness: so many that something must be wrong, such as another adapter's records."""
        if len(self._times) < self._limit:
            return None
        if self._clock.now() - self._times[0] > timedelta(minutes=1):
            return None
        return f"more than {self._limit} dead letters within a minute; GET /api/v1/dead-letters says why"

    def add(self, record: Record) -> None:
        """One more of the topic's records. A second monitor and a replay reject the same again, which is one dead letter."""
        view = view_of(record)
        known_by: tuple[object, ...] = (view.pump, view.topic, view.partition, view.offset, zlib.crc32(record.value))
        if view.offset < 0:  # written by others, who do not say where it was
            known_by = (record.partition, record.offset)
        if known_by in self._last:
            return
        self._last[known_by] = view
        if len(self._last) > KEPT:
            del self._last[next(iter(self._last))]
        self._times.append(record.written)

    async def run(self) -> None:
        """Follow the topic for ever."""
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while True:
            try:
                await self._follow(backoff)
            except BusError as exc:
                wait_s = backoff.next_s()
                log.warning("dead letters cannot be read", why=str(exc), retry_in_s=round(wait_s, 2))
                await self._clock.sleep(wait_s)

    async def _follow(self, backoff: Backoff) -> None:
        await self._bus.create([topics.SWITCH_DEAD_LETTER])
        reader = await self._bus.read([topics.SWITCH_DEAD_LETTER])
        try:
            await self._go_back(reader)
            backoff.worked()
            while True:
                for record in await reader.getmany(timeout_s=1.0, max_records=KEPT):
                    self.add(record)
        finally:
            await reader.close()

    async def _go_back(self, reader: Reader) -> None:
        """The last ones of each partition, again after a lost broker: one that comes back may have others."""
        self._last.clear()
        self._times.clear()
        bounds = await reader.bounds()
        await reader.seek({place: max(first, end - KEPT) for place, (first, end) in bounds.items()})


def view_of(record: Record) -> DeadLetterView:
    """What people see of a dead letter."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    return DeadLetterView(
        at=record.written,
        site=headers.get("original-site", record.key.decode(errors="replace")),
        vendor=headers.get("original-vendor", ""),
        connector=headers.get("original-connector", ""),
        reason=headers.get("reason", ""),
        message=masked_text(headers.get("message", "")),
        pump=headers.get("pump", ""),
        topic=headers.get("topic", ""),
        partition=_number(headers.get("partition", "")),
        offset=_number(headers.get("offset", "")),
        size=len(record.value),
        value=_shown(record.value),
    )


def _shown(value: bytes) -> str:
    """The first bytes as text; callers' numbers masked, also one that the end cuts in two."""
    length = len(_text(value[:SHOWN_BYTES]))
    return masked_text(_text(value[: SHOWN_BYTES + _LONGEST_NUMBER]))[:length]


def _text(value: bytes) -> str:
    """Text as it is, with every byte that is none and every control character written as an escape."""
    text = value.decode("utf-8", errors="backslashreplace")
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1
