"""Flags by rule, incidents with how soon they were taken and resolved, what is open and what is due."""

from __future__ import annotations

from services.alerts.periodic.comparing import relative
from services.alerts.periodic.document import Chart, Column, Section, Table, Value
from services.alerts.periodic.material import Desk, FollowUp
from services.alerts.recorder.figures import IncidentLine, SeverityFigures, Share


def flags_section(desk: Desk) -> Section:
    write, found = desk.write, desk.now.flags
    if not found.count:
        return Section("flags", write("flags.title"), (write("nothing.known" if desk.blank else "flags.none"),))
    most = found.rules[0]
    alt = write("flags.chart.alt", count=most.count, rule=write.named("rule", most.rule))
    chart = Chart("bars", write("flags.chart"), alt, "flags", "rule", ("count",), ("accent",))
    return Section("flags", write("flags.title"), (), (chart,), (flags_table(desk),))


def flags_table(desk: Desk) -> Table:
    w = desk.write
    columns = (
        Column("rule", w("rule"), "text"),
        Column("severity", w("severity"), "word"),
        Column("count", w("count"), "count"),
        Column("was", w("was"), "count"),
        Column("change", w("change"), "relative", "less"),
        Column("ended", w("ended"), "count", paper=False),
        Column("standing", w("standing"), "count"),
        Column("unheard", w("unheard"), "count", paper=False),
        Column("total_s", w("total_time"), "duration"),
        Column("longest_s", w("longest_flag"), "duration"),
        Column("agents", w("most_agents"), "text"),
        Column("queues", w("most_queues"), "text"),
    )
    was = {one.rule: one.count for one in desk.was.flags.rules} if desk.was else {}
    rows = tuple(
        (
            *(w.named("rule", one.rule), w.named("severity", one.severity), one.count),
            was.get(one.rule, 0) if desk.was else None,
            relative(one.count, was.get(one.rule)) if desk.was else None,
            *(one.ended, one.standing, one.unheard, one.total_s, one.longest_s),
            *(_most(one.by_agent), _most(one.by_queue)),
        )
        for one in desk.now.flags.rules
    )
    total: tuple[Value, ...] = (
        *(w("total"), None, desk.now.flags.count, desk.was.flags.count if desk.was else None),
        relative(desk.now.flags.count, desk.was.flags.count) if desk.was else None,
        *(sum(one.ended for one in desk.now.flags.rules), sum(one.standing for one in desk.now.flags.rules)),
        sum(one.unheard for one in desk.now.flags.rules),
        *(sum(one.total_s for one in desk.now.flags.rules), None, None, None),
    )
    return Table("flags", w("flags.table"), columns, rows, total)


def _most(shares: tuple[Share, ...]) -> str:
    return ", ".join(f"{one.label or one.key} ({one.count})" for one in shares[:3] if one.key)


def incidents_section(desk: Desk) -> Section:
    write, found = desk.write, desk.now.incidents
    total = found.total
    if not (total.opened or total.open or total.resolved or desk.followups):
        return Section("incidents", write("incidents.title"), (write("incidents.none"),))
    sentences = [write("incidents.quiet", n=total.resolved_quiet)] if total.resolved_quiet else []
    tables = [severity_table(desk)]
    if found.by_rule:
        tables.append(rules_table(desk))
    if found.still_open:
        tables.append(open_table(desk))
    if found.longest:
        tables.append(longest_table(desk))
    if desk.followups:
        tables.append(followups_table(desk))
    else:
        sentences.append(write("incidents.followups.none"))
    return Section("incidents", write("incidents.title"), tuple(sentences), (), tuple(tables))


def severity_table(desk: Desk) -> Table:
    w, found = desk.write, desk.now.incidents
    columns = (
        Column("severity", w("severity"), "word"),
        Column("opened", w("opened"), "count"),
        Column("was", w("was"), "count"),
        Column("reopened", w("reopened"), "count", paper=False),
        Column("acknowledged", w("acknowledged"), "count"),
        Column("resolved", w("resolved"), "count"),
        Column("resolved_quiet", w("resolved_quiet"), "count", paper=False),
        Column("open", w("open"), "count"),
        Column("not_taken", w("not_taken"), "count"),
        *(Column(f"ack_{part}_s", w(f"ack.{part}"), "duration", paper=part != "max") for part in ("p50", "p90", "max")),
        *(Column(f"res_{part}_s", w(f"res.{part}"), "duration", paper=part != "max") for part in ("p50", "p90", "max")),
    )
    was = {one.severity: one.opened for one in desk.was.incidents.by_severity} if desk.was else {}
    rows = tuple(_severity_row(desk, one, was.get(one.severity, 0) if desk.was else None) for one in found.by_severity)
    total = _severity_row(desk, found.total, desk.was.incidents.total.opened if desk.was else None)
    return Table("incidents", w("incidents.table"), columns, rows, total)


