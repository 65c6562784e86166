"""The reasons that a transfer's case may have: a YAML file, or the built-in ones where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from services.monitor.desk.views import ReasonView
from shared.errors import SettingsError
from shared.yamlfile import load_checked

_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MOST: Final = 50

BUILT_IN: Final = MappingProxyType(
    {
        "customer_wish": ("Customer's wish", "客户要求"),
        "wrong_queue": ("Came to the wrong queue", "进错队列"),
        "agent_could_not_help": ("Agent could not help", "坐席无法解决"),
        "colleague_did_not_answer": ("Colleague did not answer", "同事未接听"),
        "technical_fault": ("Technical fault", "技术故障"),
        "training_need": ("Training need", "需要培训"),
        "other": ("Other", "其他"),
    }
)


class Label(Struct, frozen=True, forbid_unknown_fields=True):
    """A reason's name in both languages."""

    en: str
    zh: str


class Cases(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    reasons: dict[str, Label]


class Reasons:
    """The reasons in the order in which they are offered."""

    def __init__(self, labels: dict[str, tuple[str, str]] | None = None) -> None:
        found = dict(BUILT_IN) if labels is None else labels
        self.views = tuple(ReasonView(code=code, label_en=en, label_zh=zh) for code, (en, zh) in found.items())
        self.codes = frozenset(found)


def load_reasons(path: Path, *, setting: str) -> Reasons:
    """The reasons in `path`, or the built-in ones when there is no such file.

    Raises SettingsError naming file, line and key.
    """
    if not path.exists():
        return Reasons()
    cases, where = load_checked(path, Cases, setting=setting)
    if not 0 < len(cases.reasons) <= _MOST:
        raise SettingsError(f"{where('reasons')}: from 1 to {_MOST} reasons, not {len(cases.reasons)}")
    for code, label in cases.reasons.items():
        key = f"reasons.{code}"
        if not _CODE.fullmatch(code):
            raise SettingsError(f"{where(key)}: a code has small letters, digits and _, a letter first, 40 at most")
        for language in ("en", "zh"):
            if not 0 < len(getattr(label, language).strip()) <= 80:
                raise SettingsError(f"{where(f'{key}.{language}')}: a label of 1 to 80 characters is needed")
    return Reasons({code: (label.en.strip(), label.zh.strip()) for code, label in cases.reasons.items()})
