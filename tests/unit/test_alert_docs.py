"""The examples of docs/alerts.md are alert files that are right, and its tables name every key and every group."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from services.alerts.alertfile import schema
from services.alerts.alertfile.reading import load_alerts
from services.alerts.alertfile.receivers import ReceiverConfig
from services.alerts.retention.groups import GROUPS
from shared.settings import ROOT

TEXT = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
EXAMPLES = [block for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "\nroutes:\n" in f"\n{block}"]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_is_right_and_nothing_in_it_is_hardly_meant(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in re.findall(r"env:([A-Z_]+)", EXAMPLES[number]):
        monkeypatch.setenv(name, f"json://127.0.0.1/{name}")
    path = tmp_path / "alerts.yaml"
    path.write_text(EXAMPLES[number], encoding="utf-8")
    assert load_alerts(path).warnings == ()


def test_there_is_one_for_a_small_site_and_one_for_a_large_one() -> None:
    assert len(EXAMPLES) >= 2


def test_every_key_and_every_group_is_described() -> None:
    kinds = (schema.AlertFile, ReceiverConfig, schema.ScheduleConfig, schema.SpanConfig, schema.RouteConfig)
    kinds = (*kinds, schema.StepConfig, schema.GroupConfig, schema.RaiseConfig, schema.InhibitConfig)
    keys = {field.encode_name for kind in kinds for field in msgspec.structs.fields(kind)}
    section = TEXT.split("## The alert file")[1].split("## What is kept")[0]
    assert {key for key in keys if not re.search(rf"`[^`]*\b{key}\b[^`]*`", section)} == set()
    kept = TEXT.split("## What is kept")[1].split("\n## ")[0]
    for group in GROUPS:
        days = "for ever" if group.keep is None else f"{group.keep.days} d"
        assert re.search(rf"^\| `{group.name}` \|.*\| {days} \|$", kept, re.MULTILINE), group.name
