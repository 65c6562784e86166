"""Legs: the phones of agents in calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.monitor.core import agents, calls, visits
from services.monitor.core.counting import agentday
from services.monitor.core.floor import Floor
from services.monitor.core.state import Call, Early, Leg, LegRole, LegState, Over, Visit
from services.monitor.core.trust import late, listening, over
from shared import events
from shared.events import Event


def leg_started(floor: Floor, event: Event, data: events.LegStarted) -> None:
    at = event.time
    if data.leg_id in floor.state.legs:
        floor.anomaly("leg_started_twice")
        return
    if late.leg_is_over(floor.state, data.leg_id, data.call_id, at):
        floor.anomaly("leg_is_over")
        return
    if over.is_over(floor, data.call_id, at, begins=True):
        return
    call = floor.call(data.call_id, at)
    if data.queue:
        calls.of_queue(floor, call, data.queue)
    leg = Leg(
        leg_id=data.leg_id,
        call_id=data.call_id,
        agent_id=data.agent_id,
        role=data.role,
        state=data.state,
        since=at,
        started=at,
        queue=data.queue,
        peer=data.peer or (call.from_number if data.role == "agent" else ""),
        said=at,
    )
    floor.state.legs[leg.leg_id] = leg
    call.legs.append(leg.leg_id)
    agent = floor.agent(leg.agent_id, at) if leg.agent_id else None
    if agent is not None:
        agent.legs.append(leg.leg_id)
    if leg.state == "talking":
        agentday.answered(floor, leg)
        _talks(call, leg, at)
    calls.settle(floor, call, at)
    if agent is not None:
        agents.settle(floor, agent, at)
    if floor.state.listening and agent is not None and leg.state == "talking":
        listening.talks(floor, leg)
    if floor.state.early:
        for early in late.take(floor, _leg_key(leg.leg_id), at):
            _catch_up(floor, leg, early)


def _leg_key(leg_id: str) -> str:
    return f"leg:{leg_id}"


def _catch_up(floor: Floor, leg: Leg, early: Early) -> None:
    """Do what was told of the leg before its beginning."""
    if leg.leg_id not in floor.state.legs:
        return  # the call into which it moved is over
    if early.what == "moved":
        _move(floor, leg, early.at, early.call_id, early.role, early.peer)  # type: ignore[arg-type]  # of a LegMoved
    else:
        _bring(floor, leg, early.at, early.what, ("ringing", "dialing", "talking", "held"))  # type: ignore[arg-type]


def _settle_agent(floor: Floor, leg: Leg, at: datetime) -> None:
    """A leg without an agent is of somebody whom the switch does not name: it counts for the call alone."""
    if leg.agent_id:
        agents.settle(floor, floor.agent(leg.agent_id, at), at)


def _change(floor: Floor, event: Event, leg_id: str, to: LegState, valid: Sequence[LegState]) -> None:
    """Bring a leg into state `to`; from a state outside `valid` that is adopted and counted."""
    leg = floor.state.legs.get(leg_id)
    if leg is not None:
        _bring(floor, leg, event.time, to, valid)
        return
    floor.anomaly(f"{to}_unknown_leg")
    if leg_id not in floor.state.over_legs:
        late.keep(floor, _leg_key(leg_id), Early(event.time, to))


def _bring(floor: Floor, leg: Leg, at: datetime, to: LegState, valid: Sequence[LegState]) -> None:
    if late.older(leg.said, at):
        floor.anomaly(f"late_{to}")
        if to == "talking" and leg.answered is None:
            leg.answered = at
            if leg.agent_id:
                floor.touch("agent", leg.agent_id)  # the card shows when the conversation began
            if leg.role == "agent":
                call = floor.call(leg.call_id, at)
                call.answered = call.answered or at
        return
    leg.said = late.latest(leg.said, at)
    if leg.state == to:
        return
    if leg.state not in valid:
        floor.anomaly(f"{leg.state}_to_{to}")
    at = at if at > leg.since else leg.since
    call = floor.call(leg.call_id, at)
    count(leg, at)
    leg.state = to
    if to == "talking":
        agentday.answered(floor, leg)
        _talks(call, leg, at)
        if floor.state.listening and leg.agent_id:
            listening.talks(floor, leg)
    else:
        _unheard(floor, call, leg, at)
    calls.settle(floor, call, at)
    _settle_agent(floor, leg, at)


def leg_answered(floor: Floor, event: Event, data: events.LegAnswered) -> None:
    _change(floor, event, data.leg_id, "talking", ("ringing", "dialing"))


def leg_held(floor: Floor, event: Event, data: events.LegHeld) -> None:
    _change(floor, event, data.leg_id, "held", ("talking",))


def leg_retrieved(floor: Floor, event: Event, data: events.LegRetrieved) -> None:
    _change(floor, event, data.leg_id, "talking", ("held",))


def leg_moved(floor: Floor, event: Event, data: events.LegMoved) -> None:
    leg = floor.state.legs.get(data.leg_id)
    if leg is not None:
        _move(floor, leg, event.time, data.call_id, data.role, data.peer)
        return
    floor.anomaly("moved_unknown_leg")
    if data.leg_id not in floor.state.over_legs:
        early = Early(event.time, "moved", call_id=data.call_id, role=data.role, peer=data.peer)
        late.keep(floor, _leg_key(data.leg_id), early)


def _move(floor: Floor, leg: Leg, at: datetime, call_id: str, role: LegRole, peer: str) -> None:
    """The leg is part of another call from now on."""
    if late.older(leg.moved, at):
        floor.anomaly("late_move")
        return
    leg.moved = at
    if over.is_over(floor, call_id, at):
        end(floor, leg, floor.state.over[call_id])
        return
    at = at if at > leg.since else leg.since
    count(leg, at)
    before = floor.state.calls.get(leg.call_id)
    if before is not None and call_id != leg.call_id:
        _leave(floor, before, leg, at)
        calls.settle(floor, before, at)
    call = floor.call(call_id, at)
    leg.call_id, leg.role, leg.peer = call_id, role, peer or call.from_number
    leg.talk_s = leg.hold_s = 0.0
    if leg.leg_id not in call.legs:
        call.legs.append(leg.leg_id)
    if leg.state == "talking":
        _talks(call, leg, at)
        if floor.state.listening and leg.agent_id:
            listening.talks(floor, leg)
    calls.settle(floor, call, at)
    _settle_agent(floor, leg, at)


def leg_cleared(floor: Floor, event: Event, data: events.LegCleared) -> None:
    leg = floor.state.legs.get(data.leg_id)
    late.end(floor.state.over_legs, data.leg_id, Over(event.time, leg.call_id if leg else data.call_id))
    if leg is None:
        floor.anomaly("cleared_unknown_leg")
        if floor.state.early:
            floor.state.early.pop(_leg_key(data.leg_id), None)
        return
    if data.cause == "no_answer":
        agentday.missed(floor, leg, event.time)
    end(floor, leg, event.time)


def end(floor: Floor, leg: Leg, at: datetime) -> None:
    """The phone's part in the call is over."""
    at = at if at > leg.since else leg.since
    call = floor.call(leg.call_id, at)
    count(leg, at)
    agent = floor.agent(leg.agent_id, at) if leg.agent_id else None
    if agent is not None:
        agent.legs.remove(leg.leg_id)
    _leave(floor, call, leg, at)
    del floor.state.legs[leg.leg_id]
    if floor.state.listening:
        listening.left(floor, leg)
    calls.settle(floor, call, at)
    if agent is not None:
        agents.settle(floor, agent, at)


