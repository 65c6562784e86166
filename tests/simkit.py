"""What must be true of any floor that consists of people and telephones: checks one event after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared import events
from shared.envelope import Data, kind_of


@dataclass
class Leg:
    call: str
    agent: str
    role: str
    state: str


@dataclass
class Line:
    """State as a strict reader would keep it: every event must be possible after those before."""

    on: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)  # on a break
    wrapping: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    queued: dict[str, str] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    transfers: dict[str, list[str]] = field(default_factory=dict)
    handing: dict[str, str] = field(default_factory=dict)  # transfer -> who hands over
    ended: set[str] = field(default_factory=set)  # ids of calls, legs and transfers that are over
    now: datetime | None = None

    def see(self, time: datetime, data: Data) -> None:
        assert self.now is None or time >= self.now, "time goes back"
        self.now = time
        getattr(self, "_" + kind_of(type(data)))(data)
        leg = self.legs.get(getattr(data, "leg_id", ""))
        if leg is not None:
            active = [one for one in self._legs_of(leg.agent) if one.state != "held"]
            assert len(active) <= 1, f"{leg.agent} has two conversations at once: {active}"

    def _link_up(self, d: events.LinkUp) -> None:
        assert d.simulated

    def _agent_logged_on(self, d: events.AgentLoggedOn) -> None:
        assert d.agent_id not in self.on
        assert d.name
        assert d.team
        assert d.queues
        self.on.add(d.agent_id)

    def _agent_logged_off(self, d: events.AgentLoggedOff) -> None:
        self.on.remove(d.agent_id)
        assert d.agent_id not in self.wrapping
        assert not self._legs_of(d.agent_id)
        self.away.discard(d.agent_id)

    def _agent_ready(self, d: events.AgentReady) -> None:
        assert d.agent_id in self.on
        assert d.agent_id not in self.wrapping
        self.away.discard(d.agent_id)

    def _agent_not_ready(self, d: events.AgentNotReady) -> None:
        assert d.agent_id in self.on - self.away - self.wrapping
        assert d.reason
        assert not self._legs_of(d.agent_id)
        self.away.add(d.agent_id)

    def _wrap_started(self, d: events.WrapStarted) -> None:
        assert d.agent_id in self.on - self.away - self.wrapping
        assert not self._legs_of(d.agent_id)
        self.wrapping.add(d.agent_id)

    def _wrap_ended(self, d: events.WrapEnded) -> None:
        self.wrapping.remove(d.agent_id)

    def _call_started(self, d: events.CallStarted) -> None:
        self._new(d.call_id)
        self.calls.add(d.call_id)

    def _call_queued(self, d: events.CallQueued) -> None:
        assert d.call_id in self.calls
        assert d.call_id not in self.queued
        assert d.position is not None
        assert d.position >= 1
        self.queued[d.call_id] = d.queue

    def _call_dequeued(self, d: events.CallDequeued) -> None:
        assert self.queued.pop(d.call_id) == d.queue
        if d.reason == "answered":
            assert any(leg.call == d.call_id and leg.state == "talking" for leg in self._legs_of(d.agent_id))

    def _call_cleared(self, d: events.CallCleared) -> None:
        self.calls.remove(d.call_id)
        self.ended.add(d.call_id)
        assert d.call_id not in self.queued
        assert not [leg for leg in self.legs.values() if leg.call == d.call_id]

    def _leg_started(self, d: events.LegStarted) -> None:
        self._new(d.leg_id)
        assert d.call_id in self.calls
        assert d.agent_id in self.on - self.away - self.wrapping
        held = [leg for leg in self._legs_of(d.agent_id) if leg.state == "held"]
        assert bool(held) == (d.role == "consult")
        self.legs[d.leg_id] = Leg(d.call_id, d.agent_id, d.role, d.state)

    def _leg_answered(self, d: events.LegAnswered) -> None:
        leg = self._leg(d)
        assert leg.state in ("ringing", "dialing")
        leg.state = "talking"

    def _leg_held(self, d: events.LegHeld) -> None:
        leg = self._leg(d)
        assert leg.state == "talking"
        leg.state = "held"

    def _leg_retrieved(self, d: events.LegRetrieved) -> None:
        leg = self._leg(d)
        assert leg.state == "held"
        leg.state = "talking"

    def _leg_moved(self, d: events.LegMoved) -> None:
        leg = self.legs[d.leg_id]
        assert leg.call == d.from_call_id
        assert d.call_id in self.calls
        leg.call, leg.role = d.call_id, d.role

    def _leg_cleared(self, d: events.LegCleared) -> None:
        leg = self._leg(d)
        answered = leg.state in ("talking", "held")
        assert answered == (d.cause in ("hangup", "transferred")) or leg.role == "consult", (d, leg)
        del self.legs[d.leg_id]
        self.ended.add(d.leg_id)

    def _transfer_requested(self, d: events.TransferRequested) -> None:
        self._new(d.transfer_id)
        assert d.from_agent != d.to_agent
        assert bool(d.to_agent) != bool(d.to_queue)
        wanted = "held" if d.kind == "attended" else "talking"
        assert any(leg.call == d.call_id and leg.state == wanted for leg in self._legs_of(d.from_agent))
        self.transfers[d.transfer_id] = ["requested"]
        self.handing[d.transfer_id] = d.from_agent

    def _stamp(self, transfer: str, word: str, after: str) -> None:
        stamps = self.transfers[transfer]
        assert after in stamps
        assert word not in stamps or word == "ringing"  # a queue may ring one after the other
        stamps.append(word)

    def _transfer_ringing(self, d: events.TransferRinging) -> None:
        self._stamp(d.transfer_id, "ringing", "requested")
        assert d.to_agent != self.handing[d.transfer_id], "handed over to a queue and given back by it"
        assert any(leg.state == "ringing" for leg in self._legs_of(d.to_agent))

    def _transfer_answered(self, d: events.TransferAnswered) -> None:
        self._stamp(d.transfer_id, "answered", "ringing")
        assert any(leg.state == "talking" for leg in self._legs_of(d.to_agent))

    def _transfer_bridged(self, d: events.TransferBridged) -> None:
        self._stamp(d.transfer_id, "bridged", "answered")

    def _transfer_released(self, d: events.TransferReleased) -> None:
        self._stamp(d.transfer_id, "released", "requested")

    def _transfer_ended(self, d: events.TransferEnded) -> None:
        self._stamp(d.transfer_id, "ended", "requested")
        assert "bridged" not in self.transfers[d.transfer_id]

    def _new(self, id: str) -> None:
        assert id not in self.ended
        assert id not in self.calls
        assert id not in self.legs
        assert id not in self.transfers

    def _leg(self, d: Any) -> Leg:
        leg = self.legs[d.leg_id]
        assert leg.call == d.call_id
        return leg

    def _legs_of(self, agent: str) -> list[Leg]:
        return [leg for leg in self.legs.values() if leg.agent == agent]
