"""Every format that a report is written in: its ending, its media type, and how it is made."""

from __future__ import annotations

import asyncio
from typing import Final, Literal, get_args

import msgspec
from msgspec import Struct

from services.alerts import pdf
from services.alerts.periodic import csvfiles, html, workbook
from services.alerts.periodic.document import Document, Table, Value

Format = Literal["html", "pdf", "xlsx", "csv", "json"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
MEDIA_TYPES: Final[dict[Format, str]] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "application/zip",
    "json": "application/json",
}
_ENDINGS: Final[dict[Format, str]] = {"html": "html", "pdf": "pdf", "xlsx": "xlsx", "csv": "csv.zip", "json": "json"}


class File(Struct, frozen=True):
    name: str
    content: bytes
    media_type: str


async def write(document: Document, form: Format) -> File:
    """The report as a file, made in a thread. Raises pdf.NoPango."""
    return await asyncio.to_thread(write_now, document, form)


def write_now(document: Document, form: Format) -> File:
    """The same, here and now: up to some seconds for a large PDF. Raises pdf.NoPango."""
    return File(f"{document.name}.{_ENDINGS[form]}", _made(document, form), MEDIA_TYPES[form])


def _made(document: Document, form: Format) -> bytes:
    match form:
        case "html":
            return html.render(document).encode("utf-8")
        case "pdf":
            return pdf.render_now(html.render(document))
        case "xlsx":
            return workbook.render(document)
        case "csv":
            return csvfiles.render(document)
        case _:
            return as_json(document)


def as_json(document: Document) -> bytes:
    """Head, summary, and every table as a list of objects by the keys of its columns; what does not exist is null."""
    head = {
        name: getattr(document, name)
        for name in (
            "kind",
            "key",
            "title",
            "language",
            "site",
            "site_label",
            "period",
            "first",
            "last",
            "zone",
            "written",
        )
    }
    body = {
        **head,
        "recorded_share": document.complete,
        "simulated": document.simulated,
        "notices": document.notices,
        "figures": {tile.key: tile.value for tile in document.tiles},
        "summary": [one.text for one in document.summary],
        "tables": {
            table.id: {
                "title": table.title,
                "columns": {column.key: {"label": column.label, "form": column.form} for column in table.columns},
                "rows": [_row(table, row) for row in table.rows],
                "total": _row(table, table.total) if table.total is not None else None,
            }
            for table in document.tables
        },
    }
    return msgspec.json.encode(body)


def _row(table: Table, row: tuple[Value, ...]) -> dict[str, Value]:
    return dict(zip((column.key for column in table.columns), row, strict=True))
