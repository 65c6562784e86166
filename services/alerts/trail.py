"""One line in the log for each thing that a flag did to an incident, with the trace that the flag had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from services.alerts.core.incident import Change, Incident
from services.alerts.reach.outgoing import Outgoing

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


def incidents_of(outgoing: Outgoing) -> Sequence[int]:
    """The numbers of the incidents that a message is about, for its line in the log."""
    return sorted({one.number for one in outgoing.told})
