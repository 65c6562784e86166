"""The summary: sentences and tiles made of the figures, each with the number it rests on and what it was before."""

from __future__ import annotations

from collections.abc import Iterator

from services.alerts.cleaning import NAME, clean
from services.alerts.periodic.comparing import Better, difference, relative, tone
from services.alerts.periodic.document import Form, Sentence, Tile
from services.alerts.periodic.material import Desk
from services.alerts.periodic.transfertables import target_name
from services.alerts.recorder.figures import QueueFigures, ServiceLevel

NOT_WORTH_SAYING = 0.01  # of shares: a point more or less is neither good nor bad news
FEWEST_CALLS = 20  # of a queue whose service level is told: of few calls it says nothing


def sentences(desk: Desk) -> tuple[Sentence, ...]:
    if desk.blank and not desk.now.incidents.total.opened and not desk.now.flags.count:
        return (Sentence(desk.write("summary.nothing")),)
    parts = (_calls, _levels, _waits, _agents, _transfers, _flags, _incidents)
    return tuple(sentence for part in parts for sentence in part(desk))


def _calls(desk: Desk) -> Iterator[Sentence]:
    w, total = desk.write, desk.now.total.total
    was = desk.was.total.total if desk.was else None
    if not desk.now.queues:
        return
    if not total.offered and not total.answered:
        yield Sentence(w("summary.no_calls"))
        return
    change = desk.compare.count(total.offered, was.offered if was else None)
    other = w("summary.other", n=total.other_ended) if total.other_ended else ""
    key = "summary.offered.one" if total.offered == 1 else "summary.offered"
    counts = {"answered": f"{total.answered:,}", "abandoned": f"{total.abandoned:,}"}
    yield Sentence(w(key, n=f"{total.offered:,}", change=change, other=other, **counts))
    if total.abandonment_rate is not None:
        before = was.abandonment_rate if was else None
        moved = difference(total.abandonment_rate, before)
        said = w(
            "summary.abandonment",
            value=w.value(total.abandonment_rate, "share"),
            change=desk.compare.share(total.abandonment_rate, before),
        )
        yield Sentence(said, tone(moved, "less", NOT_WORTH_SAYING))


def _levels(desk: Desk) -> Iterator[Sentence]:
    w, level = desk.write, desk.now.total.total.service_level
    was = desk.was.total.total.service_level if desk.was else None
    if level is not None and level.value is not None:
        before = was.value if was is not None and _same(level, was) else None
        word, target = _against_target(desk, level)
        said = w(
            "summary.level",
            formula=level.formula,
            words=_level_words(desk, level),
            value=w.value(level.value, "share"),
            target=target,
            change=desk.compare.share(level.value, before),
        )
        yield Sentence(said, "bad" if word == "below" else "good" if word != "none" else "plain")
    yield from _worst(desk)


def _against_target(desk: Desk, level: ServiceLevel) -> tuple[str, str]:
    """above, at, below or none; and that in words."""
    w = desk.write
    if level.target is None or level.value is None:
        return "none", w("summary.level.none")
    over = level.value - level.target
    word = "at" if round(1000 * over) == 0 else "above" if over > 0 else "below"
    points = w.value(abs(over), "points").lstrip("+")
    return word, w(f"summary.level.{word}", points=points, target=w.value(level.target, "share"))


def _worst(desk: Desk) -> Iterator[Sentence]:
    """The queue that is furthest below its target, and the one that changed most."""
    w, below, moved = desk.write, list[tuple[float, QueueFigures]](), list[tuple[float, QueueFigures, float]]()
    was = {one.queue: one.total.service_level for one in desk.was.queues} if desk.was else {}
    for one in desk.now.queues:
        level = one.total.service_level
        if level is None or level.value is None or level.answered + level.abandoned < FEWEST_CALLS:
            continue
        if level.target is not None:
            below.append((level.value - level.target, one))
        old = was.get(one.queue)
        if old is not None and old.value is not None and _same(level, old) and old.answered >= FEWEST_CALLS:
            moved.append((level.value - old.value, one, old.value))
    if len(desk.now.queues) < 2:
        return
    if below and (lowest := min(below, key=lambda one: one[0]))[0] < -0.0005:
        level = lowest[1].total.service_level
        assert level is not None
        yield Sentence(
            w(
                "summary.worst",
                queue=_queue(lowest[1]),
                value=w.value(level.value, "share"),
                target=w.value(level.target, "share"),
                n=f"{lowest[1].total.offered:,}",
            ),
            "bad",
        )
    for key, found in (("summary.fell", min), ("summary.rose", max)):
        if moved:
            change, one, old_value = found(moved, key=lambda m: m[0])
            level = one.total.service_level
            if level is not None and (change < -0.02 if key.endswith("fell") else change > 0.02):
                said = w(key, queue=_queue(one), was=w.value(old_value, "share"), value=w.value(level.value, "share"))
                yield Sentence(said, "good" if change > 0 else "bad")


