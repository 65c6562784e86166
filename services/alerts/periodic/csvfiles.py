"""The report's tables as CSV, one file each, in a zip.

UTF-8 with a byte order mark, without which Excel shows no Chinese; RFC 4180 with CRLF. Values are as machines read them: seconds,
shares from 0 to 1, ISO 8601 times with the site's offset; nothing where there is none.
"""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.alerts.cleaning import clean
from services.alerts.periodic.document import Document, Table, Value

BOM: Final = "\ufeff"
FORMULA: Final = ("=", "+", "-", "@")  # what makes a spreadsheet run a text; see OWASP, CSV injection
_STAMP: Final = (1980, 1, 1, 0, 0, 0)  # of every file: the same report is the same bytes


def render(document: Document) -> bytes:
    """A zip with `summary.csv` and a file for each table, also an empty one."""
    held = io.BytesIO()
    zone = ZoneInfo(document.zone)
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("summary", _summary(document)), *((one.id, table(one, zone)) for one in document.tables)):
            entry = zipfile.ZipInfo(f"{document.name}/{name}.csv", _STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (BOM + text).encode("utf-8"))
    return held.getvalue()


def table(one: Table, zone: ZoneInfo) -> str:
    """One table, its column labels first, its total last."""
    rows = [*one.rows, *((one.total,) if one.total is not None else ())]
    return _written(
        [[column.label for column in one.columns], *([_value(value, zone) for value in row] for row in rows)]
    )


def _summary(document: Document) -> str:
    lines = [document.title, document.site_label, document.period]
    return _written([[neutral(line)] for line in (*lines, *document.notices, *(one.text for one in document.summary))])


def _written(rows: list[list[str]]) -> str:
    held = io.StringIO(newline="")
    csv.writer(held, lineterminator="\r\n").writerows(rows)
    return held.getvalue()


def _value(value: Value, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return neutral(value)
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")


def neutral(text: str) -> str:
    """`text` as text: an apostrophe before what a spreadsheet would take for a formula, also after blanks."""
    shown = clean(text, 32_000)
    return f"'{shown}" if shown.lstrip("'\" ").startswith(FORMULA) else shown
