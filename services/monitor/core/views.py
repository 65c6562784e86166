"""What the board shows: one struct per entity, sent as JSON in snapshots and deltas and by the REST API.

Times are the switch's clock as ISO 8601 UTC. `since` is when the shown state began; a page computes the time in state
from it and the site's clock. A value that does not exist is null, never 0. Caller numbers are masked before they get here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from shared.facts import AgentState, Severity, Subject, TransferOutcome, Verdict

ShownProvenance = Literal["observed", "inferred", "timer", "stale"]


class SiteView(Struct, frozen=True, kw_only=True, gc=False):
    """A site as a whole. `link` down or never up means that everything of the site is from before `link_since`."""

    site: str
    label: str
    link: Literal["up", "down", "never"]
    link_since: datetime | None
    link_reason: str
    simulated: bool
    replay: bool
    now: datetime | None  # the switch's time at the newest mark or event
    speed: float  # seconds of switch time in one of ours
    skew_s: float | None
    time_zone: str
    anomalies: int  # events that could not follow the last one and were adopted
    clock_jumps: int = 0  # times the switch's clock was set
    heard: datetime | None = None  # the newest event, by the switch's clock; marks do not count


class AgentCallView(Struct, frozen=True, kw_only=True, gc=False):
    """The conversation that decides an agent's state."""

    call_id: str
    queue: str
    direction: str
    peer: str
    since: datetime
    other_calls: int  # further calls this agent's phone is part of


class AgentFiguresView(Struct, frozen=True, kw_only=True, gc=False):
    """An agent's figures since midnight at the site, sums in seconds."""

    day: str
    since: datetime  # when our counting of that day began
    state_s: dict[
        str, float
    ]  # displayed state -> seconds, of finished intervals; the current one began at `since` of the card
    handled: int
    talk_s: float
    hold_s: float
    wrap_s: float
    missed: int  # rang and did not answer
    missed_in_row: int
    transfers: int
    occupancy: float | None  # handling / (handling + ready), 0 to 1


class AgentView(Struct, frozen=True, kw_only=True, gc=False):
    """An agent's card."""

    site: str
    agent_id: str
    name: str
    team: str
    queues: tuple[str, ...]
    state: AgentState
    since: datetime
    provenance: ShownProvenance
    seen: datetime  # last evidence of this agent
    reason: str  # of a break
    until: datetime | None  # when a wrap timer ends
    call: AgentCallView | None
    listened: bool  # the switch reports a listener
    tags: tuple[str, ...]
    flapping_since: datetime | None = (
        None  # its state changes every few seconds; `state` is then the one it is mostly in
    )
    lease_until: datetime | None = None  # when we stop believing it unless it is heard of
    today: AgentFiguresView | None = None
    listeners: int = 0  # how many listen
    unordered: bool = False  # some of them were not ordered here


class ServiceLevelView(Struct, frozen=True, kw_only=True, gc=False):
    """A service level and the formula it is of; `value` 0 to 1, null while no call counts."""

    formula: str
    within_s: float
    short_abandon_s: float
    target: float
    value: float | None


class RecentView(Struct, frozen=True, kw_only=True, gc=False):
    """A queue over its last 15 minutes, in steps of one minute; what rules about service level and abandonment ask."""

    since: datetime
    offered: int
    answered: int
    abandoned: int
    service_level: float | None  # by the queue's own formula
    abandonment_rate: float | None
    asa_s: float | None
    occupancy: float | None


class QueueView(Struct, frozen=True, kw_only=True, gc=False):
    """A queue now and since midnight in the site's time zone."""

    site: str
    queue: str
    label: str
    waiting: int
    longest_since: datetime | None  # when the longest-waiting call entered; null when none waits
    agents: dict[str, int]  # agents logged on to this queue by displayed state
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    other_ended: int  # timed out, overflowed, cleared, moved
    asa_s: float | None  # average speed of answer
    longest_waited_s: float | None  # of the calls that left today, answered or not
    service_level: ServiceLevelView
    service_level_f1: float | None
    day: str  # the day these figures are of, YYYY-MM-DD
    since: datetime | None  # when our counting of that day began
    provenance: ShownProvenance = "observed"
    seen: datetime | None = None  # the newest event of this queue
    aht_s: float | None = None  # average handling time of the day: (talk + hold + wrap) / handled
    talk_s: float | None = None  # its parts, averages
    hold_s: float | None = None
    wrap_s: float | None = None
    handled: int = 0
    occupancy: float | None = None
    abandonment_rate: float | None = None
    transfer_rate: float | None = None
    service_levels: dict[str, float | None] = {}  # of the day, by formula
    recent: RecentView | None = None


class LegView(Struct, frozen=True, kw_only=True, gc=False):
    leg_id: str
    agent_id: str
    role: str
    state: Literal["ringing", "dialing", "talking", "held"]
    since: datetime


class CallView(Struct, frozen=True, kw_only=True, gc=False):
    """A call that exists now."""

    site: str
    call_id: str
    direction: str
    state: Literal["started", "queued", "ringing", "answered", "held", "transferring"]
    since: datetime
    started: datetime
    queue: str
    queued_since: datetime | None
    from_number: str
    legs: tuple[LegView, ...]
    transfer_id: str
    provenance: ShownProvenance = "observed"
    seen: datetime | None = None  # the newest event of this call
    attributes: dict[str, str] = {}


class TransferView(Struct, frozen=True, kw_only=True, gc=False):
    """A transfer that runs, or ended within the last minutes (`outcome` is then not `running`)."""

    site: str
    transfer_id: str
    call_id: str
    kind: str
    from_agent: str
    to_agent: str
    to_queue: str
    to_number: str
    requested: datetime
    ringing: datetime | None
    answered: datetime | None
    bridged: datetime | None
    released: datetime | None
    ended: datetime | None
    outcome: TransferOutcome
    slow: Verdict  # over the limit of the rule slow_transfer, so far or in the end
    total_s: float | None
    customer_gap_s: float | None
    precision_ms: int = 0  # a duration may be off by as much
    provenance: ShownProvenance = "observed"
    seen: datetime | None = None
    reason: str = ""
    seek_s: float | None = None
    ring_s: float | None = None
    brief_s: float | None = None


class FlagView(Struct, frozen=True, kw_only=True, gc=False):
    """A raised flag; it leaves the board when it is cleared."""

    site: str
    flag_id: str
    rule: str
    severity: Severity
    subject: Subject
    subject_id: str
    started: datetime
    raised: datetime
    summary_en: str
    summary_zh: str
    labels: dict[str, str]
    precision_ms: int = 0


class FloorView(Struct, frozen=True, kw_only=True, gc=False):
    """Everything of one floor, in a stable order: the body of a snapshot."""

    sites: tuple[SiteView, ...]
    queues: tuple[QueueView, ...]
    agents: tuple[AgentView, ...]
    calls: tuple[CallView, ...]
    transfers: tuple[TransferView, ...]
    flags: tuple[FlagView, ...]
