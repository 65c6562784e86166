"""The engine's whole state as plain structs, so that a checkpoint is one encode of one value.

`gc=False`: these objects form no cycles (they name each other by id), and 10 000 agents must not slow the collector.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from services.monitor.core.counting.tallies import Crew, Day, Periods, Stretch, Tally, Today
from shared.facts import AgentState, TransferOutcome

Declared = Literal["off", "ready", "not_ready", "unknown"]
LegRole = Literal["agent", "consult", "internal"]
LegState = Literal["ringing", "dialing", "talking", "held"]
CallState = Literal["started", "queued", "ringing", "answered", "held", "transferring"]
Shown = Literal["observed", "inferred", "timer", "stale"]
TimerKind = Literal[
    "wrap", "flag", "forget", "step", "lease", "calls", "flap", "listen", "ticket", "keep", "hours", "pulse"
]


class Leg(Struct, gc=False):
    """An agent's phone in a call. `talk_s` and `hold_s` count up to `since`."""

    leg_id: str
    call_id: str
    agent_id: str
    role: LegRole
    state: LegState
    since: datetime
    started: datetime
    queue: str = ""
    peer: str = ""
    answered: datetime | None = None
    talk_s: float = 0.0
    hold_s: float = 0.0
    asked: bool = False  # its agent asked to transfer this conversation
    said: datetime | None = None  # newest word of its state; older ones come late
    moved: datetime | None = None  # newest word of the call that it is part of


class Visit(Struct, gc=False):
    """A call's visit to a queue. `ended` with an agent waits for that agent's leg to end, then becomes a record."""

    queue: str
    entered: datetime
    number: int
    ended: datetime | None = None
    outcome: str = ""
    agent_id: str = ""
    again: datetime | None = None  # told to enter the same queue once more, while its leaving may come late


class Call(Struct, gc=False):
    call_id: str
    direction: str
    started: datetime
    from_number: str = ""
    to_number: str = ""
    state: CallState = "started"
    since: datetime | None = None  # of `state`
    legs: list[str] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    visit_count: int = 0
    transfers: list[str] = field(default_factory=list)  # running ones
    answered: datetime | None = None
    heard_until: datetime | None = None  # last moment the customer heard a person; None while one is talking
    talk_s: float = 0.0  # of legs that ended, for calls that never queued
    hold_s: float = 0.0
    last_agent: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    seen: datetime | None = None  # the newest event of it
    provenance: Shown = "observed"  # of `state`
    directed: str = ""  # what the site's file says of its queues' calls


class Flap(Struct, gc=False):
    """An agent's short states in a row, and while it flaps what is shown instead of them."""

    began: datetime
    count: int = 0
    total_s: float = 0.0
    seconds: dict[AgentState, float] = field(default_factory=dict)  # state -> seconds in it lately
    shown: AgentState = "unknown"
    told: datetime | None = None  # when the board heard of it last
    due: datetime | None = None  # when its timer looks whether it is over


class Agent(Struct, gc=False):
    agent_id: str
    state: AgentState
    since: datetime
    seen: datetime
    name: str = ""
    team: str = ""
    queues: list[str] = field(default_factory=list)
    declared: Declared = "unknown"
    reason: str = ""
    legs: list[str] = field(default_factory=list)
    in_wrap: bool = False
    wrap_until: datetime | None = None
    wrap_call: str = ""
    wrap_queue: str = ""
    provenance: Shown = "observed"
    shown_call: str = ""  # call and queue that the current interval belongs to
    shown_queue: str = ""
    shown_reason: str = ""
    listeners: list[str] = field(default_factory=list)
    unordered: int = 0  # of them, those that nobody ordered here
    on_at: datetime | None = None  # newest log-on, log-off, word of ready or not, of ready, begin and end of wrap:
    off_at: datetime | None = None  # what is older than these comes late
    said_at: datetime | None = None
    ready_at: datetime | None = None
    wrap_at: datetime | None = None
    wrap_over: datetime | None = None
    flapping_since: datetime | None = None  # since when its state changes every few seconds
    flap: Flap | None = None
    lapsed: bool = False  # not heard of for longer than its lease: unknown until it is
    promise_s: float | None = None  # its source promised to speak of it again within so many seconds
    lease_due: datetime | None = None  # of the one timer that looks after its lease
    missed_in_row: int = 0  # calls that rang and were not answered, since the last answered one
    counted: str = ""  # displayed state and its queue as the books have it; "" before the first
    counted_queue: str = ""
    today: Today | None = None


