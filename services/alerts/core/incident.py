"""An incident: what went wrong, since when, who has it. Pure: no clock, no database; `now` is an argument.

    open ──acknowledge──▶ acknowledged ──resolve──▶ resolved
      └───────────────resolve─────────────────────▶    │
      ◀──────── reopen (a person, or a new flag) ──────┘

Two clocks, kept apart. `at` and every `*_at` of what people do is the wall clock: promises to people are made in it.
`started`, `ended` and `switch_time` are the switch's clock: they are evidence and are never computed with the other.

Every change returns a `Change`: the incident after it and one timeline entry; nothing changes without an entry.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

import msgspec
from msgspec import Struct

from shared.errors import FloorwatchError
from shared.facts import Severity, Subject

State = Literal["open", "acknowledged", "resolved"]
Action = Literal["acknowledge", "resolve", "reopen"]
EntryKind = Literal[
    "opened",
    "flag_joined",
    "flag_cleared",
    "lost",
    "reopened",
    "acknowledged",
    "note",
    "resolved",
    "resolved_quiet",
]
Condition = Literal["active", "ended", "unknown"]

# A note is always allowed. A second acknowledgement is refused, so that two people never both believe that they have it.
ALLOWED: dict[State, tuple[Action, ...]] = {
    "open": ("acknowledge", "resolve"),
    "acknowledged": ("resolve",),
    "resolved": ("reopen",),
}
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # rising
SYSTEM = "floorwatch"  # who did it when no person did


class WrongTransition(FloorwatchError):
    """A person asked for what the incident's state does not allow."""

    def __init__(self, incident: Incident, action: Action) -> None:
        self.incident, self.action, self.allowed = incident, action, ALLOWED[incident.state]
        who = f" by {incident.owner}" if incident.state == "acknowledged" else ""
        super().__init__(
            f"cannot {action}: the incident is {incident.state}{who}; allowed now: {', '.join(self.allowed)}, note"
        )


class Policy(Struct, frozen=True):
    """How long things are kept together.

    `reopen_within`: a flag this soon after the resolution is the same trouble coming back, so the incident reopens
    and keeps its history; later it is a new one. 15 minutes is the interval that call centres report by.

    `quiet_for`: an incident nobody took resolves itself when its condition has been over for this long. 8 hours, one
    shift: whoever was on duty could have taken it, and the next shift starts with a list that is true. A critical one
    stays for `critical_quiet_for`, a day, so that every shift and its supervisor have seen it. One that somebody
    acknowledged is that person's and never resolves itself.
    """

    reopen_within: timedelta = timedelta(minutes=15)
    quiet_for: timedelta = timedelta(hours=8)
    critical_quiet_for: timedelta = timedelta(hours=24)

    def quiet_time(self, severity: Severity) -> timedelta:
        return self.critical_quiet_for if severity == "critical" else self.quiet_for


class Flag(Struct, frozen=True, kw_only=True):
    """A raised flag as the incident keeps it: the evidence. Times are the switch's clock."""

    flag_id: str
    site: str
    rule: str
    severity: Severity
    subject: Subject
    subject_id: str
    started: datetime
    raised: datetime
    summary_en: str
    summary_zh: str
    labels: dict[str, str] = {}
    evidence: dict[str, Any] = {}
    simulated: bool = False
    replay: bool = False  # of a recording played back

    @property
    def group(self) -> str:
        """What belongs together: the same rule about the same subject of the same site."""
        return group_key(self.site, self.rule, self.subject, self.subject_id)


class Clearing(Struct, frozen=True, kw_only=True):
    """The end of a flag's condition. `cleared` is the switch's clock."""

    flag_id: str
    cleared: datetime
    duration_s: float
    evidence: dict[str, Any] = {}


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the timeline. `at` is the wall clock; `switch_time` the evidence's own, where there is any."""

    seq: int  # from 1, without gaps
    at: datetime
    kind: EntryKind
    by: str
    note: str = ""
    flag_id: str = ""
    switch_time: datetime | None = None
    data: dict[str, Any] = {}


class Incident(Struct, frozen=True, kw_only=True):
    """An incident. `opened_by` is the id of the flag that opened it: a flag opens at most one, so it is its identity.

    `active` are the flags whose condition still holds; while it is empty the condition is over since `ended`, or nobody
    knows, because the record of its end is lost (`ended` None).
    """

    opened_by: str
    group: str
    site: str
    rule: str
    subject: Subject
    subject_id: str
    severity: Severity  # the highest of its flags
    state: State
    simulated: bool
    replay: bool
    summary_en: str
    summary_zh: str
    labels: dict[str, str]
    started: datetime
    opened_at: datetime
    changed_at: datetime
    active: frozenset[str]
    ended: datetime | None = None
    quiet_since: datetime | None = None  # when we learned that the condition is over; wall clock
    flags: int = 1
    openings: int = 1  # times a flag opened it: 1, and 1 for each return
    entries: int = 0
    owner: str = ""
    acknowledged_at: datetime | None = None
    resolver: str = ""
    resolved_at: datetime | None = None
    cause: str = ""
    recheck_on: date | None = None
    id: int = 0  # the number people use; the database gives it

    @property
    def condition(self) -> Condition:
        if self.active:
            return "active"
        return "unknown" if self.ended is None else "ended"


