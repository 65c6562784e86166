"""The words of a flag: a rule's summary in both languages, with the values of its subject filled in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from services.monitor.core.floor import Floor
from services.monitor.core.rules.rulebook import Rule
from services.monitor.core.rules.rulefacts import Facts
from services.monitor.core.rules.rulefields import SHARES
from shared.codewords import Kind, Language, in_a_sentence
from shared.durationwords import exact
from shared.masking import masked_field

_YES_NO: Final = MappingProxyType({"en": ("no", "yes"), "zh": ("否", "是")})
_NOTHING: Final = "–"
_CODES: Final[Mapping[str, Kind]] = MappingProxyType(
    {"reason": "reason", "state": "value", "direction": "value", "provenance": "value", "link": "value", "kind": "kind"}
)


def say(name: str, value: Any, language: Language) -> str:
    """A field's value for people: shares in percent, seconds as a duration, codes in words, "–" for what is not.

    A code that has no word here is said as the switch says it.
    """
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return _YES_NO[language][value]
    if isinstance(value, str):
        if not value and name != "reason":
            return _NOTHING
        return in_a_sentence(_CODES[name], value, language) if name in _CODES else value
    if isinstance(value, int | float):
        if name.removeprefix("recent_") in SHARES:
            return f"{100 * value:.0f}%"
        if name.endswith("_s"):
            whole = round(value)
            return exact(whole if whole < 600 else whole // 60 * 60, language)
        return f"{value:g}"
    return ", ".join(value)


class _Values(Mapping[str, str]):
    """What a summary may mention, said in one language."""

    def __init__(self, floor: Floor, rule: Rule, facts: Facts, language: Language) -> None:
        self._floor, self._rule, self._facts, self._language = floor, rule, facts, language

    def __getitem__(self, name: str) -> str:
        if name == "for":
            return exact(self._rule.hold.total_seconds(), self._language)
        if name == "site":
            return self._floor.config.label or self._floor.state.site
        value = self._facts[name]
        if name == "queue":
            return self._floor.config.queue(value).label or value
        if name == "target" or name.startswith("attr_"):  # what a caller dialled, or whatever the switch knows of them
            value = masked_field(name, value) if isinstance(value, str) else value
        return say(name, value, self._language)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def summary(floor: Floor, rule: Rule, facts: Facts, language: Language) -> str:
    """The rule's summary about the subject of `facts`."""
    text: str = getattr(rule.summary, language)
    return text.format_map(_Values(floor, rule, facts, language))
