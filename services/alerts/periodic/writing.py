"""Words and figures in a report's language. A value that does not exist is "–", never 0."""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from services.alerts.cleaning import clean
from services.alerts.periodic.document import Form, Value
from services.alerts.periodic.period import Language
from shared.codewords import WORDS, key_of
from shared.durationwords import hours, lasting, tenths

TEMPLATES: Final = Path(__file__).parent / "templates"
NONE: Final = "–"
_MINUS: Final = "−"


@cache
def words(language: Language) -> dict[str, str]:
    """All fixed words of reports by key, and those for codes."""
    found: dict[str, dict[str, str]] = json.loads((TEMPLATES / "words.json").read_text(encoding="utf-8"))
    return {**WORDS[language], **found[language]}


class Writer:
    """Writes values for people: one language, one time zone."""

    def __init__(self, language: Language, zone: ZoneInfo) -> None:
        self.language = language
        self.zone = zone
        self._words = words(language)
        self._gap = "" if language == "zh" else " "  # before %; units have one in both

    def __call__(self, key: str, **values: object) -> str:
        """The words of `key` with `values` put in. Raises KeyError for words that there are not."""
        return self._words[key].format(**values)

    def named(self, prefix: str, value: str) -> str:
        """`value` in words where there are any for it, else as it is."""
        return self._words.get(key_of(prefix, value)) or clean(value.replace("_", " "), 60)

    def knows(self, key: str) -> bool:
        return key in self._words

    def value(self, value: Value, form: Form) -> str:
        """As a table shows it."""
        if value is None:
            return NONE
        if isinstance(value, datetime):
            return self.at(value)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, str):
            return clean(value)
        return self._number(value, form)

    def _number(self, value: int | float, form: Form) -> str:
        match form:
            case "share":
                return f"{100 * value:.1f}{self._gap}%"
            case "points":
                return f"{_signed(100 * value, 1)} {self._words['unit.points']}"
            case "relative":
                return f"{_signed(100 * value, 0)}{self._gap}%"
            case "duration":
                return clock(value)
            case "seconds":
                return tenths(value, self.language)
            case "number":
                return f"{value:,.1f}"
            case _:
                return f"{value:,.0f}"

    def at(self, value: datetime) -> str:
        """`2026-11-22 09:05:07` at the site."""
        return value.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def lasted(self, seconds: float) -> str:
        """A duration within a sentence: `4 min 5 s`, `2 h 10 min`."""
        return lasting(seconds, self.language)

    def worked(self, seconds: float) -> str:
        """People's time in all: hours, from ten of them on."""
        if seconds < 36_000:
            return self.lasted(seconds)
        return hours(seconds, self.language)

    def listed(self, items: list[str]) -> str:
        """Several in a row: `a, b and c`."""
        if len(items) < 2:
            return "".join(items)
        return self._words["list.comma"].join(items[:-1]) + self._words["list.and"] + items[-1]


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `103:05:00`."""
    sign = _MINUS if round(seconds) < 0 else ""
    minutes, left = divmod(round(abs(seconds)), 60)
    whole, minutes = divmod(minutes, 60)
    return f"{sign}{whole}:{minutes:02}:{left:02}" if whole else f"{sign}{minutes}:{left:02}"


def _signed(value: float, digits: int) -> str:
    shown = f"{abs(value):,.{digits}f}"
    if float(shown.replace(",", "")) == 0:
        return f"±{shown}" if digits == 0 else shown
    return f"{'+' if value > 0 else _MINUS}{shown}"
