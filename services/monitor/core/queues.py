"""Queues: who waits, and counting who enters and how they leave."""

from __future__ import annotations

from datetime import datetime

from services.monitor.core.counting import books
from services.monitor.core.floor import Floor
from services.monitor.core.state import Leg

_OTHER = frozenset({"timed_out", "overflowed", "cleared", "moved"})


def entered(floor: Floor, name: str, call_id: str, at: datetime) -> None:
    """A call entered the queue: it is offered and waits."""
    queue = floor.queue(name)
    queue.waiting[call_id] = at
    if queue.seen is None or at > queue.seen:
        queue.seen = at
    if floor.provenance == "inferred":
        queue.inferred.append(call_id)
    books.day_of(floor, queue, books.running(floor, at))
    queue.minute.offered += 1  # also who waited already when we began to hear the site


def left(floor: Floor, name: str, call_id: str, at: datetime, reason: str) -> None:
    """A call left the queue for `reason` after waiting since it entered; a call that never entered counts nowhere."""
    queue = floor.queue(name)
    since = queue.waiting.pop(call_id, None)
    if since is None:
        floor.anomaly("left_queue_never_entered")
        return
    if floor.hearing and (queue.seen is None or at > queue.seen):
        queue.seen = at
    if call_id in queue.inferred:
        queue.inferred.remove(call_id)
    if not books.heard_by(floor, at if at > since else since):
        if queue.minute.offered + queue.interval.offered > 0:
            queue.minute.offered -= 1  # it did not wait then, as turns out
        return
    waited = (at - since).total_seconds() if at > since else 0.0
    tally = books.tally_of(floor, queue, at)
    tally.longest_waited_s = waited if tally.longest_waited_s is None else max(tally.longest_waited_s, waited)
    if reason == "answered":
        tally.answered += 1
        tally.answered_within += waited <= floor.config.queue(queue.queue).service_level.within_s
        tally.wait_answered_s += waited
    elif reason == "abandoned":
        target = floor.config.queue(queue.queue).service_level
        tally.abandoned += 1
        tally.abandoned_within += waited <= target.within_s
        tally.abandoned_short += waited <= target.short_abandon_s
        tally.wait_abandoned_s += waited
    elif reason in _OTHER:
        tally.other_ended += 1


def handled(floor: Floor, name: str, leg: Leg, at: datetime) -> None:
    """The conversation of a call from this queue with the agent who took it is over."""
    tally = books.tally_of(floor, floor.queue(name), at)
    tally.handled += 1
    tally.talk_s += leg.talk_s
    tally.hold_s += leg.hold_s
    tally.transfers += leg.asked


def wrapped(floor: Floor, name: str, seconds: float, at: datetime) -> None:
    """After-call work for this queue is over."""
    books.tally_of(floor, floor.queue(name), at).wrap_s += seconds
