"""What the switch does with a call: queue it, ring a phone, end it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

from services.ingest.connectors.simulator.kernel import Wait
from services.ingest.connectors.simulator.world import Agent, Visit, World
from shared import events

OUR_NUMBER = "95500"
RING_LIMIT_S = 18.0  # then the switch takes the call back and makes the agent not ready


@dataclass(slots=True)
class Call:
    """A customer's call; `number` groups everything that belongs to it, consultations too."""

    id: str
    number: int
    customer: str


@dataclass(slots=True)
class Party:
    """The agent in a conversation with a customer, through which leg, from which queue."""

    agent: Agent
    leg: str
    queue: str


Met = Generator[float | Wait, bool, Party | None]  # ends with whoever then has the customer, or nobody
RingListener = Callable[[Agent], None]


class Switchboard:
    """Calls from their first word to their last."""

    def __init__(self, world: World) -> None:
        self.world = world

    def begin(self, direction: events.Direction) -> Call:
        """A customer calls, or is called."""
        world = self.world
        number = world.new_number("call")
        call = Call(f"call-{world.run}-{number}", number, world.chance.number())
        ends = (call.customer, OUR_NUMBER) if direction == "inbound" else (OUR_NUMBER, call.customer)
        world.alive.add(number)
        world.tell(
            events.CallStarted(call_id=call.id, direction=direction, from_number=ends[0], to_number=ends[1]), number
        )
        return call

    def end(self, call: Call, by: Literal["customer", "agent", "switch"]) -> None:
        """The call is over for everybody."""
        self.world.tell(events.CallCleared(call_id=call.id, cleared_by=by), call.number)
        self.world.alive.discard(call.number)

    def hang_up(self, call: Call, party: Party, by: Literal["customer", "agent"]) -> None:
        """The conversation ends; the agent goes into wrap."""
        self.world.tell(events.LegCleared(call_id=call.id, leg_id=party.leg), call.number)
        self.end(call, by)
        self.world.kernel.spawn(self.world.wrap(party.agent, call.id, party.queue))

    def visit(self, call: Call, queue: str, on_ring: RingListener | None = None) -> Met:
        """The call waits in `queue` until somebody answers; None when the customer gave up."""
        world, chance = self.world, self.world.chance
        visit = Visit(world.kernel.now)
        patience = chance.between(1, 4.5) if chance.happens(0.02) else 12 + chance.around(45, 0.6, 240)
        world.tell(
            events.CallQueued(
                call_id=call.id, queue=queue, from_number=call.customer, position=len(world.waiting[queue]) + 1
            ),
            call.number,
        )
        while (left := patience - (world.kernel.now - visit.entered) / 1000) > 0:
            yield from world.wait_in(queue, visit, left)
            if visit.agent is None:
                break
            left = patience - (world.kernel.now - visit.entered) / 1000
            leg = yield from self._ring(call, visit.agent, queue, max(0.3, left), on_ring)
            if leg:
                answered = events.CallDequeued(call_id=call.id, queue=queue, reason="answered", agent_id=visit.agent.id)
                world.tell(answered, call.number)
                return Party(visit.agent, leg, queue)
        world.tell(events.CallDequeued(call_id=call.id, queue=queue, reason="abandoned"), call.number)
        return None

    def start_ringing(self, call: Call, agent: Agent, queue: str = "") -> str:
        """The agent's phone alerts for the customer; the new leg's id."""
        leg = self.world.new_id("leg")
        self.world.tell(
            events.LegStarted(call_id=call.id, leg_id=leg, agent_id=agent.id, queue=queue, peer=call.customer),
            call.number,
        )
        return leg

    def _ring(
        self, call: Call, agent: Agent, queue: str, patience_s: float, on_ring: RingListener | None
    ) -> Generator[float | Wait, bool, str]:
        """The leg's id when the agent answered; else "", and the agent is looked after."""
        world, chance = self.world, self.world.chance
        leg = self.start_ringing(call, agent, queue)
        if on_ring is not None:
            on_ring(agent)
        misses = chance.happens(0.02)
        takes = RING_LIMIT_S if misses else chance.around(2.4, 0.35, 9)
        yield min(takes, patience_s)
        if takes > patience_s:
            world.tell(events.LegCleared(call_id=call.id, leg_id=leg, cause="cancelled"), call.number)
            world.release(agent)
            return ""
        if misses:
            world.tell(events.LegCleared(call_id=call.id, leg_id=leg, cause="no_answer"), call.number)
            world.kernel.spawn(world.after_no_answer(agent))
            return ""
        world.tell(events.LegAnswered(call_id=call.id, leg_id=leg), call.number)
        return leg
