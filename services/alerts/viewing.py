"""Incidents as pages see them now: with what holds them, whom they are told to next, and what is due."""

from __future__ import annotations

from datetime import date

from services.alerts.api.views import ActionView, ComingView, HeldView, IncidentView, TextView
from services.alerts.core.course import Coming, coming, promised
from services.alerts.core.incident import Incident, Policy
from services.alerts.core.silences import next_change
from services.alerts.silences.holds import Holds
from services.alerts.visibility import shown_to
from shared.auth import WHOLE, Scope
from shared.clock import Clock
from shared.siteconfig import Sites


def within(view: IncidentView, incident: Incident, scope: Scope) -> IncidentView:
    """`view` of `incident` as somebody with this scope may read it."""
    words = shown_to(scope, incident)
    if words is None:
        return view
    said = TextView(en=words.summary_en, zh=words.summary_zh)
    return view.model_copy(update={"summary": said, "subject_id": words.subject_id, "labels": words.labels})


class Views:
    """Makes the views, by what is known in memory; reads nothing."""

    def __init__(self, holds: Holds, policy: Policy, clock: Clock, sites: Sites) -> None:
        self._holds = holds
        self._policy = policy
        self._clock = clock
        self._sites = sites

    def of(self, incident: Incident, scope: Scope = WHOLE) -> IncidentView:
        """As somebody with this scope may read it."""
        return within(self._whole(incident), incident, scope)

    def _whole(self, incident: Incident) -> IncidentView:
        now, hold = self._clock.now(), self._holds.last
        found = self.coming(incident)
        return IncidentView.of(incident).model_copy(
            update={
                "site_label": self._sites.site(incident.site).label or incident.site,
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

    def coming(self, incident: Incident) -> Coming | None:
        """Whom it is told to next, with the silences that are known."""
        hold = self._holds.last
        return coming(
            incident,
            self._policy,
            lambda one, at: hold.by(one, at),
            lambda at: next_change(hold.silences, at),
            self._clock.now(),
        )

    def promised(self, incident: Incident) -> Coming | None:
        """The same, for a message about it: None when nobody need be told that."""
        return promised(incident, self.coming(incident))