class Change(Struct, frozen=True, kw_only=True):
    """What one step did: the incident after it, its timeline entry, and the flag or clearing it came from.

    `unheard` are flags that are over although nobody said so.
    """

    incident: Incident
    entry: Entry
    flag: Flag | None = None
    clearing: Clearing | None = None
    unheard: frozenset[str] = frozenset()


class Reason(StrEnum):
    """Why people are told, or not."""

    NONE = "none"
    OPENED = "opened"
    REOPENED = "reopened"


def group_key(site: str, rule: str, subject: str, subject_id: str) -> str:
    return "/".join(part.replace("/", "%2F") for part in (site, rule, subject, subject_id))


def opened(flag: Flag, now: datetime) -> Change:
    """A new incident from its first flag."""
    incident = Incident(
        opened_by=flag.flag_id,
        group=flag.group,
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
        changed_at=now,
        active=frozenset((flag.flag_id,)),
    )
    return _changed(incident, now, "opened", flag=flag)


def joined(incident: Incident, flag: Flag, now: datetime) -> Change:
    """A further flag of the same group: it reopens a resolved incident and joins any other.

    A rule has one flag about a subject at a time, so an earlier one that still counts as active is over, unheard.
    """
    returns = incident.state == "resolved"
    after = msgspec.structs.replace(
        incident,
        severity=max(incident.severity, flag.severity, key=SEVERITIES.index),
        simulated=incident.simulated or flag.simulated,
        replay=incident.replay or flag.replay,
        summary_en=flag.summary_en,
        summary_zh=flag.summary_zh,
        labels={**incident.labels, **flag.labels},
        active=frozenset((flag.flag_id,)),
        ended=None,
        quiet_since=None,
        flags=incident.flags + 1,
    )
    if returns:
        after = msgspec.structs.replace(_unresolved(after), openings=incident.openings + 1)
    return _changed(after, now, "reopened" if returns else "flag_joined", flag=flag, unheard=incident.active)


def cleared(incident: Incident, clearing: Clearing, now: datetime) -> Change:
    """The condition of one flag is over; with the last one, the incident's. The state stays: people resolve."""
    active = incident.active - {clearing.flag_id}
    after = msgspec.structs.replace(
        incident,
        active=active,
        ended=None if active else clearing.cleared,
        quiet_since=None if active else now,
    )
    return _changed(after, now, "flag_cleared", clearing=clearing, data={"duration_s": clearing.duration_s})


def lost(incident: Incident, now: datetime) -> Change:
    """The log that would have told the end of its flags is gone: whether the condition holds is unknown from now on."""
    after = msgspec.structs.replace(incident, active=frozenset(), ended=None, quiet_since=now)
    return _changed(after, now, "lost", unheard=incident.active)


def acknowledged(incident: Incident, by: str, note: str, now: datetime) -> Change:
    """`by` has it from now on. Raises WrongTransition."""
    _check(incident, "acknowledge")
    after = msgspec.structs.replace(incident, state="acknowledged", owner=by, acknowledged_at=now)
    return _changed(after, now, "acknowledged", by=by, note=note)


def resolved(
    incident: Incident, by: str, note: str, now: datetime, *, cause: str = "", recheck_on: date | None = None
) -> Change:
    """`by` says that it is dealt with. Raises WrongTransition."""
    _check(incident, "resolve")
    after = msgspec.structs.replace(
        incident, state="resolved", resolver=by, resolved_at=now, cause=cause, recheck_on=recheck_on
    )
    data = {"cause": cause} if cause else {}
    if recheck_on:
        data["recheck_on"] = recheck_on.isoformat()
    return _changed(after, now, "resolved", by=by, note=note, data=data)


def reopened(incident: Incident, by: str, note: str, now: datetime) -> Change:
    """`by` takes the resolution back. Raises WrongTransition."""
    _check(incident, "reopen")
    return _changed(_unresolved(incident), now, "reopened", by=by, note=note)


def noted(incident: Incident, by: str, note: str, now: datetime) -> Change:
    """`by` adds to the history; allowed in every state."""
    return _changed(incident, now, "note", by=by, note=note)


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
    return _changed(after, now, "resolved_quiet")


def reason_to_notify(incident: Incident, told: frozenset[int]) -> Reason:
    """One notification for each opening; `told` are the openings that have theirs.

    A further flag, a clearing and what people do tell nobody: whoever has the incident sees it on the page.
    """
    if incident.state == "resolved" or incident.openings in told:
        return Reason.NONE
    return Reason.OPENED if incident.openings == 1 else Reason.REOPENED


def reason_to_withhold(incident: Incident, queued_late: timedelta, max_age: timedelta) -> str:
    """Why a notification that is due must not go out after all; "" when it must.

    `queued_late` is the time between the flag's publication and our reading it: after an outage nobody needs to be
    woken for what is long over, and everybody for what still holds.
    """
    if incident.state == "resolved":
        return "resolved before it could be sent"
    if incident.condition != "active" and queued_late > max_age:
        return f"the condition was over when the flag was read, {int(queued_late.total_seconds())} s late"
    return ""


def _check(incident: Incident, action: Action) -> None:
    if action not in ALLOWED[incident.state]:
        raise WrongTransition(incident, action)


def _unresolved(incident: Incident) -> Incident:
    return msgspec.structs.replace(
        incident,
        state="open",
        owner="",
        acknowledged_at=None,
        resolver="",
        resolved_at=None,
        cause="",
        recheck_on=None,
    )


def _changed(
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
