"""Text that others typed, made harmless to every format: one line, without what turns or hides the text around it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 200  # of a text in a table; a longer one is nobody's name
NAME: Final = 60  # of a name within a sentence
_TURNS: Final = re.compile(
    "[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)  # bidi orders, invisible ones
_UNFIT: Final = {"Cc", "Cs", "Cn", "Co"}  # control, halves of pairs, unassigned, private: XML or fonts have none


def clean(text: object, longest: int = LONGEST) -> str:
    """One line of at most `longest` characters that can be shown."""
    plain = _TURNS.sub("", str(text))
    if not plain.isascii() or not plain.isprintable():
        plain = "".join(" " if c in "\t\r\n" else "" if unicodedata.category(c) in _UNFIT else c for c in plain)
    plain = " ".join(plain.split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"
