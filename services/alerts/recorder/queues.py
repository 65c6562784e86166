"""Queues over a period: sums of their intervals, added up by the database, and the ratios of these sums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from sqlalchemy import Integer, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.periodic.period import Kind, Period, midnight
from services.alerts.recorder.figures import QueueFigures, ServiceLevel, Step, Stretch
from services.alerts.recorder.tables import QueueIntervalRow
from shared.servicelevels import Counts, service_levels, share
from shared.siteconfig import SiteConfig

STEPS: Final[Mapping[Kind, Step]] = {
    "daily": "interval",
    "weekly": "day",
    "monthly": "day",
    "quarterly": "week",
    "yearly": "month",
}
_SECOND: Final = 1_000_000


class Sums(Struct):
    """Sums over intervals of queues that are counted by one pair of thresholds; microseconds."""

    intervals: int = 0
    partial: int = 0
    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    other_ended: int = 0
    answered_within: int = 0
    abandoned_within: int = 0
    handled: int = 0
    transfers: int = 0
    wait_answered_us: int = 0
    wait_abandoned_us: int = 0
    talk_us: int = 0
    hold_us: int = 0
    wrap_us: int = 0
    handling_us: int = 0
    ready_us: int = 0
    longest_waited_us: int | None = None

    def add(self, other: Sums) -> None:
        """Make this the sums of both."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.longest_waited_us is not None:
            self.longest_waited_us = max(self.longest_waited_us or 0, other.longest_waited_us)


_ADDED: Final = tuple(name for name in Sums.__struct_fields__ if name != "longest_waited_us")

Thresholds = tuple[int, int]  # T and T_s in microseconds
ByThresholds = dict[Thresholds, Sums]


class _Found(Struct, frozen=True):
    """What the database added up: of one queue by one pair of thresholds."""

    queue: str
    thresholds: Thresholds
    place: Any  # what the sums are grouped by, beside these
    sums: Sums


async def figures(
    session: AsyncSession, site: str, config: SiteConfig, period: Period
) -> tuple[QueueFigures, tuple[QueueFigures, ...]]:
    """All queues together, and each, by name."""
    steps: dict[str, dict[tuple[datetime, datetime], ByThresholds]] = {}
    if STEPS[period.kind] == "interval":
        for one in await _sums(session, site, period.start, period.end, col(QueueIntervalRow.started_at)):
            ends = min(one.place + timedelta(minutes=15), period.end)
            _add(steps, one, (one.place, ends))
    else:
        for span in spans(period):
            for one in await _sums(session, site, *span, None):
                _add(steps, one, span)
    hours: dict[str, dict[int, ByThresholds]] = {}
    for one in await _sums(session, site, period.start, period.end, col(QueueIntervalRow.hour)):
        _add(hours, one, one.place)
    make = _Maker(config, period)
    queues = tuple(make.queue(name, steps[name], hours.get(name, {})) for name in sorted(steps))
    return make.all(steps, hours), queues


def _add(found: dict[str, dict[Any, ByThresholds]], one: _Found, place: Any) -> None:
    by = found.setdefault(one.queue, {}).setdefault(place, {})
    by.setdefault(one.thresholds, Sums()).add(one.sums)


async def _sums(session: AsyncSession, site: str, start: datetime, end: datetime, place: Any) -> list[_Found]:
    row = QueueIntervalRow
    by = [col(row.queue), col(row.within_us), col(row.short_abandon_us), *([] if place is None else [place])]
    sums = [func.sum(getattr(row, name)) for name in _ADDED[2:]]
    counts = [func.count(), func.sum(cast(col(row.partial), Integer))]
    statement = (
        select(*by, *counts, *sums, func.max(col(row.longest_waited_us)))
        .where(col(row.site) == site, col(row.started_at) >= start, col(row.started_at) < end)
        .group_by(*by)
        .order_by(*by)
    )
    found = []
    for queue, within, short, *more in await session.execute(statement):
        at = None if place is None else more.pop(0)
        longest = more.pop()
        added = Sums(**dict(zip(_ADDED, map(int, more), strict=True)))
        added.longest_waited_us = None if longest is None else int(longest)
        found.append(_Found(queue, (within, short), at, added))
    return found


def spans(period: Period) -> Iterator[tuple[datetime, datetime]]:
    """The steps of a period that is longer than a day: its days, weeks (those at its edges cut) or months."""
    step, first, after = STEPS[period.kind], period.first, period.next_first
    while first < after:
        ends = min(_next(step, first), after)
        yield midnight(first, period.time_zone), midnight(ends, period.time_zone)
        first = ends


def _next(step: Step, day: date) -> date:
    if step == "week":
        return day + timedelta(days=7 - day.weekday())
    if step == "month":
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day + timedelta(days=1)


