"""What ingest says of single records: those that nobody can read, and, when the log is asked for everything, all of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog

from shared.bus import Record
from shared.clock import Clock
from shared.envelope import kind_of
from shared.errors import InvalidInput
from shared.events import Event
from shared.tracing import trace_id

log = structlog.get_logger(__name__)

MOST: Final = 20  # lines of dead letters in `SPAN_S`; the page, the topic and the metrics have all of them
SPAN_S: Final = 60.0


class Trail:
    """Told of every record that became something; `life` is as in `Pump.life_of`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = -SPAN_S
        self._said = 0
        self._unsaid: Counter[str] = Counter()  # by reason, of which there are few

    def refused(self, record: Record, why: InvalidInput, offset: int) -> None:
        """A record became a dead letter; `offset` is its place as events have it."""
        now = self._clock.monotonic()
        if now - self._since >= SPAN_S:
            if self._unsaid:
                log.warning("more records could not be used", reasons=dict(self._unsaid), within_s=SPAN_S)
            self._since, self._said = now, 0
            self._unsaid.clear()
        if self._said >= MOST:
            self._unsaid[why.reason] += 1
            return
        self._said += 1
        site = next((text.decode(errors="replace")[:100] for name, text in record.headers if name == "site"), "")
        log.warning(
            "a record cannot be used; it is a dead letter now",
            reason=why.reason,
            error=str(why),
            site=site,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            trace=trace_id(site, record.partition, offset),
        )

    def translated(self, events: Sequence[Event]) -> None:
        """Events came of records. Said at level debug alone: there are thousands a second."""
        if not logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
            return
        for event in events:
            log.debug(
                "event",
                event_id=event.id,
                kind=kind_of(type(event.data)),
                site=event.site,
                trace=trace_id(event.site, event.rawpartition, event.rawoffset),
            )
