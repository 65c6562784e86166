"""Words for the codes that switches and our own services say: `busy` as 忙线, `not_json` as 不是 JSON.

The table is the one that pages read (`web/codes/strings.js`), so that a summary, a mail and a page say the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

Language = Literal["en", "zh"]
Kind = Literal["reason", "value", "kind", "rule", "refusal"]

_TABLE: Final = Path(__file__).parent / "web" / "codes" / "strings.js"
_BLANKS: Final = re.compile(r"[\s-]+")


def _read() -> Mapping[str, Mapping[str, str]]:
    found = json.loads(_TABLE.read_text(encoding="utf-8").split("export default", 1)[1])
    return MappingProxyType({"en": found["en"], "zh": found["zh-CN"]})


WORDS: Final = _read()  # part of the program, like a module; by language, then by `kind.code`


def key_of(kind: str, code: str) -> str:
    """Under which key the table has a code; that there is no reason has one, too."""
    return f"{kind}.{_BLANKS.sub('_', code.lower())}"


def word_for(kind: Kind, code: str, language: Language) -> str | None:
    """The word as a page shows it alone; None when there is none: then a switch's own word is all that is known."""
    return WORDS[language].get(key_of(kind, code))


def in_a_sentence(kind: Kind, code: str, language: Language) -> str:
    """The word as it stands inside a sentence, else the code as it came."""
    found = word_for(kind, code, language)
    return code if found is None else found[:1].lower() + found[1:]
