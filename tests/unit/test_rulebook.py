"""Rule books: what is accepted, what an error names, what a summary says."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.monitor.rulefile import load_rulebook
from shared.errors import SettingsError
from shared.events import CallQueued
from shared.facts import FlagRaised
from shared.siteconfig import QueueConfig, SiteConfig, Sites
from tests.floorkit import SITE, Bench

DEFAULT = Path(__file__).parents[2] / "deploy" / "rules.yaml"
GOOD = """\
rules:
  - name: long_wait
    subject: call
    when: {state: queued}
    for: 30s
    where: {queues: [sales]}
    summary:
      en: "waiting in {queue} for over {for}"
      zh: "在 {queue} 等待超过 {for}"
"""


def book(tmp_path: Path, old: str = "", new: str = "") -> Path:
    path = tmp_path / "rules.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1) if old else GOOD, encoding="utf-8")
    return path


def test_the_default_book_has_the_promised_rules() -> None:
    rules = {rule.name: rule.hold.total_seconds() for rule in load_rulebook(DEFAULT).rules}
    assert rules["slow_transfer"] == 7.0
    assert {"slow_transfer", "long_wrap", "long_break", "long_hold", "long_wait"} <= set(rules)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("for: 30s", "for: 30", 'rules.yaml:5: rules[0].for: expected a duration such as "7s", "1.5m" or "2h", got 30'),
        ("for: 30s", "for: soon", 'rules.yaml:5: rules[0].for: expected a duration such as "7s"'),
        ("state: queued", "state: asleep", "rules.yaml:4: rules[0].when.state: unknown value asleep; possible are"),
        (
            "state: queued",
            "mood: bad",
            "rules.yaml:4: rules[0].when.mood: call has no 'mood'; it has agents, attr_NAME, call,",
        ),
        ("subject: call", "subject: cat", "rules.yaml:3: rules[0].subject"),
        ("{queue} for", "{weather} for", "rules.yaml:8: rules[0].summary.en: mentions weather; possible are"),
        ("where: {queues", "where: {teems", "rules.yaml:6: rules[0].where.teems: there is no key `teems`"),
        ("- name", "- nam", "rules[0]"),
        (GOOD, "", "rules.yaml:1: this key is missing: `rules`"),
        (GOOD, "rules: 3", "rules.yaml:1: rules: expected a list, got a whole number"),
        ("rules:", "rules: [", "rules.yaml:2: not YAML"),
        ("    subject", "   subject", "is it indented as the lines above it?"),
        ("long_wait", "long\0wait", "rules.yaml:2: not YAML: the character U+0000 may not be in it"),
        ("long_wait", "2026-13-45", "rules.yaml: not YAML: month must be in 1..12"),
        (GOOD, "[" * 5000, "rules.yaml: not YAML: nested too deeply"),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_rulebook(book(tmp_path, old, new))
    assert says in str(error.value)


def test_a_file_in_another_encoding_says_so(tmp_path: Path) -> None:
    path = book(tmp_path)
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    with pytest.raises(SettingsError, match=r"rules.yaml:\d+: is not UTF-8 text; save the file as UTF-8"):
        load_rulebook(path)


def test_a_name_used_twice_is_an_error(tmp_path: Path) -> None:
    path = book(tmp_path)
    path.write_text(GOOD + GOOD.partition("\n")[2], encoding="utf-8")
    with pytest.raises(SettingsError, match="'long_wait' is used twice"):
        load_rulebook(path)


def test_where_limits_a_rule_and_the_summary_speaks_both_languages(tmp_path: Path) -> None:
    config = Sites({SITE: SiteConfig(queues={"sales": QueueConfig(label="Sales 销售")})})
    floor = Bench(load_rulebook(book(tmp_path)), config)
    floor(0, CallQueued(call_id="a", queue="sales"), CallQueued(call_id="b", queue="support"))
    floor.mark(60)
    (raised,) = floor.made(FlagRaised)
    assert raised.subject_id == "a"
    assert raised.summary_en == "waiting in Sales 销售 for over 30 s"
    assert raised.summary_zh == "在 Sales 销售 等待超过 30 秒"
