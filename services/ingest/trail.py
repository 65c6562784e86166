"""What ingest says of single records: those that nobody can read, and, when the log is asked for everything, all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import structlog

from shared import spans
from shared.bus import Record
from shared.clock import Clock
from shared.envelope import kind_of
from shared.errors import InvalidInput
from shared.events import Event
from shared.fewlines import FewLines
from shared.tracing import RECORD, step_id, trace_id

log = structlog.get_logger(__name__)


class Trail:
    """Told of every record that became something; `life` is as in `Pump.life_of`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._few = FewLines(clock, "more records could not be used")

    def refused(self, record: Record, why: InvalidInput, offset: int) -> None:
        """A record became a dead letter; `offset` is its place as events have it. Page, topic and metrics have all of them."""
        if not self._few.may(why.reason):
            return
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
        if spans.records_wanted():
            self._add_spans(events)
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

    def _add_spans(self, events: Sequence[Event]) -> None:
        """Of each record of the share: from when a connector heard it until it was translated, and what came of it."""
        now, record = self._clock.now(), step_id(RECORD)
        for event in events:
            trace = trace_id(event.site, event.rawpartition, event.rawoffset)
            if not spans.sampled(trace):
                continue
            kind = kind_of(type(event.data))
            about: dict[str, str | int | float] = {
                "site": event.site,
                "partition": event.rawpartition,
                "offset": event.rawoffset,
            }
            if event.rawindex == 0:
                spans.add(spans.Span(trace, record, RECORD, event.receivedtime or now, now, attributes=about))
            spans.add(spans.Span(trace, step_id(event.id), kind, now, now, record, {**about, "event": event.id}))
