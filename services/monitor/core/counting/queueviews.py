"""A queue's figures as pages and the API show them: now, over the last 15 minutes, per interval and for the day."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from services.monitor.core.counting import figures, metrics
from services.monitor.core.counting.tallies import Stretch, Tally
from services.monitor.core.floor import Floor
from services.monitor.core.state import Queue
from services.monitor.core.views import QueueView, RecentView, ServiceLevelView, ShownProvenance


class StretchView(Struct, frozen=True, kw_only=True):
    """A queue's figures over an interval or a day. Durations are seconds, rates 0 to 1; null: there is nothing to divide by.

    An arrival counts where it arrived, everything else where it ended.
    """

    started_at: datetime
    ended_at: datetime | None  # null while it runs
    counted_from: datetime  # later than started_at when we began to listen in between
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int  # of these, within short_abandon_s
    other_ended: int  # timed out, overflowed, cleared, moved
    asa_s: float | None
    longest_waited_s: float | None  # of the calls that left
    handled: int  # conversations that ended
    aht_s: float | None  # (talk + hold + wrap) / handled
    talk_s: float | None  # its parts, averages
    hold_s: float | None
    wrap_s: float | None
    handling_s: float  # agents' time on this queue's calls and their wrap, a sum
    ready_s: float  # agents' time ready for this queue, a sum
    occupancy: float | None  # handling / (handling + ready)
    abandonment_rate: float | None
    transfer_rate: float | None
    service_levels: dict[str, float | None]  # by formula


class QueueDayView(Struct, frozen=True, kw_only=True):
    """A queue's day at the site by intervals of 15 minutes. Intervals without a call or an agent are left out."""

    site: str
    queue: str
    label: str
    day: str  # YYYY-MM-DD
    time_zone: str
    now: datetime  # the switch's time
    service_level: ServiceLevelView  # of the day, by the queue's own formula
    total: StretchView  # the sums of all intervals
    running: StretchView
    intervals: tuple[StretchView, ...]  # finished ones, oldest first


class SiteFiguresView(Struct, frozen=True, kw_only=True):
    """A site's totals now and of its day. Each agent counts once, however many queues the agent serves."""

    site: str
    day: str  # "" before anything is counted
    now: datetime | None
    waiting: int
    calls: int
    agents: dict[str, int]  # by displayed state
    staffed: int  # logged on, on break included
    offered: int
    answered: int
    abandoned: int
    occupancy: float | None


def now(floor: Floor, queue: Queue, provenance: ShownProvenance) -> QueueView:
    """The queue's card. Times of agents go as far as the last full minute, so that the card changes only when it is told."""
    config, day, tally = floor.config.queue(queue.queue), queue.day, figures.today(queue)
    return QueueView(
        site=floor.state.site,
        queue=queue.queue,
        label=config.label or queue.queue,
        waiting=len(queue.waiting),
        longest_since=min(queue.waiting.values(), default=None),
        agents={state: count for state, count in sorted(queue.staff.items()) if count},
        offered=tally.offered,
        answered=tally.answered,
        abandoned=tally.abandoned,
        short_abandoned=tally.abandoned_short,
        other_ended=tally.other_ended,
        asa_s=metrics.asa_s(tally),
        longest_waited_s=tally.longest_waited_s,
        service_level=_service_level(floor, queue, tally),
        service_level_f1=metrics.service_level("F1", tally),
        day=day.day if day else "",
        since=day.counted_from if day else None,
        provenance=provenance,
        seen=queue.seen,
        aht_s=metrics.aht_s(tally),
        talk_s=metrics.talk_s(tally),
        hold_s=metrics.hold_s(tally),
        wrap_s=metrics.wrap_s(tally),
        handled=tally.handled,
        occupancy=metrics.occupancy(tally.handling_s, tally.ready_s),
        abandonment_rate=metrics.abandonment_rate(tally),
        transfer_rate=metrics.transfer_rate(tally),
        service_levels=metrics.service_levels(tally),
        recent=_recent(floor, queue),
    )


def _service_level(floor: Floor, queue: Queue, tally: Tally) -> ServiceLevelView:
    target = floor.config.queue(queue.queue).service_level
    return ServiceLevelView(
        formula=target.formula,
        within_s=target.within_s,
        short_abandon_s=target.short_abandon_s,
        target=target.target,
        value=metrics.service_level(target.formula, tally),
    )


def _recent(floor: Floor, queue: Queue) -> RecentView | None:
    if queue.recent_since is None:
        return None
    tally = figures.recent(queue)
    return RecentView(
        since=queue.recent_since,
        offered=tally.offered,
        answered=tally.answered,
        abandoned=tally.abandoned,
        service_level=metrics.service_level(floor.config.queue(queue.queue).service_level.formula, tally),
        abandonment_rate=metrics.abandonment_rate(tally),
        asa_s=metrics.asa_s(tally),
        occupancy=metrics.occupancy(tally.handling_s, tally.ready_s),
    )


def day(floor: Floor, queue: Queue) -> QueueDayView | None:
    """The queue's day by intervals; None before anything was counted at the site."""
    found, at = floor.state.periods, floor.state.now
    if found is None or at is None:
        return None
    elapsed = figures.elapsed_s(floor, at)
    total, running = figures.today(queue, elapsed), figures.interval(queue, elapsed)
    since = found.day_from if queue.day is None else queue.day.counted_from
    return QueueDayView(
        site=floor.state.site,
        queue=queue.queue,
        label=floor.config.queue(queue.queue).label or queue.queue,
        day=found.day,
        time_zone=floor.config.time_zone,
        now=at,
        service_level=_service_level(floor, queue, total),
        total=_stretch(Stretch(found.day_began, at, total, since), running=True),
        running=_stretch(Stretch(found.interval_began, at, running, found.counted_from), running=True),
        intervals=tuple(_stretch(one, running=False) for one in (queue.day.intervals if queue.day else ())),
    )


def _stretch(one: Stretch, *, running: bool) -> StretchView:
    tally = one.tally
    return StretchView(
        started_at=one.started,
        ended_at=None if running else one.ended,
        counted_from=one.counted_from or one.started,
        offered=tally.offered,
        answered=tally.answered,
        abandoned=tally.abandoned,
        short_abandoned=tally.abandoned_short,
        other_ended=tally.other_ended,
        asa_s=metrics.asa_s(tally),
        longest_waited_s=tally.longest_waited_s,
        handled=tally.handled,
        aht_s=metrics.aht_s(tally),
        talk_s=metrics.talk_s(tally),
        hold_s=metrics.hold_s(tally),
        wrap_s=metrics.wrap_s(tally),
        handling_s=metrics.rounded(tally.handling_s),
        ready_s=metrics.rounded(tally.ready_s),
        occupancy=metrics.occupancy(tally.handling_s, tally.ready_s),
        abandonment_rate=metrics.abandonment_rate(tally),
        transfer_rate=metrics.transfer_rate(tally),
        service_levels=metrics.service_levels(tally),
    )


def site(floor: Floor) -> SiteFiguresView:
    """The site's totals."""
    state = floor.state
    asked = figures.AskedSite(floor, state.now or datetime.min)
    return SiteFiguresView(
        site=state.site,
        day=state.periods.day if state.periods else "",
        now=state.now,
        waiting=asked.waiting,
        calls=len(state.calls),
        agents=asked.staff,
        staffed=asked.staffed,
        offered=asked.totals.offered,
        answered=asked.totals.answered,
        abandoned=asked.totals.abandoned,
        occupancy=asked.occupancy,
    )
