"""What the board shows: one struct per entity, sent as JSON in snapshots and deltas and by the REST API.

Times are the switch's clock as ISO 8601 UTC. `since` is when the shown state began; a page computes the time in state
from it and the site's clock. A value that does not exist is null, never 0. Caller numbers are masked before they get here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from shared.facts import AgentState, Severity, Subject, TransferOutcome

ShownProvenance = Literal["observed", "inferred", "timer", "stale"]


class SiteView(Struct, frozen=True, kw_only=True):
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


class AgentCallView(Struct, frozen=True, kw_only=True):
    """The conversation that decides an agent's state."""

    call_id: str
    queue: str
    direction: str
    peer: str
    since: datetime
    other_calls: int  # further calls this agent's phone is part of


class AgentView(Struct, frozen=True, kw_only=True):
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


class ServiceLevelView(Struct, frozen=True, kw_only=True):
    """A service level and the formula it is of; `value` 0 to 1, null while no call counts."""

    formula: str
    within_s: float
    short_abandon_s: float
    target: float
    value: float | None


class QueueView(Struct, frozen=True, kw_only=True):
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
    longest_wait_s: float | None  # of the day, answered or not
    service_level: ServiceLevelView
    service_level_f1: float | None
    day: str  # the day these figures are of, YYYY-MM-DD
    since: datetime | None  # when our counting of that day began


class LegView(Struct, frozen=True, kw_only=True):
    leg_id: str
    agent_id: str
    role: str
    state: Literal["ringing", "dialing", "talking", "held"]
    since: datetime


class CallView(Struct, frozen=True, kw_only=True):
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


class TransferView(Struct, frozen=True, kw_only=True):
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
    slow: bool
    total_s: float | None
    customer_gap_s: float | None


class FlagView(Struct, frozen=True, kw_only=True):
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


class FloorView(Struct, frozen=True, kw_only=True):
    """Everything of one floor, in a stable order: the body of a snapshot."""

    sites: tuple[SiteView, ...]
    queues: tuple[QueueView, ...]
    agents: tuple[AgentView, ...]
    calls: tuple[CallView, ...]
    transfers: tuple[TransferView, ...]
    flags: tuple[FlagView, ...]
