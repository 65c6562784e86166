"""The report as a workbook: a sheet for each table with real numbers, durations and times, filters, and Excel's own charts.

What somebody typed is written as text, whatever it begins with; nothing in it can become a formula or a link.
"""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from services.alerts.cleaning import clean
from services.alerts.periodic import colours
from services.alerts.periodic.document import Chart, Document, Form, Table, Value
from services.alerts.periodic.writing import Writer

SECONDS_OF_A_DAY: Final = 86_400
FORMATS: Final[dict[Form, str]] = {
    "count": "#,##0",
    "number": "#,##0.0##",
    "share": "0.0%",
    "points": "+0.0%;-0.0%;0.0%",
    "relative": "+0%;-0%;0%",
    "duration": "[h]:mm:ss",
    "seconds": "0.0",
    "at": "yyyy-mm-dd hh:mm:ss",
    "day": "yyyy-mm-dd",
}
_CHARTS: Final = {
    "line": {"type": "line"},
    "stacked": {"type": "column", "subtype": "stacked"},
    "bars": {"type": "bar", "subtype": "stacked"},
}
_WIDEST: Final = 60
_NAME: Final = 31  # letters of a sheet's name that Excel takes
_MOST_BARS: Final = 40
_ROW: Final = 20  # pixels


def render(document: Document) -> bytes:
    """A whole workbook."""
    return _Book(document).write()


