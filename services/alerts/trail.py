"""One line in the log for each thing that a flag did to an incident, with the trace that the flag had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import structlog

from services.alerts.core.incident import Change, Incident
from services.alerts.reach.outgoing import Outgoing
from shared import spans
from shared.tracing import step_id

log = structlog.get_logger(__name__)


def tell(changes: Iterable[Change], saved: Iterable[Incident]) -> None:
    """What flags and clearings changed, once it is committed; `saved` has the incidents' numbers."""
    numbers = {one.opened_by: one.id for one in saved}
    for change in changes:
        fact = change.flag or change.clearing
        if fact is None:
            continue
        log.info(
            "incident",
            incident=numbers.get(change.incident.opened_by),
            what=change.entry.kind,
            flag=fact.flag_id,
            site=change.incident.site,
            rule=change.incident.rule,
            trace=fact.trace,
        )


def trace(
    changes: Iterable[Change], saved: Iterable[Incident], written: Mapping[str, datetime], done: datetime
) -> None:
    """The same as spans: from when the monitor wrote a flag (`written`, by flag) until what it did was committed."""
    numbers = {one.opened_by: one.id for one in saved}
    for change in changes:
        fact = change.flag or change.clearing
        if fact is None:
            continue
        what = "raised" if change.flag is not None else "cleared"
        spans.add(
            spans.Span(
                trace=fact.trace,
                id=step_of_incident(fact.flag_id, what),
                name=f"incident {change.entry.kind}",
                start=written.get(fact.flag_id, done),
                end=done,
                parent=step_id(f"flag:{fact.flag_id}:{what}"),
                attributes={
                    "incident": numbers.get(change.incident.opened_by) or 0,
                    "flag": fact.flag_id,
                    "rule": change.incident.rule,
                    "site": change.incident.site,
                },
            )
        )


def step_of_incident(flag_id: str, what: str = "raised") -> str:
    """The step by which a flag became part of an incident, or its end became known there."""
    return step_id(f"incident:{flag_id}:{what}")


def incidents_of(outgoing: Outgoing) -> Sequence[int]:
    """The numbers of the incidents that a message is about, for its line in the log."""
    return sorted({one.number for one in outgoing.told})
