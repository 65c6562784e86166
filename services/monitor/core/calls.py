"""Calls, their visits to queues, and the legs of agents in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.monitor.core import agents, queues
from services.monitor.core.counting import agentday
from services.monitor.core.floor import Floor
from services.monitor.core.rules import watching
from services.monitor.core.state import Call, CallState, Early, Leg, LegRole, LegState, Over, Visit
from services.monitor.core.trust import late, listening, over
from shared import events, facts
from shared.events import Event


def waiting_visit(call: Call) -> Visit | None:
    """The visit in which the call waits now."""
    for visit in reversed(call.visits):
        if visit.ended is None:
            return visit
    return None


def settle(floor: Floor, call: Call, at: datetime) -> None:
    """Derive the call's state anew: waiting over transferring over talking over held over ringing."""
    visit = waiting_visit(call)
    known = floor.state.legs
    legs = [known[leg_id].state for leg_id in call.legs]
    state: CallState
    since = at
    if visit is not None:
        state, since = "queued", visit.entered
    elif call.transfers:
        state = "transferring"
    elif "talking" in legs:
        state = "answered"
    elif "held" in legs:
        state = "held"
    elif legs:
        state = "ringing"
    else:
        state = "started"
    if state != call.state or (state == "queued" and call.since != since):
        call.state, call.since, call.provenance = state, since, floor.provenance
    floor.touch("call", call.call_id)


# ---------------------------------------------------------------- calls and queues


def started(floor: Floor, event: Event, data: events.CallStarted) -> None:
    if over.is_over(floor, data.call_id, event.time, starts=True):
        return
    call = floor.call(data.call_id, event.time)
    call.started = min(call.started, event.time)
    call.direction = data.direction
    call.from_number = data.from_number or call.from_number
    call.to_number = data.to_number or call.to_number
    call.attributes = data.attributes or call.attributes
    for leg_id in call.legs:
        if agent_id := floor.state.legs[leg_id].agent_id:
            floor.touch("agent", agent_id)  # their cards show the direction
    settle(floor, call, event.time)


def queued(floor: Floor, event: Event, data: events.CallQueued) -> None:
    at = event.time
    if over.is_over(floor, data.call_id, at, begins=True):
        return
    call = floor.call(data.call_id, at)
    call.from_number = data.from_number or call.from_number
    key = _visit_key(data.call_id, data.queue)
    left = late.pick(floor, key, "left", since=at) if floor.state.early else None
    open_visit = waiting_visit(call)
    if left is not None:
        _past_visit(floor, call, data.queue, at, left)
    elif open_visit is None:
        _enter(floor, call, data.queue, at)
    elif late.older(open_visit.entered, at):
        floor.anomaly("late_call_queued")
        late.keep(floor, key, Early(at, "entered"))
        return
    elif open_visit.queue == data.queue:
        floor.anomaly("queued_twice")
        if open_visit.entered < at:
            open_visit.again = late.latest(open_visit.again, at)
        return
    else:
        floor.anomaly("queued_while_queued")
        _end_visit(floor, call, open_visit, at, "moved", "")
        _enter(floor, call, data.queue, at)
    settle(floor, call, at)


def _enter(floor: Floor, call: Call, queue: str, at: datetime) -> Visit:
    call.visit_count += 1
    visit = Visit(queue=queue, entered=at, number=call.visit_count)
    call.visits.append(visit)
    queues.entered(floor, queue, call.call_id, at)
    return visit


def _past_visit(floor: Floor, call: Call, queue: str, entered: datetime, left: Early) -> None:
    """A visit of which everything is told late; the call may wait in the same queue again."""
    waiting = floor.queue(queue).waiting
    since = waiting.pop(call.call_id, None)
    _end_visit(floor, call, _enter(floor, call, queue, entered), left.at, left.reason, left.agent_id)
    if since is not None:
        waiting[call.call_id] = since


def _visit_key(call_id: str, queue: str) -> str:
    return f"visit:{call_id}:{queue}"


