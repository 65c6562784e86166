"""Who is in which call, and how, now: gathered from what the floor tells. Times are ticks: frames since it opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from services.ingest.connectors.simulator.sound.sounds import Sounds, Speaker
from services.ingest.connectors.simulator.sound.talk import Talk
from shared import events
from shared.envelope import Data, kind_of

LegState = Literal["ringing", "dialing", "talking", "held"]


@dataclass(slots=True)
class Leg:
    """An agent's phone in a call."""

    id: str
    call_id: str
    agent_id: str
    state: LegState


@dataclass(slots=True)
class Call:
    """A call. `partner` is the leg that talks, or holds: with the customer, or between colleagues with the `colleague` leg."""

    id: str
    internal: bool
    number: str  # the customer's; between colleagues the one who was called
    customer_there: bool  # they called, or answered
    waits_from: int  # since when nobody talks to them
    legs: dict[str, Leg] = field(default_factory=dict)
    queue: str = ""
    partner: str = ""
    colleague: str = ""
    talk: Talk | None = None
    talk_from: int = 0  # holds left out

    @property
    def held(self) -> bool:
        """The partner holds the line."""
        leg = self.legs.get(self.partner)
        return leg is not None and leg.state == "held"


class Stage:
    """Calls and legs that are not over, and who is logged on."""

    def __init__(self, sounds: Sounds) -> None:
        self._sounds = sounds
        self.calls: dict[str, Call] = {}
        self.legs: dict[str, Leg] = {}
        self.on: set[str] = set()
        self._names: dict[str, str] = {}
        self._handlers: dict[type[Data], Callable[[int, Any], None]] = {
            kind: getattr(self, f"_{kind_of(kind)}") for kind in events.DATA_TYPES if hasattr(self, f"_{kind_of(kind)}")
        }

    def apply(self, tick: int, data: Data) -> None:
        """It happened."""
        handler = self._handlers.get(type(data))
        if handler is not None:
            handler(tick, data)

    def customer_of(self, call: Call) -> Speaker:
        return Speaker(number=call.number)

    def _agent_logged_on(self, tick: int, data: events.AgentLoggedOn) -> None:
        self._names[data.agent_id] = data.name
        self.on.add(data.agent_id)

    def _agent_logged_off(self, tick: int, data: events.AgentLoggedOff) -> None:
        self.on.discard(data.agent_id)

    def _call_started(self, tick: int, data: events.CallStarted) -> None:
        inbound = data.direction == "inbound"
        number = data.from_number if inbound else data.to_number
        self.calls[data.call_id] = Call(data.call_id, data.direction == "internal", number, inbound, tick)

    def _call_queued(self, tick: int, data: events.CallQueued) -> None:
        self.calls[data.call_id].queue = data.queue

    def _call_dequeued(self, tick: int, data: events.CallDequeued) -> None:
        self.calls[data.call_id].queue = ""

    def _call_cleared(self, tick: int, data: events.CallCleared) -> None:
        for leg in self.calls.pop(data.call_id).legs:
            self.legs.pop(leg, None)

    def _leg_started(self, tick: int, data: events.LegStarted) -> None:
        leg = Leg(data.leg_id, data.call_id, data.agent_id, data.state)
        self.legs[leg.id] = self.calls[data.call_id].legs[leg.id] = leg

    def _leg_answered(self, tick: int, data: events.LegAnswered) -> None:
        call, leg = self.calls[data.call_id], self.legs[data.leg_id]
        leg.state = "talking"
        if call.internal and call.partner:
            call.colleague = leg.id
            call.talk = self._sounds.talk(call.id, self._agent(self.legs[call.partner]), self._agent(leg))
            call.talk_from = tick
        elif call.internal:
            call.partner = leg.id
        else:
            self._meet(call, leg, tick)

    def _leg_held(self, tick: int, data: events.LegHeld) -> None:
        call = self.calls[data.call_id]
        self.legs[data.leg_id].state = "held"
        call.waits_from = tick

    def _leg_retrieved(self, tick: int, data: events.LegRetrieved) -> None:
        call = self.calls[data.call_id]
        self.legs[data.leg_id].state = "talking"
        call.talk_from += tick - call.waits_from

    def _leg_moved(self, tick: int, data: events.LegMoved) -> None:
        leg = self.legs[data.leg_id]
        self.calls[leg.call_id].legs.pop(leg.id, None)
        leg.call_id = data.call_id
        call = self.calls[data.call_id]
        call.legs[leg.id] = leg
        self._meet(call, leg, tick)

    def _leg_cleared(self, tick: int, data: events.LegCleared) -> None:
        leg = self.legs.pop(data.leg_id)
        call = self.calls[leg.call_id]
        call.legs.pop(leg.id, None)
        if leg.id in (call.partner, call.colleague):
            call.partner = call.colleague = ""
            call.talk = None
            call.waits_from = tick

    def _meet(self, call: Call, leg: Leg, tick: int) -> None:
        """The customer has this agent now."""
        call.partner, call.customer_there = leg.id, True
        call.talk = self._sounds.talk(leg.id, self._agent(leg), self.customer_of(call))
        call.talk_from = tick

    def _agent(self, leg: Leg) -> Speaker:
        return Speaker(agent_id=leg.agent_id, name=self._names.get(leg.agent_id, ""))
