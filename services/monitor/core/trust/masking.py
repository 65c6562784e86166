"""Callers' numbers, hidden as far as nobody needs them."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=16_384)  # a number is shown again with each change of its call
def masked(number: str) -> str:
    """A caller's number with all but its last four digits hidden. Short numbers (extensions) stay."""
    digits = sum(char.isdigit() for char in number)
    if digits <= 6:
        return number
    hide = digits - 4
    shown = []
    for char in number:
        if char.isdigit() and hide > 0:
            hide -= 1
            shown.append("•")
        else:
            shown.append(char)
    return "".join(shown)
