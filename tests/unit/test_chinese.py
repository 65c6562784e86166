"""Whatever a page may show of what the alert file or a request got wrong is there in Chinese, too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.alerts.chinese import TABLE, also_in_chinese, in_chinese

ROOT = Path(__file__).parents[2]
SAYING = {"wrong": 1, "_wrong": 1, "_say": 1, "Problem": 1}  # functions, and which argument is the sentence
RAISED = {"MatcherError", "WrongSilence", "BeyondScope", "WrongLabels", "SettingsError", "ValueError"}
WHERE = (
    "services/alerts/alertfile",
    "services/alerts/retention/keeping.py",
    "services/alerts/periodic/configured.py",
    "services/alerts/core/labels.py",
    "services/alerts/core/silences.py",
    "services/alerts/core/explained.py",
    "services/alerts/silences",
    "services/alerts/api/silences.py",
    "services/alerts/api/routing.py",
    "services/alerts/reach/channels.py",
    "services/alerts/reach/apprisechannel.py",
    "shared/durations.py",
    "shared/hours.py",
)


def sentences() -> Iterator[str]:
    for name in WHERE:
        path = ROOT / name
        for file in [path] if path.is_file() else sorted(path.glob("*.py")):
            for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call):
                    function = ast.unparse(call.func).rpartition(".")[2]
                    at = SAYING.get(function, 0 if function in RAISED else None)
                    if at is not None and len(call.args) > at:
                        yield from said(call.args[at])


def said(node: ast.expr) -> Iterator[str]:
    """What an expression says, `…` for what differs; nothing of what only hands on what another one said."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from (*said(one), *said(other))
        case ast.JoinedStr(values=parts):
            text = "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in parts)
            if text.strip("….: "):
                yield text


def test_every_sentence_has_its_chinese() -> None:
    found = set(sentences())
    assert len(found) > 50
    handed_on = {"matchers: …", "…: …"}
    assert sorted(one for one in found - handed_on if in_chinese(one) is None) == []


def test_every_chinese_sentence_is_of_one_that_is_said() -> None:
    """What nobody says any more is not kept. The reader of YAML puts its sentences together, so parts of them are looked for."""
    files = (path for folder in ("services/alerts", "shared") for path in (ROOT / folder).rglob("*.py"))
    whole = "".join(path.read_text(encoding="utf-8").lower() for path in files if path.name != "chinese.py")
    for english in TABLE:
        longest = max(english.lower().split("{}"), key=len)
        assert any(part.strip(" `;") in whole for part in re.split("[:;] ", longest) if part.strip(" `;")), english


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "deploy/alerts.yaml:12: routes.routes[0].receiver: there is no receiver 'x'; there are: a, b",
            "deploy/alerts.yaml:12: routes.routes[0].receiver：没有接收方 'x'；已有：a, b",
        ),
        ("a.yaml:3: routes.wait: expected a text, got a list", "a.yaml:3: routes.wait：应为文本，实为列表"),
        (
            'a.yaml:3: routes.wait: expected a duration such as "7s", "1.5m" or "2h", got \'soon\'',
            "a.yaml:3: routes.wait：应为时长，例如“7s”“1.5m”或“2h”，实为 'soon'",
        ),
        ("a.yaml:1: not YAML: nested too deeply", "a.yaml:1：不是有效的 YAML：嵌套过深"),
        ("a.yaml: cannot be read: No such file", "a.yaml：无法读取：No such file"),
        ("a.yaml:7: rooots: there is no key `rooots`", "a.yaml:7: rooots：没有 `rooots` 这个键"),
        ("matchers: queue: expected at least one value", "matchers: queue：至少要有一个值"),
        (
            "matchers: queue: expected all values with ! or none of them, got !a, b",
            "matchers: queue：各值应全部带 ! 或全部不带，实为 !a, b",
        ),
        ("a.yaml:3: x.template: t.j2 cannot be read: [Errno 2]", "a.yaml:3: x.template：t.j2 无法读取：[Errno 2]"),
        ("severity: there is no 'bad'; there are info, warning", "severity：没有 'bad'；可选：info, warning"),
        ("it would end before it begins", "结束时间早于开始时间"),
        ("the disk is full", None),
        ("", None),
    ],
)
def test_a_sentence_keeps_its_place_and_its_values(english: str, chinese: str | None) -> None:
    assert in_chinese(english) == chinese
    assert also_in_chinese(english) == ({} if chinese is None else {"detail_zh": chinese})


@pytest.mark.timeout(60)  # which a time that grows with the square of the length passes many times over
@pytest.mark.parametrize("text", ["team " + ": a" * 20_000, "expected " * 10_000, "there is no x; there are " * 3000])
def test_a_sentence_without_an_end_stays_as_it_is_and_keeps_nobody_waiting(text: str) -> None:
    assert also_in_chinese(f"{text} is beyond what you see: a") == {}
