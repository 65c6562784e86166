"""Visits of calls to queues: entered, left, and recorded once their conversation is over."""

from __future__ import annotations

from datetime import datetime

from services.monitor.core import calls, queues
from services.monitor.core.floor import Floor
from services.monitor.core.state import Call, Early, Leg, Visit
from services.monitor.core.trust import late, over
from shared import events, facts
from shared.events import Event


def waiting(call: Call) -> Visit | None:
    """The visit in which the call waits now."""
    for visit in reversed(call.visits):
        if visit.ended is None:
            return visit
    return None


def queued(floor: Floor, event: Event, data: events.CallQueued) -> None:
    at = event.time
    if over.is_over(floor, data.call_id, at, begins=True):
        return
    call = floor.call(data.call_id, at)
    calls.of_queue(floor, call, data.queue)
    call.from_number = data.from_number or call.from_number
    key = _key(data.call_id, data.queue)
    left = late.pick(floor, key, "left", since=at) if floor.state.early else None
    open_visit = waiting(call)
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
        end(floor, call, open_visit, at, "moved", "")
        _enter(floor, call, data.queue, at)
    calls.settle(floor, call, at)


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
    end(floor, call, _enter(floor, call, queue, entered), left.at, left.reason, left.agent_id)
    if since is not None:
        waiting[call.call_id] = since


def _key(call_id: str, queue: str) -> str:
    return f"visit:{call_id}:{queue}"


def dequeued(floor: Floor, event: Event, data: events.CallDequeued) -> None:
    at = event.time
    call = floor.state.calls.get(data.call_id)
    if call is None and over.is_over(floor, data.call_id, at):
        return
    visit = waiting(call) if call is not None else None
    if call is None or visit is None or visit.queue != data.queue or late.older(visit.entered, at):
        left = Early(at, "left", agent_id=data.agent_id, reason=data.reason)
        key = _key(data.call_id, data.queue)
        entered = late.pick(floor, key, "entered", until=at) if call is not None and floor.state.early else None
        if call is not None and entered is not None:
            _past_visit(floor, call, data.queue, entered.at, left)
            calls.settle(floor, call, at)
            return
        floor.queue(data.queue)
        floor.anomaly("left_queue_never_entered")
        late.keep(floor, key, left)
        return
    again = visit.again
    end(floor, call, visit, at, data.reason, data.agent_id)
    if again is not None and at < again:
        _enter(floor, call, data.queue, again)
    calls.settle(floor, call, at)


def end(floor: Floor, call: Call, visit: Visit, at: datetime, outcome: str, agent_id: str) -> None:
    visit.ended, visit.outcome, visit.agent_id = late.latest(at, visit.entered), outcome, agent_id
    queues.left(floor, visit.queue, call.call_id, at, outcome)
    if outcome != "answered":
        record(floor, call, visit, None, at)


def record(floor: Floor, call: Call, visit: Visit, leg: Leg | None, at: datetime) -> None:
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
            ended_at=late.latest(at, left_at),
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
    visit = waiting(call)
    if visit is not None:
        end(floor, call, visit, at, outcome, "")
        calls.settle(floor, call, at)