def dequeued(floor: Floor, event: Event, data: events.CallDequeued) -> None:
    at = event.time
    call = floor.state.calls.get(data.call_id)
    if call is None and over.is_over(floor, data.call_id, at):
        return
    visit = waiting_visit(call) if call is not None else None
    if call is None or visit is None or visit.queue != data.queue or late.older(visit.entered, at):
        left = Early(at, "left", agent_id=data.agent_id, reason=data.reason)
        key = _visit_key(data.call_id, data.queue)
        entered = late.pick(floor, key, "entered", until=at) if call is not None and floor.state.early else None
        if call is not None and entered is not None:
            _past_visit(floor, call, data.queue, entered.at, left)
            settle(floor, call, at)
            return
        floor.queue(data.queue)
        floor.anomaly("left_queue_never_entered")
        late.keep(floor, key, left)
        return
    again = visit.again
    _end_visit(floor, call, visit, at, data.reason, data.agent_id)
    if again is not None and at < again:
        _enter(floor, call, data.queue, again)
    settle(floor, call, at)


def _end_visit(floor: Floor, call: Call, visit: Visit, at: datetime, outcome: str, agent_id: str) -> None:
    visit.ended, visit.outcome, visit.agent_id = max(at, visit.entered), outcome, agent_id
    queues.left(floor, visit.queue, call.call_id, at, outcome)
    if outcome != "answered":
        _record_visit(floor, call, visit, None, at)


def _record_visit(floor: Floor, call: Call, visit: Visit, leg: Leg | None, at: datetime) -> None:
    """The visit is over, its conversation included."""
    call.visits.remove(visit)
    left_at = visit.ended or at
    answered = visit.outcome == "answered"
    if leg is not None:
        queues.handled(floor, visit.queue, leg, at)
    floor.emit(
        f"call:{call.call_id}:{visit.number}",
        at,
        facts.CallEnded(
            call_id=call.call_id,
            direction=call.direction,
            queue=visit.queue,
            outcome=visit.outcome,  # type: ignore[arg-type]  # set from CallDequeued.reason only
            started_at=visit.entered,
            answered_at=left_at if answered else None,
            talk_started_at=leg.answered if leg else None,
            ended_at=max(at, left_at),
            waited_s=(left_at - visit.entered).total_seconds(),
            talk_s=leg.talk_s if leg else None,
            hold_s=leg.hold_s if leg else None,
            agent_id=visit.agent_id or (leg.agent_id if leg else ""),
            from_number=call.from_number,
            attributes=call.attributes,
        ),
    )


def leave_queue(floor: Floor, call: Call, at: datetime, outcome: str) -> None:
    """End the visit in which the call waits, without anybody having told."""
    visit = waiting_visit(call)
    if visit is not None:
        _end_visit(floor, call, visit, at, outcome, "")
        settle(floor, call, at)


def let_go(floor: Floor, call: Call, at: datetime, waiting_outcome: str = "cleared") -> None:
    """End the call with all its legs and visits; one that still waited leaves its queue with `waiting_outcome`."""
    for leg_id in tuple(call.legs):
        end_leg(floor, floor.state.legs[leg_id], at)
    visit = waiting_visit(call)
    if visit is not None:
        _end_visit(floor, call, visit, at, waiting_outcome, "")
    for visit in tuple(call.visits):
        _record_visit(floor, call, visit, None, at)
    if call.visit_count == 0 and call.direction != "internal":
        _record_unqueued(floor, call, at)
    watching.forget(floor, "call", call.call_id, at)
    del floor.state.calls[call.call_id]
    if floor.state.listening:
        listening.with_call(floor, call, at)
    floor.touch("call", call.call_id)


def _record_unqueued(floor: Floor, call: Call, at: datetime) -> None:
    """A call with a customer that never queued, an outbound one mostly, is over."""
    floor.emit(
        f"call:{call.call_id}:0",
        at,
        facts.CallEnded(
            call_id=call.call_id,
            direction=call.direction,
            queue="",
            outcome="answered" if call.answered else "unanswered",
            started_at=call.started,
            answered_at=call.answered,
            talk_started_at=call.answered,
            ended_at=max(at, call.started),
            waited_s=max(0.0, ((call.answered or at) - call.started).total_seconds()),
            talk_s=call.talk_s if call.answered else None,
            hold_s=call.hold_s if call.answered else None,
            agent_id=call.last_agent,
            from_number=call.from_number,
            attributes=call.attributes,
        ),
    )


