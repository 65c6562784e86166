"""The words of `alerts.yaml`, as they are written. What they mean together is checked by `reading`."""

from __future__ import annotations

from msgspec import Struct, field

from services.alerts.alertfile.health import HealthConfig
from services.alerts.alertfile.receivers import ReceiverConfig
from services.alerts.periodic.configured import ReportConfig
from shared.facts import Severity

Duration = str | int | float
Match = dict[str, str | tuple[str, ...]]

UNSET = ""


class SpanConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Hours such as "08:00-20:00", or several, on some days; a window belongs to the day on which it begins."""

    hours: str | tuple[str, ...] = ()
    days: tuple[str, ...] = ()


class ScheduleConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """When somebody is on duty; in the time zone of the incident's site unless another is named."""

    spans: tuple[SpanConfig, ...]
    time_zone: str = ""


class StepConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told, too, when nobody has acknowledged `after` the opening."""

    after: Duration
    to: tuple[str, ...]


class RouteConfig(Struct, frozen=True, forbid_unknown_fields=True, rename={"goes_on": "continue"}):
    """A route. What it leaves out it has from the one above; `repeat: never` undoes that."""

    receiver: str = UNSET
    match: Match = field(default_factory=dict)
    schedule: str = ""
    wait: Duration = UNSET
    interval: Duration = UNSET
    repeat: Duration = UNSET
    escalate: tuple[StepConfig, ...] | None = None
    tell_end: bool | None = None
    goes_on: bool = False
    routes: tuple[RouteConfig, ...] = ()


class GroupConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Flags that fit `match` make one incident for each combination of the labels `by`; sites are always apart."""

    match: Match
    by: tuple[str, ...]


class RaiseConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What fits becomes as severe as `to` when it is unresolved `after` its opening, or has that many `flags`."""

    to: Severity
    match: Match = field(default_factory=dict)
    after: Duration = UNSET
    flags: int = 0


class InhibitConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """While what fits `source` holds, what fits `target` with the same `equal` labels is told to nobody."""

    source: Match
    target: Match
    equal: tuple[str, ...] = ("site",)


class AlertFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    routes: RouteConfig
    receivers: dict[str, ReceiverConfig] = field(default_factory=dict)
    schedules: dict[str, ScheduleConfig] = field(default_factory=dict)
    groups: tuple[GroupConfig, ...] = ()
    raises: tuple[RaiseConfig, ...] = ()
    inhibit: tuple[InhibitConfig, ...] = ()
    health: HealthConfig = field(default_factory=HealthConfig)
    retention: dict[str, Duration] = field(default_factory=dict)
    reports: tuple[ReportConfig, ...] = ()
