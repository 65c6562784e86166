"""What would become of a flag with some labels if nobody did anything: who is told, when, and why. Pure.

There is no second set of rules: an incident is opened in thought and looked at whenever it asks for it, as real ones are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, cast, get_args

import msgspec
from msgspec import Struct

from services.alerts.core.course import held_by_nothing, looked_at, next_look
from services.alerts.core.handling import Grouping, Handling
from services.alerts.core.incident import Change, Flag, Incident, Policy
from services.alerts.core.inhibition import Inhibition
from services.alerts.core.labels import NAME, Labels, fits
from services.alerts.core.lifecycle import opened
from services.alerts.core.plan import SEVERITIES, Branch, Leaf, Plan
from services.alerts.core.routes import Route
from services.alerts.core.telling import Reason
from shared.errors import FloorwatchError
from shared.facts import Severity, Subject

AHEAD: Final = timedelta(days=1)  # what comes later is more of the same, unless a step or a raise is later still
MOST_LOOKS: Final = 500  # a file that repeats every second must not cost more than an answer is worth
LONGEST_LABEL: Final = 200
OWN: Final = ("site", "rule", "severity", "subject", "subject_id", "simulated", "replay")
CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "severity": SEVERITIES,
    "subject": get_args(Subject),
    "simulated": ("yes", "no"),
    "replay": ("yes", "no"),
}


class WrongLabels(FloorwatchError):
    """No flag can have these labels."""


class Told(Struct, frozen=True, kw_only=True):
    """One telling; or a run of reminders to the same people, `times` of them, one `every` so long, until `last`."""

    at: datetime
    reason: Reason
    severity: Severity
    receivers: tuple[str, ...]
    route: str
    times: int = 1
    every: timedelta | None = None
    last: datetime


class Course(Struct, frozen=True, kw_only=True):
    """What becomes of an incident that opens as severe as `severity`. `routes`: those in force then.

    `raised`: when it becomes how severe. Followed up to `until`; `goes_on`: something is still to come then.
    """

    severity: Severity
    group: str
    grouped_by: tuple[str, ...]
    plan: Plan
    routes: tuple[Leaf, ...]
    told: tuple[Told, ...]
    raised: tuple[tuple[datetime, Severity], ...]
    until: datetime
    goes_on: bool


class Explained(Struct, frozen=True, kw_only=True):
    """The whole answer. `asked`: labels that the file asks for and that were not given, so that they count as empty."""

    at: datetime
    labels: dict[str, str]
    courses: tuple[Course, ...]
    hidden_by: tuple[Inhibition, ...]
    asked: tuple[str, ...]


def explained(handling: Handling, labels: Labels, time_zone: str, policy: Policy, at: datetime) -> Explained:
    """About a flag that is raised at `at`; for every severity, or for that in `labels`. Raises WrongLabels."""
    checked(labels)
    severities = (cast(Severity, labels["severity"]),) if "severity" in labels else tuple(reversed(SEVERITIES))
    flags = [example(labels, one, at) for one in severities]
    return Explained(
        at=at,
        labels=dict(labels),
        courses=tuple(course(handling, flag, time_zone, policy, at) for flag in flags),
        hidden_by=tuple(
            one for one in handling.inhibitions if any(fits(one.target, flag.all_labels) for flag in flags)
        ),
        asked=tuple(sorted(_asked(handling) - labels.keys() - {"severity", "simulated", "replay"})),
    )


def course(handling: Handling, flag: Flag, time_zone: str, policy: Policy, at: datetime) -> Course:
    """What becomes of an incident that `flag` opens at `at` while its condition holds and nobody touches it."""
    plan, group = handling.plan(flag, time_zone), handling.group(flag)
    end = at + max(AHEAD, *_laters(plan))
    told: list[Told] = []
    raised: list[tuple[datetime, Severity]] = []
    incident, now, due = opened(flag, group, plan, at).incident, at, cast(datetime | None, at)
    for _ in range(MOST_LOOKS):
        if due is None or due > end:
            break
        now = due
        for change in looked_at(incident, policy, held_by_nothing, now):
            incident = change.incident
            if change.entry.kind == "told":
                _add(told, _told(change, incident))
            elif change.entry.kind == "raised":
                raised.append((now, incident.severity))
        due = next_look(incident, policy, now)
    return Course(
        severity=flag.severity,
        group=group,
        grouped_by=handling.grouped_by(flag),
        plan=plan,
        routes=plan.leaves(flag.severity, at),
        told=tuple(told),
        raised=tuple(raised),
        until=end if due is None or due > end else now,
        goes_on=due is not None,
    )


def as_told(
    handling: Handling, flag: Flag, time_zone: str, policy: Policy, at: datetime, reason: str
) -> tuple[Incident, datetime]:
    """The incident that `flag` opens, as it is when people have been told of it for `reason`, and when that is.

    Where they never are for that reason: when they have been told first; where they never are at all: as it opens.
    """
    incident, now = opened(flag, handling.group(flag), handling.plan(flag, time_zone), at).incident, at
    found: tuple[Incident, datetime] | None = None
    for _ in range(MOST_LOOKS):
        for change in looked_at(incident, policy, held_by_nothing, now):
            incident = change.incident
            if change.entry.kind == "told":
                found = found or (incident, now)
                if change.entry.data["reason"] == reason:
                    return incident, now
        due = next_look(incident, policy, now)
        if due is None or due > at + AHEAD:
            break
        now = due
    return found or (incident, at)


def example(labels: Labels, severity: Severity, at: datetime) -> Flag:
    """A flag with these labels; what they leave out is empty."""
    return Flag(
        flag_id="example",
        site=labels.get("site", ""),
        rule=labels.get("rule", ""),
        severity=severity,
        subject=cast(Subject, labels.get("subject", "")),
        subject_id=labels.get("subject_id", ""),
        started=at,
        raised=at,
        summary_en="",
        summary_zh="",
        labels={name: value for name, value in labels.items() if name not in OWN},
        simulated=labels.get("simulated") == "yes",
        replay=labels.get("replay") == "yes",
    )


def checked(labels: Labels) -> None:
    """Raises WrongLabels for a name that no label has, and for a value that one of ours cannot have."""
    for name, value in labels.items():
        if NAME.fullmatch(name) is None:
            raise WrongLabels(f"{name!r} is not a label: expected small letters, digits and _")
        if len(value) > LONGEST_LABEL:
            raise WrongLabels(f"{name}: longer than {LONGEST_LABEL} characters")
        if name in CLOSED and value not in CLOSED[name]:
            raise WrongLabels(f"{name}: there is no {value!r}; there are {', '.join(CLOSED[name])}")


def _told(change: Change, incident: Incident) -> Told:
    data = change.entry.data
    return Told(
        at=change.entry.at,
        reason=Reason(data["reason"]),
        severity=incident.severity,
        receivers=tuple(data["receivers"]),
        route=data.get("route", ""),
        last=change.entry.at,
    )


def _add(told: list[Told], new: Told) -> None:
    """`new`, or the run of reminders that it goes on with."""
    before = told[-1] if told else None
    if before is not None and before.reason is new.reason is Reason.REMINDER and _same(before, new):
        gap = new.at - before.last
        if before.every in (None, gap):
            told[-1] = msgspec.structs.replace(before, times=before.times + 1, every=gap, last=new.at)
            return
    told.append(new)


def _same(one: Told, other: Told) -> bool:
    return (one.receivers, one.severity, one.route) == (other.receivers, other.severity, other.route)


def _laters(plan: Plan) -> list[timedelta]:
    """Every time after the opening at which a step or a raise of the plan may come; at least one."""
    found = [one.after for one in plan.raises if one.after is not None]
    for branch in plan.routes.values():
        found += [step.after for leaf in _leaves(branch) for step in leaf.steps]
    return found or [timedelta(0)]


def _leaves(branch: Branch) -> Iterable[Leaf]:
    yield branch.leaf
    for below in branch.branches:
        yield from _leaves(below)


def _asked(handling: Handling) -> set[str]:
    """Every label that something in the file looks at."""
    found = {name for one in handling.groupings for name in _names(one)}
    found |= {matcher.label for one in handling.routes.raisings for matcher in one.matchers}
    found |= {matcher.label for one in handling.inhibitions for matcher in one.target}
    return found | set(_asked_by(handling.routes.root))


def _names(one: Grouping) -> Sequence[str]:
    return [matcher.label for matcher in one.matchers]


def _asked_by(route: Route) -> Iterable[str]:
    yield from (matcher.label for matcher in route.matchers)
    for below in route.routes:
        yield from _asked_by(below)
