"""What becomes of an incident, step by step. Pure: no clock, no database; `now` is an argument.

    open ──acknowledge, assign──▶ acknowledged ──resolve──▶ resolved
      └──────────────────resolve────────────────────────▶    │
      ◀──────────── reopen (a person, or a new flag) ────────┘

Every step returns a `Change`: the incident after it and one timeline entry; nothing changes without an entry. Whom it is
told to, and when, is in `telling`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from services.alerts.core.facets import with_flag
from services.alerts.core.incident import (
    ALLOWED,
    OWN_PREFIX,
    SYSTEM,
    Action,
    Change,
    Clearing,
    Entry,
    EntryKind,
    Flag,
    Incident,
    Policy,
    WrongTransition,
)
from services.alerts.core.plan import Plan, rank


def opened(flag: Flag, group: str, plan: Plan, now: datetime) -> Change:
    """A new incident from its first flag; `group` is what further flags of it will have."""
    incident = Incident(
        opened_by=flag.flag_id,
        group=group,
        plan=plan,
        site=flag.site,
        rule=flag.rule,
        subject=flag.subject,
        subject_id=flag.subject_id,
        severity=flag.severity,
        state="open",
        simulated=flag.simulated,
        replay=flag.replay,
        summary_en=flag.summary_en,
        summary_zh=flag.summary_zh,
        labels=flag.labels,
        started=flag.started,
        opened_at=now,
        open_since=now,
        changed_at=now,
        active={flag.flag_id: flag.topic},
    )
    return changed(incident, now, "opened", flag=flag)


def joined(incident: Incident, flag: Flag, plan: Plan, now: datetime) -> Change:
    """A further flag of the same group: it reopens a resolved incident, which has `plan` from then on, and joins any other.

    A rule has one flag about a subject at a time, so an earlier one that still counts as active is over, unheard.
    """
    returns = incident.state == "resolved"
    unheard = frozenset(known for known, topic in incident.active.items() if topic == flag.topic)
    active = {known: topic for known, topic in incident.active.items() if known not in unheard}
    alone = flag.subject_id == incident.subject_id
    after = msgspec.structs.replace(
        incident,
        severity=max(incident.severity, flag.severity, key=rank),
        simulated=incident.simulated or flag.simulated,
        replay=incident.replay or flag.replay,
        subject_id=incident.subject_id if alone else "",
        summary_en=flag.summary_en,
        summary_zh=flag.summary_zh,
        labels={**incident.labels, **flag.labels} if alone else _common(incident.labels, flag.labels),
        facets=with_flag(incident.facets, incident, flag),
        active={**active, flag.flag_id: flag.topic},
        ended=None,
        quiet_since=None,
        flags=incident.flags + 1,
    )
    if returns:
        after = msgspec.structs.replace(_unresolved(after, now), openings=incident.openings + 1, plan=plan)
    return changed(after, now, "reopened" if returns else "flag_joined", flag=flag, unheard=unheard)


def cleared(incident: Incident, clearing: Clearing, now: datetime) -> Change:
    """The condition of one flag is over; with the last one, the incident's. The state stays: people resolve."""
    active = {known: topic for known, topic in incident.active.items() if known != clearing.flag_id}
    after = msgspec.structs.replace(
        incident,
        active=active,
        ended=None if active else clearing.cleared,
        quiet_since=None if active else now,
    )
    return changed(after, now, "flag_cleared", clearing=clearing, data={"duration_s": clearing.duration_s})


def lost(incident: Incident, now: datetime) -> Change:
    """The log that would have told the end of its flags is gone: whether the condition holds is unknown from now on.

    Flags of our own (`core.own`) came by no log; those stand.
    """
    own = {known: topic for known, topic in incident.active.items() if known.startswith(OWN_PREFIX)}
    after = msgspec.structs.replace(incident, active=own, ended=None, quiet_since=None if own else now)
    return changed(after, now, "lost", unheard=frozenset(incident.active.keys() - own.keys()))


def acknowledged(incident: Incident, by: str, note: str, now: datetime) -> Change:
    """`by` has it from now on. Raises WrongTransition."""
    _check(incident, "acknowledge")
    after = msgspec.structs.replace(incident, state="acknowledged", owner=by, acknowledged_at=now)
    return changed(after, now, "acknowledged", by=by, note=note)


def assigned(incident: Incident, to: str, by: str, note: str, now: datetime) -> Change:
    """`by` says that `to` has it from now on, whoever had it before. Raises WrongTransition."""
    _check(incident, "assign")
    after = msgspec.structs.replace(
        incident, state="acknowledged", owner=to, acknowledged_at=incident.acknowledged_at or now
    )
    return changed(after, now, "assigned", by=by, note=note, data={"to": to, "from": incident.owner})


