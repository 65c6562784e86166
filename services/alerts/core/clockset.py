"""A clock that was set back: what waits for a time counts from now on, so it comes late by its own wait at most. Pure.

Tellings, reminders and steps wait from the time of something that happened. Where that time has not come yet by our clock, the
clock was set back, and they would be late by as much. Days of actions and re-checks are the calendar's and stay.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.alerts.core.incident import Change, Incident
from services.alerts.core.lifecycle import changed
from services.alerts.core.sending import SET_BACK


def rebased(incident: Incident, now: datetime) -> Change | None:
    """The incident with no time that has not come; None when there is none by more than `SET_BACK`."""
    ahead = now + SET_BACK
    telling = incident.telling
    times = [incident.changed_at, incident.open_since, incident.quiet_since, incident.resolved_at, telling.at]
    times += [one.at for one in telling.heard.values()]
    latest = max(one for one in times if one is not None)
    if latest <= ahead:
        return None
    heard = {name: msgspec.structs.replace(one, at=min(one.at, now)) for name, one in telling.heard.items()}
    after = msgspec.structs.replace(
        incident,
        open_since=min(incident.open_since, now),
        quiet_since=_not_after(incident.quiet_since, now),
        resolved_at=_not_after(incident.resolved_at, now),
        telling=msgspec.structs.replace(telling, at=_not_after(telling.at, now), heard=heard),
    )
    return changed(after, now, "clock_set_back", data={"by_s": round((latest - now).total_seconds())})


def _not_after(at: datetime | None, now: datetime) -> datetime | None:
    return None if at is None else min(at, now)
