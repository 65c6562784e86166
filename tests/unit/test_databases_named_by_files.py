"""Which database commands look at: that of a URL that orchestrators hand over as a file, else that of `floorwatch run`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from floorwatch import purge, run
from floorwatch.cli import app
from shared.settings import AlertsSettings, MonitorSettings, load

URL = "postgresql+asyncpg://floor:hush@127.0.0.1:1/floor"  # where nobody answers


@pytest.fixture(autouse=True)
def named_by_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "url"
    file.write_text(URL, encoding="utf-8")
    monkeypatch.setenv("FLOORWATCH_RUN_DIR", str(tmp_path))
    for service in ("MONITOR", "ALERTS"):
        monkeypatch.delenv(f"{service}_DB_URL", raising=False)
        monkeypatch.setenv(f"{service}_DB_URL_FILE", str(file))


def test_the_audit_that_is_looked_at_is_the_one_of_the_service() -> None:
    said = CliRunner().invoke(app, ["audit", "verify"])
    assert "127.0.0.1:1/floor" in str(said.exception)
    assert "monitor.db" not in str(said.exception)


def test_what_is_purged_is_the_database_of_the_service() -> None:
    assert purge.database_url(None) == URL
    assert purge.database_url("sqlite:///other.db") == "sqlite:///other.db"


def test_what_run_starts_is_not_given_a_second_url(monkeypatch: pytest.MonkeyPatch) -> None:
    told = run._environment(run.plan(broker="embedded", simulator=False, speed=None, seed=None))
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert load(AlertsSettings).db_url.get_secret_value() == load(MonitorSettings).db_url.get_secret_value() == URL


def test_a_report_is_of_what_run_has_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def why() -> str:
        return str(CliRunner().invoke(app, ["report", "daily"]).exception)

    assert "127.0.0.1:1/floor" in why()
    monkeypatch.delenv("ALERTS_DB_URL_FILE")
    assert why().startswith(f"{tmp_path / 'alerts.db'}: there is no such database")