class _Maker(Struct, frozen=True):
    """Makes figures of sums."""

    config: SiteConfig
    period: Period

    def queue(
        self, name: str, steps: Mapping[tuple[datetime, datetime], ByThresholds], hours: Mapping[int, ByThresholds]
    ) -> QueueFigures:
        label = self.config.queue(name).label or name
        total = {name: _total(steps.values())}
        return QueueFigures(
            queue=name,
            label=label,
            total=self.stretch(total, self.period.start, self.period.end),
            steps=tuple(self.stretch({name: by}, *span) for span, by in sorted(steps.items())),
            hours=tuple(self._hour(hour, {name: by}) for hour, by in sorted(hours.items())),
        )

    def all(
        self,
        steps: Mapping[str, Mapping[tuple[datetime, datetime], ByThresholds]],
        hours: Mapping[str, Mapping[int, ByThresholds]],
    ) -> QueueFigures:
        spans = sorted({span for one in steps.values() for span in one})
        each = sorted({hour for one in hours.values() for hour in one})
        total = {name: _total(one.values()) for name, one in steps.items()}
        return QueueFigures(
            queue="",
            label="",
            total=self.stretch(total, self.period.start, self.period.end),
            steps=tuple(
                self.stretch({name: one[span] for name, one in steps.items() if span in one}, *span) for span in spans
            ),
            hours=tuple(
                self._hour(hour, {name: one[hour] for name, one in hours.items() if hour in one}) for hour in each
            ),
        )

    def _hour(self, hour: int, by_queue: Mapping[str, ByThresholds]) -> Stretch:
        zone = ZoneInfo(self.period.time_zone)
        start = datetime.combine(self.period.first, time(hour), zone).astimezone(UTC)
        return self.stretch(by_queue, start, start + timedelta(hours=1))

    def stretch(self, by_queue: Mapping[str, ByThresholds], start: datetime, end: datetime) -> Stretch:
        """The figures of these queues together; `by_queue`: of each its sums."""
        sums = Sums()
        for by in by_queue.values():
            for one in by.values():
                sums.add(one)
        of_one = len(by_queue) == 1
        return Stretch(
            started_at=start,
            ended_at=end,
            intervals=sums.intervals,
            partial=sums.partial,
            offered=sums.offered,
            answered=sums.answered,
            abandoned=sums.abandoned,
            short_abandoned=sums.short_abandoned,
            other_ended=sums.other_ended,
            handled=sums.handled,
            transfers=sums.transfers,
            wait_answered_s=sums.wait_answered_us / _SECOND,
            wait_abandoned_s=sums.wait_abandoned_us / _SECOND,
            longest_waited_s=None if sums.longest_waited_us is None else sums.longest_waited_us / _SECOND,
            talk_s=sums.talk_us / _SECOND,
            hold_s=sums.hold_us / _SECOND,
            wrap_s=sums.wrap_us / _SECOND,
            handling_s=sums.handling_us / _SECOND,
            ready_s=sums.ready_us / _SECOND,
            asa_s=share(sums.wait_answered_us / _SECOND, sums.answered),
            aht_s=share((sums.talk_us + sums.hold_us + sums.wrap_us) / _SECOND, sums.handled),
            abandonment_rate=share(sums.abandoned, sums.answered + sums.abandoned),
            transfer_rate=share(sums.transfers, sums.handled),
            occupancy=share(sums.handling_us, sums.handling_us + sums.ready_us) if of_one else None,
            service_levels=self._service_levels(by_queue),
        )

    def _service_levels(self, by_queue: Mapping[str, ByThresholds]) -> tuple[ServiceLevel, ...]:
        """One for each formula and pair of thresholds: counts by two of them do not add up."""
        found: dict[tuple[str, int, int], Sums] = {}
        targets: dict[tuple[str, int, int], set[float]] = {}
        for name, by in by_queue.items():
            target = self.config.queue(name).service_level
            for (within, short), sums in by.items():
                key = (target.formula, within, short)
                found.setdefault(key, Sums()).add(sums)
                targets.setdefault(key, set()).add(target.target)
        levels = [_level(key, sums, targets[key]) for key, sums in found.items()]
        return tuple(sorted(levels, key=lambda one: (-one.answered - one.abandoned, one.formula, one.within_s)))


def _level(key: tuple[str, int, int], sums: Sums, targets: set[float]) -> ServiceLevel:
    formula, within, short = key
    by_formula = service_levels(
        Counts(sums.answered, sums.answered_within, sums.abandoned, sums.abandoned_within, sums.short_abandoned)
    )
    return ServiceLevel(
        formula=formula,  # type: ignore[arg-type]  # of the sites file, which was checked
        within_s=within / _SECOND,
        short_abandon_s=short / _SECOND,
        target=next(iter(targets)) if len(targets) == 1 else None,
        value=by_formula[formula],
        by_formula=by_formula,
        answered=sums.answered,
        abandoned=sums.abandoned,
    )


def _total(each: Iterable[ByThresholds]) -> ByThresholds:
    found: ByThresholds = {}
    for by in each:
        for thresholds, sums in by.items():
            if thresholds in found:
                found[thresholds].add(sums)
            else:
                found[thresholds] = msgspec.structs.replace(sums)
    return found
