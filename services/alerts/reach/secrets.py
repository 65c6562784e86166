"""Keeps what is secret of an address out of what is written down: answers of channels repeat it now and then."""

from __future__ import annotations

import base64
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
        found = {form for part in parts if part not in known for form in _written(part)}
        found |= _as_sent(address.partition("/")[0].rpartition("@")[0])
        self._parts = sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """`text` on one line, without secrets, as long as an answer may be."""
        text = " ".join(text.split())
        for part in self._parts:
            text = text.replace(part, HIDDEN)
        return text[:LONGEST_ANSWER]


def _written(part: str) -> set[str]:
    """A part of an address as it may be written: as it is, quoted and not."""
    plain = unquote(part)
    return {part, plain, quote(part, safe=""), quote(plain, safe="")}


def _as_sent(login: str) -> set[str]:
    """`user:password` of an address as HTTP (RFC 7617) and mail servers (RFC 4616, and LOGIN) are told it: in Base64."""
    user, _, password = (unquote(part) for part in login.partition(":"))
    if not password:
        return set()
    texts = (f"{user}:{password}", f"\0{user}\0{password}", password)
    return {base64.b64encode(text.encode()).decode().rstrip("=") for text in texts}
