"""One line in the log for each flag, with the trace of the raw record that it goes back to.

The middle of the way from a switch's word to an incident; `services.alerts.trail` is its end.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from shared.facts import Fact, FlagCleared, FlagRaised
from shared.tracing import trace_of

log = structlog.get_logger(__name__)


def tell(facts: Iterable[Fact], replica: str) -> None:
    """Say which of these flags were raised and cleared. Other facts are too many."""
    for fact in facts:
        data = fact.data
        if isinstance(data, FlagRaised):
            log.info(
                "flag raised",
                flag=data.flag_id,
                rule=data.rule,
                severity=data.severity,
                site=fact.site,
                trace=trace_of(fact.traceparent),
                replica=replica,
            )
        elif isinstance(data, FlagCleared):
            log.info(
                "flag cleared",
                flag=data.flag_id,
                rule=data.rule,
                site=fact.site,
                trace=trace_of(fact.traceparent),
                lasted_s=round(data.duration_s, 3),
                replica=replica,
            )