def close_books(floor: Floor, at: datetime) -> None:
    """Record conversations that still run, as far as they have come."""
    for call in tuple(floor.state.calls.values()):
        for visit in tuple(call.visits):
            if visit.ended is not None:
                legs = (floor.state.legs[leg_id] for leg_id in call.legs)
                leg = next((leg for leg in legs if _is_of(visit, leg)), None)
                if leg is not None:
                    _count(leg, max(at, leg.since))
                _record_visit(floor, call, visit, leg, at)


# ---------------------------------------------------------------- legs


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
    if leg.agent_id:
        floor.agent(leg.agent_id, at).legs.append(leg.leg_id)
    if leg.state == "talking":
        agentday.answered(floor, leg)
        _talks(call, leg, at)
    settle(floor, call, at)
    _settle_agent(floor, leg, at)
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
    at = max(at, leg.since)
    call = floor.call(leg.call_id, at)
    _count(leg, at)
    leg.state = to
    if to == "talking":
        agentday.answered(floor, leg)
        _talks(call, leg, at)
    else:
        _unheard(floor, call, leg, at)
    settle(floor, call, at)
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
        end_leg(floor, leg, floor.state.over[call_id])
        return
    at = max(at, leg.since)
    _count(leg, at)
    before = floor.state.calls.get(leg.call_id)
    if before is not None and call_id != leg.call_id:
        _leave(floor, before, leg, at)
        settle(floor, before, at)
    call = floor.call(call_id, at)
    leg.call_id, leg.role, leg.peer = call_id, role, peer or call.from_number
    leg.talk_s = leg.hold_s = 0.0
    if leg.leg_id not in call.legs:
        call.legs.append(leg.leg_id)
    if leg.state == "talking":
        _talks(call, leg, at)
    settle(floor, call, at)
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
    end_leg(floor, leg, event.time)


def end_leg(floor: Floor, leg: Leg, at: datetime) -> None:
    """The phone's part in the call is over."""
    at = max(at, leg.since)
    call = floor.call(leg.call_id, at)
    _count(leg, at)
    if leg.agent_id:
        floor.agent(leg.agent_id, at).legs.remove(leg.leg_id)
    _leave(floor, call, leg, at)
    del floor.state.legs[leg.leg_id]
    settle(floor, call, at)
    _settle_agent(floor, leg, at)


def _leave(floor: Floor, call: Call, leg: Leg, at: datetime) -> None:
    """The agent's part in the call is over: cleared, or moved into another."""
    _unheard(floor, call, leg, at)
    call.legs.remove(leg.leg_id)
    if leg.role == "agent" and leg.answered is not None:
        call.talk_s += leg.talk_s
        call.hold_s += leg.hold_s
        call.last_agent = leg.agent_id
        agentday.conversation_ended(floor, leg, at)
    for visit in tuple(call.visits):
        if _is_of(visit, leg):
            _record_visit(floor, call, visit, leg, at)


def _is_of(visit: Visit, leg: Leg) -> bool:
    """The visit ended with this leg's conversation; where the switch does not say whose, the first agent's leg it is."""
    return visit.ended is not None and (visit.agent_id == leg.agent_id or (not visit.agent_id and leg.role == "agent"))


def _count(leg: Leg, at: datetime) -> None:
    """Add the time since the leg's last change to what it counts."""
    seconds = (at - leg.since).total_seconds()
    if leg.state == "talking":
        leg.talk_s += seconds
    elif leg.state == "held":
        leg.hold_s += seconds
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
    others = (floor.state.legs[leg_id] for leg_id in call.legs if leg_id != leg.leg_id)
    if any(other.role == "agent" and other.state == "talking" for other in others):
        return
    call.heard_until = at
    for transfer_id in call.transfers:
        transfer = floor.state.transfers[transfer_id]
        if transfer.bridged is None:
            transfer.heard_until = at
