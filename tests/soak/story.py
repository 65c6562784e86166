"""A floor of which everything is known beforehand: a function of its seed and its length, and of nothing else.

Agents log on, calls enter queues, ring, are talked, held, retrieved, given away and wrapped up; customers give up; transfers are
quick, too slow, or fail; now and then the switch says what nobody can read. Whatever begins is over when the story ends; then
every other agent logs off. Times are whole milliseconds of the story's clock, which begins a little before 0.

The story says what has to come of it in its own words (`Call`, `Transfer`, `stays`), so that what Floorwatch makes of it can be
compared with something that Floorwatch has not made.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Final, Literal

from shared import events
from shared.envelope import Data
from tests.fault.load import Happening

LIMIT_MS: Final = 7000  # of the rule slow_transfer that ships
LINK_UP_MS: Final = -10_000  # from then on it is known that agents are not there
LOG_ON_MS: Final = -9000
BEFORE_MS: Final = -8000  # calls that were there before anybody looked
QUEUES: Final = ("sales", "support")
EVENTS_A_CALL: Final = 10  # about
_AFTER_TRANSFER_MS: Final = 500
_CONNECTOR: Final = "load"

State = Literal["offline", "ready", "ringing", "talk", "hold", "wrap"]


class Unreadable(Data, frozen=True):
    """What the switch says in words of nobody: `text` goes out as it is, and has to come back as a dead letter."""

    text: str


@dataclass(frozen=True)
class Transfer:
    """Asked for at `at`; over after `total`, by reaching somebody or by failing. Times in ms."""

    transfer_id: str
    agent: str
    at: int
    total: int
    failed: bool

    @property
    def slow(self) -> bool:
        """Whether it still runs when 7 s are over."""
        return self.total > LIMIT_MS


@dataclass(frozen=True)
class Call:
    """A call that queued at `at`, once. Who gave up has no agent. Times in ms."""

    site: str
    call_id: str
    queue: str
    at: int
    waited: int  # until an agent took it or the customer gave up
    ended: int
    agent: str = ""
    transfer: Transfer | None = None


@dataclass
class _Agent:
    name: str
    free: int = LOG_ON_MS
    stays: list[tuple[State, int, int]] = field(default_factory=list)


class Site:
    """One site's part of the story."""

    def __init__(self, name: str, seed: str, *, rate: float, lasts_ms: int, quick: bool) -> None:
        self.name = name
        self._chance = Random(f"{seed}/{name}")
        self._gap_ms = 1000 * EVENTS_A_CALL / rate
        self._lasts = lasts_ms
        self._talk = (600, 2500) if quick else (5200, 12_000)  # shorter talks by the dozen are a broken phone
        busy_ms = 4000 if quick else 16_000
        self.agents = [_Agent(f"{name}-{1000 + n}") for n in range(int(busy_ms * 1.6 / self._gap_ms) + 3)]
        self.calls: list[Call] = []
        self.unreadable: list[int] = []
        self.happenings: list[tuple[int, Data]] = []
        self._tell()

    @property
    def stays(self) -> dict[str, list[tuple[State, int, int]]]:
        """Of each agent the states with their beginning and end, without gap; ready agents' last one is open and not here."""
        return {agent.name: agent.stays for agent in self.agents}

    def _say(self, at: int, data: Data) -> None:
        self.happenings.append((at, data))

    def _tell(self) -> None:
        self._say(LINK_UP_MS, events.LinkUp(connector=_CONNECTOR))
        for agent in self.agents:
            agent.stays.append(("offline", LINK_UP_MS, LOG_ON_MS))
            self._say(LOG_ON_MS, events.AgentLoggedOn(agent_id=agent.name, queues=QUEUES))
        at = BEFORE_MS
        number = 0
        while at < self._lasts:
            self._call(f"c{number}", at)
            number += 1
            at += max(1, round(self._chance.expovariate(1 / self._gap_ms)))
        for second in range(4, self._lasts // 1000, 15):
            at = second * 1000 + self._chance.randrange(1000)
            self.unreadable.append(at)
            self._say(
                at, Unreadable(text=self._chance.choice(['{"half', "[1]", '{"type":"floorwatch.no_such.v1"}', ""]))
            )
        for agent in self.agents[::2]:
            agent.stays.append(("ready", agent.free, self._lasts))
            self._say(self._lasts, events.AgentLoggedOff(agent_id=agent.name))
        self.happenings.sort(key=lambda happening: happening[0])  # stable: what is said at once stays in its order

    def _call(self, call_id: str, at: int) -> None:
        draw = self._chance
        queue = draw.choice(QUEUES)
        wait, ring = draw.randint(100, 1500), draw.randint(200, 1200)
        agent = min(self.agents, key=lambda one: one.free)
        if draw.random() < 0.1 or agent.free >= at + wait:
            self._given_up(Call(self.name, call_id, queue, at, wait, at + wait))
        else:
            self._taken(call_id, queue, at, at + wait, ring, agent)

    def _given_up(self, call: Call) -> None:
        if call.ended >= self._lasts:
            return
        self._opened(call.call_id, call.queue, call.at)
        self._say(call.ended, events.CallDequeued(call_id=call.call_id, queue=call.queue, reason="abandoned"))
        self._say(call.ended, events.CallCleared(call_id=call.call_id, cleared_by="customer"))
        self.calls.append(call)

    def _taken(self, call_id: str, queue: str, at: int, rings: int, ring: int, agent: _Agent) -> None:
        draw = self._chance
        answered = rings + ring
        stays: list[tuple[State, int, int]] = [("ready", agent.free, rings), ("ringing", rings, answered)]
        moment = answered
        parts: list[State] = ["talk", "hold", "talk"] if draw.random() < 0.3 else ["talk"]
        for part in parts:
            lasts = draw.randint(*self._talk) if part == "talk" else draw.randint(500, 3000)
            stays.append((part, moment, moment + lasts))
            moment += lasts
        left, over = moment, moment
        transfer = self._transfer(call_id, agent.name, left) if draw.random() < 0.15 else None
        if transfer is not None:
            over = left + transfer.total + _AFTER_TRANSFER_MS
        wrapped = left + draw.randint(300, 1500)
        if max(over, wrapped) >= self._lasts:
            return
        agent.stays += [*stays, ("wrap", left, wrapped)]
        agent.free = wrapped
        self.calls.append(Call(self.name, call_id, queue, at, answered - at, over, agent.name, transfer))
        self._opened(call_id, queue, at)
        self._conversation(call_id, queue, agent.name, stays)
        self._end(call_id, queue, agent.name, left, over, wrapped, transfer)

    def _transfer(self, call_id: str, agent: str, at: int) -> Transfer:
        total = self._chance.choice((1000, 2000, 4000, 8250, 9500))
        return Transfer(f"t-{call_id}", agent, at, total, failed=self._chance.random() < 0.2)

    def _opened(self, call_id: str, queue: str, at: int) -> None:
        self._say(at, events.CallStarted(call_id=call_id, from_number="+4530123456"))
        self._say(at, events.CallQueued(call_id=call_id, queue=queue))

    def _conversation(self, call_id: str, queue: str, agent: str, stays: list[tuple[State, int, int]]) -> None:
        leg = f"l-{call_id}"
        answered = False
        for state, began, _ in stays:
            if state == "ringing":
                self._say(began, events.LegStarted(call_id=call_id, leg_id=leg, agent_id=agent, queue=queue))
            elif state == "hold":
                self._say(began, events.LegHeld(call_id=call_id, leg_id=leg))
            elif state == "talk" and answered:
                self._say(began, events.LegRetrieved(call_id=call_id, leg_id=leg))
            elif state == "talk":
                answered = True
                self._say(began, events.LegAnswered(call_id=call_id, leg_id=leg))
                self._say(began, events.CallDequeued(call_id=call_id, queue=queue, reason="answered", agent_id=agent))

    def _end(
        self, call_id: str, queue: str, agent: str, left: int, over: int, wrapped: int, transfer: Transfer | None
    ) -> None:
        if transfer is not None:
            name = transfer.transfer_id
            self._say(
                left,
                events.TransferRequested(
                    transfer_id=name, call_id=call_id, kind="blind", from_agent=agent, to_number="0800"
                ),
            )
        cause: Literal["transferred", "hangup"] = "hangup" if transfer is None else "transferred"
        self._say(left, events.WrapStarted(agent_id=agent, call_id=call_id, queue=queue))
        self._say(left, events.LegCleared(call_id=call_id, leg_id=f"l-{call_id}", cause=cause))
        self._say(wrapped, events.WrapEnded(agent_id=agent))
        if transfer is not None:
            ended = left + transfer.total
            outcome: Data = events.TransferBridged(transfer_id=name)
            if transfer.failed:
                outcome = events.TransferEnded(transfer_id=name, outcome="failed", reason="nobody answered")
            self._say(ended, outcome)
        self._say(over, events.CallCleared(call_id=call_id))


class Story:
    """What happens on `sites`, about `rate` events a second for all of them together, for `lasts_s`."""

    def __init__(self, seed: int, *, sites: tuple[str, ...], rate: float, lasts_s: float) -> None:
        self.seed = seed
        self.sites = list(sites)
        self.rate = rate
        self.lasts_s = lasts_s
        quick = lasts_s < 60
        each = rate / len(sites)
        self.parts = [Site(name, str(seed), rate=each, lasts_ms=round(lasts_s * 1000), quick=quick) for name in sites]

    @cached_property
    def happenings(self) -> list[Happening]:
        """Everything, in the order in which it happens."""
        told = heapq.merge(*(self._of(part) for part in self.parts))
        return [Happening(at / 1000, number, part.name, data) for number, (at, _, _, part, data) in enumerate(told)]

    def _of(self, part: Site) -> Iterator[tuple[int, int, int, Site, Data]]:
        place = self.parts.index(part)
        for number, (at, data) in enumerate(part.happenings):
            yield at, place, number, part, data

    def calls(self) -> Iterator[Call]:
        """Every call of every site."""
        for part in self.parts:
            yield from part.calls

    @property
    def events(self) -> int:
        """How many things happen that can be read."""
        return sum(not isinstance(what.data, Unreadable) for what in self.happenings)