def resolved(
    incident: Incident,
    by: str,
    note: str,
    now: datetime,
    *,
    cause: str = "",
    recheck_on: date | None = None,
    recheck_at: datetime | None = None,
) -> Change:
    """`by` says that it is dealt with; somebody looks again on a day, which is told at a moment of it. Raises WrongTransition."""
    _check(incident, "resolve")
    after = msgspec.structs.replace(
        incident,
        state="resolved",
        resolver=by,
        resolved_at=now,
        cause=cause,
        recheck_on=recheck_on,
        recheck_at=recheck_at,
    )
    data = {"cause": cause} if cause else {}
    if recheck_on:
        data["recheck_on"] = recheck_on.isoformat()
    return changed(after, now, "resolved", by=by, note=note, data=data)


def reopened(incident: Incident, by: str, note: str, now: datetime) -> Change:
    """`by` takes the resolution back. Raises WrongTransition."""
    _check(incident, "reopen")
    return changed(_unresolved(incident, now), now, "reopened", by=by, note=note)


def noted(incident: Incident, by: str, note: str, now: datetime) -> Change:
    """`by` adds to the history; allowed in every state."""
    return changed(incident, now, "note", by=by, note=note)


def quiet_deadline(incident: Incident, policy: Policy) -> datetime | None:
    """When the incident resolves itself; None when only a person can."""
    if incident.quiet_since is None or incident.state != "open":
        return None
    return incident.quiet_since + policy.quiet_time(incident.severity)


def resolved_if_quiet(incident: Incident, policy: Policy, now: datetime) -> Change | None:
    """The resolution that nobody's interest brings, when it is due."""
    deadline = quiet_deadline(incident, policy)
    if deadline is None or now < deadline:
        return None
    after = msgspec.structs.replace(incident, state="resolved", resolver=SYSTEM, resolved_at=now, cause="quiet")
    return changed(after, now, "resolved_quiet")


def next_raise(incident: Incident) -> datetime | None:
    """When its age makes it more severe; None: never, as things stand."""
    return min(
        (
            incident.open_since + one.after
            for one in incident.plan.raises
            if one.after is not None and rank(one.to) > rank(incident.severity) and incident.state != "resolved"
        ),
        default=None,
    )


def raised(incident: Incident, now: datetime) -> Change | None:
    """The higher severity that its age or the number of its flags gives it now, if any."""
    if incident.state == "resolved":
        return None
    age, flags = now - incident.open_since, incident.flags
    due = [
        one for one in incident.plan.raises if (one.after is not None and age >= one.after) or 0 < one.flags <= flags
    ]
    worst = max(due, key=lambda one: rank(one.to), default=None)
    if worst is None or rank(worst.to) <= rank(incident.severity):
        return None
    by_age = worst.after is not None and age >= worst.after
    data: dict[str, Any] = {"from": incident.severity, "to": worst.to}
    data |= {"after_s": worst.after.total_seconds()} if by_age and worst.after else {"flags": worst.flags}
    return changed(msgspec.structs.replace(incident, severity=worst.to), now, "raised", data=data)


def holding(incident: Incident, by: str, now: datetime) -> Change | None:
    """Nobody is told of it while `by` holds it; "": people are. None when that is so already."""
    if by == incident.held:
        return None
    after = msgspec.structs.replace(incident, held=by)
    return changed(after, now, "held" if by else "released", data={"by": by or incident.held})


def _check(incident: Incident, action: Action) -> None:
    if action not in ALLOWED[incident.state]:
        raise WrongTransition(incident, action)


def _unresolved(incident: Incident, now: datetime) -> Incident:
    return msgspec.structs.replace(
        incident,
        state="open",
        open_since=now,
        telling=msgspec.structs.replace(incident.telling, escalated=(), end=False, recheck=False),
        owner="",
        acknowledged_at=None,
        resolver="",
        resolved_at=None,
        cause="",
        recheck_on=None,
        recheck_at=None,
    )


def _common(ours: dict[str, str], theirs: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in ours.items() if theirs.get(name) == value}


def changed(
    incident: Incident,
    now: datetime,
    kind: EntryKind,
    *,
    by: str = SYSTEM,
    note: str = "",
    data: dict[str, Any] | None = None,
    flag: Flag | None = None,
    clearing: Clearing | None = None,
    unheard: frozenset[str] = frozenset(),
) -> Change:
    """`incident` with one more line in its history."""
    after = msgspec.structs.replace(incident, entries=incident.entries + 1, changed_at=now)
    entry = Entry(
        seq=after.entries,
        at=now,
        kind=kind,
        by=by,
        note=note,
        flag_id=flag.flag_id if flag else clearing.flag_id if clearing else "",
        switch_time=flag.raised if flag else clearing.cleared if clearing else None,
        data=data or {},
    )
    return Change(incident=after, entry=entry, flag=flag, clearing=clearing, unheard=unheard)
