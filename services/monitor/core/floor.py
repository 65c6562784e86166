"""One site's floor at work: its state, its settings, and what an event made true.

`Floor` is what the handlers (`agents`, `calls`, `transfers`) share: outputs, timers, anomalies, what changed for the feed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Literal

from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.core.rules.rulefields import FIELDS
from services.monitor.core.state import Agent, Call, Queue, Shown, SiteState, Timer, TimerKind, Watch
from services.monitor.core.trust import anomalies
from services.monitor.core.trust.leases import Spans, arm_calls
from services.monitor.core.views import AgentView
from shared import facts
from shared.envelope import Data
from shared.events import Event
from shared.facts import Fact, Subject
from shared.siteconfig import SiteConfig
from shared.tracing import trace_id, traceparent

Picture = Callable[["Floor", str, str], dict[str, Any]]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# More than any floor has, and few enough that a checkpoint of them can be written: 12 MB of agents, 25 MB of queues' days.
MOST_AGENTS: Final = 20_000
MOST_QUEUES: Final = 2_000
OTHER_QUEUES: Final = "(other queues)"  # stands for all beyond them
_TIDY_EVERY: Final = 4096  # timers set, at least; a heap with more is tidied when about as many were set as it holds

Kind = Literal["site", "queue", "agent", "call", "transfer", "flag"]


def in_micros(at: datetime) -> int:
    """Microseconds since 1970, as the ids of facts name a moment."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


_ENVELOPES: Final = facts.ENVELOPES


