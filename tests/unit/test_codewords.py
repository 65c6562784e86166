"""What switches and services say in codes is said to people in words, the same in summaries, mails, reports and pages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from services.alerts.core.sitehealth import LETTERS, Trouble
from services.alerts.health.words import flag_of
from services.alerts.report.words import words
from services.monitor.core.rules.rulefields import FIELDS
from services.monitor.core.rules.rulewords import _CODES, say
from shared.codewords import WORDS, Language, in_a_sentence, word_for

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LANGUAGES: tuple[Language, ...] = ("en", "zh")
# what answers a request, and so never reaches the topic of what could not be read
ANSWERS = {"cursor", "not_a_period"}


@cache
def refusals() -> frozenset[str]:
    """Every reason for which some part puts a record aside."""
    texts = (
        path.read_text(encoding="utf-8") for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py")
    )
    return frozenset(code for text in texts if "InvalidInput(" in text for code in _refusals(ast.parse(text)))


def _refusals(tree: ast.Module) -> Iterator[str]:
    constants = {
        ast.unparse(one.target if isinstance(one, ast.AnnAssign) else one.targets[0]): one.value
        for one in tree.body
        if isinstance(one, ast.Assign | ast.AnnAssign)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "InvalidInput":
            first = constants.get(ast.unparse(node.args[0]), node.args[0])
            if isinstance(first, ast.Constant):
                yield str(first.value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_for_a_dead_letter_has_words(language: Language) -> None:
    found = refusals() - ANSWERS
    assert "not_json" in found
    assert "internal_error" in found
    assert {code for code in found if word_for("refusal", code, language) is None} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_that_a_summary_may_mention_has_words(language: Language) -> None:
    """Reasons are free text of a switch; of everything else the codes are known."""
    for fields in FIELDS.values():
        for name, field in fields.items():
            for code in field.values or ():
                if code and name in _CODES:
                    assert word_for(_CODES[name], code, language), f"{name} {code}"
            assert not (field.values and name not in _CODES), f"the codes of {name} would be said raw"


@pytest.mark.parametrize(
    ("name", "code", "english", "chinese"),
    [
        ("reason", "no answer", "did not answer", "无人接听"),
        ("reason", "BUSY", "busy", "忙线"),
        ("reason", "Fire-drill", "Fire-drill", "Fire-drill"),
        ("reason", "茶歇", "茶歇", "茶歇"),
        ("reason", "", "no reason given", "未说明原因"),
        ("state", "hold", "hold", "保持"),
        ("kind", "blind", "blind", "盲转"),
        ("link", "never", "never up", "从未连接"),
        ("team", "busy", "busy", "busy"),
        ("direction", "", "–", "–"),
    ],
)
def test_a_field_is_said_in_words(name: str, code: str, english: str, chinese: str) -> None:
    assert (say(name, code, "en"), say(name, code, "zh")) == (english, chinese)


def test_reasons_of_dead_letters_are_said_in_words() -> None:
    evidence = {"count": 25, "within_s": 300.0, "reasons": {"not_json": 20, "some_new_one": 5}}
    flag = flag_of(Trouble(rule=LETTERS, site="hq", started=AT, raised=AT, evidence=evidence), lambda _: "总部", "")
    assert flag.summary_en.endswith("could not be read (not JSON, some_new_one)")
    assert flag.summary_zh == "总部：5 分钟内有 25 条记录无法读取（不是 JSON、some_new_one）"
    assert flag.labels == {"reason": "not_json"}  # what rules and silences match stays the code


def test_reports_and_pages_share_the_words() -> None:
    for language in LANGUAGES:
        assert words(language).items() >= WORDS[language].items()
    assert in_a_sentence("rule", "slow_transfer", "en") == "slow transfer"