class Transfer(Struct, gc=False):
    transfer_id: str
    call_id: str
    kind: Literal["blind", "attended", "queue"]
    from_agent: str
    requested: datetime
    to_agent: str = ""
    to_queue: str = ""
    to_number: str = ""
    ringing: datetime | None = None
    answered: datetime | None = None
    bridged: datetime | None = None
    released: datetime | None = None
    ended: datetime | None = None
    heard_until: datetime | None = None
    outcome: TransferOutcome = "running"
    reason: str = ""
    precision_ms: int = 0
    guessed: bool = False  # its outcome, because the call ended
    target_at: datetime | None = None  # newest word of who the target is
    seen: datetime | None = None  # the newest event of it
    provenance: Shown = "observed"


class Over(Struct, gc=False):
    """A leg ended lately: what is told late of it does not bring it back."""

    at: datetime
    call_id: str


class Early(Struct, gc=False):
    """What was told of a leg, a transfer or a visit before its beginning was. `what` is the event's kind in one word."""

    at: datetime
    what: str
    agent_id: str = ""
    call_id: str = ""
    role: str = ""
    peer: str = ""
    reason: str = ""
    outcome: str = ""


class Queue(Struct, gc=False):
    queue: str
    waiting: dict[str, datetime] = field(default_factory=dict)  # call id -> when it entered
    staff: dict[str, int] = field(default_factory=dict)  # displayed state -> agents who serve this queue
    seen: datetime | None = None  # the newest event of it
    inferred: list[str] = field(default_factory=list)  # of `waiting`, those that nobody saw enter
    handling: int = 0  # agents on this queue's calls and their wrap, whether they serve it or not
    was_staffed: bool = False  # in the running interval
    minute: Tally = field(default_factory=Tally)  # the running one
    interval: Tally = field(default_factory=Tally)  # finished minutes of the running one
    day: Day | None = None
    recent: Tally = field(default_factory=Tally)  # the sum of `recent_minutes`, finished minutes within the last 15
    recent_minutes: list[Stretch] = field(default_factory=list)
    recent_since: datetime | None = None  # None while nothing goes on in this queue
    stirred: bool = False  # it changed since rules were asked about it
    unsettled: bool = False  # its figures did


class Watch(Struct, gc=False):
    """A rule whose condition holds for a subject. `flag_id` is set once the flag is raised."""

    rule: str
    subject_id: str
    started: datetime
    deadline: datetime
    generation: int
    flag_id: str = ""
    lapsed: datetime | None = None  # since when the condition of a raised flag no longer holds; the flag is kept
    precision_ms: int = 0  # of the clock, by which the deadline is later
    state: str = ""  # of an agent, when last asked, and the call it was about
    call: str = ""
    began: tuple[int, int] = (-1, -1)  # partition and offset of the raw record with which the condition began


class Window(Struct, gc=False):
    """Whether a rule's hours are now, and the timer of when that changes."""

    open: bool
    generation: int


class Flag(Struct, gc=False):
    """A raised flag as the board shows it."""

    flag_id: str
    rule: str
    severity: Literal["info", "warning", "critical"]
    subject: Literal["agent", "call", "transfer", "queue", "site"]
    subject_id: str
    started: datetime
    raised: datetime
    summary_en: str
    summary_zh: str
    labels: dict[str, str]
    precision_ms: int = 0


class Timer(Struct, order=True, frozen=True, gc=False):
    """Due at `due`; `what` and `about` say what for, `generation` whether it still counts."""

    due: datetime
    generation: int
    what: TimerKind
    about: tuple[str, str]


