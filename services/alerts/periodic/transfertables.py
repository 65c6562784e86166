"""Transfers of a period: their legs, how many were too slow, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.alerts.cleaning import NAME, clean
from services.alerts.periodic.document import Chart, Column, Section, Table
from services.alerts.periodic.material import Desk
from services.alerts.recorder.figures import Cause, TransferFigures

LEGS = ("seek", "ring", "brief", "customer_gap", "total")


def section(desk: Desk) -> Section:
    write, found = desk.write, desk.now.transfers
    if not found.count:
        return Section(
            "transfers", write("transfers.title"), (write("nothing.known" if desk.blank else "transfers.none"),)
        )
    sentences = [write("transfers.told")]
    if found.cannot_tell:
        share = write.value(found.cannot_tell_share, "share")
        sentences.append(write("transfers.cannot", n=found.cannot_tell, share=share))
    targets = causes_table(
        desk, "targets", found.by_target, ("kind", "target_of", "queue_id", "to"), _target, ("queue_id", "to")
    )
    tables = [
        outcomes_table(desk, found),
        legs_table(desk, found),
        targets,
        causes_table(
            desk,
            "reasons",
            [one for one in found.by_reason if one.key[0] != "completed"],
            ("outcome", "reason"),
            _reason,
        ),
        causes_table(desk, "agents", found.by_agent, ("by",), _plain),
        causes_table(desk, "pairs", found.by_pair, ("by", "taken"), _plain),
        causes_table(desk, "queues", found.by_queue, ("queue",), _plain),
    ]
    return Section(
        "transfers",
        write("transfers.title"),
        tuple(sentences),
        tuple(_chart(desk, targets)) if found.by_target else (),
        tuple(table for table in tables if table.rows),
    )


def outcomes_table(desk: Desk, found: TransferFigures) -> Table:
    w, before = desk.write, desk.was.transfers if desk.was else None
    columns = (
        Column("outcome", w("outcome"), "word"),
        Column("count", w("count"), "count"),
        Column("share", w("share"), "share"),
        Column("was", w("was"), "count"),
    )
    names = [name for name in ("completed", "failed", "cancelled", "abandoned", "running") if found.outcomes.get(name)]
    rows = tuple(
        (
            *(w.named("outcome", name), found.outcomes[name], found.outcomes[name] / found.count),
            before.outcomes.get(name, 0) if before else None,
        )
        for name in names
    )
    total = (w("total"), found.count, 1.0, before.count if before else None)
    return Table("transfer_outcomes", w("transfers.outcomes"), columns, rows, total)


def legs_table(desk: Desk, found: TransferFigures) -> Table:
    """How each leg is spread; totals by kind below."""
    w = desk.write
    columns = (
        Column("leg", w("leg"), "word"),
        Column("count", w("count"), "count"),
        *(Column(f"{name}_s", w(name), "seconds") for name in ("mean", "p50", "p90", "p95", "max")),
    )
    spreads = [(w(f"leg.{name}"), found.legs[name]) for name in LEGS if name in found.legs]
    spreads += [
        (w("part", a=w("leg.total"), b=w.named("kind", kind)), found.by_kind[kind]) for kind in sorted(found.by_kind)
    ]
    rows = tuple(
        (name, one.count, one.mean_s, one.p50_s, one.p90_s, one.p95_s, one.max_s) for name, one in spreads if one.count
    )
    return Table("transfer_legs", w("transfers.legs"), columns, rows)


_LABELS = {"queue_id": "queue.id"}
Named = Callable[[Desk, Cause], tuple[str, ...]]


def causes_table(
    desk: Desk,
    name: str,
    causes: Sequence[Cause],
    keys: tuple[str, ...],
    named: Named,
    beside: tuple[str, ...] = (),
) -> Table:
    """`beside`: keys that only data files have."""
    w = desk.write
    columns = (
        *(Column(key, w(_LABELS.get(key, key)), "text", paper=key not in beside) for key in keys),
        Column("count", w("count"), "count"),
        Column("slow", w("slow"), "count"),
        Column("cannot_tell", w("cannot_tell"), "count", paper=False),
        Column("not_completed", w("not_completed"), "count"),
        Column("in_time", w("in_time"), "count", paper=False),
        Column("mean_s", w("mean"), "seconds"),
        Column("max_s", w("max"), "seconds"),
    )
    rows = tuple(
        (
            *named(desk, one),
            *(one.count, one.slow, one.cannot_tell, one.not_completed),
            max(0, one.count - one.slow - one.cannot_tell - one.not_completed),
            *(one.mean_s, one.max_s),
        )
        for one in causes
    )
    return Table(f"transfer_{name}", w(f"transfers.{name}"), columns, rows, paper=6)


def _target(desk: Desk, one: Cause) -> tuple[str, ...]:
    queue, agent = _parts(one.label[1:], 2)
    where = [part for part in (queue, agent) if part]
    kind = desk.write.named("kind", one.key[0])
    return (kind, " · ".join(where) or kind, *_parts(one.key[1:], 2))


def _reason(desk: Desk, one: Cause) -> tuple[str, ...]:
    outcome, reason = _parts(one.key, 2)
    return (desk.write.named("outcome", outcome), desk.write.named("reason", reason))


def _plain(_desk: Desk, one: Cause) -> tuple[str, ...]:
    return tuple(label or key for label, key in zip(one.label, one.key, strict=True))


def _parts(found: tuple[str, ...], count: int) -> tuple[str, ...]:
    return (*found, *("",) * count)[:count]


def target_name(desk: Desk, one: Cause) -> str:
    """A target in one word or two."""
    kind, where, *_ = _target(desk, one)
    return where if where == kind else desk.write("paren", a=clean(where, NAME), b=kind)


def _chart(desk: Desk, targets: Table) -> list[Chart]:
    w, most = desk.write, desk.now.transfers.by_target[0]
    alt = w("transfers.chart.alt", count=most.count, slow=most.slow, who=target_name(desk, most))
    series = ("slow", "cannot_tell", "not_completed", "in_time")
    colours = ("critical", "muted", "hold", "ready")
    return [Chart("bars", w("transfers.chart"), alt, targets.id, "target_of", series, colours)]
