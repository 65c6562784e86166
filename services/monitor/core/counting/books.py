"""The books of a site: which minute, interval and day it is in, and closing each at its end, exactly and once.

Everything is counted into the running minute of its queue. A minute that ends goes into its interval, an interval that ends
into the day: an event costs one addition, and sums over intervals are the day's. How long agents are at something is
count times elapsed: whoever begins at t adds `begin of the minute - t`, and the minute's end adds count times length. So a late
event is put right by itself, back to the beginning of the running interval; what was published stays as it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.monitor.core.counting import metrics, periods
from services.monitor.core.counting.tallies import Day, Periods, Stretch, Tally, Today
from services.monitor.core.floor import Floor, in_micros
from services.monitor.core.state import Queue, Timer
from shared import facts

_RECENT: Final = timedelta(minutes=14)  # and the running minute
_MOST_SILENCE: Final = timedelta(hours=26)  # longer than any day: after it counting begins anew
_MOST_INTERVALS: Final = 104  # of a day of 26 hours


def running(floor: Floor, at: datetime) -> Periods:
    """The periods that `at` is counted in: those it is in, or when it comes late, the running ones."""
    found = floor.state.periods
    if found is None:
        began = floor.state.began or at
        found = floor.state.periods = periods.open_at(max(at, began), floor.config.zone, began)
        _arm(floor, found)
    elif found.idle or at >= found.minute_ends:
        found = _go_on(floor, found, at)
    return found


def tally_of(floor: Floor, queue: Queue, at: datetime) -> Tally:
    """Where something that happened to this queue at `at` is counted: nowhere, if that was before we heard the site."""
    day_of(floor, queue, running(floor, at))
    return queue.minute if heard_by(floor, at) else Tally()


def heard_by(floor: Floor, at: datetime) -> bool:
    """Whether the site was heard at `at`. What was over by then is in no figure, although the switch may still tell it.

    Where no link was told, the first event only shows that somebody listened, and what comes late was heard too.
    """
    state = floor.state
    return state.began is None or at >= state.began or state.link == "never"


def day_of(floor: Floor, queue: Queue, found: Periods) -> Day:
    """The queue's running day."""
    if queue.recent_since is None:
        queue.recent_since = _recent_since(floor, found)
    if queue.day is None:
        queue.day = _new_day(floor, queue, found)
    return queue.day


def _new_day(floor: Floor, queue: Queue, found: Periods) -> Day:
    target = floor.config.queue(queue.queue).service_level
    return Day(found.day, found.day_from, target.within_s, target.short_abandon_s)


# ---------------------------------------------------------------- time goes on


def step(floor: Floor, timer: Timer) -> None:
    """The timer that ends the running minute, or an idle floor's day."""
    found = floor.state.periods
    if found is None or timer.due != found.due:
        return
    if floor.heading is not None and floor.heading - timer.due > _MOST_SILENCE:
        reopen(floor, found.minute_began if found.idle else timer.due, floor.heading, silent=True)
        return
    found = _go_on(floor, found, timer.due)
    if not _active(floor):
        found.idle = True
        _arm(floor, found)


def reopen(floor: Floor, end: datetime, at: datetime, *, silent: bool = False) -> None:
    """End the running interval early at `end`, and count on from `at`, which may lie before.

    From the one to the other the switch's clock was set and no time passed, or `silent` says that nothing was heard.
    """
    found = floor.state.periods
    if found is None:
        return
    fresh = periods.open_at(at, floor.config.zone, at)
    fresh.minute_began = at  # whoever is at it now has been so, in this minute, since then
    if fresh.day == found.day:
        fresh.day_from = found.day_from
    _turn(floor, found, end, fresh, interval=True, moved=timedelta() if silent else at - end)
    _arm(floor, fresh)


def adopt(floor: Floor) -> None:
    """After a restore: where a threshold is another now, end the interval and begin the queue's day anew. Counts by two
    thresholds do not add up, and what was published stays as it is."""
    now = floor.state.now
    if now is None:
        return
    changed = [
        queue for queue in floor.state.queues.values() if queue.day and not _same_target(floor, queue, queue.day)
    ]
    if changed:
        reopen(floor, now, now)
    for queue in changed:
        assert floor.state.periods is not None
        queue.day = _new_day(floor, queue, floor.state.periods)
        queue.day.counted_from = now
        queue.recent_minutes.clear()
        queue.recent = Tally()


def _same_target(floor: Floor, queue: Queue, day: Day) -> bool:
    target = floor.config.queue(queue.queue).service_level
    return (target.within_s, target.short_abandon_s) == (day.within_s, day.short_abandon_s)


def _arm(floor: Floor, found: Periods) -> None:
    found.due = found.day_ends if found.idle else found.minute_ends
    floor.timer(found.due, "step", ("", ""))


def _go_on(floor: Floor, found: Periods, at: datetime) -> Periods:
    """End every minute that is over at `at`; an idle floor wakes up in the minute of `at`."""
    zone = floor.config.zone
    if found.idle:
        fresh = periods.open_at(max(at, found.minute_began), zone, found.day_from)
        if fresh.interval_began == found.interval_began:
            fresh.counted_from = found.counted_from
        _turn(floor, found, found.minute_began, fresh, interval=fresh.counted_from != found.counted_from)
        found = fresh
    while at >= found.minute_ends:
        fresh = periods.after(found, zone)
        _turn(floor, found, found.minute_ends, fresh, interval=found.minute_ends >= found.interval_ends)
        found = fresh
    _arm(floor, found)
    return found


