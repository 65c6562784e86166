"""Puts a report together: head, notices, summary, sections. Everything in it comes from figures; nothing is phrased by hand."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from services.alerts.cleaning import NAME, clean
from services.alerts.periodic import agenttables, incidenttables, queuetables, summary, transfertables
from services.alerts.periodic.cleaning import clean_section
from services.alerts.periodic.comparing import Comparison
from services.alerts.periodic.document import Column, Document, Section, Table, Value
from services.alerts.periodic.material import Desk, Material
from services.alerts.periodic.period import Language, containing
from services.alerts.periodic.writing import Writer
from services.alerts.recorder.figures import PeriodFigures

SETTLED = timedelta(minutes=5)  # after a period's end the last records have come, late ones included
NEARLY_ALL = 0.995  # of a period: less is said to be incomplete


def build(material: Material, language: Language) -> Document:
    """The report in one language."""
    now = material.figures
    write = Writer(language, ZoneInfo(now.time_zone))
    before = material.before
    there = before is not None and now.over and before.origin != "none"
    desk = Desk(now, before if there else None, write, Comparison(write, now.kind, there), material.followups)
    period = containing(now.kind, now.first, now.time_zone)
    return Document(
        language=language,
        kind=now.kind,
        key=period.key,
        title=write(f"title.{now.kind}"),
        site=clean(now.site),
        site_label=clean(now.label or now.site, NAME),
        period=period.label(language),
        first=now.first,
        last=now.last,
        zone=now.time_zone,
        written=now.as_of,
        complete=now.coverage.share,
        simulated=now.origin in ("simulated", "replay", "mixed"),
        notices=tuple(notices(desk, before)),
        tiles=summary.tiles(desk),
        summary=summary.sentences(desk),
        sections=tuple(
            map(
                clean_section,
                (
                    queuetables.section(desk),
                    agenttables.section(desk),
                    transfertables.section(desk),
                    incidenttables.flags_section(desk),
                    incidenttables.incidents_section(desk),
                    about(desk, before),
                ),
            )
        ),
    )


def notices(desk: Desk, before: PeriodFigures | None) -> list[str]:
    """What a reader must know before the figures."""
    w, now, found = desk.write, desk.now, list[str]()
    if now.origin in ("simulated", "replay", "mixed"):
        found.append(w(f"notice.{now.origin}"))
    if desk.blank:
        return [*found, w("notice.nothing")]
    if not now.over:
        found.append(w("notice.running", at=w.at(now.as_of)))
    elif now.as_of < now.end + SETTLED:
        found.append(w("notice.early", after=w.lasted((now.as_of - now.end).total_seconds())))
    if now.coverage.share is not None and now.coverage.share < NEARLY_ALL:
        found.append(w("notice.incomplete", share=w.value(now.coverage.share, "share"), gaps=_gaps(desk)))
    if now.over:
        name = w(f"before.{now.kind}")
        if before is None or before.origin == "none":
            found.append(_first_upper(w("notice.before.nothing", before=name)))
        elif before.coverage.share is not None and before.coverage.share < 0.9 * (now.coverage.share or 1.0):
            share = w.value(before.coverage.share, "share")
            found.append(w("notice.before.incomplete", before=name, share=share))
    if len(now.total.total.service_levels) > 1:
        found.append(w("notice.levels"))
    return found


def _gaps(desk: Desk) -> str:
    w, coverage = desk.write, desk.now.coverage
    longest = max(((gap.ended_at - gap.started_at).total_seconds() for gap in coverage.gaps), default=0.0)
    key = "notice.gaps.one" if coverage.gap_count == 1 else "notice.gaps.many"
    return w(key, count=coverage.gap_count, longest=w.lasted(longest))


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def about(desk: Desk, before: PeriodFigures | None) -> Section:
    """What the report is of, where records are missing, and what its words mean."""
    w, now = desk.write, desk.now
    columns = (Column("name", w("about.name"), "word"), Column("value", w("about.value"), "text"))
    share = now.coverage.share
    recorded = w("head.coverage.none") if not share else w("head.coverage.of", share=w.value(share, "share"))
    compared = containing(now.kind, now.first, now.time_zone).before().label(w.language) if desk.was else w("no")
    rows: tuple[tuple[Value, ...], ...] = (
        (w("about.site"), now.site),
        (w("about.period"), containing(now.kind, now.first, now.time_zone).label(w.language)),
        (w("about.days"), f"{now.first.isoformat()} – {now.last.isoformat()}"),
        (w("about.zone"), now.time_zone),
        (w("about.as_of"), w.at(now.as_of)),
        (w("about.coverage"), recorded),
        (w("about.gap_count"), str(now.coverage.gap_count)),
        (w("about.origin"), w(f"origin.{now.origin}")),
        (w("about.compared"), compared),
    )
    tables = [Table("about", w("about.table"), columns, rows)]
    if now.coverage.gaps:
        tables.append(_gaps_table(desk))
    return Section("about", w("about.title"), (w("about.words"),), (), tuple(tables))


def _gaps_table(desk: Desk) -> Table:
    w = desk.write
    columns = (
        Column("from", w("gap.from"), "at"),
        Column("until", w("gap.until"), "at"),
        Column("lasted_s", w("gap.lasted"), "duration"),
    )
    rows = tuple(
        (gap.started_at, gap.ended_at, (gap.ended_at - gap.started_at).total_seconds())
        for gap in desk.now.coverage.gaps
    )
    return Table("gaps", w("about.gaps"), columns, rows, paper=10)
