"""Incidents as pages see them now: with what holds them, whom they are told to next, and what is due."""

from __future__ import annotations

from datetime import date, datetime

from services.alerts.api.views import ActionView, ComingView, HeldView, IncidentView
from services.alerts.core.course import Coming, coming
from services.alerts.core.incident import Incident, Policy
from services.alerts.core.silences import next_change
from services.alerts.silences.holds import Hold, Holds
from shared.clock import Clock
from shared.siteconfig import Sites


class Views:
    """Makes the views, by what is known in memory; reads nothing."""

    def __init__(self, holds: Holds, policy: Policy, clock: Clock, sites: Sites) -> None:
        self._holds = holds
        self._policy = policy
        self._clock = clock
        self._sites = sites

    def of(self, incident: Incident) -> IncidentView:
        now, hold = self._clock.now(), self._holds.last
        found = self._coming(incident, hold, now)
        return IncidentView.of(incident).model_copy(
            update={
                "held": HeldView.of(incident, hold.until(incident.held)),
                "next": None
                if found is None
                else ComingView(reason=found.reason, at=found.at, receivers=list(found.receivers)),
                "actions_overdue": sum(one.overdue(self._today(incident)) for one in incident.actions),
                "recheck_due": incident.recheck_at is not None and incident.recheck_at <= now,
            }
        )

    def actions(self, incident: Incident) -> list[ActionView]:
        """What is and was to do about it, in the order in which it was added."""
        return [ActionView.of(one, self._today(incident)) for one in incident.actions]

    def _today(self, incident: Incident) -> date:
        """The day at its site."""
        return self._clock.now().astimezone(self._sites.site(incident.site).zone).date()

    def _coming(self, incident: Incident, hold: Hold, now: datetime) -> Coming | None:
        return coming(
            incident,
            self._policy,
            lambda one, at: hold.by(one, at),
            lambda at: next_change(hold.silences, at),
            now,
        )