class Floor:
    """State plus what is needed to change it. Everything that must survive a restart is in `state`."""

    def __init__(self, state: SiteState, config: SiteConfig, rules: RuleBook, picture: Picture) -> None:
        """`picture` shows a subject by kind and id; flags carry it as their evidence."""
        self.state = state
        self.picture = picture
        self.config = config
        self.rules = rules
        self.out: list[Fact] = []
        self.changed: dict[tuple[Kind, str], bool] = {}  # an ordered set
        # what was touched since rules were asked last, likewise; False: it concerns rules alone, and not the board
        self.touched: dict[tuple[Kind, str], bool] = {}
        # what `state.watches` holds by rule, by subject: kind -> id -> rule
        self.watched: dict[Subject, dict[str, dict[str, Watch]]] = {subject: {} for subject in FIELDS}
        self.heading: datetime | None = None  # where the clock is going while timers on the way fire
        self.event: Event | None = None  # being applied; None while timers fire
        self.provenance: Shown = "observed"  # of what is being applied
        self.hearing = True  # what is applied is evidence of the agents and calls that it names
        self.leases = Spans(config.leases)
        self.cards: dict[str, AgentView] = {}  # of flapping agents, as the board was told last
        self.precision_ms = 0
        self._crowding: Event | None = None  # the last one that named a queue too many
        self.count_agents()
        self._damped = False  # not all that was touched is for the board
        self._placed = True  # what goes out has a position in the log
        self._source = f"/sites/{state.site}/monitor"

    # ------------------------------------------------------------ what goes out

    @property
    def cause(self) -> tuple[int, int]:
        """Partition and offset of the raw record that is being applied; (-1, -1) for what comes of none."""
        return self.state.position[:2] if self._placed else (-1, -1)

    def emit(self, fact_id: str, time: datetime, data: Data, *, began: tuple[int, int] = (-1, -1)) -> None:
        """Publish `data`. Ids derive from content, positions from the last event applied, so a replay repeats both.

        `began`: the `cause` with which it began, where that is to be told.
        """
        state = self.state
        partition, offset, index = -1, -1, 0
        if self._placed:
            partition, offset, _ = state.position
            if offset >= 0:
                offset += state.position_base
            index = state.output_index
            state.output_index = index + 1
        site = state.site
        self.out.append(
            _ENVELOPES[type(data)](
                data=data,
                specversion="1.0",
                id=f"{site}:{fact_id}",
                source=self._source,
                site=site,
                time=time,
                rawpartition=partition,
                rawoffset=offset,
                rawindex=index,
                simulated=state.simulated,
                replay=state.replay,
                traceparent=traceparent(trace_id(site, *began), fact_id) if began[1] >= 0 else "",
            )
        )

    @contextmanager
    def unplaced(self) -> Iterator[None]:
        """What goes out meanwhile is of no event: another replica may say it between other events."""
        self._placed = False
        try:
            yield
        finally:
            self._placed = True

    def touch(self, kind: Kind, key: str) -> None:
        """Note that the board's picture of this entity changed, and that rules may care. Hot paths do it in place."""
        self.touched[kind, key] = True

    def touch_for_rules(self, kind: Kind, key: str) -> None:
        """Note that rules may care about this entity, whose picture stays as it is."""
        self.touched.setdefault((kind, key), False)
        self._damped = True

    def show_touched(self) -> None:
        """The board is to be told of what was touched."""
        touched = self.touched
        if self._damped:
            self._damped = False
            touched = {entity: True for entity, shown in touched.items() if shown}
        self.changed.update(touched)

    def anomaly(self, kind: str, about: tuple[str, str] = ("", ""), *, times: int = 1, said: str = "") -> None:
        """Count an event that could not follow the last one, with its evidence; call it before anything is changed.

        `kind` is one of `anomalies.KINDS`. `about` is the kind and id of the subject, found in the event when not given; `said`
        replaces the description of the subject.
        """
        anomalies.note(self, kind, about, times, said)
        self.touch("site", self.state.site)

    # ------------------------------------------------------------ timers

    def timer(self, due: datetime, what: TimerKind, about: tuple[str, str]) -> int:
        """Set a timer; returns its generation, by which its owner knows whether it still counts."""
        state = self.state
        generation = state.generation = state.generation + 1
        if generation % _TIDY_EVERY == 0:
            many = 1 << (len(state.timers) | 1).bit_length() - 1  # 1 also for none, as on a floor where nothing goes on
            if generation % many == 0:
                self._tidy()
        heapq.heappush(state.timers, Timer(due, generation, what, about))
        return generation

    def due(self, before: datetime) -> Timer | None:
        """The earliest timer strictly before `before`, taken off the heap; None when there is none."""
        timers = self.state.timers
        if timers and timers[0].due < before:
            return heapq.heappop(timers)
        return None

    def put_back(self, timer: Timer) -> None:
        """Return a timer that `due` gave: it is for later."""
        heapq.heappush(self.state.timers, timer)

    def _tidy(self) -> None:
        """Drop timers that count no longer: of a rule with `for: 8h` there would be as many as state changes in 8 hours."""
        self.state.timers = [timer for timer in self.state.timers if self._counts(timer)]
        heapq.heapify(self.state.timers)

    def _counts(self, timer: Timer) -> bool:
        state, (name, subject_id) = self.state, timer.about
        if timer.what == "flag":
            watch = state.watches.get(name, {}).get(subject_id)
            return watch is not None and watch.generation == timer.generation and not watch.flag_id
        if timer.what == "wrap":
            return name in state.agents and state.agents[name].wrap_until == timer.due
        if timer.what == "lease":
            return name in state.agents and state.agents[name].lease_due == timer.due
        if timer.what == "calls":
            return state.calls_due == timer.due
        if timer.what == "keep":
            watch = state.watches.get(name, {}).get(subject_id)
            return watch is not None and watch.generation == timer.generation and watch.lapsed is not None
        if timer.what == "pulse":
            return state.pulse_due == timer.due
        if timer.what == "step":
            return state.periods is not None and state.periods.due == timer.due
        return True

    # ------------------------------------------------------------ entities, adopted when first heard of

    def agent(self, agent_id: str, at: datetime) -> Agent:
        """The agent, made when unknown: heard of in passing, so what was declared is not known."""
        agent = self.state.agents.get(agent_id)
        if agent is None:
            known = self.config.agent(agent_id)
            agent = Agent(
                agent_id=agent_id, state="unknown", since=at, seen=at, name=known.name or agent_id, team=known.team
            )
            self.state.agents[agent_id] = agent
            self.count_agents()
        if self.hearing and at >= agent.seen:
            agent.seen, agent.lapsed = at, False  # who calls this settles the agent
        if agent.flapping_since is None:
            self.touched["agent", agent_id] = True
        else:
            self.touch_for_rules("agent", agent_id)
        return agent

    def count_agents(self) -> None:
        """Note whether the site knows as many agents as it may; then `crowd.admitted` sees to it that no other is made."""
        self.agents_full = len(self.state.agents) >= MOST_AGENTS

    def call(self, call_id: str, at: datetime) -> Call:
        """The call, made when unknown."""
        call = self.state.calls.get(call_id)
        if call is None:
            call = Call(call_id=call_id, direction="inbound", started=at, since=at)
            self.state.calls[call_id] = call
            arm_calls(self, at)
        if self.hearing and (call.seen is None or at > call.seen):
            call.seen = at
        self.touched["call", call_id] = True
        return call

    def queue(self, name: str) -> Queue:
        """The queue, made when unknown; beyond `MOST_QUEUES` the one that stands for all others."""
        queue = self.state.queues.get(name)
        if queue is None:
            queue = self._new_queue(name)
        self.touched["queue", queue.queue] = True
        return queue

    def _new_queue(self, name: str) -> Queue:
        queues = self.state.queues
        if len(queues) >= MOST_QUEUES:
            if self.event is not self._crowding and self.event is not None:
                self._crowding = self.event
                self.anomaly("too_many_queues", ("queue", name), said=f"not known; {len(queues)} queues are")
            name = OTHER_QUEUES
            if name in queues:
                return queues[name]
        queue = queues[name] = Queue(queue=name)
        return queue