def _waits(desk: Desk) -> Iterator[Sentence]:
    w, total = desk.write, desk.now.total.total
    was = desk.was.total.total if desk.was else None
    if total.asa_s is not None:
        before = was.asa_s if was else None
        change = desk.compare.lasting(total.asa_s, before)
        key = "summary.wait" if total.longest_waited_s is not None else "summary.wait.no_longest"
        longest = w.lasted(total.longest_waited_s or 0.0)
        said = w(key, asa=w.lasted(total.asa_s), change=change, longest=longest)
        yield Sentence(said, tone(difference(total.asa_s, before), "less", 2.0))
    if total.aht_s is not None:
        change = desk.compare.lasting(total.aht_s, was.aht_s if was else None)
        yield Sentence(w("summary.handling", aht=w.lasted(total.aht_s), change=change))


def _agents(desk: Desk) -> Iterator[Sentence]:
    w, crew = desk.write, desk.now.crew
    if crew is None:
        return
    values = {"n": sum(1 for one in desk.now.agents if one.staffed_s > 0), "staffed": w.worked(crew.staffed_s)}
    if crew.occupancy is None:
        yield Sentence(w("summary.agents.plain", **values))
        return
    before = desk.was.crew.occupancy if desk.was and desk.was.crew else None
    change = desk.compare.share(crew.occupancy, before)
    yield Sentence(w("summary.agents", occupancy=w.value(crew.occupancy, "share"), change=change, **values))


def _transfers(desk: Desk) -> Iterator[Sentence]:
    w, found = desk.write, desk.now.transfers
    was = desk.was.transfers if desk.was else None
    if not found.count:
        if desk.now.queues:
            yield Sentence(w("summary.transfers.none"))
        return
    change = desk.compare.count(found.count, was.count if was else None)
    if found.judged:
        before = was.slow_share if was else None
        said = w(
            "summary.transfers",
            n=f"{found.count:,}",
            change=change,
            judged=f"{found.judged:,}",
            slow=f"{found.slow:,}",
            share=w.value(found.slow_share, "share"),
            slow_change=desk.compare.share(found.slow_share, before),
        )
        yield Sentence(said, tone(difference(found.slow_share, before), "less", NOT_WORTH_SAYING))
    else:
        yield Sentence(w("summary.transfers.plain", n=f"{found.count:,}", change=change))
    missed = sum(found.outcomes.get(name, 0) for name in ("failed", "cancelled", "abandoned"))
    if missed:
        yield Sentence(w("summary.transfers.failed", n=f"{missed:,}"))
    slowest = max(found.by_target, key=lambda one: one.slow, default=None)
    if slowest is not None and slowest.slow:
        who = target_name(desk, slowest)
        yield Sentence(w("summary.transfers.cause", who=who, slow=slowest.slow, count=slowest.count))


def _flags(desk: Desk) -> Iterator[Sentence]:
    w, found = desk.write, desk.now.flags
    was = desk.was.flags.count if desk.was else None
    if not found.count:
        yield Sentence(w("summary.flags.none"))
        return
    said = w(
        "summary.flags",
        n=f"{found.count:,}",
        change=desk.compare.count(found.count, was),
        critical=found.by_severity.get("critical", 0),
        rule=w.named("rule", found.rules[0].rule),
        count=found.rules[0].count,
    )
    yield Sentence(said, tone(relative(found.count, was), "less", 0.1))


