"""Transfers of all kinds, quick and slow, and the ways in which they fail. Every stamp is told as it happens."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from services.ingest.connectors.simulator.day import QUEUE_SHARE, TRANSFER_KINDS
from services.ingest.connectors.simulator.kernel import Wait
from services.ingest.connectors.simulator.switchboard import Call, Met, Party, Switchboard
from services.ingest.connectors.simulator.world import Agent
from shared import events
from shared.envelope import Data


@dataclass(slots=True)
class Consultation:
    """The agent's own call to the colleague who shall take over."""

    id: str
    own_leg: str
    other_leg: str


class Transfers:
    """How an agent hands a customer over."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._world = board.world

    def one(self, call: Call, party: Party) -> Met:
        """One transfer. Who has the customer afterwards: another party, the same one, or None when the call is over."""
        kind = self._world.chance.one_of(TRANSFER_KINDS)
        free = [agent for agent in self._world.free() if agent.id != party.agent.id]
        if kind == "queue" or not free:
            return self._to_queue(call, party)
        target = free[round(self._world.chance.between(0, len(free) - 1))]
        self._world.take(target)
        return self._blind(call, party, target) if kind == "blind" else self._attended(call, party, target)

    # ---------------------------------------------------------------- blind: let go at once

    def _blind(self, call: Call, party: Party, target: Agent) -> Met:
        world, chance = self._world, self._world.chance
        transfer = self._request(call, party, "blind", to_agent=target.id)
        yield chance.between(0.1, 0.3)
        self._let_go(call, party, transfer)
        yield chance.between(0.1, 0.4)
        leg = self._board.start_ringing(call, target)
        self._tell(call, events.TransferRinging(transfer_id=transfer, to_agent=target.id))
        fate = chance.one_of({"quick": 0.68, "slow": 0.22, "no_answer": 0.06, "abandoned": 0.04})
        if fate == "quick":
            yield chance.between(1.4, 4.2)
        else:
            yield chance.between(7.5, 15) if fate != "abandoned" else chance.between(4, 9)
        if fate in ("quick", "slow"):
            self._tell(call, events.LegAnswered(call_id=call.id, leg_id=leg))
            self._tell(call, events.TransferAnswered(transfer_id=transfer, to_agent=target.id))
            self._tell(call, events.TransferBridged(transfer_id=transfer, to_agent=target.id))
            return Party(target, leg, party.queue)
        if fate == "abandoned":
            self._tell(call, events.LegCleared(call_id=call.id, leg_id=leg, cause="cancelled"))
            self._tell(call, events.TransferEnded(transfer_id=transfer, outcome="abandoned"))
            self._board.end(call, "customer")
            world.release(target)
            return None
        self._tell(call, events.LegCleared(call_id=call.id, leg_id=leg, cause="no_answer"))
        self._tell(call, events.TransferEnded(transfer_id=transfer, outcome="failed", reason="no answer"))
        world.kernel.spawn(world.after_no_answer(target))
        return (yield from self._queue_again(call, party.queue or "support"))

    def _queue_again(self, call: Call, queue: str) -> Met:
        """Nobody took the customer: the switch puts them back into the queue they came from."""
        party = yield from self._board.visit(call, queue)
        if party is None:
            self._board.end(call, "customer")
        return party

    # ---------------------------------------------------------------- to a queue

    def _to_queue(self, call: Call, party: Party) -> Met:
        chance = self._world.chance
        # a queue whose work is not the agent's own: nobody hands a customer over to be given them back
        theirs = {queue: share for queue, share in QUEUE_SHARE.items() if queue not in party.agent.person.queues}
        queue = chance.one_of(theirs)
        transfer = self._request(call, party, "queue", to_queue=queue)
        yield chance.between(0.1, 0.4)
        self._let_go(call, party, transfer)

        def rings(agent: Agent) -> None:
            self._tell(call, events.TransferRinging(transfer_id=transfer, to_agent=agent.id))

        found = yield from self._board.visit(call, queue, rings)
        if found is None:
            self._tell(call, events.TransferEnded(transfer_id=transfer, outcome="abandoned"))
            self._board.end(call, "customer")
            return None
        self._tell(call, events.TransferAnswered(transfer_id=transfer, to_agent=found.agent.id))
        self._tell(call, events.TransferBridged(transfer_id=transfer, to_agent=found.agent.id))
        return found

    # ---------------------------------------------------------------- attended: talk to the colleague first

    def _attended(self, call: Call, party: Party, target: Agent) -> Met:
        world, chance = self._world, self._world.chance
        self._tell(call, events.LegHeld(call_id=call.id, leg_id=party.leg))
        transfer = self._request(call, party, "attended", to_agent=target.id)
        fate = chance.one_of(
            {"quick": 0.58, "slow": 0.28, "busy": 0.03, "no_answer": 0.04, "refused": 0.04, "gone": 0.03}
        )
        if fate == "busy":
            yield from self._busy(call, party, target, transfer)
            return party
        consult = yield from self._consult(call, party, target, transfer)
        if fate == "no_answer":
            yield chance.between(11, 17)
            self._cancel(call, party, consult, transfer, "no_answer")
            world.kernel.spawn(world.after_no_answer(target))
            return party
        yield chance.between(1.0, 2.2) if fate == "quick" else chance.between(1.2, 4)
        for leg in (consult.own_leg, consult.other_leg):
            self._tell(call, events.LegAnswered(call_id=consult.id, leg_id=leg))
        self._tell(call, events.TransferAnswered(transfer_id=transfer, to_agent=target.id))
        yield chance.between(1.2, 3.2) if fate == "quick" else chance.between(5.5, 22)
        if fate == "refused":
            self._cancel(call, party, consult, transfer, "hangup")
            world.release(target)
            return party
        if fate == "gone":
            yield from self._customer_gone(call, party, target, consult, transfer)
            return None
        return self._complete(call, party, target, consult, transfer)

    def _busy(self, call: Call, party: Party, target: Agent, transfer: str) -> Generator[float | Wait, bool, None]:
        """The colleague's phone is engaged, with a call of their own that the switch does not know."""
        consult = yield from self._dial(call, party, target)
        yield self._world.chance.between(0.8, 2)
        self._tell(call, events.LegCleared(call_id=consult.id, leg_id=consult.own_leg, cause="busy"))
        self._tell(call, events.CallCleared(call_id=consult.id, cleared_by="switch"))
        self._tell(call, events.TransferEnded(transfer_id=transfer, outcome="failed", reason="busy"))
        self._tell(call, events.LegRetrieved(call_id=call.id, leg_id=party.leg))
        self._world.release(target)

    def _dial(self, call: Call, party: Party, target: Agent) -> Generator[float | Wait, bool, Consultation]:
        world = self._world
        consult = Consultation(world.new_id("consult"), world.new_id("leg"), world.new_id("leg"))
        yield world.chance.between(0.1, 0.4)
        self._tell(
            call,
            events.CallStarted(
                call_id=consult.id, direction="internal", from_number=party.agent.id, to_number=target.id
            ),
        )
        self._tell(
            call,
            events.LegStarted(
                call_id=consult.id,
                leg_id=consult.own_leg,
                agent_id=party.agent.id,
                role="consult",
                state="dialing",
                peer=target.id,
            ),
        )
        return consult

    def _consult(
        self, call: Call, party: Party, target: Agent, transfer: str
    ) -> Generator[float | Wait, bool, Consultation]:
        consult = yield from self._dial(call, party, target)
        yield self._world.chance.between(0.1, 0.4)
        rings = events.LegStarted(
            call_id=consult.id, leg_id=consult.other_leg, agent_id=target.id, role="internal", peer=party.agent.id
        )
        self._tell(call, rings)
        self._tell(call, events.TransferRinging(transfer_id=transfer, to_agent=target.id))
        return consult

    def _complete(self, call: Call, party: Party, target: Agent, consult: Consultation, transfer: str) -> Party:
        leg = consult.other_leg
        self._tell(
            call,
            events.LegMoved(leg_id=leg, call_id=call.id, from_call_id=consult.id, role="agent", peer=call.customer),
        )
        self._tell(call, events.TransferBridged(transfer_id=transfer, to_agent=target.id))
        self._tell(call, events.LegCleared(call_id=consult.id, leg_id=consult.own_leg, cause="transferred"))
        self._tell(call, events.CallCleared(call_id=consult.id, cleared_by="switch"))
        self._let_go(call, party, transfer)
        return Party(target, leg, party.queue)

    def _cancel(
        self,
        call: Call,
        party: Party,
        consult: Consultation,
        transfer: str,
        cause: Literal["no_answer", "hangup"],
    ) -> None:
        """The agent gives up and goes back to the customer."""
        self._tell(call, events.LegCleared(call_id=consult.id, leg_id=consult.other_leg, cause=cause))
        self._tell(call, events.LegCleared(call_id=consult.id, leg_id=consult.own_leg))
        self._tell(call, events.CallCleared(call_id=consult.id, cleared_by="agent"))
        self._tell(call, events.TransferEnded(transfer_id=transfer, outcome="cancelled"))
        self._tell(call, events.LegRetrieved(call_id=call.id, leg_id=party.leg))

    def _customer_gone(
        self, call: Call, party: Party, target: Agent, consult: Consultation, transfer: str
    ) -> Generator[float | Wait, bool, None]:
        """The customer hangs up while the colleagues talk; they notice a little later."""
        self._tell(call, events.LegCleared(call_id=call.id, leg_id=party.leg))
        self._tell(call, events.TransferEnded(transfer_id=transfer, outcome="abandoned"))
        self._tell(call, events.CallCleared(call_id=call.id, cleared_by="customer"))
        yield self._world.chance.between(1.5, 5)
        for leg in (consult.own_leg, consult.other_leg):
            self._tell(call, events.LegCleared(call_id=consult.id, leg_id=leg))
        self._tell(call, events.CallCleared(call_id=consult.id, cleared_by="agent"))
        self._world.alive.discard(call.number)
        self._world.release(target)
        self._world.kernel.spawn(self._world.wrap(party.agent, call.id, party.queue))

    # ---------------------------------------------------------------- common to all

    def _request(
        self,
        call: Call,
        party: Party,
        kind: Literal["blind", "attended", "queue"],
        *,
        to_agent: str = "",
        to_queue: str = "",
    ) -> str:
        transfer = self._world.new_id("transfer")
        self._tell(
            call,
            events.TransferRequested(
                transfer_id=transfer,
                call_id=call.id,
                kind=kind,
                from_agent=party.agent.id,
                to_agent=to_agent,
                to_queue=to_queue,
                to_number=to_agent,
            ),
        )
        return transfer

    def _let_go(self, call: Call, party: Party, transfer: str) -> None:
        """The agent is out of the conversation and goes into wrap."""
        self._tell(call, events.LegCleared(call_id=call.id, leg_id=party.leg, cause="transferred"))
        self._tell(call, events.TransferReleased(transfer_id=transfer))
        self._world.kernel.spawn(self._world.wrap(party.agent, call.id, party.queue))

    def _tell(self, call: Call, data: Data) -> None:
        self._world.tell(data, call.number)