class Anomaly(Struct, gc=False):
    """An event that could not follow the last one, or what was found to be wrong by itself, with its evidence."""

    number: int  # of this site, from 1
    kind: str
    time: datetime
    times: int  # how many of them this one stands for
    event_type: str  # "" when time alone found it
    event_id: str
    position: tuple[int, int, int]
    data: str  # the event's, as JSON, cut
    subject: str
    subject_id: str
    before: str  # the subject before this


class Connector(Struct, gc=False):
    """One of the connectors that hear a site."""

    up: bool
    since: datetime
    reason: str = ""
    simulated: bool = False
    replay: bool = False


class Listen(Struct, gc=False):
    """Somebody listens, or did until the call ended. `ended`: so much is known without having been told."""

    agent_id: str
    call_id: str
    since: datetime
    ended: datetime | None = None
    listener: str = ""
    ticket: str = ""
    ordered: bool = False  # its ticket was taken


class Ticket(Struct, gc=False):
    """A listen was ordered here: the switch was, or is to be, asked for it. `due`: when it must have begun; None if nothing waits
    for that, because it did, or nobody could have seen it. `over`: since when nothing is expected of it any more."""

    agent_id: str
    call_id: str
    due: datetime | None = None
    used: bool = False
    over: datetime | None = None


class SiteState(Struct, gc=False):
    """One floor."""

    site: str
    now: datetime | None = None
    began: datetime | None = None  # since when this site is heard
    position: tuple[int, int, int] = (-1, -1, -1)  # partition, offset, index of the last event applied
    output_index: int = 0  # outputs since that event
    generation: int = 0  # ever-growing, tells timers apart
    link: Literal["up", "down", "never"] = "never"
    link_since: datetime | None = None
    link_reason: str = ""
    link_heard: datetime | None = None  # by our clock, until the first event tells how far the switch's is from it
    simulated: bool = False
    replay: bool = False
    speed: float = 1.0
    skew_s: float | None = None
    clock_jumps: int = 0
    jump_offset: int = -1  # position of the last `ClockJumped`, and when it was heard, by our clock
    jump_heard: datetime | None = None
    agents: dict[str, Agent] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    periods: Periods | None = None
    crew: Crew = field(default_factory=Crew)
    watches: dict[str, dict[str, Watch]] = field(default_factory=dict)  # rule -> subject id -> watch
    told: dict[str, dict[str, datetime]] = field(default_factory=dict)  # rule -> subject id -> start of its last flag
    flags: dict[str, Flag] = field(default_factory=dict)
    listening: dict[str, Listen] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)  # by fork
    over_legs: dict[str, Over] = field(default_factory=dict)  # this and the next: late.py
    early: dict[str, list[Early]] = field(default_factory=dict)
    timers: list[Timer] = field(default_factory=list)  # a heap
    anomalies: dict[str, int] = field(default_factory=dict)
    anomaly_log: list[Anomaly] = field(default_factory=list)  # the newest, last
    anomaly_number: int = 0  # of the newest
    anomaly_bytes: int = 0  # of the texts in `anomaly_log`
    duplicates: int = 0
    rules: dict[str, str] = field(default_factory=dict)  # name -> fingerprint, of those that `watches` is by
    windows: dict[str, Window] = field(default_factory=dict)  # rules that have hours
    pulse_due: datetime | None = None  # of the one timer at which queues and the site are asked
    connectors: dict[str, Connector] = field(default_factory=dict)
    heard: datetime | None = None  # the newest event, to the second
    heard_next: datetime | None = None  # an event from then on is news to `heard`
    positions_from: datetime | None = None  # before then, no event proves that positions began anew
    position_base: int = 0  # added to offsets that go out, so that they grow also when positions begin anew
    over: dict[str, datetime] = field(default_factory=dict)  # calls cleared lately -> when
    calls_due: datetime | None = None  # of the one timer that looks after the leases of calls
