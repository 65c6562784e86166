"""An incident: what went wrong, since when, who has it. Pure. What becomes of it is in `lifecycle`.

Two clocks, kept apart. `at` and every `*_at` of what people do is the wall clock: promises to people are made in it.
`started`, `ended` and `switch_time` are the switch's clock: they are evidence and are never computed with the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal, Protocol

from msgspec import Struct

from services.alerts.core.facets import Facet
from services.alerts.core.followup import FollowUp
from services.alerts.core.labels import Labels, labels_of
from services.alerts.core.plan import NOBODY, Plan, Step
from shared.errors import FloorwatchError
from shared.facts import Severity, Subject

State = Literal["open", "acknowledged", "resolved"]
Action = Literal["acknowledge", "assign", "resolve", "reopen", "recheck"]
EntryKind = Literal[
    "opened",
    "flag_joined",
    "flag_cleared",
    "lost",
    "reopened",
    "acknowledged",
    "assigned",
    "raised",
    "held",
    "released",
    "told",
    "note",
    "resolved",
    "resolved_quiet",
    "rechecked",
    "action_added",
    "action_changed",
    "action_done",
    "clock_set_back",
]
Condition = Literal["active", "ended", "unknown"]

# A note is always allowed. A second acknowledgement is refused, so that two people never both believe that they have it.
ALLOWED: dict[State, tuple[Action, ...]] = {
    "open": ("acknowledge", "assign", "resolve"),
    "acknowledged": ("assign", "resolve"),
    "resolved": ("reopen",),
}
SYSTEM = "floorwatch"  # who did it when no person did
OWN_PREFIX = "own:"  # of the ids of flags that this service raises by itself, see `core.own`


class WrongTransition(FloorwatchError):
    """A person asked for what the incident's state does not allow."""

    def __init__(self, incident: Incident, action: Action) -> None:
        self.incident, self.action, self.allowed = incident, action, incident.allowed
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
    trace: str = ""  # which raw record it goes back to: `shared.tracing`

    @property
    def all_labels(self) -> Labels:
        """Its labels as matchers see them."""
        return labels_of(self)

    @property
    def topic(self) -> str:
        """What a rule has one flag about at a time."""
        return topic_of(self.rule, self.subject, self.subject_id)


class Clearing(Struct, frozen=True, kw_only=True):
    """The end of a flag's condition. `cleared` is the switch's clock."""

    flag_id: str
    cleared: datetime
    duration_s: float
    evidence: dict[str, Any] = {}
    trace: str = ""  # as that of the flag


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


class Heard(Struct, frozen=True):
    """When a receiver was told last, and of how many flags."""

    at: datetime
    flags: int


class Telling(Struct, frozen=True):
    """What people were told of an incident: how often in all, and about which opening, when last, of how many flags, as how
    severe, by which steps of the escalation, to whom; `end`, `recheck`: that of its resolution and its re-check date, too.

    `heard`: the same of each receiver of this opening, "" being a route that tells nobody.
    """

    count: int = 0
    opening: int = 0
    at: datetime | None = None
    flags: int = 0
    severity: str = ""
    escalated: tuple[Step, ...] = ()
    receivers: tuple[str, ...] = ()
    end: bool = False
    recheck: bool = False
    heard: dict[str, Heard] = {}


class Incident(Struct, frozen=True, kw_only=True):
    """An incident. `opened_by` is the id of the flag that opened it: a flag opens at most one, so it is its identity.

    `active` are the flags whose condition still holds, each with its topic; while it is empty the condition is over since
    `ended`, or nobody knows, because the record of its end is lost (`ended` None). `open_since`: of this opening, by a flag or a
    person. `facets`: where its flags are not for the same people to see, the newest of each kind. `held`: why nobody is told,
    "silence 3", "maintenance 4" or "incident 17"; "" when people are. `plan` is that of this opening.
    """

    opened_by: str
    group: str
    site: str
    rule: str
    subject: Subject
    subject_id: str  # "" when its flags are about several
    severity: Severity  # the highest of its flags, or what its age or their number made of it
    state: State
    simulated: bool
    replay: bool
    summary_en: str
    summary_zh: str
    labels: dict[str, str]
    started: datetime
    opened_at: datetime
    open_since: datetime
    changed_at: datetime
    active: Mapping[str, str]
    plan: Plan = NOBODY
    telling: Telling = Telling()
    facets: tuple[Facet, ...] = ()
    actions: tuple[FollowUp, ...] = ()
    held: str = ""
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
    recheck_at: datetime | None = None  # the morning of that day at the site
    id: int = 0  # the number people use; the database gives it

    @property
    def all_labels(self) -> Labels:
        """Its labels as matchers see them."""
        return labels_of(self)

    @property
    def allowed(self) -> tuple[Action, ...]:
        """What a person may do now beside a note and what `ALLOWED` has no say in: looking again where that is due some day."""
        recheck = self.state == "resolved" and self.recheck_at is not None
        return (*ALLOWED[self.state], "recheck") if recheck else ALLOWED[self.state]

    @property
    def condition(self) -> Condition:
        if self.active:
            return "active"
        return "unknown" if self.ended is None else "ended"


class Ending(Protocol):
    """Whether an incident, or what a message tells of it, is over."""

    @property
    def state(self) -> State: ...
    @property
    def condition(self) -> Condition: ...


class Change(Struct, frozen=True, kw_only=True):
    """What one step did: the incident after it, its timeline entry, and the flag or clearing it came from.

    `unheard` are flags that are over although nobody said so.
    """

    incident: Incident
    entry: Entry
    flag: Flag | None = None
    clearing: Clearing | None = None
    unheard: frozenset[str] = frozenset()


def topic_of(rule: str, subject: str, subject_id: str) -> str:
    """What a rule has one flag about at a time, as one text."""
    return "/".join(part.replace("/", "%2F") for part in (rule, subject, subject_id))


def reason_to_withhold(incident: Ending, queued_late: timedelta, max_age: timedelta) -> str:
    """Why a notification that is due must not go out after all; "" when it must. Not asked of what tells of a resolution.

    `queued_late` is the time between the flag's publication and our reading it: after an outage nobody needs to be
    woken for what is long over, and everybody for what still holds.
    """
    if incident.state == "resolved":
        return "resolved before it could be sent"
    if incident.condition != "active" and queued_late > max_age:
        return f"the condition was over when the flag was read, {int(queued_late.total_seconds())} s late"
    return ""
