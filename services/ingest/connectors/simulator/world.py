"""The floor itself: who is free, who waits, and what was told of it. Calls and transfers are in the modules beside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from services.ingest.connectors.simulator.day import DAY, HOUR, Break, Chance, breaks, load
from services.ingest.connectors.simulator.kernel import Kernel, Millis, Process, Signal, Wait
from services.ingest.connectors.simulator.people import QUEUES, Person, everybody
from shared import events
from shared.envelope import Data


class Happening(NamedTuple):
    """An event and when; `call` is the customer's call it belongs to, 0 for none (an agent's own state)."""

    at: Millis
    data: Data
    call: int


class Agent:
    """An agent's desk. `busy` from being chosen for a call to the end of its wrap, and through breaks."""

    def __init__(self, person: Person) -> None:
        self.id = person.agent_id
        self.person = person
        self.on = False
        self.busy = True
        self.free_since: Millis = 0
        self.wants: Break | None = None
        self.leaves: Signal | None = None
        self.away: Signal | None = None  # on a break; it ends when this fires, or by itself
        self.ordered = False  # the break that they are on
        self.sent_home = False


def logged_on(person: Person) -> events.AgentLoggedOn:
    """What the switch says when this person logs on."""
    return events.AgentLoggedOn(agent_id=person.agent_id, name=person.name, team=person.team, queues=person.queues)


class Visit:
    """A call in a queue; `found` fires when an agent has been chosen for it."""

    def __init__(self, entered: Millis) -> None:
        self.entered = entered
        self.found = Signal()
        self.agent: Agent | None = None


