"""Calls, from the first word of them to the last."""

from __future__ import annotations

from datetime import datetime

from services.monitor.core import legs, visits
from services.monitor.core.floor import Floor
from services.monitor.core.rules import watching
from services.monitor.core.state import Call, CallState
from services.monitor.core.trust import listening, over
from shared import events, facts
from shared.events import Event


def settle(floor: Floor, call: Call, at: datetime) -> None:
    """Derive the call's state anew: waiting over transferring over talking over held over ringing."""
    visit = visits.waiting(call) if call.visits else None
    state: CallState
    since = at
    if visit is not None:
        state, since = "queued", visit.entered
    elif call.transfers:
        state = "transferring"
    else:
        state = _by_lines(floor, call)
    if state != call.state or (state == "queued" and call.since != since):
        call.state, call.since, call.provenance = state, since, floor.provenance
    floor.touched["call", call.call_id] = True


def _by_lines(floor: Floor, call: Call) -> CallState:
    """What its phones make of a call: the liveliest of them decides."""
    if not call.legs:
        return "started"
    found: CallState = "ringing"
    known = floor.state.legs
    for leg_id in call.legs:
        state = known[leg_id].state
        if state == "talking":
            return "answered"
        if state == "held":
            found = "held"
    return found


def started(floor: Floor, event: Event, data: events.CallStarted) -> None:
    if over.is_over(floor, data.call_id, event.time, starts=True):
        return
    call = floor.call(data.call_id, event.time)
    if event.time < call.started:
        call.started = event.time
    call.direction = data.direction
    _direct(call)
    call.from_number = data.from_number or call.from_number
    call.to_number = data.to_number or call.to_number
    call.attributes = data.attributes or call.attributes
    for leg_id in call.legs:
        if agent_id := floor.state.legs[leg_id].agent_id:
            floor.touch("agent", agent_id)  # their cards show the direction
    settle(floor, call, event.time)


def of_queue(floor: Floor, call: Call, queue: str) -> None:
    """The queue has to do with the call. What the site's file says of the direction of its calls, counts; of several queues'
    words `outbound` does."""
    direction = floor.config.queue(queue).direction
    if direction > call.directed:
        call.directed = direction
        _direct(call)


def _direct(call: Call) -> None:
    """Calls between colleagues are what they are."""
    if call.directed and call.direction != "internal":
        call.direction = call.directed


def let_go(floor: Floor, call: Call, at: datetime, waiting_outcome: str = "cleared") -> None:
    """End the call with all its legs and visits; one that still waited leaves its queue with `waiting_outcome`."""
    for leg_id in tuple(call.legs):
        legs.end(floor, floor.state.legs[leg_id], at)
    visit = visits.waiting(call)
    if visit is not None:
        visits.end(floor, call, visit, at, waiting_outcome, "")
    for visit in tuple(call.visits):
        visits.record(floor, call, visit, None, at)
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
                mine = (floor.state.legs[leg_id] for leg_id in call.legs)
                leg = next((leg for leg in mine if legs.is_of(visit, leg)), None)
                if leg is not None:
                    legs.count(leg, max(at, leg.since))
                visits.record(floor, call, visit, leg, at)
