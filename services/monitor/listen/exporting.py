"""The audit as lines of text, for other programs: JSON objects, or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final, Literal

import msgspec

from services.monitor.listen.chain import Link, stamp

Form = Literal["ndjson", "csv"]
# the order of people: which row, when, what, who, whom; the chain at the end
COLUMNS: Final = ("id", "at", "kind", "site", "by", "by_name", "agent_id", "agent_name", "call_id", "purpose", "mode",
                  "listen_id", "detail", "prev_hash", "hash")  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


async def lines(rows: AsyncIterator[Link], form: Form) -> AsyncIterator[bytes]:
    """Each row as a line; CSV begins with the names."""
    if form == "csv":
        yield _csv(COLUMNS)
    async for row in rows:
        values = {name: getattr(row, name) for name in COLUMNS} | {"at": stamp(row.at)}
        yield msgspec.json.encode(values) + b"\n" if form == "ndjson" else _csv(values.values())


def _csv(values: Any) -> bytes:
    """One line. What a spreadsheet would take for a formula gets an apostrophe in front."""
    safe = [f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value for value in values]
    out = io.StringIO()
    csv.writer(out).writerow(safe)
    return out.getvalue().encode()
