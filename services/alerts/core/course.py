"""The course of an incident when nobody does anything: what is due at a time, and when to look again. Pure.

Whoever keeps incidents looks at each when its `next_look` has come, and whenever something happened to it; never in between.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import Struct

from services.alerts.core.clockset import rebased
from services.alerts.core.incident import Change, Incident, Policy
from services.alerts.core.lifecycle import holding, next_raise, quiet_deadline, raised, resolved_if_quiet
from services.alerts.core.telling import Reason, next_telling, told

HeldBy = Callable[[Incident], str]  # what holds an incident as it stands: as `Incident.held`
MOST_LOOKS: Final = 64  # into the future; nobody plans further
# tellings that come because nobody has it; of `opened` there are several where routes wait differently
IF_NOBODY_ACTS: Final = (
    Reason.OPENED,
    Reason.REOPENED,
    Reason.ESCALATED,
    Reason.REMINDER,
    Reason.MORE,
    Reason.WORSE,
)


class Coming(Struct, frozen=True):
    """Whom an incident is told to next when nobody does anything, when and why."""

    reason: str
    at: datetime
    receivers: tuple[str, ...]


def held_by_nothing(_incident: Incident) -> str:
    return ""


def looked_at(incident: Incident, policy: Policy, held_by: HeldBy, now: datetime) -> list[Change]:
    """What is due, in this order: more severe, held or released (a silence may be of a severity), resolved by its quiet, told.

    Before all that, after the clock was set back: times that have not come (`clockset`).
    """
    found: list[Change] = []

    def add(change: Change | None) -> bool:
        if change is not None:
            found.append(change)
        return change is not None

    def it() -> Incident:
        return found[-1].incident if found else incident

    add(rebased(it(), now))
    add(raised(it(), now))
    if it().state != "resolved":
        add(holding(it(), held_by(it()), now))
    add(resolved_if_quiet(it(), policy, now))
    while add(told(it(), now)):
        pass
    return found


def next_look(incident: Incident, policy: Policy, now: datetime) -> datetime | None:
    """When something may be due if nothing happens before; None: never.

    A hold that begins or ends is somebody else's to notice.
    """
    deadlines = (quiet_deadline(incident, policy), next_raise(incident), next_telling(incident, now))
    return min((one for one in deadlines if one is not None), default=None)


def coming(
    incident: Incident,
    policy: Policy,
    held_by: Callable[[Incident, datetime], str],
    hold_changes: Callable[[datetime], datetime | None],
    now: datetime,
) -> Coming | None:
    """The next telling after `now` when nothing happens to the incident before. None: nobody will be told, as things stand.

    `held_by`: what will hold it at a time; `hold_changes`: when that may be something else next, after a time.
    """
    for _ in range(MOST_LOOKS):
        times = (next_look(incident, policy, now), hold_changes(now))
        at = min((one for one in times if one is not None), default=None)
        if at is None:
            return None
        for change in looked_at(incident, policy, lambda one, at=at: held_by(one, at), at):  # type: ignore[misc]
            if change.entry.kind == "told":
                return Coming(change.entry.data["reason"], at, tuple(change.entry.data["receivers"]))
            incident = change.incident
        now = at
    return None


def promised(incident: Incident, found: Coming | None) -> Coming | None:
    """`found` (`coming`) where a message says it: nobody has the incident, and somebody is told because of that.

    Of an action or a re-check people are told on its day whoever has it; that is no reason to hurry now.
    """
    if found is None or incident.state != "open" or not found.receivers or found.reason not in IF_NOBODY_ACTS:
        return None
    return found