class _Book:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._zone = ZoneInfo(document.zone)
        self._held = io.BytesIO()
        self._writer = Writer(document.language, self._zone)
        self._book = xlsxwriter.Workbook(
            self._held,
            {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
        )
        self._formats: dict[tuple[str, bool], Format] = {}
        self._sheets: dict[str, str] = {}
        self._below = 1  # row of the sheet of charts that is free
        self._font = "Microsoft YaHei" if document.language == "zh" else "Calibri"
        self._head = self._book.add_format(
            {
                "bold": True,
                "bottom": 1,
                "text_wrap": True,
                "valign": "vcenter",
                "font_name": self._font,
                "bg_color": "#eef0f3",
            }
        )

    def write(self) -> bytes:
        document = self._document
        self._book.set_properties(
            {
                "title": f"{document.title} {clean(document.site_label, 100)} {document.period}",
                "author": "Floorwatch",
                "created": document.written.astimezone(self._zone).replace(tzinfo=None),
            }
        )
        self._summary()
        pictures = self._pictures()
        for section in document.sections:
            for table in section.tables:
                self._table(table)
                for chart in section.charts:
                    if chart.table == table.id and table.rows and pictures is not None:
                        self._chart(pictures, table, chart)
                if table.strip is not None and table.strip.kind == "stacked" and table.rows and pictures is not None:
                    self._states(pictures, table)
        self._book.close()
        return self._held.getvalue()

    def _format(self, form: str, *, total: bool = False) -> Format:
        found = self._formats.get((form, total))
        if found is None:
            wanted: dict[str, Any] = {"font_name": self._font, "valign": "top"}
            if form in FORMATS:
                wanted["num_format"] = FORMATS[form]
            if total:
                wanted |= {"bold": True, "top": 1}
            found = self._formats[form, total] = self._book.add_format(wanted)
        return found

    def _summary(self) -> None:
        document = self._document
        sheet = self._book.add_worksheet(self._writer("summary.title"))
        sheet.hide_gridlines(2)
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 1, 16)
        sheet.set_column(2, 2, 60)
        big = self._book.add_format({"bold": True, "font_size": 18, "font_name": self._font})
        plain = self._book.add_format({"font_name": self._font})
        warned = self._book.add_format({"bold": True, "font_color": colours.CRITICAL, "font_name": self._font})
        sheet.write_string(0, 0, document.title, big)
        sheet.write_string(1, 0, f"{clean(document.site_label)} · {document.period} · {document.zone}", plain)
        row = 3
        for notice in document.notices:
            sheet.write_string(row, 0, notice, warned)
            row += 1
        row += 1 if document.notices else 0
        for tile in document.tiles:
            sheet.write_string(row, 0, tile.label, plain)
            self._cell(sheet, row, 1, tile.value, tile.form)
            sheet.write_string(row, 2, tile.change, plain)
            row += 1
        for sentence in document.summary:
            row += 1
            sheet.write_string(row, 0, sentence.text, plain)

    def _pictures(self) -> Worksheet | None:
        """A sheet for all charts, where they are seen at once; none when there will be none."""
        tables = {table.id: table for table in self._document.tables if table.rows}
        drawn = any(chart.table in tables for section in self._document.sections for chart in section.charts)
        if not drawn and not any(one.strip is not None and one.strip.kind == "stacked" for one in tables.values()):
            return None
        name = self._writer("charts.title")
        self._sheets[""] = name
        sheet = self._book.add_worksheet(name)
        sheet.hide_gridlines(2)
        return sheet

    def _table(self, table: Table) -> None:
        sheet = self._book.add_worksheet(self._sheet_name(table))
        sheet.freeze_panes(1, 1)
        sheet.set_row(0, 30)
        for place, column in enumerate(table.columns):
            sheet.write_string(0, place, column.label, self._head)
            sheet.set_column(place, place, self._width(table, place))
        for number, row in enumerate(table.rows, start=1):
            for place, value in enumerate(row):
                self._cell(sheet, number, place, value, table.columns[place].form)
        if table.rows:
            sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)
        if table.total is not None:
            for place, value in enumerate(table.total):
                self._cell(sheet, len(table.rows) + 1, place, value, table.columns[place].form, total=True)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)

    def _sheet_name(self, table: Table) -> str:
        """Without what Excel refuses, and no two alike."""
        name = "".join(" " if c in "[]:*?/\\" else c for c in table.title).strip("' ")[:_NAME] or table.id[:_NAME]
        taken = {one.casefold() for one in self._sheets.values()} | {self._writer("summary.title").casefold()}
        number = 2
        shown = name
        while shown.casefold() in taken:
            shown = f"{name[: _NAME - 3]} {number}"
            number += 1
        self._sheets[table.id] = shown
        return shown

    def _cell(self, sheet: Worksheet, row: int, place: int, value: Value, form: Form, *, total: bool = False) -> None:
        style = self._format(form, total=total)
        if value is None:
            sheet.write_blank(row, place, None, style)
        elif isinstance(value, datetime):
            sheet.write_datetime(row, place, value.astimezone(self._zone).replace(tzinfo=None), style)
        elif isinstance(value, date):
            sheet.write_datetime(row, place, datetime(value.year, value.month, value.day), style)
        elif isinstance(value, str):
            sheet.write_string(row, place, clean(value, 32_000), style)
        elif form == "duration":
            self._duration(sheet, row, place, float(value), style)
        else:
            sheet.write_number(row, place, value, style)

    def _duration(self, sheet: Worksheet, row: int, place: int, seconds: float, style: Format) -> None:
        """As Excel counts time: in days. What is below nothing it shows as ####, so that is written as text."""
        if seconds < 0:
            sheet.write_string(row, place, self._writer.value(seconds, "duration"), style)
        else:
            sheet.write_number(row, place, seconds / SECONDS_OF_A_DAY, style)

    def _width(self, table: Table, place: int) -> float:
        column = table.columns[place]
        if column.form == "at":
            return 19
        if column.form not in ("text", "word"):
            return max(11.0, min(16.0, _letters(column.label) + 3))
        shown = [str(row[place]) for row in table.rows[:200] if row[place] is not None]
        return min(_WIDEST, max(_letters(text) for text in (column.label, *shown)) + 3)

    def _chart(self, sheet: Worksheet, table: Table, chart: Chart) -> None:
        drawn = self._book.add_chart(dict(_CHARTS[chart.kind]))
        last = len(table.rows) if chart.kind != "bars" else min(len(table.rows), _MOST_BARS)
        name, category = self._sheets[table.id], table.column(chart.category)
        for key, colour in zip(chart.series, chart.colours, strict=True):
            place = table.column(key)
            fill = {"color": colours.SERIES[colour]}
            drawn.add_series(
                {
                    "name": [name, 0, place],
                    "categories": [name, 1, category, last, category],
                    "values": [name, 1, place, last, place],
                    **({"line": fill | {"width": 1.75}} if chart.kind == "line" else {"fill": fill, "gap": 40}),
                }
            )
        self._place(sheet, drawn, chart.title, bars=last if chart.kind == "bars" else 0)

    def _states(self, sheet: Worksheet, table: Table) -> None:
        """Agents' time by state, as shares of the whole."""
        strip = table.strip
        assert strip is not None
        drawn = self._book.add_chart({"type": "bar", "subtype": "percent_stacked"})
        name, last = self._sheets[table.id], min(len(table.rows), _MOST_BARS)
        for state in strip.colours:
            place = table.column(f"{state}_s")
            fill = {"color": colours.STATES[state]}
            drawn.add_series(
                {
                    "name": [name, 0, place],
                    "categories": [name, 1, 0, last, 0],
                    "values": [name, 1, place, last, place],
                    "fill": fill,
                    "gap": 30,
                }
            )
        self._place(sheet, drawn, strip.label, bars=last)

    def _place(self, sheet: Worksheet, drawn: Any, title: str, *, bars: int) -> None:
        """Below the one before."""
        drawn.set_title({"name": title, "name_font": {"size": 12, "name": self._font}, "overlay": False})
        drawn.set_legend({"position": "bottom"})
        if bars:
            drawn.set_y_axis({"reverse": True, "num_font": {"name": self._font}})
        height = max(320, 22 * bars + 110)
        drawn.set_size({"width": 1000, "height": height})
        sheet.insert_chart(self._below, 0, drawn, {"object_position": 2, "description": title})
        self._below += height // _ROW + 2


def _letters(text: str) -> float:
    return sum(2.0 if ord(c) > 0x2E7F else 1.1 for c in text)