class World:
    """State and agenda. `told` collects what happened; whoever runs the world takes it from there."""

    def __init__(self, seed: int, run: str, start_s: float, crowd: int = 1) -> None:
        """`crowd`: how many times forty people work here, and so many times the usual calls come in."""
        self.crowd = crowd
        self.kernel = Kernel(round(start_s * 1000))
        self.chance = Chance(seed)
        self.run = run
        self.agents = tuple(Agent(person) for person in everybody(crowd))
        self.waiting: dict[str, list[Visit]] = {queue: [] for queue in QUEUES}
        self.told: list[Happening] = []
        self.alive: set[int] = set()  # customers' calls that are not over
        self._numbers = {"call": 0, "leg": 0, "transfer": 0, "consult": 0}
        for agent in self.agents:
            self.kernel.spawn(self._working_days(agent))

    @property
    def now_s(self) -> float:
        """Seconds since the first midnight."""
        return self.kernel.now / 1000

    @property
    def load(self) -> float:
        """Calls now, as a multiple of those of forty people's busy morning."""
        return load(self.now_s) * self.crowd

    def tell(self, data: Data, call: int = 0) -> None:
        """It happened, now."""
        self.told.append(Happening(self.kernel.now, data, call))

    def new_number(self, what: str) -> int:
        """The next number of calls, legs or transfers."""
        self._numbers[what] += 1
        return self._numbers[what]

    def new_id(self, what: str) -> str:
        """An id that no other run of the simulator uses: `call-1k2x-17`."""
        return f"{what}-{self.run}-{self.new_number(what)}"

    # ------------------------------------------------------------ who is free

    def free(self, queue: str = "") -> list[Agent]:
        """Agents who could take a call now, of `queue` or of any, the longest idle first."""
        able = [a for a in self.agents if not a.busy and (not queue or queue in a.person.queues)]
        return sorted(able, key=lambda a: (a.free_since, a.id))

    def take(self, agent: Agent) -> None:
        """The agent is chosen for something; nothing else will choose them."""
        assert agent.on, agent.id
        assert not agent.busy, agent.id
        agent.busy = True

    def release(self, agent: Agent) -> None:
        """The agent has nothing more to do here: go home, go on a break, take who waits longest, or be idle."""
        if agent.leaves is not None or agent.sent_home:
            self.tell(events.AgentLoggedOff(agent_id=agent.id))
            agent.on = agent.sent_home = False
            if agent.leaves is not None:
                agent.leaves.fire(self.kernel)
            agent.leaves = agent.wants = None
        elif agent.wants is not None:
            wish, agent.wants = agent.wants, None
            self.kernel.spawn(self._break(agent, wish))
        else:
            agent.busy = False
            agent.free_since = self.kernel.now
            self._serve(agent)

    def _serve(self, agent: Agent) -> None:
        lines = [self.waiting[queue] for queue in agent.person.queues if self.waiting[queue]]
        if not lines:
            return
        line = min(lines, key=lambda visits: visits[0].entered)
        visit = line.pop(0)
        self.take(agent)
        visit.agent = agent
        visit.found.fire(self.kernel)

    def wait_in(self, queue: str, visit: Visit, limit_s: float) -> Process:
        """Wait until an agent is chosen for `visit` or the caller has had enough; `visit.agent` says which."""
        free = self.free(queue)
        if free and not self.waiting[queue]:
            visit.agent = free[0]
            self.take(free[0])
            return
        visit.found, visit.agent = Signal(), None
        line = self.waiting[queue]
        line.append(visit)
        line.sort(key=lambda one: one.entered)  # a call that nobody answered is first again
        yield Wait(visit.found, limit_s)
        if visit.agent is None:
            line.remove(visit)

    # ------------------------------------------------------------ what agents do between calls

    def wrap(self, agent: Agent, call_id: str, queue: str) -> Process:
        """After-call work, mostly short, now and then far too long; then free."""
        chance = self.chance
        if chance.happens(0.06):
            self.release(agent)  # nothing to write down
            return
        self.tell(events.WrapStarted(agent_id=agent.id, call_id=call_id, queue=queue))
        too_long = chance.happens(0.015)
        yield chance.between(48, 100) if too_long else chance.around(8.0, 0.5, 40)
        self.tell(events.WrapEnded(agent_id=agent.id))
        self.release(agent)

    def after_no_answer(self, agent: Agent) -> Process:
        """The switch makes an agent who did not answer not ready; they notice after a while."""
        yield from self._away(agent, "no answer", self.chance.between(15, 70))

    def _break(self, agent: Agent, wish: Break) -> Process:
        agent.ordered = wish.ordered
        yield from self._away(agent, wish.reason, wish.lasts_s)

    def _away(self, agent: Agent, reason: str, lasts_s: float) -> Process:
        self.tell(events.AgentNotReady(agent_id=agent.id, reason=reason))
        agent.away = Signal()
        yield Wait(agent.away, lasts_s)
        agent.away, agent.ordered = None, False
        self.tell(events.AgentReady(agent_id=agent.id))
        self.release(agent)

    def _working_days(self, agent: Agent) -> Process:
        """One agent's life: on at the start of the shift, breaks, off at its end, day after day."""
        person = agent.person
        day = -1 if self.now_s < (person.ends_h - 24) * HOUR else 0  # still in last night's shift
        while True:
            midnight = day * DAY
            late = self.chance.between(-240, 300)
            yield max(0.0, midnight + person.starts_h * HOUR + late - self.now_s)
            agent.on = True
            self.tell(logged_on(person))
            self.tell(events.AgentReady(agent_id=agent.id))
            self.release(agent)
            yield from self._shift(agent, breaks(self.chance, person.starts_h, person.ends_h), midnight)
            day += 1

    def _shift(self, agent: Agent, planned: Iterable[Break], midnight: float) -> Process:
        for one in planned:
            at = midnight + one.at_s
            if at < self.now_s:
                continue
            yield at - self.now_s
            if agent.on and not agent.wants:
                self.wish(agent, one)
        yield max(0.0, midnight + agent.person.ends_h * HOUR + self.chance.between(-60, 420) - self.now_s)
        if not agent.on:
            return  # sent home before
        gone = agent.leaves = Signal()
        if agent.ordered and agent.away is not None:
            agent.away.fire(self.kernel)
        if not agent.busy:
            agent.busy = True
            self.release(agent)
        yield Wait(gone, DAY)

    def wish(self, agent: Agent, wish: Break) -> None:
        """Go on a break as soon as there is nothing else to do: at once, or after the call and its wrap."""
        agent.wants = wish
        if not agent.busy:
            agent.busy = True
            self.release(agent)
