"""What a connector wrote to `switch.raw` and the broker has not acknowledged yet: in order, bounded, and never dropped.

    number = await outbox.put(packet)      # waits while it is full: who reads a socket stops reading then
    await outbox.written(number)           # returns once the broker has it

After a failure everything unacknowledged is published again, under the same session and numbers, by which ingest drops what
had arrived after all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Final, Literal

import msgspec
import structlog
from msgspec import Struct

from shared.backoff import Backoff
from shared.bus import Bus
from shared.clock import Clock
from shared.errors import BusError, InvalidInput
from shared.raw import Raw
from shared.topics import SWITCH_RAW

MAX_RECORDS: Final = 50_000
MAX_BYTES: Final = 32 << 20
BATCH: Final = 2000
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 5.0

log = structlog.get_logger()


class _Waiting(Struct, frozen=True, gc=False):
    raw: Raw
    since: float


class Outbox:
    """`bus` must be nobody else's to write to. `begin` names the session that the records from then on are of."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        *,
        site: str,
        vendor: str,
        connector: str,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._site = site
        self._vendor = vendor
        self._connector = connector
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._log = log.bind(site=site, connector=connector)
        self._waiting: deque[_Waiting] = deque()
        self._urgent: Raw | None = None
        self._bytes = 0
        self._begun = 0  # records put
        self._written = 0  # records acknowledged
        self._grown = asyncio.Event()
        self._shrunk = asyncio.Event()
        self._full_since: float | None = None
        self._full_s = 0.0
        self.session = ""
        self.seq = 0
        self.refused = 0

    def begin(self, session: str) -> None:
        """From now on records are of `session`, numbered from 0."""
        self.session, self.seq = session, 0

    @property
    def waiting(self) -> int:
        """Records that are not acknowledged."""
        return len(self._waiting)

    @property
    def late_s(self) -> float:
        """Age of the oldest of them."""
        return self._clock.monotonic() - self._waiting[0].since if self._waiting else 0.0

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= self._max_records or self._bytes >= self._max_bytes

    @property
    def blocked_s(self) -> float:
        """For how long somebody has been waiting for room."""
        return 0.0 if self._full_since is None else self._clock.monotonic() - self._full_since

    @property
    def full_s(self) -> float:
        """For how long, altogether, somebody waited for room."""
        return self._full_s + self.blocked_s

    async def put(
        self,
        value: bytes | Callable[[], bytes],
        *,
        kind: Literal["event", "link"] = "event",
        received: datetime | None = None,
    ) -> int:
        """Queue a record, heard at `received` (now); waits for room. Its number, for `written`.

        A function is asked for its value once there is room, when `session` is the one that the record is of.
        """
        await self.room()
        if not isinstance(value, bytes):
            value = value()
        raw = self.next_raw(value, kind, received)
        self.seq += 1
        self._begun += 1
        self._waiting.append(_Waiting(raw, self._clock.monotonic()))
        self._bytes += len(value)
        self._grown.set()
        return self._begun

    def put_first(self, value: bytes) -> None:
        """Have a link record written before all that waits. It has no number, and takes the place of one that waits yet."""
        self._urgent = msgspec.structs.replace(self.next_raw(value, "link"), seq=None)
        self._grown.set()

    def next_raw(self, value: bytes, kind: Literal["event", "link"], received: datetime | None = None) -> Raw:
        """The record that the next `put` makes of `value`."""
        return Raw(
            value=value,
            vendor=self._vendor,
            site=self._site,
            connector=self._connector,
            received=received or self._clock.now(),
            kind=kind,
            session=self.session,
            seq=self.seq,
        )

    async def room(self) -> None:
        """Return when there is room. What waits for it is said in the log, once for each time that it is full."""
        if not self.is_full:
            return
        if self._full_since is None:
            self._full_since = self._clock.monotonic()
            self._log.warning(
                "more comes than the broker takes: nothing is read from the switch until there is room",
                waiting=len(self._waiting),
                bytes=self._bytes,
                late_s=round(self.late_s, 1),
            )
        while self.is_full:
            self._shrunk.clear()
            await self._shrunk.wait()
        if self._full_since is not None:
            took = self._clock.monotonic() - self._full_since
            self._full_s, self._full_since = self._full_s + took, None
            self._log.warning("there is room again, and nothing was lost", after_s=round(took, 1))

    async def written(self, number: int | None = None) -> None:
        """Return when the broker has record `number`, or everything that was put until now."""
        wanted = self._begun if number is None else number
        while self._written < wanted:
            self._shrunk.clear()
            await self._shrunk.wait()

    async def run(self) -> None:
        """Write, until cancelled. A broker that is away is tried again."""
        backoff = Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        while True:
            while not self._waiting and self._urgent is None:
                self._grown.clear()
                await self._grown.wait()
            urgent, batch = self._urgent, list(islice(self._waiting, BATCH))
            try:
                if urgent is not None:
                    await self._publish(urgent)
                for one in batch:
                    await self._publish(one.raw)
                await self._bus.flush()
            except BusError as exc:
                self._log.warning("the broker takes nothing; trying again", why=str(exc), waiting=len(self._waiting))
                await self._clock.sleep(backoff.next_s())
                continue
            backoff.worked()
            if self._urgent is urgent:
                self._urgent = None
            for one in batch:
                self._waiting.popleft()
                self._bytes -= len(one.raw.value)
            self._written += len(batch)
            self._shrunk.set()

    async def _publish(self, raw: Raw) -> None:
        try:
            await self._bus.publish(SWITCH_RAW, raw.value, key=self._site, headers=raw.headers())
        except InvalidInput as exc:  # too large, which no packet can be
            self.refused += 1
            self._log.error("a record cannot be written", seq=raw.seq, error=str(exc))
