"""A report as a document: sections of sentences, charts and tables, of which every format is made.

Tables hold values, not words for them: seconds, shares from 0 to 1, aware times, None for what does not exist. How a value is
written is its column's form, and each format does it in its own way, so that the same total stands in all of them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from msgspec import Struct

from services.alerts.periodic.period import Kind, Language

Form = Literal[
    "text",  # as somebody named it: never markup, never a formula
    "word",  # ours
    "count",
    "number",  # of a fraction
    "share",  # 0 to 1
    "points",  # the difference of two shares
    "relative",  # how much more or less, as a share of what was
    "duration",  # seconds, from some to many hours
    "seconds",  # seconds that are judged in tenths
    "at",  # an aware time
    "day",
]
Value = str | int | float | datetime | date | None
ChartKind = Literal["line", "bars", "stacked"]
Tone = Literal["good", "bad", "plain"]
NUMERIC: Final = frozenset({"count", "number", "share", "points", "relative", "duration", "seconds"})


class Column(Struct, frozen=True):
    """`key` names it in JSON and for charts. `better`: which way is good, for a difference. Not `paper`: in data files only."""

    key: str
    label: str
    form: Form
    better: Literal["", "more", "less"] = ""
    paper: bool = True


class Strip(Struct, frozen=True):
    """A picture in each row of a table, made of `values` (one tuple for each row).

    stacked: shares of a whole, by `names`; heat: a value in each of `names`' intervals, from 0 to `top`.
    """

    kind: Literal["stacked", "heat"]
    label: str
    names: tuple[str, ...]  # of the parts, for people
    colours: tuple[str, ...]  # of stacked ones: names of states
    values: tuple[tuple[float | None, ...], ...]
    top: float = 1.0
    alts: tuple[str, ...] = ()
    of: Form = "share"
    ticks: tuple[tuple[float, str], ...] = ()  # where along the strip (0 to 1) stands what


class Table(Struct, frozen=True):
    """Rows of values. `total`: the last row, set apart. `paper`: how many rows a printed page shows; data files have all."""

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    total: tuple[Value, ...] | None = None
    strip: Strip | None = None
    note: str = ""
    paper: int | None = None

    def column(self, key: str) -> int:
        """Where `key` stands in a row."""
        return next(place for place, column in enumerate(self.columns) if column.key == key)

    def values(self, key: str) -> list[Value]:
        """A whole column."""
        place = self.column(key)
        return [row[place] for row in self.rows]


class Chart(Struct, frozen=True):
    """A picture of columns of a table: `category` along the axis, a line or bar of each of `series`.

    `limit`: where a dashed line stands, with its word.
    """

    kind: ChartKind
    title: str
    alt: str
    table: str
    category: str
    series: tuple[str, ...]
    colours: tuple[str, ...]
    limit: tuple[float, str] | None = None


class Section(Struct, frozen=True):
    """A part under a heading."""

    id: str
    title: str
    sentences: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()


class Sentence(Struct, frozen=True):
    """One sentence of the summary; `tone` says whether it is good news."""

    text: str
    tone: Tone = "plain"


class Tile(Struct, frozen=True):
    """A figure at the head: its value now, and in words what it was before."""

    key: str
    label: str
    form: Form
    value: Value
    change: str = ""
    tone: Tone = "plain"


class Document(Struct, frozen=True):
    """A whole report in one language. `notices`: what a reader must know before the figures."""

    language: Language
    kind: Kind
    key: str  # of the period, as addresses have it
    title: str
    site: str
    site_label: str
    period: str
    first: date
    last: date
    zone: str
    written: datetime
    complete: float | None  # share of the period that records cover; None: nothing was recorded
    simulated: bool
    notices: tuple[str, ...]
    tiles: tuple[Tile, ...]
    summary: tuple[Sentence, ...]
    sections: tuple[Section, ...]

    @property
    def tables(self) -> list[Table]:
        return [table for section in self.sections for table in section.tables]

    @property
    def name(self) -> str:
        """Of its files, without an ending: `daily-hq-2026-11-22-en`."""
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in self.site).strip(".") or "site"
        return f"{self.kind}-{safe[:60]}-{self.key}-{self.language}"
