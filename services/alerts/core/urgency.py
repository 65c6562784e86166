"""Which incident comes first for whoever has to do something: one number, lower is more urgent. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from services.alerts.core.incident import Incident
from services.alerts.core.plan import SEVERITIES, rank

RESOLVED: Final = 4 * len(SEVERITIES)  # the class of everything resolved
SPAN: Final = 10**14  # more milliseconds than from 1970 to any time that can be stored; all is exact in JSON
FIRST_RESOLVED: Final = RESOLVED * SPAN
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def urgency(incident: Incident) -> int:
    """Unresolved before resolved; then by severity; open before acknowledged; told before held back; longest open first.

    Of what is resolved the last resolved comes first. Equal ones follow by number.
    """
    if incident.state == "resolved":
        return FIRST_RESOLVED + SPAN - 1 - _ms(incident.resolved_at or incident.changed_at)
    severity = len(SEVERITIES) - 1 - rank(incident.severity)
    taken = 2 if incident.state == "acknowledged" else 0
    return (4 * severity + taken + (1 if incident.held else 0)) * SPAN + _ms(incident.open_since)


def _ms(at: datetime) -> int:
    return max(0, round((at - _EPOCH).total_seconds() * 1000))
