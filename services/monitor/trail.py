"""One line in the log for each flag, with the trace of the raw record that it goes back to.

The middle of the way from a switch's word to an incident; `services.alerts.trail` is its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from shared import spans
from shared.clock import Clock
from shared.facts import Fact, FlagCleared, FlagRaised
from shared.tracing import RECORD, step_id, step_of, trace_of

log = structlog.get_logger(__name__)


def tell(facts: Iterable[Fact], replica: str, clock: Clock) -> None:
    """Say which of these flags were raised and cleared. Other facts are too many."""
    for fact in facts:
        data = fact.data
        if spans.wanted() and isinstance(data, FlagRaised | FlagCleared):
            spans.add(_span(fact, data, replica, clock.now()))
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


def _span(fact: Fact, data: FlagRaised | FlagCleared, replica: str, now: datetime) -> spans.Span:
    """As long as the condition had to hold, or held, by the switch's clock; it ends when that became known here, by ours."""
    raised = isinstance(data, FlagRaised)
    lasted_s = (data.raised_at - data.started_at).total_seconds() if isinstance(data, FlagRaised) else data.duration_s
    return spans.Span(
        trace=trace_of(fact.traceparent),
        id=step_of(fact.traceparent),
        name="flag raised" if raised else "flag cleared",
        start=now - timedelta(seconds=lasted_s),
        end=now,
        parent=step_id(RECORD),
        attributes={"flag": data.flag_id, "rule": data.rule, "site": fact.site, "replica": replica},
    )
