"""What a release is made with: one version, a change log that names it, a bill of materials, an audit that says what it did."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest

from shared.http import create_app
from tools.audit import NO_DATA, verdict
from tools.sbom import with_licences

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<day>\S+))?$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def entries() -> list[tuple[str, str | None]]:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return [(found["version"], found["day"]) for found in HEADING.finditer(text)]


def test_the_version_stands_in_one_place() -> None:
    assert version("floorwatch") == VERSION, "install the project anew: make setup"
    assert create_app("monitor").version == VERSION
    said = [
        path.relative_to(ROOT)
        for folder in ("floorwatch", "services", "shared")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(rf"(?<!binding)[Vv]ersion\W+{re.escape(VERSION)}", path.read_text(encoding="utf-8"))
    ]
    assert said == []


def test_the_change_log_begins_with_what_is_not_released_or_with_this_version() -> None:
    found = entries()
    released = [one for one in found if one[0] != "Unreleased"]
    assert found[0][0] == "Unreleased" or found[0][0] == VERSION
    if released:  # what is released last is the version, until the next one is prepared
        assert released[0][0] == VERSION
    assert all(day and date.fromisoformat(day) for _, day in released)
    numbers = [tuple(map(int, one.split("."))) for one, _ in released]
    assert numbers == sorted(numbers, reverse=True)


def test_changes_are_sorted_by_what_they_are() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= KINDS


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/releasing.md"])
def test_what_a_document_names_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|docs|services)/[a-z_./]+\.(?:py|md|ini))`", text))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {target for run in re.findall(r"`make ([a-z -]+)", text) for target in run.split()}
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("dependencies", "code", "line"),
    [
        ([{"name": "a", "skip_reason": "not found"}], NO_DATA, "skipped: the data about known flaws cannot be had"),
        ([{"name": "a", "version": "1", "vulns": []}], 0, "1 packages asked about, 0 known flaws"),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            1,
            "a 1: CVE-1, mended in 2",
        ),
        (
            [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}],
            0,
            "not asked about: b: not found",
        ),
    ],
)
def test_an_audit_without_data_is_not_taken_for_a_clean_one(
    dependencies: list[dict[str, object]], code: int, line: str
) -> None:
    found, lines = verdict(dependencies)
    assert found == code
    assert any(one.startswith(line) for one in lines)


def test_the_bill_of_materials_names_licences() -> None:
    bill = with_licences({"components": [{"name": "fastapi", "description": "line 7"}]})
    assert bill == {"components": [{"name": "fastapi", "licenses": [{"expression": "MIT"}]}]}
