"""The alert file, as the API gives it and the command line shows it. Durations are seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from services.alerts.alertfile.reading import Alerts
from services.alerts.alertfile.receivers import Receiver
from services.alerts.api.dutyviews import ScheduleView, zones_of
from services.alerts.api.views import TextView, View
from services.alerts.core.inhibition import Inhibition
from services.alerts.core.labels import Matcher
from services.alerts.core.plan import Leaf, Raise, Step
from services.alerts.core.routes import Route
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
            repeat_s=seconds(one.repeat),
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
        return cls(match=in_words(matchers), to=one.to, after_s=seconds(one.after), flags=one.flags)


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
    file_error: TextView | None = Field(
        description="Why the changed file is not in force, with file, line and key; null: it is"
    )
    warnings: list[TextView] = Field(description="What is right by its form and hardly meant, with file, line and key")
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
            file_error=TextView.of(file_error) if file_error else None,
            warnings=[TextView.of(one) for one in alerts.warnings],
            receivers=[ReceiverView.of(one, channels.get(name, ())) for name, one in alerts.receivers.items()],
            routes=RouteView.of_route(handling.routes.root),
            schedules=[ScheduleView.of(one, zones, now) for one in handling.routes.schedules.values()],
            groups=[GroupView(match=in_words(one.matchers), by=list(one.by)) for one in handling.groupings],
            raises=[RaiseView.of(one.raises, one.matchers) for one in handling.routes.raisings],
            inhibit=[InhibitView.of(one) for one in handling.inhibitions],
            retention=[
                KeepView(group=one.name, keep_s=seconds(alerts.retention.keep[one.name]), about=one.about)
                for one in GROUPS
            ],
            now=now,
        )

    def faring(self, states: Iterable[ReceiverState]) -> RoutingView:
        """With how its receivers fare."""
        found = {one.name: {"state": one.state, "since": one.since} for one in states}
        receivers = [one.model_copy(update=found.get(one.name, {})) for one in self.receivers]
        return self.model_copy(update={"receivers": receivers})


def in_words(matchers: Iterable[Matcher]) -> str:
    return ", ".join(str(one) for one in matchers)


def seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
