"""Callers' numbers, hidden as far as nobody needs them: the last four digits stay. Pure.

Where a field is known to hold a number, `masked` hides it whatever it looks like. In texts and in fields of unknown meaning
`masked_text` hides what looks like a number that somebody could dial. Ids stay: they join things together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

SHOWN: Final = 4
SHORT: Final = 6  # digits of an extension or a short number, which stay

# from_number, callerid, CallerIDNum, ani, phone_number, ... but not number_of_calls, and not the number of an incident
_NUMBER_KEY: Final = re.compile(
    r"(?:^|[_.-])(?:(?:from|to|phone|caller|customer|connected|dialed|dialled|called)_?-?num(?:ber)?|ani|dnis|caller(?:_?id)?"
    r"(?:num)?|connected_?line_?num|peer|customer|msisdn|phone|mobile|tel|telephone|number)$",
    re.IGNORECASE,
)
_ID_KEY: Final = re.compile(
    r"(?:^|_)(?:id|call|transfer|agent|leg|flag|queue|site|team|trace|uniqueid|linkedid|epoch)$", re.IGNORECASE
)
_DIALABLE: Final = re.compile(  # letters of other scripts may touch it
    r"(?<![A-Za-z_\d])(?<![A-Za-z_\d]-)\+?\(?\d+\)?(?:[ \u00a0.-]{1,2}\(?\d{2,}\)?)*(?!-?[A-Za-z_\d])"
)
_NOT_DIALED: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}(?!\d)"  # a date
    r"|\d{1,3}(?:\.\d{1,3}){3}(?!\d)"  # an IPv4 address
    r"|\d+\.\d+$"  # a decimal number, a stamp with its fraction, Asterisk's unique ids
)


@lru_cache(maxsize=16_384)  # a number is shown again with each change of its call
def masked(number: str) -> str:
    """A caller's number with all but its last four digits hidden. Short numbers (extensions) stay."""
    digits = sum(char.isdigit() for char in number)
    if digits <= SHORT:
        return number
    hide = digits - SHOWN
    shown = []
    for char in number:
        if char.isdigit() and hide > 0:
            hide -= 1
            shown.append("•")
        else:
            shown.append(char)
    return "".join(shown)


def masked_text(text: str) -> str:
    """`text` with every number of seven digits and more hidden that somebody could dial; as long as before."""
    return _DIALABLE.sub(_hidden, text) if len(text) > SHORT else text


def _hidden(found: re.Match[str]) -> str:
    number = found.group()
    return number if len(number) <= SHORT or _NOT_DIALED.match(number) else masked(number)


def masked_field(name: str, text: str) -> str:
    """The value of a field of this name, which is somebody else's: a call's attribute, a part of a flag's evidence."""
    holds = _holds(name)
    if holds == "id":
        return text
    return masked(text) if holds == "number" else masked_text(text)


@lru_cache(maxsize=4096)
def _holds(name: str) -> Literal["number", "id", "text"]:
    if _NUMBER_KEY.search(name):
        return "number"
    return "id" if _ID_KEY.search(name) else "text"


def masked_deep(value: Any, name: str = "") -> Any:
    """`value`, which may be JSON of any depth, with the numbers in it hidden; `name` is that of its field."""
    if isinstance(value, str):
        return masked_field(name, value)
    if isinstance(value, Mapping):
        return {key: masked_deep(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked_deep(inner, name) for inner in value]
    return value
