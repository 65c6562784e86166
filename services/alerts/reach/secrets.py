"""Keeps what is secret of an address out of what is written down: answers of channels repeat it now and then."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

_SHORTEST: Final = 4  # what is shorter is no secret, and is in every other word
LONGEST_ANSWER: Final = 500
HIDDEN: Final = "***"


class Scrubber:
    """Takes the parts of an address out of texts, however they are quoted; `public`: parts that may be read."""

    def __init__(self, url: str, *more: str, public: Iterable[str] = ()) -> None:
        address, _, query = url.partition("://")[2].partition("?")
        parts = [*re.split(r"[/:@#]", address), *re.split(r"[/&;=]", query), *more]
        known = set(public)
        found = {form for part in parts if part not in known for form in (part, unquote(part), quote(part, safe=""))}
        self._parts = sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """`text` on one line, without secrets, as long as an answer may be."""
        text = " ".join(text.split())
        for part in self._parts:
            text = text.replace(part, HIDDEN)
        return text[:LONGEST_ANSWER]
