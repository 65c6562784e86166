"""Facts that the monitor publishes: flags on `floor.flags`, finished things on `floor.records`. CloudEvents, as events are.

Durations are seconds; times are the switch's clock, aware UTC; a value that does not exist is None, never 0.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from shared.envelope import Data, Envelope, data_types_of, envelopes_for

AgentState = Literal["offline", "ready", "ringing", "talk", "hold", "consult", "wrap", "break", "unknown"]
Subject = Literal["agent", "call", "transfer", "queue", "site"]
Severity = Literal["info", "warning", "critical"]
TransferOutcome = Literal["completed", "failed", "cancelled", "abandoned", "running"]
Verdict = Literal["yes", "no", "cannot_tell"]


class FlagRaised(Data, frozen=True):
    """A rule's condition has held for its time. `flag_id` derives from site, rule, subject and `started_at`."""

    flag_id: str
    rule: str
    severity: Severity
    subject: Subject
    subject_id: str
    started_at: datetime  # since when the condition holds
    raised_at: datetime  # started_at plus the rule's `for`: the deadline, not the moment it was noticed
    summary_en: str
    summary_zh: str
    labels: dict[str, str] = {}  # agent, agent_name, team, queue, call, kind, ... whatever the subject has
    evidence: dict[str, Any] = {}  # the subject as the engine saw it when the flag was raised
    simulated: bool = False
    replay: bool = False
    precision_ms: int = 0  # of the clock that the times are of; the flag waits that much longer, so that it is certain


class FlagCleared(Data, frozen=True):
    """The condition of a raised flag no longer holds."""

    flag_id: str
    rule: str
    subject: Subject
    subject_id: str
    cleared_at: datetime
    duration_s: float  # from started_at to cleared_at; what a rule's `keep` adds is part of it
    evidence: dict[str, Any] = {}  # the subject at the end


class AgentInterval(Data, frozen=True):
    """An agent was in one displayed state from `started_at` to `ended_at`. An agent's intervals leave no gap."""

    agent_id: str
    state: AgentState
    started_at: datetime
    ended_at: datetime
    duration_s: float
    provenance: str
    reason: str = ""  # of a break
    call_id: str = ""
    queue: str = ""


class CallEnded(Data, frozen=True):
    """One visit of a call to a queue, or a call that never queued, from its start to the end of the conversation."""

    call_id: str
    direction: str
    queue: str  # "" when it never queued
    outcome: Literal["answered", "abandoned", "timed_out", "overflowed", "cleared", "moved", "unanswered"]
    started_at: datetime  # entered the queue, or the call began
    answered_at: datetime | None
    ended_at: datetime
    waited_s: float
    talk_s: float | None  # conversation without hold; None when never answered
    hold_s: float | None
    agent_id: str = ""
    from_number: str = ""
    attributes: dict[str, str] = {}  # as the switch gave them
    talk_started_at: datetime | None = None  # by the agent's line, which may be timed by another clock than the queue


class QueueInterval(Data, frozen=True):
    """A queue's figures of one interval of the site's day, published when it is over. Sums are seconds; see docs/metrics.md.

    An arrival counts where it arrived, everything else where it ended.
    """

    queue: str
    started_at: datetime
    ended_at: datetime
    counted_from: datetime  # later than started_at when we began to listen in mid-interval
    offered: int  # calls that entered
    answered: int  # calls that an agent took
    abandoned: int  # calls whose customer left while waiting
    short_abandoned: int  # of these, within short_abandon_s
    other_ended: int  # timed out, overflowed, cleared, moved
    answered_within: int  # answered within within_s
    abandoned_within: int  # abandoned within within_s
    wait_answered_s: float  # waits of the answered
    wait_abandoned_s: float  # waits of the abandoned
    longest_waited_s: float | None  # of the calls that left; null when none did
    handled: int  # conversations that ended
    talk_s: float  # of these, without hold
    hold_s: float  # of these
    wrap_s: float  # after-call work that ended
    handling_s: float  # agents' time on this queue's calls and their wrap
    ready_s: float  # agents' time ready for this queue
    transfers: int  # conversations of this queue that an agent asked to transfer
    within_s: float  # the threshold T
    short_abandon_s: float  # the threshold T_s
    service_levels: dict[str, float | None]  # by formula: F1, F2, F3, F3s, F4, F5


class TransferEnded(Data, frozen=True):
    """A transfer with its stamps and legs; a leg that never was is None.

    seek = ringing - requested, ring = answered - ringing, brief = bridged - answered (attended only),
    customer_gap = bridged - last moment the customer heard a person, total = bridged - requested.
    Sent again under the same id when events that come late put it right; the last one counts.
    """

    transfer_id: str
    call_id: str
    kind: Literal["blind", "attended", "queue"]
    from_agent: str
    to_agent: str
    to_queue: str
    to_number: str
    requested_at: datetime
    ringing_at: datetime | None
    answered_at: datetime | None
    bridged_at: datetime | None
    released_at: datetime | None
    ended_at: datetime
    seek_s: float | None
    ring_s: float | None
    brief_s: float | None
    customer_gap_s: float | None
    total_s: float | None
    outcome: TransferOutcome
    reason: str = ""
    precision_ms: int = 0  # resolution of the stamps: a duration between two of them may be off by as much
    slow: Verdict | None = None  # over the limit of the rule slow_transfer; null without a total or such a rule


class Fact(Envelope, frozen=True, kw_only=True, omit_defaults=True):
    """One published fact. `simulated`, `replay`: what it is about is made up, or a recording played back."""

    simulated: bool = False
    replay: bool = False


DATA_TYPES: tuple[type[Data], ...] = data_types_of(__name__)
ENVELOPES: dict[type[Data], type[Fact]] = envelopes_for(Fact, DATA_TYPES)
FLAG_TYPES: tuple[type[Data], ...] = (FlagRaised, FlagCleared)
RECORD_TYPES: tuple[type[Data], ...] = (AgentInterval, CallEnded, QueueInterval, TransferEnded)


def make(data: Data, **envelope: Any) -> Fact:
    """The fact that carries `data`; the keywords are the fields of `Fact`, `specversion` aside."""
    return ENVELOPES[type(data)](data=data, specversion="1.0", **envelope)
