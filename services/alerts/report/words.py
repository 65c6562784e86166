"""The fixed words of incident reports in both languages, and how counts and times are said in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

from services.alerts.text import TEMPLATES
from shared.codewords import WORDS, Language
from shared.durationwords import lasting, tenths


class Words:
    """`words["key"]`, and sentences made of them."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.all = words(language)

    def __getitem__(self, key: str) -> str:
        return self.all[key]

    def get(self, key: str, otherwise: str) -> str:
        return self.all.get(key, otherwise)

    def say(self, key: str, **values: object) -> str:
        """The sentence `key` with `values` in its places."""
        return self.all[key].format(**values)

    def count(self, number: int, what: str) -> str:
        """`3 calls`, `1 call`."""
        return self.say(f"n.{what}.{'one' if number == 1 else 'many'}", n=number)

    def listed(self, parts: Sequence[str]) -> str:
        """`a, b and c`."""
        if len(parts) < 2:
            return "".join(parts)
        return self["comma"].join(parts[:-1]) + self["and"] + parts[-1]

    def duration(self, seconds: float) -> str:
        """How long it lasted: `9.3 s`, `12 min 5 s`."""
        return lasting(seconds, self.language)

    def tenths(self, seconds: float) -> str:
        """What is judged in tenths of a second."""
        return tenths(seconds, self.language)


@cache
def words(language: Language) -> dict[str, str]:
    """The fixed words of the report, and those for codes."""
    found: dict[str, dict[str, str]] = json.loads((TEMPLATES / "report.words.json").read_text(encoding="utf-8"))
    return {**WORDS[language], **found[language]}
