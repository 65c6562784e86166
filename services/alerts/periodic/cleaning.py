"""The texts of a section made harmless to every format, so that no format needs to."""

from __future__ import annotations

from typing import Final

from msgspec import structs

from services.alerts.cleaning import clean
from services.alerts.periodic.document import Section, Table, Value

_SAID: Final = 2000  # of a sentence, which holds names that were cut already


def clean_section(one: Section) -> Section:
    """The same with every text of it cleaned."""
    return structs.replace(
        one,
        sentences=tuple(clean(text, _SAID) for text in one.sentences),
        charts=tuple(structs.replace(chart, alt=clean(chart.alt, _SAID)) for chart in one.charts),
        tables=tuple(_clean_table(table) for table in one.tables),
    )


def _clean_table(one: Table) -> Table:
    strip = one.strip and structs.replace(one.strip, alts=tuple(clean(alt, _SAID) for alt in one.strip.alts))
    total = None if one.total is None else _clean_row(one.total)
    return structs.replace(one, rows=tuple(_clean_row(row) for row in one.rows), total=total, strip=strip)


def _clean_row(row: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(clean(value) if isinstance(value, str) else value for value in row)
