"""How long something is or lasted, for people, in both languages. The units are those of the pages (`shared.codewords`)."""

from __future__ import annotations

from typing import Final

from shared.codewords import WORDS, Language

_UNITS: Final = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def exact(seconds: float, language: Language) -> str:
    """A limit as it was set: `7 s`, `90 s`, `15 min`, `2 h`, in the largest unit that it is a whole number of."""
    size, unit = next((one for one in _UNITS if seconds >= one[0] and seconds % one[0] == 0), _UNITS[-1])
    return _said(f"{seconds / size:g}", unit, language)


def lasting(seconds: float, language: Language) -> str:
    """What was measured: `9.3 s`, `45 s`, `12 min 5 s`, `2 h 3 min`, `3 d 4 h`: two units at most, tenths below a minute only."""
    if seconds < 59.95:
        return _said(f"{round(seconds, 1):g}", "seconds", language)
    left, parts = round(seconds), list[tuple[int, str]]()
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(_said(str(count), unit, language) for count, unit in parts[:2] if count)


def tenths(seconds: float, language: Language) -> str:
    """What is judged in tenths of a second: `9.3 s`."""
    return _said(f"{seconds:.1f}", "seconds", language)


def hours(seconds: float, language: Language) -> str:
    """People's time in all: `1,234 h`."""
    return _said(f"{seconds / 3600:,.0f}", "hours", language)


def _said(number: str, unit: str, language: Language) -> str:
    return WORDS[language][f"unit.{unit}"].replace("{n}", number)
