"""The report as one HTML file: fit to print on A4, with pictures in it and nothing to fetch."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup
from msgspec import Struct

from services.alerts.cleaning import clean
from services.alerts.periodic import charts, colours
from services.alerts.periodic.document import NUMERIC, Chart, Column, Document, Section, Strip, Table, Value
from services.alerts.periodic.writing import TEMPLATES, Writer
from services.alerts.svg import data_uri

STYLE: Final = (TEMPLATES / "report.css").read_text(encoding="utf-8")
# one file that can be saved and mailed: its style is inside it, allowed by its hash, its pictures are data
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
WIDE: Final = 10  # columns from which on a table is set smaller
NARROW: Final = 4  # columns up to which a table is only as wide as it must be
MARKS: Final = {"good": "▲ ", "bad": "▼ ", "plain": ""}
MOST_BARS: Final = 15
TILES_IN_A_ROW: Final = 4


class Cell(Struct, frozen=True):
    text: str
    css: str
    free: bool  # what somebody typed


class Row(Struct, frozen=True):
    cells: tuple[Cell, ...]
    total: bool = False
    strip: str = ""
    alt: str = ""


class Head(Struct, frozen=True):
    label: str
    css: str


class Picture(Struct, frozen=True):
    uri: str
    title: str = ""
    alt: str = ""
    name: str = ""


class Shown(Struct, frozen=True):
    """A table as the page has it; the strip stands after column `strip_after`, -1: there is none."""

    title: str
    columns: tuple[Head, ...]
    rows: tuple[Row, ...]
    size: str
    note: str
    more: str
    strip: str
    strip_after: int
    legend: tuple[Picture, ...]
    axis: str


def render(document: Document) -> str:
    """The whole page."""
    write = Writer(document.language, ZoneInfo(document.zone))
    values: dict[str, Any] = {
        "doc": document,
        "css": Markup(STYLE),
        "lang": "zh-CN" if document.language == "zh" else "en",
        "w": write,
        "head": _head(document, write),
        "tiles": [document.tiles[n : n + TILES_IN_A_ROW] for n in range(0, len(document.tiles), TILES_IN_A_ROW)],
        "tone_mark": MARKS,
        "pictures": {one.id: [_picture(chart, one, write) for chart in one.charts] for one in document.sections},
        "tables": {
            one.id: [shown(table, write) for table in one.tables if _printed(table)] for one in document.sections
        },
    }
    return _environment().get_template("report.html.j2").render(values)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _head(document: Document, write: Writer) -> list[tuple[str, str]]:
    covered = (
        write("head.coverage.of", share=write.value(document.complete, "share"))
        if document.complete
        else write("head.coverage.none")
    )
    return [
        (write("head.coverage"), covered),
        (write("head.zone"), document.zone),
        (write("head.written"), write.at(document.written)),
    ]


def _printed(table: Table) -> bool:
    return table.paper != 0 and bool(table.rows)


def shown(table: Table, write: Writer) -> Shown:
    """What of a table is printed: its columns for paper, its first rows, its strip."""
    places = [
        place for place, column in enumerate(table.columns) if column.paper and not _nothing_to_compare(table, place)
    ]
    rows = table.rows if table.paper is None else table.rows[: table.paper]
    left = len(table.rows) - len(rows)
    strip, found = table.strip, []
    for number, row in enumerate(rows):
        found.append(_row(table, row, places, write, strip, number))
    if table.total is not None:
        found.append(_row(table, table.total, places, write, strip, len(table.rows), total=True))
    names = [place for place in places if table.columns[place].form in ("text", "word")]
    return Shown(
        title=table.title,
        columns=tuple(Head(table.columns[place].label, _css(table.columns[place])) for place in places),
        rows=tuple(found),
        size="wide" if len(places) >= WIDE else "narrow" if len(places) <= NARROW else "",
        note=table.note,
        more=write("table.more", n=left) if left else "",
        strip=strip.label if strip else "",
        strip_after=len(names) - 1 if strip else -1,
        legend=_legend(strip),
        axis=_axis(strip),
    )


def _nothing_to_compare(table: Table, place: int) -> bool:
    """Whether it is a column of changes without any: there is no period before to compare with."""
    column = table.columns[place]
    if column.form not in ("points", "relative") and column.key != "was":
        return False
    return all(row[place] is None for row in (*table.rows, *((table.total,) if table.total else ())))


def _row(
    table: Table,
    row: tuple[Value, ...],
    places: list[int],
    write: Writer,
    strip: Strip | None,
    number: int,
    *,
    total: bool = False,
) -> Row:
    cells = tuple(_cell(table.columns[place], row[place], write, total=total) for place in places)
    if strip is None or number >= len(strip.values):
        return Row(cells, total)
    alt = clean(strip.alts[number], 400) if number < len(strip.alts) else ""
    return Row(cells, total, data_uri(_strip(strip, number)), alt)


def _strip(strip: Strip, number: int) -> str:
    if strip.kind == "stacked":
        fills = [colours.STATES.get(name, colours.MUTED) for name in strip.colours]
        return charts.stacked_row(strip.values[number], fills)
    return charts.heat_row(strip.values[number], strip.top)


def _cell(column: Column, value: Value, write: Writer, *, total: bool = False) -> Cell:
    if total and value is None and column.form in ("text", "word"):
        return Cell("", _css(column), False)
    text = write.value(value, column.form)
    css = _css(column)
    if column.better and isinstance(value, int | float) and abs(value) >= 0.02:
        css += " good" if (value > 0) == (column.better == "more") else " bad"
        text = f"{MARKS['good' if css.endswith('good') else 'bad']}{text}"
    return Cell(text, css, column.form == "text")


def _css(column: Column) -> str:
    if column.form in NUMERIC:
        return "n"
    return "t" if column.form in ("at", "day", "word") else "x"


def _legend(strip: Strip | None) -> tuple[Picture, ...]:
    if strip is None or strip.kind != "stacked":
        return ()
    fills = [colours.STATES.get(name, colours.MUTED) for name in strip.colours]
    used = [any((row[place] or 0) > 0 for row in strip.values) for place in range(len(strip.names))]
    return tuple(
        Picture(data_uri(charts.stacked_row([1.0], [fill], width=12, height=12)), name=name)
        for name, fill, there in zip(strip.names, fills, used, strict=True)
        if there
    )


def _axis(strip: Strip | None) -> str:
    if strip is None or not strip.ticks:
        return ""
    return data_uri(charts.tick_row(strip.ticks))


def _picture(chart: Chart, section: Section, write: Writer) -> Picture:
    """A chart of a table of the same section."""
    table = next(table for table in section.tables if table.id == chart.table)
    category = table.columns[table.column(chart.category)]
    labels = [write.value(value, category.form) for value in table.values(chart.category)]
    columns = [table.columns[table.column(key)] for key in chart.series]
    series = [
        charts.Series(column.label, colours.SERIES[colour], [_float(value) for value in table.values(column.key)])
        for column, colour in zip(columns, chart.colours, strict=True)
    ]

    form = columns[0].form

    def written(value: float) -> str:
        said = write.value(value, form)
        return said.replace(".0", "") if form == "share" else said

    if chart.kind == "line":
        most = 1.0 if form == "share" else None
        svg = charts.line(labels, series, written, limit=chart.limit, most=most)
    elif chart.kind == "stacked":
        svg = charts.columns(labels, series, written)
    else:
        kept = [charts.Series(one.name, one.colour, one.values[:MOST_BARS]) for one in series]
        svg = charts.bars(labels[:MOST_BARS], kept, written)
    return Picture(data_uri(svg), "" if chart.title == section.title else clean(chart.title), clean(chart.alt, 400))


def _float(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None
