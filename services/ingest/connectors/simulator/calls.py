"""Calls from customers and to them: when they come, how long people talk, when they are put on hold."""

from __future__ import annotations

from collections.abc import Generator

from services.ingest.connectors.simulator.day import (
    BURST_EVERY_S,
    INBOUND_EVERY_S,
    OUTBOUND_EVERY_S,
    QUEUE_SHARE,
    TRANSFER_SHARE,
)
from services.ingest.connectors.simulator.kernel import Process, Wait
from services.ingest.connectors.simulator.switchboard import Call, Party, Switchboard
from services.ingest.connectors.simulator.transfers import Transfers
from services.ingest.connectors.simulator.world import Agent
from shared import events

DIALS_OUT = ("Sales", "Billing", "Complaints")  # teams


class Calls:
    """What customers do, and what agents do with them."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._world = board.world
        self._transfers = Transfers(board)
        for process in (self._inbound_calls(), self._outbound_calls(), self._bursts()):
            self._world.kernel.spawn(process)

    def _inbound_calls(self) -> Process:
        chance = self._world.chance
        while True:
            yield chance.gap(INBOUND_EVERY_S / self._world.load)
            self._world.kernel.spawn(self._inbound(chance.one_of(QUEUE_SHARE)))

    def _bursts(self) -> Process:
        chance = self._world.chance
        while True:
            yield chance.gap(BURST_EVERY_S / self._world.load)
            queue = chance.one_of(QUEUE_SHARE)
            for _ in range(round(chance.between(6, 13))):
                self._world.kernel.spawn(self._inbound(queue), delay_s=chance.between(0, 20))

    def _outbound_calls(self) -> Process:
        chance = self._world.chance
        while True:
            yield chance.gap(OUTBOUND_EVERY_S / self._world.load)
            idle = [agent for agent in self._world.free() if agent.person.team in DIALS_OUT]
            if len(idle) > 3:  # nobody dials out while customers are about to wait
                self._world.take(idle[0])
                self._world.kernel.spawn(self._outbound(idle[0]))

    def _inbound(self, queue: str) -> Process:
        call = self._board.begin("inbound")
        yield self._world.chance.between(0.2, 0.6)  # the greeting
        party = yield from self._board.visit(call, queue)
        if party is None:
            self._board.end(call, "customer")
        else:
            yield from self._conversation(call, party)

    def _outbound(self, agent: Agent) -> Process:
        world, chance = self._world, self._world.chance
        call = self._board.begin("outbound")
        leg = world.new_id("leg")
        dialled = events.LegStarted(call_id=call.id, leg_id=leg, agent_id=agent.id, state="dialing", peer=call.customer)
        world.tell(dialled, call.number)
        if chance.happens(0.72):
            yield chance.around(6.0, 0.4, 20)
            world.tell(events.LegAnswered(call_id=call.id, leg_id=leg), call.number)
            yield from self._conversation(call, Party(agent, leg, ""))
            return
        yield chance.between(4, 25)
        busy = chance.happens(0.3)
        world.tell(events.LegCleared(call_id=call.id, leg_id=leg, cause="busy" if busy else "no_answer"), call.number)
        self._board.end(call, "agent")
        world.release(agent)

    def _conversation(self, call: Call, party: Party, handed_over: int = 0) -> Process:
        """Talk, perhaps hold, perhaps hand over, to the end of the call."""
        chance = self._world.chance
        talk = chance.around(38, 0.55, 260)
        share = chance.between(0.2, 0.8)
        yield talk * share
        if chance.happens(0.16):
            stayed = yield from self._hold(call, party)
            if not stayed:
                return
            yield chance.between(3, 12)
        if handed_over < 2 and chance.happens(TRANSFER_SHARE):
            next_party = yield from self._transfers.one(call, party)
            if next_party is None:
                return
            if next_party is not party:
                yield from self._conversation(call, next_party, handed_over + 1)
                return
        yield talk * (1 - share)
        self._board.hang_up(call, party, "customer" if chance.happens(0.6) else "agent")

    def _hold(self, call: Call, party: Party) -> Generator[float | Wait, bool, bool]:
        """The customer listens to music; False when they hang up meanwhile."""
        world, chance = self._world, self._world.chance
        world.tell(events.LegHeld(call_id=call.id, leg_id=party.leg), call.number)
        yield chance.between(62, 130) if chance.happens(0.08) else chance.around(16, 0.5, 55)
        if chance.happens(0.03):
            self._board.hang_up(call, party, "customer")
            return False
        world.tell(events.LegRetrieved(call_id=call.id, leg_id=party.leg), call.number)
        return True
