"""Who sounds how. Eight recorded voices; each played at a few paces is several people. recordings/README.md says who they are."""

from __future__ import annotations

import lzma
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Final, Literal

from services.ingest.connectors.simulator.sound.pcm import (
    Sound,
    frames_in,
    frames_of,
    from_ulaw,
    length_of,
    paced,
)

Language = Literal["en", "zh"]
Role = Literal["agent", "customer"]

SUFFIX: Final = ".ulaw.xz"
BETWEEN: Final = b"\x7f" * 200  # parts the lines of a recording
_PACES: Final = (0.95, 1.0, 1.05)
_RECORDINGS: Final = Path(__file__).parent / "recordings"

# of the people who work here; who calls is as likely a man as a woman
_MEN: Final = frozenset(
    (
        *("李伟", "刘洋", "杨磊", "黄强", "吴昊", "孙鹏", "马超", "林峰", "高翔", "郑凯", "宋杰", "韩冰"),
        *("Diego Alvarez", "Lukas Weber", "Tomasz Nowak", "Jonas Lindqvist", "Kwame Mensah", "Mateus Oliveira"),
    )
)


class Line:
    """Something that is said; decoded when it is first said."""

    def __init__(self, code: bytes, pace: float) -> None:
        self._code = code
        self._pace = pace
        self.length = frames_in(length_of(len(code), pace))  # frames

    @cached_property
    def frames(self) -> tuple[Sound[int], ...]:
        return frames_of(paced(from_ulaw(self._code), self._pace))


class Voice:
    """One person's: what they say first, then, and of a customer `aside`, to themselves on hold."""

    def __init__(self, role: Role, code: bytes, pace: float) -> None:
        first, *rest = (Line(one, pace) for one in code.split(BETWEEN))
        self.first = first
        self.aside = rest.pop() if role == "customer" else None
        self.rest = tuple(rest)


class Voices:
    """The voices of a floor, shared by all its calls: there are never more than the recordings at all paces."""

    def __init__(self, folder: Path = _RECORDINGS) -> None:
        found = sorted(folder.glob(f"*{SUFFIX}"))
        self._codes = {path.name.removesuffix(SUFFIX): lzma.decompress(path.read_bytes()) for path in found}
        self._known: dict[tuple[str, float], Voice] = {}

    def agent(self, agent_id: str, name: str, language: Language) -> Voice:
        """An agent's, always the same."""
        called = name.rstrip("0123456789 ")  # of a larger floor the same people several times
        return self._voice("agent", language, "m" if called in _MEN else "f", Random(f"agent {agent_id}"))

    def customer(self, number: str, language: Language) -> Voice:
        """That of whoever has this number."""
        chance = Random(f"customer {number}")
        return self._voice("customer", language, chance.choice("fm"), chance)

    def _voice(self, role: Role, language: Language, sex: str, chance: Random) -> Voice:
        name, pace = f"{language}-{role}-{sex}", chance.choice(_PACES)
        known = self._known.get((name, pace))
        if known is None:
            known = self._known[name, pace] = Voice(role, self._codes[name], pace)
        return known


def language_of(number: str) -> Language:
    """What somebody with this number speaks."""
    return "en" if number.startswith(("+44", "+1")) else "zh"