def _incidents(desk: Desk) -> Iterator[Sentence]:
    w, total = desk.write, desk.now.incidents.total
    was = desk.was.incidents.total.opened if desk.was else None
    if total.opened or total.resolved:
        change = desk.compare.count(total.opened, was)
        yield Sentence(w("summary.incidents", n=total.opened, change=change, resolved=total.resolved))
    else:
        yield Sentence(w("summary.incidents.none"))
    ack = total.to_acknowledge
    if ack.p50_s is not None and ack.p90_s is not None:
        yield Sentence(w("summary.taken", p50=w.lasted(ack.p50_s), p90=w.lasted(ack.p90_s)))
    if total.open:
        yield Sentence(w("summary.open", n=total.open, nobody=total.not_taken), "bad" if total.not_taken else "plain")
    elif total.opened:
        yield Sentence(w("summary.open.all"), "good")
    if desk.followups:
        overdue = sum(1 for one in desk.followups if one.overdue)
        yield Sentence(w("summary.due", n=len(desk.followups), overdue=overdue), "bad" if overdue else "plain")


def _same(level: ServiceLevel, other: ServiceLevel) -> bool:
    names = ("formula", "within_s", "short_abandon_s")
    return all(getattr(level, name) == getattr(other, name) for name in names)


def _level_words(desk: Desk, level: ServiceLevel) -> str:
    w = desk.write
    key = "level.words.short" if level.formula == "F3s" else "level.words"
    return w(key, within=w.lasted(level.within_s), short=w.lasted(level.short_abandon_s))


def _queue(one: QueueFigures) -> str:
    return clean(one.label or one.queue, NAME)


# ---------------------------------------------------------------- tiles


def tiles(desk: Desk) -> tuple[Tile, ...]:
    """The figures at the head of the report."""
    now, was = desk.now, desk.was
    total, before = now.total.total, was.total.total if was else None
    level, level_was = total.service_level, before.service_level if before else None
    if level is None or level_was is None or not _same(level, level_was):
        level_was = None
    there = bool(now.queues)
    recorded = not desk.blank
    found = [
        _tile(desk, "offered", "count", total.offered if there else None, before.offered if before else None, ""),
        _tile(
            desk,
            "level",
            "share",
            level.value if level else None,
            level_was.value if level_was else None,
            "more",
            formula=level.formula if level else "",
        ),
        _tile(
            desk, "abandonment", "share", total.abandonment_rate, before.abandonment_rate if before else None, "less"
        ),
        _tile(desk, "asa", "duration", total.asa_s, before.asa_s if before else None, "less"),
        _tile(desk, "aht", "duration", total.aht_s, before.aht_s if before else None, ""),
        _tile(desk, "slow", "share", now.transfers.slow_share, was.transfers.slow_share if was else None, "less"),
        _tile(desk, "flags", "count", _known(now.flags.count, recorded), was.flags.count if was else None, "less"),
        _tile(
            desk,
            "incidents",
            "count",
            _known(now.incidents.total.opened, recorded),
            was.incidents.total.opened if was else None,
            "less",
        ),
    ]
    return tuple(found)


def _known(count: int, recorded: bool) -> int | None:
    """Nothing counted where nothing was recorded is not 0."""
    return count if count or recorded else None


def _tile(
    desk: Desk, key: str, form: Form, value: float | None, was: float | None, better: Better, **words: str
) -> Tile:
    w = desk.write
    label = w(f"tile.{key}", **words).strip()
    if value is None or was is None or not desk.compare.there:
        return Tile(key, label, form, value)
    if form == "share":
        change, moved = w.value(value - was, "points"), value - was
    elif form == "duration":
        moved = value - was
        change = ("+" if round(moved) > 0 else "") + w.value(moved, "duration")
    else:
        moved = relative(value, was) or 0.0
        change = w.value(relative(value, was), "relative") if was else ""
    shown = w.value(was, form)
    small = NOT_WORTH_SAYING if form == "share" else 2.0 if form == "duration" else 0.05
    if value == was:
        return Tile(key, label, form, value, w("tile.same", before=w(f"before.{desk.now.kind}")))
    text = (
        w("tile.change", change=change, value=shown)
        if change
        else w("tile.was", before=w(f"before.{desk.now.kind}"), value=shown)
    )
    return Tile(key, label, form, value, text, tone(moved, better, small))
