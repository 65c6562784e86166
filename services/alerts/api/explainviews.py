"""What would become of a flag, as the API gives it and the command line shows it. Durations are seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from services.alerts.api.routingviews import InhibitView, LeafView, RaiseView, seconds
from services.alerts.api.views import View
from services.alerts.core.explained import Course, Explained, Told
from services.alerts.core.telling import Reason
from shared.facts import Severity
from shared.siteconfig import Sites


class ToldView(View):
    """One telling, or a run of reminders to the same people."""

    at: datetime = Field(description="Wall clock")
    after_s: float = Field(description="After the opening")
    reason: Reason
    severity: Severity
    receivers: list[str] = Field(description="Empty: nobody is told")
    route: str = Field(description="Whose times count, in words; empty: the first route")
    times: int = Field(description="More than 1: it repeats, one `every_s`, until `last`")
    every_s: float | None
    last: datetime

    @classmethod
    def of(cls, one: Told, opened_at: datetime) -> ToldView:
        return cls(
            at=one.at,
            after_s=(one.at - opened_at).total_seconds(),
            reason=one.reason,
            severity=one.severity,
            receivers=list(one.receivers),
            route=one.route,
            times=one.times,
            every_s=seconds(one.every),
            last=one.last,
        )


class RaisedView(View):
    at: datetime
    after_s: float
    severity: Severity


class CourseView(View):
    """What becomes of an incident of one severity while its condition holds and nobody touches it."""

    severity: Severity
    group: str = Field(description="The key that the flags of one incident share")
    grouped_by: list[str] = Field(description="The labels that it is made of, beside the site")
    receivers: list[str] = Field(description="Everybody who is told sooner or later")
    routes: list[LeafView] = Field(description="Those in force at the opening; each tells by its own times")
    steps: list[ToldView]
    raised: list[RaisedView] = Field(description="When its age makes it more severe")
    raised_by_flags: list[RaiseView] = Field(description="What the number of its flags would make of it")
    until: datetime = Field(description="Followed up to then")
    goes_on: bool = Field(description="Something is still to come then")

    @classmethod
    def of(cls, one: Course, at: datetime) -> CourseView:
        return cls(
            severity=one.severity,
            group=one.group,
            grouped_by=list(one.grouped_by),
            receivers=list(dict.fromkeys(name for told in one.told for name in told.receivers)),
            routes=[LeafView.of(leaf) for leaf in one.routes],
            steps=[ToldView.of(told, at) for told in one.told],
            raised=[
                RaisedView(at=when, after_s=(when - at).total_seconds(), severity=severity)
                for when, severity in one.raised
            ],
            raised_by_flags=[RaiseView.of(found) for found in one.plan.raises if found.flags],
            until=one.until,
            goes_on=one.goes_on,
        )


class HiddenView(View):
    """What would keep people from being told."""

    inhibitions: list[InhibitView] = Field(description="What of the file would, while such a source stands")
    incidents: list[int] = Field(description="Incidents that do so at this moment, as far as you may see them")
    silences: list[str] = Field(description='Silences and maintenance in force then, such as "silence 3"')


class ExplainedView(View):
    """Who would be told of a flag with these labels, when and why, if nobody did anything."""

    at: datetime = Field(description="When it is raised")
    labels: dict[str, str]
    time_zone: str = Field(description="The site's, in which schedules count")
    known_site: bool = Field(description="Whether the sites file names the site")
    courses: list[CourseView] = Field(description="The most severe first")
    hidden_by: HiddenView
    not_given: list[str] = Field(
        description="Labels that the file asks for and that were not given: they count as empty"
    )

    @classmethod
    def of(
        cls, one: Explained, sites: Sites, *, incidents: Sequence[int] = (), silences: Sequence[str] = ()
    ) -> ExplainedView:
        site = one.labels.get("site", "")
        return cls(
            at=one.at,
            labels=one.labels,
            time_zone=sites.site(site).time_zone,
            known_site=site in sites.sites,
            courses=[CourseView.of(found, one.at) for found in one.courses],
            hidden_by=HiddenView(
                inhibitions=[InhibitView.of(found) for found in one.hidden_by],
                incidents=list(incidents),
                silences=list(silences),
            ),
            not_given=list(one.asked),
        )
