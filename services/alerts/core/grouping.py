"""From flags to incidents: which flag opens one, joins one, or was known already. Pure.

A `Book` holds the part of all incidents that a batch of flags can touch. The pipeline fills it from the database,
applies the batch and saves what changed; tests give it whole histories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

from services.alerts.core import lifecycle as steps
from services.alerts.core.handling import Handling
from services.alerts.core.incident import Change, Clearing, Flag, Incident, Policy

Outcome = Literal["opened", "joined", "reopened", "cleared", "duplicate", "unknown_flag"]
OUTCOMES: tuple[Outcome, ...] = ("opened", "joined", "reopened", "cleared", "duplicate", "unknown_flag")


class Book:
    """Incidents by the flag that opened them, the newest of each group, and every known flag's incident."""

    def __init__(
        self,
        policy: Policy,
        handling: Handling,
        zone_of: Callable[[str], str],
        incidents: Iterable[Incident] = (),
        flags: Iterable[tuple[str, str]] = (),
    ) -> None:
        """`zone_of`: a site's time zone; `flags` are pairs of a known flag's id and the `opened_by` of its incident."""
        self._policy = policy
        self._handling = handling
        self._zone_of = zone_of
        self._incidents: dict[str, Incident] = {}
        self._newest: dict[str, str] = {}
        self._incident_of: dict[str, str] = dict(flags)
        for one in sorted(incidents, key=lambda i: i.id):
            self._incidents[one.opened_by] = one
            self._newest[one.group] = one.opened_by

    @property
    def incidents(self) -> tuple[Incident, ...]:
        return tuple(self._incidents.values())

    def raised(self, flag: Flag, now: datetime) -> tuple[Outcome, Change | None]:
        """What a raised flag does. A flag id that is known does nothing, however often it comes."""
        if flag.flag_id in self._incident_of:
            return "duplicate", None
        group = self._handling.group(flag)
        newest = self._incidents.get(self._newest.get(group, ""))
        if newest is not None and newest.state != "resolved":
            return self._take("joined", steps.joined(newest, flag, newest.plan, now))
        plan = self._handling.plan(flag, self._zone_of(flag.site))
        if newest is None or self._is_over(newest, now):
            return self._take("opened", steps.opened(flag, group, plan, now))
        return self._take("reopened", steps.joined(newest, flag, plan, now))

    def cleared(self, clearing: Clearing, now: datetime) -> tuple[Outcome, Change | None]:
        """What the end of a condition does. Unknown: its flag was raised before we listened."""
        found = self._incidents.get(self._incident_of.get(clearing.flag_id, ""))
        if found is None:
            return "unknown_flag", None
        if clearing.flag_id not in found.active:
            return "duplicate", None
        return self._take("cleared", steps.cleared(found, clearing, now))

    def _is_over(self, newest: Incident, now: datetime) -> bool:
        resolved_at = newest.resolved_at
        return resolved_at is not None and now - resolved_at > self._policy.reopen_within

    def _take(self, outcome: Outcome, change: Change) -> tuple[Outcome, Change]:
        after = change.incident
        self._incidents[after.opened_by] = after
        if change.flag is not None:  # a clearing may be of an older incident of its group
            self._incident_of[change.flag.flag_id] = after.opened_by
            self._newest[after.group] = after.opened_by
        return outcome, change
