"""The alert file and what it would do, as the API gives it and the command line shows it. Durations are seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from services.alerts.alertfile.reading import Alerts
from services.alerts.alertfile.receivers import Receiver
from services.alerts.api.views import View
from services.alerts.core.explained import Course, Explained, Told
from services.alerts.core.inhibition import Inhibition
from services.alerts.core.labels import Matcher
from services.alerts.core.plan import Duty, Leaf, Raise, Step
from services.alerts.core.routes import Route, Schedule
from services.alerts.core.telling import Reason
from services.alerts.reach.outbox import ChannelName
from services.alerts.reach.states import ReceiverState
from services.alerts.retention.groups import GROUPS
from shared.facts import Severity
from shared.siteconfig import Sites


class ReceiverView(View):
    """Who is told, without secrets."""

    name: str
    channels: list[str] = Field(description="Kind and host; empty: whoever is told through it hears nothing")
    language: Literal["en", "zh", "both"]
    form: Literal["short", "long"]
    then: str = Field(description="Who is told instead when it cannot be reached; empty: nobody")
    burst: int = Field(description="At most so many messages at once, and one more for each `every_s`")
    every_s: float
    state: Literal["ok", "failing", "dead"] | None = Field(
        default=None, description="How it fares; null: the file alone was read"
    )
    since: datetime | None = Field(default=None, description="Since when it fails, or is dead")

    @classmethod
    def of(cls, one: Receiver, channels: Iterable[ChannelName]) -> ReceiverView:
        return cls(
            name=one.name,
            channels=[channel.label for channel in channels],
            language=one.language,
            form=one.form,
            then=one.then,
            burst=one.limit.burst,
            every_s=one.limit.every.total_seconds(),
        )


class StepView(View):
    after_s: float = Field(description="After the opening, while nobody has acknowledged")
    to: list[str]

    @classmethod
    def of(cls, one: Step) -> StepView:
        return cls(after_s=one.after.total_seconds(), to=list(one.receivers))


class LeafView(View):
    """Whom a route tells, and when."""

    path: str = Field(
        description="What it and those above it match, in words; empty: the first route, which takes the rest"
    )
    receiver: str
    wait_s: float
    interval_s: float
    repeat_s: float | None = Field(description="null: never again")
    escalation: list[StepView]
    tell_end: bool

    @classmethod
    def of(cls, one: Leaf) -> LeafView:
        return cls(
            path=one.path,
            receiver=one.receiver,
            wait_s=one.wait.total_seconds(),
            interval_s=one.interval.total_seconds(),
            repeat_s=_seconds(one.repeat),
            escalation=[StepView.of(step) for step in one.steps],
            tell_end=one.tell_end,
        )


class RouteView(LeafView):
    """A route with everything that it has from the one above, and those below it."""

    match: str = Field(description="What it takes of what the route above takes, in words; empty: all of it")
    schedule: str = Field(description="In whose hours only; empty: always")
    goes_on: bool = Field(serialization_alias="continue", description="Those after it are asked, too")
    routes: list[RouteView]

    @classmethod
    def of_route(cls, one: Route) -> RouteView:
        return cls(
            **LeafView.of(one.leaf).model_dump(exclude={"escalation"}),
            escalation=[StepView.of(step) for step in one.leaf.steps],
            match=in_words(one.matchers),
            schedule=one.schedule,
            goes_on=one.goes_on,
            routes=[cls.of_route(below) for below in one.routes],
        )


class DutyView(View):
    """Whether somebody is on duty, where."""

    time_zone: str
    sites: list[str] = Field(description="Of this time zone; empty when the schedule names its own")
    on_duty: bool
    until: datetime | None = Field(description="When that changes; null: never")


class ScheduleView(View):
    name: str
    hours: list[str] = Field(description='Such as "mon-fri 08:00-20:00"')
    now: list[DutyView]

    @classmethod
    def of(cls, one: Schedule, zones: Mapping[str, Sequence[str]], at: datetime) -> ScheduleView:
        where = {one.time_zone: []} if one.time_zone else zones
        return cls(name=one.name, hours=hours_of(one), now=[_duty(one, zone, at, where[zone]) for zone in where])


class GroupView(View):
    match: str
    by: list[str]


class RaiseView(View):
    """What fits becomes as severe as `to` after `after_s`, or with so many `flags`."""

    match: str
    to: Severity
    after_s: float | None
    flags: int

    @classmethod
    def of(cls, one: Raise, matchers: Iterable[Matcher] = ()) -> RaiseView:
        return cls(match=in_words(matchers), to=one.to, after_s=_seconds(one.after), flags=one.flags)


class InhibitView(View):
    """While an incident that fits `source` stands, what fits `target` with the same `equal` is told to nobody."""

    source: str
    target: str
    equal: list[str]

    @classmethod
    def of(cls, one: Inhibition) -> InhibitView:
        return cls(source=in_words(one.source), target=in_words(one.target), equal=list(one.equal))


class KeepView(View):
    group: str
    keep_s: float | None = Field(description="null: for ever")
    about: str


class RoutingView(View):
    """The alert file in force."""

    file: str = Field(description="Its name; empty: there is none, and everybody is told of everything at once")
    loaded_at: datetime | None = Field(description="When it was read")
    file_error: str = Field(description="Why the changed file is not in force; empty: it is")
    warnings: list[str] = Field(description="What is right by its form and hardly meant, with file, line and key")
    receivers: list[ReceiverView]
    routes: RouteView
    schedules: list[ScheduleView]
    groups: list[GroupView]
    raises: list[RaiseView]
    inhibit: list[InhibitView]
    retention: list[KeepView]
    now: datetime

    @classmethod
    def of(
        cls,
        alerts: Alerts,
        channels: Mapping[str, Sequence[ChannelName]],
        sites: Sites,
        now: datetime,
        *,
        file: str,
        loaded_at: datetime | None = None,
        file_error: str = "",
    ) -> RoutingView:
        handling = alerts.handling
        zones = zones_of(sites)
        return cls(
            file=file,
            loaded_at=loaded_at,
            file_error=file_error,
            warnings=list(alerts.warnings),
            receivers=[ReceiverView.of(one, channels.get(name, ())) for name, one in alerts.receivers.items()],
            routes=RouteView.of_route(handling.routes.root),
            schedules=[ScheduleView.of(one, zones, now) for one in handling.routes.schedules.values()],
            groups=[GroupView(match=in_words(one.matchers), by=list(one.by)) for one in handling.groupings],
            raises=[RaiseView.of(one.raises, one.matchers) for one in handling.routes.raisings],
            inhibit=[InhibitView.of(one) for one in handling.inhibitions],
            retention=[
                KeepView(group=one.name, keep_s=_seconds(alerts.retention.keep[one.name]), about=one.about)
                for one in GROUPS
            ],
            now=now,
        )

    def faring(self, states: Iterable[ReceiverState]) -> RoutingView:
        """With how its receivers fare."""
        found = {one.name: {"state": one.state, "since": one.since} for one in states}
        receivers = [one.model_copy(update=found.get(one.name, {})) for one in self.receivers]
        return self.model_copy(update={"receivers": receivers})


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
            every_s=_seconds(one.every),
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
    routes: list[LeafView] = Field(description="Those in force at the opening; the first one's times count")
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


def in_words(matchers: Iterable[Matcher]) -> str:
    return ", ".join(str(one) for one in matchers)


def hours_of(schedule: Schedule) -> list[str]:
    """Each span such as `mon tue 08:00-12:00, 13:00-17:00`."""
    found: list[str] = []
    for windows, days in schedule.spans:
        hours = ", ".join(f"{_time(start)}-{_time(end)}" for start, end in windows) or "the whole day"
        found.append(f"{' '.join(days)} {hours}" if days else hours)
    return found


def zones_of(sites: Sites) -> dict[str, list[str]]:
    """The sites of each time zone; that of sites that the file does not name when it names none."""
    found: dict[str, list[str]] = {}
    for name, one in sites.sites.items():
        found.setdefault(one.time_zone, []).append(name)
    return found or {sites.defaults.time_zone: []}


def _duty(schedule: Schedule, zone: str, at: datetime, sites: Sequence[str]) -> DutyView:
    duty = Duty(schedule.name, zone, schedule.spans)
    return DutyView(time_zone=zone, sites=list(sites), on_duty=duty.on_at(at), until=_turn(duty, at))


def _turn(duty: Duty, at: datetime) -> datetime | None:
    """When whether somebody is on duty really changes: one span may begin where another ends."""
    on, found = duty.on_at(at), duty.next_change(at)
    for _ in range(100):
        if found is None or duty.on_at(found) != on:
            break
        found = duty.next_change(found)
    return found


def _time(minutes: int) -> str:
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}" if minutes != 1440 else "24:00"


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
