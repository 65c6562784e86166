"""Whom an incident is told to, why and when. Pure: the reason is a function of the incident, its plan and the time.

Each telling is a line of the history and is numbered, so that two instances that find the same reason write the same number, and
only one of them can. Further flags, reminders and the escalation stop when somebody acknowledges.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from services.alerts.core.incident import Change, Incident, Telling
from services.alerts.core.lifecycle import changed
from services.alerts.core.plan import Branch, Leaf, rank


class Reason(StrEnum):
    """Why people are told, or not."""

    NONE = "none"
    OPENED = "opened"
    REOPENED = "reopened"
    WORSE = "worse"  # more severe than what they were told
    MORE = "more"  # further flags
    REMINDER = "reminder"
    ESCALATED = "escalated"  # nobody has it
    RESOLVED = "resolved"
    RECHECK = "recheck"  # the day has come on which somebody was to look again
    ACTION_DUE = "action_due"  # the day of an action that is not done has come


def reason_to_notify(incident: Incident, now: datetime) -> Reason:
    """Why people are to be told now. One reason at a time, the weightiest first."""
    leaf = _leaf(incident, now)
    if leaf is None:
        return Reason.NONE
    for reason, due in _all_due(incident, leaf):
        if due <= now:
            return reason
    return Reason.NONE


def next_telling(incident: Incident, now: datetime) -> datetime | None:
    """When there may be a reason again if nothing happens to the incident before; None: never. Not before `now`."""
    leaf = _leaf(incident, now)
    if leaf is None:
        return None
    due = [max(at, now) for _, at in _all_due(incident, leaf)]
    shift = _next_shift(incident, now)
    if shift is not None and incident.state == "open" and not incident.held:
        due.append(shift)  # other times may count then
    return min(due, default=None)


def told(incident: Incident, now: datetime) -> Change | None:
    """The telling that is due now: `data` has the reason and the receivers. None when there is none."""
    reason = reason_to_notify(incident, now)
    if reason is Reason.NONE:
        return None
    before = incident.telling
    steps = _steps_due(incident, now)
    receivers = _receivers(incident, reason, steps, now)
    fresh = before.opening == incident.openings
    after = Telling(
        count=before.count + 1,
        opening=incident.openings,
        at=now,
        flags=incident.flags,
        severity=incident.severity,
        steps=max(before.steps, steps) if reason is Reason.ESCALATED else before.steps,
        receivers=_merged(before.receivers if fresh else (), receivers),
        end=before.end or reason is Reason.RESOLVED,
        recheck=before.recheck or reason is Reason.RECHECK,
    )
    data: dict[str, Any] = {"reason": reason.value, "telling": after.count, "receivers": list(receivers)}
    leaf = _leaf(incident, now)
    if leaf is not None and leaf.path:
        data["route"] = leaf.path
    actions = incident.actions
    if reason is Reason.ACTION_DUE:
        due = {one.number for one in actions if one.waits_until is not None and one.waits_until <= now}
        data["actions"] = sorted(due)
        actions = tuple(msgspec.structs.replace(one, told=True) if one.number in due else one for one in actions)
    return changed(msgspec.structs.replace(incident, telling=after, actions=actions), now, "told", data=data)


def _all_due(incident: Incident, leaf: Leaf) -> list[tuple[Reason, datetime]]:
    """Every reason that there is or will be, with when; the weightiest first."""
    telling, found = incident.telling, list[tuple[Reason, datetime]]()
    if incident.state == "resolved":
        if telling.opening == incident.openings and leaf.tell_end and not telling.end and incident.resolved_at:
            found.append((Reason.RESOLVED, incident.resolved_at))
        if incident.recheck_at is not None and not telling.recheck:
            found.append((Reason.RECHECK, incident.recheck_at))
        return found + _actions_due(incident)
    if incident.held:
        return found
    if telling.opening < incident.openings or telling.at is None:
        if incident.state == "open":  # who took it before that needs no telling
            reason = Reason.OPENED if incident.openings == 1 else Reason.REOPENED
            return [(reason, incident.open_since + leaf.wait)]
        return _actions_due(incident)
    if rank(incident.severity) > rank(telling.severity):
        found.append((Reason.WORSE, telling.at))
    found += _actions_due(incident)
    if incident.state != "open":
        return found
    if telling.steps < len(leaf.steps):
        found.append((Reason.ESCALATED, incident.open_since + leaf.steps[telling.steps].after))
    if incident.flags > telling.flags:
        found.append((Reason.MORE, telling.at + leaf.interval))
    if leaf.repeat is not None:
        found.append((Reason.REMINDER, telling.at + leaf.repeat))
    return found


def _actions_due(incident: Incident) -> list[tuple[Reason, datetime]]:
    """The next moment at which actions are told, if there is one: all of them whose time it is together."""
    waiting = [one.waits_until for one in incident.actions if one.waits_until is not None]
    return [(Reason.ACTION_DUE, min(waiting))] if waiting else []


def _receivers(incident: Incident, reason: Reason, steps: int, now: datetime) -> tuple[str, ...]:
    before = incident.telling
    heard = before.receivers if before.opening == incident.openings else ()
    leaves = incident.plan.leaves(incident.severity, now)
    if reason is Reason.RESOLVED:
        return heard
    if reason is Reason.ESCALATED:
        return _merged((), tuple(r for step in _together(leaves).steps[before.steps : steps] for r in step.receivers))
    on_duty = tuple(leaf.receiver for leaf in leaves)
    return _merged(heard if reason in (Reason.WORSE, Reason.REMINDER) else (), on_duty)


def _steps_due(incident: Incident, now: datetime) -> int:
    """How many steps of the escalation have come: after a silence, several at once."""
    leaf = _leaf(incident, now)
    return 0 if leaf is None else sum(now >= incident.open_since + step.after for step in leaf.steps)


def _leaf(incident: Incident, now: datetime) -> Leaf | None:
    """What the routes in force ask for together; of what is resolved, those of its resolution."""
    leaves = incident.plan.leaves(incident.severity, incident.resolved_at or now)
    return _together(leaves) if leaves else None


def _together(leaves: Sequence[Leaf]) -> Leaf:
    """Steps of all count, and an end that one of them tells: those after the first wake people too. Other times: the first's."""
    first, *others = leaves
    if not others:
        return first
    steps = sorted({step: None for leaf in leaves for step in leaf.steps}, key=lambda step: step.after)
    return msgspec.structs.replace(first, steps=tuple(steps), tell_end=any(leaf.tell_end for leaf in leaves))


def _next_shift(incident: Incident, now: datetime) -> datetime | None:
    """When the hours of some route begin or end next."""
    root = incident.plan.routes.get(incident.severity)
    return None if root is None else min(_changes(root, now), default=None)


def _changes(branch: Branch, now: datetime) -> list[datetime]:
    own = branch.duty.next_change(now) if branch.duty is not None else None
    found = [] if own is None else [own]
    for below in branch.branches:
        found += _changes(below, now)
    return found


def _merged(before: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys((*before, *more)) if name)  # "": a route that tells nobody