def _leave(floor: Floor, call: Call, leg: Leg, at: datetime) -> None:
    """The agent's part in the call is over: cleared, or moved into another."""
    _unheard(floor, call, leg, at)
    call.legs.remove(leg.leg_id)
    if leg.role == "agent" and leg.answered is not None:
        call.talk_s += leg.talk_s
        call.hold_s += leg.hold_s
        call.last_agent = leg.agent_id
        agentday.conversation_ended(floor, leg, at)
    for visit in tuple(call.visits) if call.visits else ():
        if is_of(visit, leg):
            visits.record(floor, call, visit, leg, at)


def is_of(visit: Visit, leg: Leg) -> bool:
    """The visit ended with this leg's conversation; where the switch does not say whose, the first agent's leg it is."""
    return visit.ended is not None and (visit.agent_id == leg.agent_id or (not visit.agent_id and leg.role == "agent"))


def count(leg: Leg, at: datetime) -> None:
    """Add the time since the leg's last change to what it counts."""
    if leg.state == "talking":
        leg.talk_s += (at - leg.since).total_seconds()
    elif leg.state == "held":
        leg.hold_s += (at - leg.since).total_seconds()
    leg.since = at


def _talks(call: Call, leg: Leg, at: datetime) -> None:
    if leg.answered is None:
        leg.answered = at
    if leg.role == "agent":
        call.answered = call.answered or at
        call.heard_until = None


def _unheard(floor: Floor, call: Call, leg: Leg, at: datetime) -> None:
    """If the customer now hears nobody, remember since when, for the gap that a transfer makes."""
    if leg.role != "agent" or call.answered is None or call.heard_until is not None:
        return
    for leg_id in call.legs:
        other = floor.state.legs[leg_id]
        if other is not leg and other.role == "agent" and other.state == "talking":
            return
    call.heard_until = at
    for transfer_id in call.transfers:
        transfer = floor.state.transfers[transfer_id]
        if transfer.bridged is None:
            transfer.heard_until = at
