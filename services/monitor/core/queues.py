"""Queues: who waits, and the day's figures in the site's time zone."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from services.monitor.core.floor import Floor
from services.monitor.core.metrics import Counts
from services.monitor.core.state import Day, Queue

_OTHER = frozenset({"timed_out", "overflowed", "cleared", "moved"})


def day_of(floor: Floor, queue: Queue, at: datetime) -> Day:
    """The figures of the day that `at` is in, begun anew at the site's midnight."""
    local = at.astimezone(floor.config.zone)
    name = local.date().isoformat()
    if queue.day is None or queue.day.day < name:
        midnight = datetime.combine(local.date(), time(), floor.config.zone)
        began = floor.state.began or at
        queue.day = Day(day=name, counted_from=max(midnight, began) if queue.day is None else midnight)
        next_midnight = datetime.combine(local.date() + timedelta(days=1), time(), floor.config.zone)
        floor.timer(next_midnight, "day", (queue.queue, name))
    return queue.day


def entered(floor: Floor, name: str, call_id: str, at: datetime) -> None:
    """A call entered the queue: it is offered and waits."""
    queue = floor.queue(name)
    queue.waiting[call_id] = at
    if queue.seen is None or at > queue.seen:
        queue.seen = at
    if floor.provenance == "inferred":
        queue.inferred.append(call_id)
    day_of(floor, queue, at).offered += 1


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
    waited = max(0.0, (at - since).total_seconds())
    target = floor.config.queue(name).service_level
    day = day_of(floor, queue, at)
    day.longest_wait_s = waited if day.longest_wait_s is None else max(day.longest_wait_s, waited)
    if reason == "answered":
        day.answered += 1
        day.answered_within += waited <= target.within_s
        day.wait_answered_s += waited
    elif reason == "abandoned":
        day.abandoned += 1
        day.abandoned_within += waited <= target.within_s
        day.abandoned_short += waited <= target.short_abandon_s
    elif reason in _OTHER:
        day.other_ended += 1


def counts_of(day: Day) -> Counts:
    """The counts that service levels are computed from."""
    return Counts(
        answered=day.answered,
        answered_within=day.answered_within,
        abandoned=day.abandoned,
        abandoned_within=day.abandoned_within,
        abandoned_short=day.abandoned_short,
    )