def _severity_row(desk: Desk, one: SeverityFigures, was: int | None) -> tuple[Value, ...]:
    ack, res = one.to_acknowledge, one.to_resolve
    return (
        *(desk.write(f"severity.{one.severity}"), one.opened, was, one.reopened, one.acknowledged, one.resolved),
        *(
            one.resolved_quiet,
            one.open,
            one.not_taken,
            ack.p50_s,
            ack.p90_s,
            ack.max_s,
            res.p50_s,
            res.p90_s,
            res.max_s,
        ),
    )


def rules_table(desk: Desk) -> Table:
    w = desk.write
    columns = (
        Column("rule", w("rule"), "text"),
        Column("count", w("opened"), "count"),
        Column("total_s", w("total_time"), "duration"),
    )
    rows = tuple((w.named("rule", one.key), one.count, one.total_s or None) for one in desk.now.incidents.by_rule)
    return Table("incident_rules", w("incidents.rules"), columns, rows, paper=10)


def open_table(desk: Desk) -> Table:
    """What is not resolved: whose it is, and what comes next."""
    w = desk.write
    steps = {one.number: one for one in reversed(desk.followups)}
    columns = (
        Column("number", w("number"), "count"),
        Column("severity", w("severity"), "word"),
        Column("incident", w("incident"), "text"),
        Column("state", w("state"), "word", paper=False),
        Column("opened_at", w("opened_at"), "at"),
        Column("open_s", w("open_for"), "duration"),
        Column("owner", w("owner"), "text"),
        Column("next", w("next"), "text"),
    )
    rows = tuple(
        (
            *(one.number, w(f"severity.{one.severity}"), summary_of(desk, one), w.named("istate", one.state)),
            *(one.opened_at, one.lasted_s, one.owner or w("nobody"), _next(desk, one, steps.get(one.number))),
        )
        for one in desk.now.incidents.still_open
    )
    return Table("incidents_open", w("incidents.open"), columns, rows, paper=20)


def _next(desk: Desk, one: IncidentLine, step: FollowUp | None) -> str:
    w = desk.write
    if step is not None and step.kind == "action":
        return w("next.action" if step.due_on else "next.action.undated", text=step.text, due=step.due_on)
    if not one.owner:
        return w("next.take")
    return w("next.recheck", due=step.due_on) if step is not None else w("next.resolve")


def longest_table(desk: Desk) -> Table:
    w = desk.write
    columns = (
        Column("number", w("number"), "count"),
        Column("severity", w("severity"), "word"),
        Column("incident", w("incident"), "text"),
        Column("opened_at", w("opened_at"), "at"),
        Column("resolved_at", w("resolved_at"), "at"),
        Column("lasted_s", w("lasted"), "duration"),
        Column("owner", w("owner"), "text"),
    )
    rows = tuple(
        (
            *(one.number, w(f"severity.{one.severity}"), summary_of(desk, one), one.opened_at, one.resolved_at),
            *(one.lasted_s, one.owner or w("nobody")),
        )
        for one in desk.now.incidents.longest
    )
    return Table("incidents_longest", w("incidents.longest"), columns, rows, paper=5)


def followups_table(desk: Desk) -> Table:
    w = desk.write
    columns = (
        Column("due", w("due"), "day"),
        Column("overdue", w("overdue"), "word"),
        Column("kind", w("followup"), "word"),
        Column("text", w("text"), "text"),
        Column("owner", w("owner"), "text"),
        Column("number", w("number"), "count"),
        Column("about", w("about"), "text"),
    )
    zh = w.language == "zh"
    rows = tuple(
        (
            *(one.due_on, w("yes") if one.overdue else w("no"), w(f"followup.{one.kind}"), one.text),
            *(one.owner or w("nobody"), one.number, (one.about_zh if zh else "") or one.about_en),
        )
        for one in desk.followups
    )
    return Table("followups", w("incidents.followups"), columns, rows, paper=30)


def summary_of(desk: Desk, one: IncidentLine) -> str:
    return (one.summary_zh if desk.write.language == "zh" else "") or one.summary_en or one.rule
