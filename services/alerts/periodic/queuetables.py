"""Queues of a period: totals with their change, the course of the period, every interval for the files of data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from services.alerts.cleaning import NAME, clean
from services.alerts.periodic.comparing import difference, relative
from services.alerts.periodic.document import Chart, Column, Section, Strip, Table, Value
from services.alerts.periodic.material import Desk
from services.alerts.periodic.period import midnight
from services.alerts.recorder.figures import QueueFigures, Step, Stretch

STEP_OF_DAY = timedelta(minutes=15)
MOST_CELLS = 400  # of one strip


def section(desk: Desk) -> Section:
    write, now = desk.write, desk.now
    if not now.queues:
        return Section("queues", write("queues.title"), (write("queues.none"),))
    steps = steps_table(desk)
    shown = (hours_table(desk),) if now.step == "interval" else ()
    return Section(
        "queues",
        write("queues.title"),
        (),
        tuple(charts(desk)),
        (queues_table(desk), *shown, steps, intervals_table(desk), levels_table(desk)),
    )


def _columns(desk: Desk) -> tuple[Column, ...]:
    """Of sums over a stretch of time."""
    w = desk.write
    return (
        Column("offered", w("offered"), "count"),
        Column("answered", w("answered"), "count"),
        Column("abandoned", w("abandoned"), "count"),
        Column("short_abandoned", w("short_abandoned"), "count", paper=False),
        Column("other_ended", w("other_ended"), "count", paper=False),
        Column("abandonment_rate", w("abandonment_rate"), "share"),
        Column("service_level", w("level"), "share"),
        Column("asa_s", w("asa"), "duration"),
        Column("aht_s", w("aht"), "duration"),
        Column("longest_waited_s", w("longest"), "duration"),
        Column("handled", w("handled"), "count", paper=False),
        Column("transfers", w("transfers"), "count", paper=False),
        Column("transfer_rate", w("transfer_rate"), "share", paper=False),
        Column("occupancy", w("occupancy"), "share", paper=False),
        Column("talk_s", w("talk"), "duration", paper=False),
        Column("hold_s", w("hold"), "duration", paper=False),
        Column("wrap_s", w("wrap"), "duration", paper=False),
        Column("wait_answered_s", w("wait_answered"), "duration", paper=False),
        Column("wait_abandoned_s", w("wait_abandoned"), "duration", paper=False),
        Column("handling_s", w("handling"), "duration", paper=False),
        Column("ready_s", w("ready"), "duration", paper=False),
        Column("intervals", w("intervals"), "count", paper=False),
        Column("partial", w("partial"), "count", paper=False),
    )


def _values(one: Stretch) -> tuple[Value, ...]:
    level = one.service_level
    return (
        *(one.offered, one.answered, one.abandoned, one.short_abandoned, one.other_ended, one.abandonment_rate),
        level.value if level else None,
        *(one.asa_s, one.aht_s, one.longest_waited_s, one.handled, one.transfers, one.transfer_rate, one.occupancy),
        *(one.talk_s, one.hold_s, one.wrap_s, one.wait_answered_s, one.wait_abandoned_s, one.handling_s, one.ready_s),
        *(one.intervals, one.partial),
    )


def queues_table(desk: Desk) -> Table:
    """A row for each queue, its strip beside it."""
    w = desk.write
    sums = _columns(desk)
    columns = (
        Column("queue", w("queue"), "text"),
        Column("queue_id", w("queue.id"), "text", paper=False),
        sums[0],
        Column("offered_change", w("offered.change"), "relative"),
        *sums[1:6],
        Column("abandonment_change", w("abandonment.change"), "points", "less", paper=False),
        sums[6],
        Column("level_change", w("level.change"), "points", "more"),
        Column("target", w("target"), "share", paper=False),
        Column("formula", w("formula"), "word", paper=False),
        sums[7],
        Column("asa_change", w("asa.change"), "duration", "less", paper=False),
        *sums[8:],
    )
    was = {one.queue: one.total for one in desk.was.queues} if desk.was else {}
    rows = tuple(_queue_row(one, was.get(one.queue)) for one in desk.now.queues)
    total = _queue_row(desk.now.total, desk.was.total.total if desk.was else None, w("all"))
    return Table("queues", w("queues.table"), columns, rows, total, strip(desk), strip_note(desk))


def _queue_row(one: QueueFigures, was: Stretch | None, name: str = "") -> tuple[Value, ...]:
    found, level = _values(one.total), one.total.service_level
    level_was = was.service_level if was else None
    same = level and level_was and level.formula == level_was.formula and level.within_s == level_was.within_s
    return (
        name or one.label or one.queue,
        one.queue,
        found[0],
        relative(one.total.offered, was.offered if was else None),
        *found[1:6],
        difference(one.total.abandonment_rate, was.abandonment_rate if was else None),
        found[6],
        difference(level.value, level_was.value) if level and level_was and same else None,
        level.target if level else None,
        level.formula if level else None,
        found[7],
        difference(one.total.asa_s, was.asa_s if was else None),
        *found[8:],
    )


# ---------------------------------------------------------------- the course of the period


def places(desk: Desk) -> list[datetime]:
    """Where each step of the period begins, as far as it is over, also those of which nothing is recorded."""
    now, zone = desk.now, desk.now.time_zone
    until = min(now.end, max(now.as_of, now.coverage.last or now.as_of))  # a floor may run ahead of our clock
    if now.step == "interval":
        count = -(-(until - now.start) // STEP_OF_DAY)
        return [now.start + STEP_OF_DAY * n for n in range(max(0, min(count, MOST_CELLS)))]
    days = [now.first + timedelta(days=n) for n in range((now.last - now.first).days + 1)]
    found = {midnight(day, zone) for day in days if day == now.first or _begins(now.step, day)}
    return sorted({*(moment for moment in found if moment < until), *(step.started_at for step in now.total.steps)})


def _begins(step: Step, day: date) -> bool:
    """Whether a step begins with this day."""
    return step == "day" or (step == "week" and day.weekday() == 0) or (step == "month" and day.day == 1)


def strip(desk: Desk) -> Strip:
    """Calls offered to each queue, step by step."""
    w, at = desk.write, places(desk)
    values = [_course(one, at) for one in (*desk.now.queues, desk.now.total)]
    single = [value for course in values[:-1] for value in course if value is not None]
    names = tuple(step_name(desk, moment) for moment in at)
    alts = []
    for one, course in zip((*desk.now.queues, desk.now.total), values, strict=True):
        most = max((value for value in course if value is not None), default=0)
        shown = clean(one.label or one.queue, NAME) or w("all")
        if most:
            alts.append(w("queues.strip.alt", queue=shown, most=f"{most:g}", at=names[course.index(most)]))
        else:
            alts.append(w("queues.strip.alt.none", queue=shown))
    top = max(single, default=0) or 1.0
    all_top = max((value for value in values[-1] if value is not None), default=0) or 1.0
    values[-1] = tuple(None if value is None else value * top / all_top for value in values[-1])
    label = w("queues.strip", step=w(f"step.{desk.now.step}"))
    return Strip("heat", label, names, (), tuple(values), top, tuple(alts), "count", ticks(desk, at))


def strip_note(desk: Desk) -> str:
    w = desk.write
    most = max((step.offered for one in desk.now.queues for step in one.steps), default=0)
    return w("queues.strip.note", top=most, step=w(f"one.{desk.now.step}"), before=w(f"before.{desk.now.kind}"))


def ticks(desk: Desk, at: Sequence[datetime]) -> tuple[tuple[float, str], ...]:
    """Hours, or the first and the last step."""
    if not at:
        return ()
    if desk.now.step == "interval":
        local = [(place, moment.astimezone(desk.write.zone)) for place, moment in enumerate(at)]
        return tuple((place / len(at), str(t.hour)) for place, t in local if t.minute == 0 and t.hour % 6 == 0)
    return ((0.0, step_name(desk, at[0])), (1.0, step_name(desk, at[-1])))


def _course(one: QueueFigures, at: Sequence[datetime]) -> tuple[float | None, ...]:
    known = {step.started_at: float(step.offered) for step in one.steps}
    return tuple(known.get(moment) for moment in at)


def step_name(desk: Desk, moment: datetime) -> str:
    """`09:15`, `11-22`, `2026-W48`, `2026-11`."""
    local = moment.astimezone(desk.write.zone)
    match desk.now.step:
        case "interval":
            return local.strftime("%H:%M")
        case "day":
            return local.strftime("%m-%d")
        case "week":
            year, week, _ = local.isocalendar()
            return f"{year:04}-W{week:02}"
        case _:
            return local.strftime("%Y-%m")


def charts(desk: Desk) -> list[Chart]:
    """How many calls, and the service level, over the period."""
    w, total = desk.write, desk.now.total
    if not any(step.offered for step in total.steps):
        return []
    most = max(total.steps, key=lambda step: step.offered)
    step = w(f"step.{desk.now.step}").strip()
    found = [
        Chart(
            "stacked",
            w("queues.chart.calls", step=step),
            w(
                "queues.alt.calls",
                step=step,
                total=f"{total.total.offered:,}",
                most=most.offered,
                at=step_name(desk, most.started_at),
            ),
            "steps",
            "step",
            ("answered", "abandoned", "other_ended"),
            ("talk", "critical", "offline"),
        )
    ]
    levels = [(level.value, s) for s in total.steps if (level := s.service_level) and level.value is not None]
    head = total.total.service_level
    if head is not None and levels:
        low, high = min(levels, key=lambda one: one[0]), max(levels, key=lambda one: one[0])
        target = w.value(head.target, "share")
        alt = w(
            "queues.alt.level",
            step=step,
            formula=head.formula,
            low=w.value(low[0], "share"),
            low_at=step_name(desk, low[1].started_at),
            high=w.value(high[0], "share"),
            high_at=step_name(desk, high[1].started_at),
            target=target,
        )
        limit = None if head.target is None else (head.target, f"{w('target')} {target}")
        title = w("queues.chart.level", step=step)
        found.append(Chart("line", title, alt, "steps", "step", ("service_level",), ("accent",), limit))
    return found


def steps_table(desk: Desk) -> Table:
    """All queues, a row for each step of the period; a step without a record has no figures."""
    w = desk.write
    columns = (
        Column("step", w(f"step.{desk.now.step}").strip(), "word"),
        Column("from", w("from"), "at", paper=False),
        Column("until", w("until"), "at", paper=False),
        *_columns(desk),
    )
    known = {step.started_at: step for step in desk.now.total.steps}
    empty: tuple[Value, ...] = (None,) * (len(columns) - 3)
    rows = []
    for moment in places(desk):
        step = known.get(moment)
        rows.append(
            (step_name(desk, moment), moment, step.ended_at if step else None, *(_values(step) if step else empty))
        )
    total = (w("total"), None, None, *_values(desk.now.total.total))
    title = w("queues.steps", step=w(f"step.{desk.now.step}").strip())
    return Table("steps", title, columns, tuple(rows), total, paper=0 if desk.now.step == "interval" else None)


def hours_table(desk: Desk) -> Table:
    """All queues by hour of the day."""
    w = desk.write
    columns = (Column("hour", w("hour"), "word"), *_columns(desk))
    rows = tuple(
        (step.started_at.astimezone(desk.write.zone).strftime("%H:00"), *_values(step)) for step in desk.now.total.hours
    )
    return Table("hours", w("queues.hours"), columns, rows, (w("total"), *_values(desk.now.total.total)))


def intervals_table(desk: Desk) -> Table:
    """Each queue and step: for the files of data."""
    w = desk.write
    columns = (
        Column("queue", w("queue"), "text"),
        Column("queue_id", w("queue.id"), "text"),
        Column("from", w("from"), "at"),
        Column("until", w("until"), "at"),
        *_columns(desk),
    )
    rows = tuple(
        (one.label or one.queue, one.queue, step.started_at, step.ended_at, *_values(step))
        for one in desk.now.queues
        for step in one.steps
    )
    return Table(
        "intervals", w("queues.intervals", step=w(f"step.{desk.now.step}").strip()), columns, rows, None, paper=0
    )


def levels_table(desk: Desk) -> Table:
    """Every formula of every queue: for the files of data."""
    w, formulas = desk.write, ("F1", "F2", "F3", "F3s", "F4", "F5")
    columns = (
        Column("queue", w("queue"), "text"),
        Column("queue_id", w("queue.id"), "text"),
        Column("formula", w("formula"), "word"),
        Column("within_s", w("within"), "number"),
        Column("short_abandon_s", w("short_within"), "number"),
        Column("target", w("target"), "share"),
        *(Column(name, name, "share") for name in formulas),
    )
    rows = tuple(
        (
            *(one.label or one.queue or w("all"), one.queue, level.formula, level.within_s, level.short_abandon_s),
            *(level.target, *(level.by_formula.get(name) for name in formulas)),
        )
        for one in (*desk.now.queues, desk.now.total)
        for level in one.total.service_levels
    )
    return Table("service_levels", w("queues.levels"), columns, rows, paper=0)