def _turn(
    floor: Floor, found: Periods, end: datetime, fresh: Periods, *, interval: bool, moved: timedelta = timedelta()
) -> None:
    """End the running minute at `end`, with it the interval when `interval` says so and the day when `fresh` has another.

    `moved` is by how much the clock was set.
    """
    state = floor.state
    elapsed = max(0.0, (end - found.minute_began).total_seconds())
    new_day = fresh.day != found.day
    for queue in state.queues.values():
        _end_minute(queue, found, end, elapsed)
        if interval:
            _end_interval(floor, queue, found, end)
        if new_day and queue.day is not None:
            queue.day = _new_day(floor, queue, fresh)
            floor.touch("queue", queue.queue)
        _keep_recent(floor, queue, fresh, moved)
    crew = state.crew
    crew.handling_s += crew.handling * elapsed
    crew.ready_s += crew.staff.get("ready", 0) * elapsed
    if new_day:
        crew.handling_s = crew.ready_s = 0.0
        for agent in state.agents.values():
            agent.today = None if agent.state in metrics.NOT_STAFFED else Today(since=fresh.day_from)
            floor.touch("agent", agent.agent_id)
    state.periods = fresh


def _end_minute(queue: Queue, found: Periods, end: datetime, elapsed: float) -> None:
    minute = queue.minute
    minute.handling_s += queue.handling * elapsed
    minute.ready_s += queue.staff.get("ready", 0) * elapsed
    if minute.counted():
        queue.interval.add(minute)
        queue.recent_minutes.append(Stretch(found.minute_began, end, minute))
        queue.minute = Tally()


def _end_interval(floor: Floor, queue: Queue, found: Periods, end: datetime) -> None:
    if queue.day is not None and (queue.was_staffed or queue.interval.counted()):
        closed = Stretch(found.interval_began, end, queue.interval, found.counted_from)
        queue.interval = Tally()
        queue.day.tally.add(closed.tally)
        queue.day.intervals.append(closed)
        del queue.day.intervals[:-_MOST_INTERVALS]
        _publish(floor, queue, queue.day, closed)
    queue.was_staffed = metrics.staffed(queue.staff) > 0


def _recent_since(floor: Floor, found: Periods) -> datetime:
    """What is shown: not from before the site was heard."""
    since = found.minute_began - _RECENT
    return since if floor.state.began is None else max(since, floor.state.began)


def _keep_recent(floor: Floor, queue: Queue, fresh: Periods, moved: timedelta) -> None:
    """Forget minutes older than 15. A clock that is set makes them neither older nor younger."""
    if queue.recent_since is None:
        return
    if moved:
        for one in queue.recent_minutes:
            one.started, one.ended = one.started + moved, one.ended + moved
    since = fresh.minute_began - _RECENT
    queue.recent_minutes = [one for one in queue.recent_minutes if since <= one.started]
    queue.recent = Tally()
    for one in queue.recent_minutes:
        queue.recent.add(one.tally)
    queue.recent_since = _recent_since(floor, fresh) if at_work(queue) else None
    floor.touch("queue", queue.queue)


def at_work(queue: Queue) -> bool:
    """Whether anything goes on in the queue, or did in the last minutes."""
    return bool(
        queue.waiting or queue.handling or queue.was_staffed or queue.recent_minutes or queue.interval.counted()
    )


def _active(floor: Floor) -> bool:
    crew = floor.state.crew
    return bool(crew.handling or crew.staff.get("ready")) or any(map(at_work, floor.state.queues.values()))


def _publish(floor: Floor, queue: Queue, day: Day, closed: Stretch) -> None:
    tally = closed.tally
    micros = [in_micros(at) for at in (closed.counted_from or closed.started, closed.ended)]
    floor.emit(
        f"queue:{queue.queue}:{micros[0]}:{micros[1]}",
        closed.ended,
        facts.QueueInterval(
            queue=queue.queue,
            started_at=closed.started,
            ended_at=closed.ended,
            counted_from=closed.counted_from or closed.started,
            offered=tally.offered,
            answered=tally.answered,
            abandoned=tally.abandoned,
            short_abandoned=tally.abandoned_short,
            other_ended=tally.other_ended,
            answered_within=tally.answered_within,
            abandoned_within=tally.abandoned_within,
            wait_answered_s=metrics.rounded(tally.wait_answered_s),
            wait_abandoned_s=metrics.rounded(tally.wait_abandoned_s),
            longest_waited_s=tally.longest_waited_s,
            handled=tally.handled,
            talk_s=metrics.rounded(tally.talk_s),
            hold_s=metrics.rounded(tally.hold_s),
            wrap_s=metrics.rounded(tally.wrap_s),
            handling_s=metrics.rounded(tally.handling_s),
            ready_s=metrics.rounded(tally.ready_s),
            transfers=tally.transfers,
            within_s=day.within_s,
            short_abandon_s=day.short_abandon_s,
            service_levels=metrics.service_levels(tally),
        ),
    )
