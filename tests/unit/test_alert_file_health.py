"""The section `health` of the alert file: limits for all sites and for some, and errors that say where."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.alerts.alertfile.health import HealthLimits
from services.alerts.alertfile.reading import load_alerts
from shared.errors import SettingsError

ROUTES = "receivers: {ops: {notify: []}}\nroutes: {receiver: ops}\n"


def limits(tmp_path: Path, health: str) -> HealthLimits:
    file = tmp_path / "alerts.yaml"
    file.write_text(f"{ROUTES}health: {health}\n")
    return load_alerts(file).health


def test_what_a_site_leaves_out_is_as_for_every_site(tmp_path: Path) -> None:
    found = limits(
        tmp_path,
        "{silent_after: 1m, never_heard: 2h, dead_letters: {count: 3}, sites: {hq: {lag: 10s, never_heard: never}}}",
    )
    assert found.of("elsewhere").silent_after == timedelta(minutes=1)
    assert found.of("elsewhere").never_heard == timedelta(hours=2)
    assert (found.of("hq").letters, found.of("hq").within) == (3, timedelta(minutes=5))
    assert (found.of("hq").lag, found.of("elsewhere").lag) == (timedelta(seconds=10), timedelta(seconds=30))
    assert found.of("hq").never_heard is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{silent_after: 2s}", "alerts.yaml:3: health.silent_after: expected 5 s at least"),
        ("{silent_after: never}", "alerts.yaml:3: health.silent_after: expected a duration"),
        ("{dead_letters: {count: 0}}", "alerts.yaml:3: health.dead_letters.count: expected at least 1"),
        ("{sites: {hq: {lag: soon}}}", "alerts.yaml:3: health.sites.hq.lag: expected a duration"),
        ("{silent: 30s}", "alerts.yaml:3: health"),
    ],
)
def test_a_wrong_limit_names_file_line_and_key(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        limits(tmp_path, written)
    assert said in str(wrong.value)
