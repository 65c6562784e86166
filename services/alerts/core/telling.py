"""Whom an incident is told to, why and when. Pure: the reason is a function of the incident, its plan and the time.

Each telling is a line of the history and is numbered, so that two instances that find the same reason write the same number, and
only one of them can. Further flags, reminders and the escalation stop when somebody acknowledges.

Of several routes in force (`continue`) each tells its receiver by its own times: when it opened, of further flags, and again.
What is the incident's and no route's (worse, over, a step, a day) is told to all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from services.alerts.core.incident import Change, Heard, Incident, Telling
from services.alerts.core.lifecycle import changed
from services.alerts.core.plan import Branch, Leaf, Step, rank


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


class _Due(Struct, frozen=True):
    """A reason with its time; `leaf` None: all routes in force together."""

    reason: Reason
    at: datetime
    leaf: Leaf | None = None


def reason_to_notify(incident: Incident, now: datetime) -> Reason:
    """Why people are to be told now. One reason at a time, the weightiest first."""
    due = _due_now(incident, _leaves(incident, now), now)
    return due[0].reason if due else Reason.NONE


def next_telling(incident: Incident, now: datetime) -> datetime | None:
    """When there may be a reason again if nothing happens to the incident before; None: never. Not before `now`."""
    leaves = _leaves(incident, now)
    due = [max(one.at, now) for one in _all_due(incident, leaves)]
    shift = _next_shift(incident, now)
    if shift is not None and incident.state == "open" and not incident.held:
        due.append(shift)  # other times may count then
    return min(due, default=None)


def told(incident: Incident, now: datetime) -> Change | None:
    """The telling that is due now: `data` has the reason and the receivers. None when there is none."""
    leaves = _leaves(incident, now)
    due = _due_now(incident, leaves, now)
    if not due:
        return None
    reason, routes = due[0].reason, [one.leaf for one in due if one.leaf is not None] or leaves[:1]
    before = incident.telling
    steps = _steps_due(incident, leaves, now) if reason is Reason.ESCALATED else ()
    receivers = _receivers(incident, due, leaves, steps)
    fresh = before.opening == incident.openings
    after = Telling(
        count=before.count + 1,
        opening=incident.openings,
        at=now,
        flags=incident.flags,
        severity=incident.severity,
        escalated=(*before.escalated, *steps),
        receivers=_merged(before.receivers if fresh else (), filter(None, receivers)),
        end=before.end or reason is Reason.RESOLVED,
        recheck=before.recheck or reason is Reason.RECHECK,
        heard=(before.heard if fresh else {}) | dict.fromkeys(receivers, Heard(now, incident.flags)),
    )
    data: dict[str, Any] = {"reason": reason.value, "telling": after.count, "receivers": [*filter(None, receivers)]}
    if path := ", ".join(dict.fromkeys(leaf.path for leaf in routes if leaf.path)):
        data["route"] = path
    actions = incident.actions
    if reason is Reason.ACTION_DUE:
        days = {one.number for one in actions if one.waits_until is not None and one.waits_until <= now}
        data["actions"] = sorted(days)
        actions = tuple(msgspec.structs.replace(one, told=True) if one.number in days else one for one in actions)
    return changed(msgspec.structs.replace(incident, telling=after, actions=actions), now, "told", data=data)


def _due_now(incident: Incident, leaves: Sequence[Leaf], now: datetime) -> list[_Due]:
    """What is due of the weightiest reason: one, or what several routes tell at the same time."""
    due = [one for one in _all_due(incident, leaves) if one.at <= now]
    return [one for one in due if one.reason is due[0].reason]


def _all_due(incident: Incident, leaves: Sequence[Leaf]) -> list[_Due]:
    """Every reason that there is or will be, with when; the weightiest first."""
    telling, found = incident.telling, list[_Due]()
    if not leaves:
        return found
    if incident.state == "resolved":
        tells_end = any(leaf.tell_end for leaf in leaves)
        if telling.opening == incident.openings and tells_end and not telling.end and incident.resolved_at:
            found.append(_Due(Reason.RESOLVED, incident.resolved_at))
        if incident.recheck_at is not None and not telling.recheck:
            found.append(_Due(Reason.RECHECK, incident.recheck_at))
        return found + _actions_due(incident)
    if incident.held:
        return found
    if telling.opening < incident.openings or telling.at is None:
        # who took it before that needs no telling
        return _openings_due(incident, leaves) if incident.state == "open" else _actions_due(incident)
    if rank(incident.severity) > rank(telling.severity):
        found.append(_Due(Reason.WORSE, telling.at))
    if incident.state != "open":
        return found + _actions_due(incident)
    found += _openings_due(incident, leaves) + _actions_due(incident)
    if steps := _steps_left(incident, leaves):
        found.append(_Due(Reason.ESCALATED, incident.open_since + steps[0].after))
    return found + _again(incident, leaves)


def _openings_due(incident: Incident, leaves: Sequence[Leaf]) -> list[_Due]:
    """When those hear of the opening who have not: by the `wait` of their route, or as soon as it is their hours."""
    reason = Reason.OPENED if incident.openings == 1 else Reason.REOPENED
    return [
        _Due(reason, incident.open_since + leaf.wait, leaf)
        for leaf in leaves
        if _heard(incident, leaf.receiver) is None
    ]


def _again(incident: Incident, leaves: Sequence[Leaf]) -> list[_Due]:
    """Further flags and reminders, of each route to whom it told before."""
    more, reminders = list[_Due](), list[_Due]()
    for leaf in leaves:
        heard = _heard(incident, leaf.receiver)
        if heard is None:
            continue
        if incident.flags > heard.flags:
            more.append(_Due(Reason.MORE, heard.at + leaf.interval, leaf))
        if leaf.repeat is not None:
            last = max(one.at for name in _audience(incident, leaf, leaves) if (one := _heard(incident, name)))
            reminders.append(_Due(Reason.REMINDER, last + leaf.repeat, leaf))
    return more + reminders


def _heard(incident: Incident, receiver: str) -> Heard | None:
    """What a receiver heard last of this opening; None: nothing yet."""
    telling = incident.telling
    if telling.opening != incident.openings:
        return None
    found = telling.heard.get(receiver)
    if found is None and telling.at is not None and receiver in telling.receivers:  # written before each was known
        return Heard(telling.at, telling.flags)
    return found


def _actions_due(incident: Incident) -> list[_Due]:
    """The next moment at which actions are told, if there is one: all of them whose time it is together."""
    waiting = [one.waits_until for one in incident.actions if one.waits_until is not None]
    return [_Due(Reason.ACTION_DUE, min(waiting))] if waiting else []


def _receivers(
    incident: Incident, due: Sequence[_Due], leaves: Sequence[Leaf], steps: Sequence[Step]
) -> tuple[str, ...]:
    """Who is told; "" stands for a route that tells nobody."""
    before, reason = incident.telling, due[0].reason
    heard = before.receivers if before.opening == incident.openings else ()
    on_duty = [leaf.receiver for leaf in leaves]
    if reason is Reason.RESOLVED:
        return heard
    if reason is Reason.ESCALATED:
        return _merged(*(step.receivers for step in steps))
    if reason is Reason.WORSE:
        return _merged(heard, on_duty)
    routes = [one.leaf for one in due if one.leaf is not None]
    if not routes:
        return _merged(on_duty)
    if reason is not Reason.REMINDER:
        return _merged(leaf.receiver for leaf in routes)
    return _merged(*(_audience(incident, leaf, leaves) for leaf in routes))


def _audience(incident: Incident, leaf: Leaf, leaves: Sequence[Leaf]) -> list[str]:
    """Who is reminded with a route: its receiver, those whom its steps told and who have no route of their own in force, and
    with the first route those whom no step did.
    """
    own, all_ = ({name for step in _steps(some) for name in step.receivers} for some in ([leaf], leaves))
    elsewhere = {one.receiver for one in leaves} - {leaf.receiver}

    def belongs(name: str) -> bool:
        return name == leaf.receiver or name in own or (leaf is leaves[0] and name not in all_)

    heard = incident.telling.receivers
    return [*(name for name in heard if name not in elsewhere and belongs(name)), leaf.receiver]


def _steps_due(incident: Incident, leaves: Sequence[Leaf], now: datetime) -> tuple[Step, ...]:
    """The steps of the escalation that have come: after a silence, or with another shift, several at once."""
    return tuple(step for step in _steps_left(incident, leaves) if now >= incident.open_since + step.after)


def _steps_left(incident: Incident, leaves: Sequence[Leaf]) -> list[Step]:
    """Those that nobody was told by yet, whichever routes were in force then: what another shift, or another severity, has
    besides is made up for.
    """
    return [step for step in _steps(leaves) if step not in incident.telling.escalated]


def _leaves(incident: Incident, now: datetime) -> tuple[Leaf, ...]:
    """The routes in force; of what is resolved, those of its resolution."""
    return incident.plan.leaves(incident.severity, incident.resolved_at or now)


def _steps(leaves: Sequence[Leaf]) -> list[Step]:
    """Those of all routes, each once: routes after the first one wake people, too."""
    if len(leaves) == 1:
        return list(leaves[0].steps)
    return sorted({step: None for leaf in leaves for step in leaf.steps}, key=lambda step: step.after)


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


def _merged(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))
