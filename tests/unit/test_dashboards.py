"""Dashboards and alert rules: up to date, they parse, ask for metrics that there are, and lead to a page that helps."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import ROOT
from tools.dashboards.__main__ import DASHBOARDS, FOLDER, path_of, text_of
from tools.dashboards.panels import WIDTH, Dashboard
from tools.metrics import known_series

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "floorwatch.rules.yml"
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool (apt-get install prometheus)")

NOT_OURS = {"up", "ALERTS"}  # of Prometheus itself
WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool", "offset"}
# Grafana puts these in; for promtool any value of the right kind will do
PUT_IN = {"$__rate_interval": "5m", "$site": ".*"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def plain(expr: str) -> str:
    for name, value in PUT_IN.items():
        expr = expr.replace(name, value)
    return expr


def asked_for(expr: str) -> set[str]:
    """The metrics of an expression: names that are no function, no word of the language and no label."""
    bare = re.sub(r'"[^"]*"', "", plain(expr))
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", " ", bare)
    return {name for name in re.findall(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()", bare) if name not in WORDS}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.uid)
def test_the_file_is_what_the_code_makes(dashboard: Dashboard) -> None:
    assert path_of(dashboard).read_text(encoding="utf-8") == text_of(dashboard), "run `make docs`"


def test_there_is_no_other_file() -> None:
    assert set(FOLDER.glob("*")) == {path_of(one) for one in DASHBOARDS}


def test_panels_neither_overlap_nor_stick_out() -> None:
    for dashboard in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in dashboard.render()["panels"]:
            place = panel["gridPos"]
            cells = {(x + place["x"], y + place["y"]) for x in range(place["w"]) for y in range(place["h"])}
            assert max(x for x, _ in cells) < WIDTH, panel["title"]
            assert not cells & taken, panel["title"]
            taken |= cells


def test_every_expression_asks_for_metrics_that_there_are() -> None:
    known = known_series() | NOT_OURS
    asked = [(one.uid, expr) for one in DASHBOARDS for expr in one.expressions()]
    asked += [(rule["alert"], rule["expr"]) for rule in rules()]
    for where, expr in asked:
        assert asked_for(expr) <= known, f"{where}: {sorted(asked_for(expr) - known)} in {expr}"


@needs_promtool
def test_every_expression_of_a_dashboard_parses(tmp_path: Path) -> None:
    found = [
        {"record": f"d:{at}", "expr": plain(expr)}
        for at, expr in enumerate(expr for one in DASHBOARDS for expr in one.expressions())
    ]
    path = tmp_path / "dashboards.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": found}]}), encoding="utf-8")
    promtool("check", "rules", "--lint=none", str(path))


@needs_promtool
def test_rules_and_what_is_scraped_are_right() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    for path in (ROOT / "deploy").rglob("prometheus*.yml"):
        promtool("check", "config", "--syntax-only", str(path))


@needs_promtool
def test_rules_fire_when_they_should_and_not_before() -> None:
    promtool("test", "rules", *map(str, sorted((PROMETHEUS / "tests").glob("*.yml"))))


def test_every_rule_is_tested_and_tells_people_what_to_do() -> None:
    tested = "".join(path.read_text(encoding="utf-8") for path in (PROMETHEUS / "tests").glob("*.yml"))
    for rule in rules():
        assert f"alertname: {rule['alert']}\n" in tested, f"{rule['alert']} has no test"
        assert rule["labels"]["severity"] in ("none", "warning", "critical"), rule["alert"]
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, f"{rule['alert']}: {anchor}"


def promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
