"""The figures of a site's period, as reports show them; `gather.figures` works them out. Definitions: docs/metrics.md.

Durations are seconds, rates and shares 0 to 1; None: there is nothing to divide by, or nobody knows; never 0 for that. Times
are aware UTC: those of the floor by the switch's clock, those of incidents by ours.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from services.alerts.periodic.period import Kind
from shared.siteconfig import ServiceLevelFormula

Step = Literal["interval", "day", "week", "month"]
Origin = Literal["none", "real", "simulated", "replay", "mixed"]


class ServiceLevel(Struct, frozen=True, kw_only=True):
    """A service level with all that names it: formula, T and T_s. Counts by two thresholds do not add up, so each is its own."""

    formula: ServiceLevelFormula
    within_s: float
    short_abandon_s: float
    target: float | None  # None of several queues whose targets differ
    value: float | None  # by `formula`
    by_formula: dict[str, float | None]  # F1, F2, F3, F3s, F4, F5
    answered: int
    abandoned: int


class Stretch(Struct, frozen=True, kw_only=True):
    """Queues over a stretch of time: sums of its intervals of 15 minutes, and the ratios of these sums.

    Of a step of the period, of an hour of the day (then the sum of this hour of each day), or of all of it.
    """

    started_at: datetime
    ended_at: datetime
    intervals: int  # published ones that are in it; of several queues those of each
    partial: int  # of these, counted from later than their beginning, or ended early
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    other_ended: int
    handled: int
    transfers: int
    wait_answered_s: float
    wait_abandoned_s: float
    longest_waited_s: float | None
    talk_s: float
    hold_s: float
    wrap_s: float
    handling_s: float
    ready_s: float
    asa_s: float | None
    aht_s: float | None
    abandonment_rate: float | None
    transfer_rate: float | None
    occupancy: float | None  # None of several queues: who serves two would be ready twice
    service_levels: tuple[
        ServiceLevel, ...
    ]  # one for each formula and pair of thresholds in force; most answered first

    @property
    def service_level(self) -> ServiceLevel | None:
        """The one there is; None where there is none, or several that do not add up."""
        return self.service_levels[0] if len(self.service_levels) == 1 else None


class QueueFigures(Struct, frozen=True, kw_only=True):
    """A queue, or all queues of the site (`queue` is "" then)."""

    queue: str
    label: str
    total: Stretch
    steps: tuple[Stretch, ...]  # of `PeriodFigures.step`; those without an interval are left out
    hours: tuple[Stretch, ...]  # by hour of the site's day, 24 at most; `started_at` is that of the first such hour


class AgentFigures(Struct, frozen=True, kw_only=True):
    """An agent, or all agents (`agent_id` is "" then: sums).

    Displayed states are a partition of the clock: `state_s` adds up to the time from `known_from` to `known_to`, of all of it
    that was recorded; `uncovered_s` is what was not (below 0 where the switch's clock was set back).
    """

    agent_id: str
    name: str
    team: str
    agents: int  # 1, or how many
    known_from: datetime
    known_to: datetime
    state_s: dict[str, float]  # displayed state -> seconds inside the period
    total_s: float  # the sum of state_s
    uncovered_s: float
    unknown_s: float  # of total_s: state unknown
    stale_s: float  # of total_s: the link to the switch was down, so the state is the last one known
    breaks_s: dict[str, float]  # of the state break, by reason
    staffed_s: float  # logged on: all states but offline and unknown, breaks included
    occupancy: float | None  # (talk + hold + consult + wrap) / (the same + ready)
    calls: int  # calls with customers that this agent took, from a queue or dialled, that ended in the period
    talk_s: float  # of these, without hold
    hold_s: float  # of these
    transfers: int  # that the agent asked for and that ended in the period

    def share(self, state: str) -> float | None:
        """Of the recorded time, what was spent in this state."""
        return self.state_s.get(state, 0.0) / self.total_s if self.total_s > 0 else None


class Spread(Struct, frozen=True, kw_only=True):
    """How a duration is spread, from every single value. Percentiles by nearest rank: values that were really measured."""

    count: int
    mean_s: float | None
    p50_s: float | None
    p90_s: float | None
    p95_s: float | None
    max_s: float | None


NO_SPREAD = Spread(count=0, mean_s=None, p50_s=None, p90_s=None, p95_s=None, max_s=None)


class Cause(Struct, frozen=True, kw_only=True):
    """Transfers that have something in common: `key` names it, two names for a pair of agents."""

    key: tuple[str, ...]
    label: tuple[str, ...]  # the same for people
    count: int
    slow: int
    cannot_tell: int
    not_completed: int  # failed, cancelled, abandoned
    mean_s: float | None  # of the completed, request to bridge
    max_s: float | None


class TransferFigures(Struct, frozen=True, kw_only=True):
    """Transfers that ended in the period.

    `slow`: over the limit of the rule slow_transfer, 7.0 s as it ships. `cannot_tell`: the switch's clock is too coarse. Both of
    those that were bridged; what never was is in `outcomes`: worse than slow.
    """

    count: int
    outcomes: dict[str, int]  # completed, failed, cancelled, abandoned, running (the recording ended before it)
    kinds: dict[str, int]  # blind, attended, queue
    judged: int  # bridged, and there was such a rule: slow + cannot_tell + those in time
    slow: int
    cannot_tell: int
    slow_share: float | None  # slow / judged
    cannot_tell_share: float | None  # cannot_tell / judged
    legs: dict[str, Spread]  # seek, ring, brief, customer_gap, total
    by_kind: dict[str, Spread]  # total, by kind
    by_reason: tuple[Cause, ...]  # (outcome, reason); most frequent first, as all of these, 10 at most
    by_target: tuple[Cause, ...]  # (kind, queue, agent or masked number)
    by_agent: tuple[Cause, ...]  # (agent who asked,)
    by_pair: tuple[Cause, ...]  # (agent who asked, agent who took it)
    by_queue: tuple[Cause, ...]  # (queue that the call came from,)


class Share(Struct, frozen=True, kw_only=True):
    """How many of something, and how long."""

    key: str
    label: str
    count: int
    total_s: float


class RuleFigures(Struct, frozen=True, kw_only=True):
    """Flags of one rule that were raised in the period. Durations: from the condition's beginning, of those that ended."""

    rule: str
    severity: str  # the highest
    subject: str
    count: int
    ended: int
    unheard: int  # over, and nobody said when
    standing: int  # not over as far as is known
    total_s: float
    longest_s: float | None
    simulated: int
    replay: int
    by_agent: tuple[Share, ...]  # most flags first, 5 at most
    by_queue: tuple[Share, ...]


class FlagFigures(Struct, frozen=True, kw_only=True):
    count: int
    by_severity: dict[str, int]
    rules: tuple[RuleFigures, ...]  # most flags first


class SeverityFigures(Struct, frozen=True, kw_only=True):
    """Incidents of one severity (`severity` is "" for all). Times are the service's clock.

    `to_acknowledge`: from an opening (or reopening) to the first who took it, of those taken in the period; `to_resolve`: to the
    resolution, of those resolved in the period.
    """

    severity: str
    opened: int
    reopened: int
    acknowledged: int
    resolved: int
    resolved_quiet: int  # of these by themselves, because nobody took them
    open: int  # at the end of the period, or now while it runs: not resolved
    not_taken: int  # of these, nobody's
    to_acknowledge: Spread
    to_resolve: Spread


class IncidentLine(Struct, frozen=True, kw_only=True):
    """One incident to name in a report."""

    number: int
    rule: str
    severity: str
    state: str
    summary_en: str
    summary_zh: str
    opened_at: datetime
    resolved_at: datetime | None
    owner: str
    lasted_s: float  # from its opening to its resolution, or to the end of the period, or now


class IncidentFigures(Struct, frozen=True, kw_only=True):
    total: SeverityFigures
    by_severity: tuple[SeverityFigures, ...]  # critical first
    by_rule: tuple[Share, ...]  # opened in the period, most first; total_s: of the resolved, opening to resolution
    longest: tuple[IncidentLine, ...]  # opened before its end and not resolved before its beginning; 10 at most
    still_open: tuple[IncidentLine, ...]  # at the end of the period, or now: most severe and oldest first; 50 at most


class CallFigures(Struct, frozen=True, kw_only=True):
    """Calls with customers that ended in the period. A call that visited two queues is recorded once for each visit."""

    count: int
    by_direction: dict[str, int]  # inbound, outbound
    by_outcome: dict[str, int]
    unqueued: int  # without a queue: dialled by agents, mostly
    unqueued_answered: int
    talk_s: float
    hold_s: float


class Gap(Struct, frozen=True, kw_only=True):
    """Nothing is recorded of this stretch."""

    started_at: datetime
    ended_at: datetime


class Coverage(Struct, frozen=True, kw_only=True):
    """What of the period is recorded, by its intervals of 15 minutes (as far as it is over).

    An interval is recorded when a queue's figures of it are, or a known state of an agent that lasted into it; not by a state
    that stands only because the link was down.
    """

    intervals: int  # that there are until the period's end, or until now
    recorded: int
    share: float | None  # recorded / intervals
    first: datetime | None  # begin of the first that is recorded
    last: datetime | None  # end of the last
    gaps: tuple[Gap, ...]  # longest stretches without records first, 20 at most
    gap_count: int


class PeriodFigures(Struct, frozen=True, kw_only=True):
    """Everything a report of a period is written from."""

    site: str
    label: str
    time_zone: str
    kind: Kind
    first: date
    last: date
    start: datetime
    end: datetime
    as_of: datetime  # when the figures were asked for; our clock
    over: bool  # the period had ended by then
    origin: Origin  # of the records: of a real switch, made up, played back, or several of these
    step: Step  # what the queues' `steps` are
    coverage: Coverage
    total: QueueFigures  # all queues
    queues: tuple[QueueFigures, ...]  # by name
    calls: CallFigures
    crew: AgentFigures | None  # all agents; None without one
    agents: tuple[AgentFigures, ...]  # by id; those with recorded time inside the period
    transfers: TransferFigures
    flags: FlagFigures
    incidents: IncidentFigures
