"""What nobody has to sign in at is reached from this machine alone, unless somebody says so loudly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from floorwatch import run as running
from shared.auth import Authenticator
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.exposure import check_exposed, is_loopback
from shared.settings import AlertsSettings, AsteriskSettings, IngestSettings, MonitorSettings, RelaySettings
from tests.authkit import SECRET, users_file

SERVICES = [MonitorSettings, IngestSettings, AlertsSettings, RelaySettings, AsteriskSettings]
EVERYWHERE = ["0.0.0.0", "::", "", "10.0.0.9", "192.168.1.5", "::ffff:0.0.0.0", "floor.example.org", "fe80::1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST"])
def test_this_machine_is_for_itself(host: str) -> None:
    assert is_loopback(host)
    check_exposed(MonitorSettings(host=host))


@pytest.mark.parametrize("host", EVERYWHERE)
def test_elsewhere_is_refused_with_the_reason_and_what_to_set(host: str) -> None:
    with pytest.raises(SettingsError) as told:
        check_exposed(MonitorSettings(host=host))
    for said in (
        "MONITOR_HOST",
        host or "every address",
        "AUTH_USERS_FILE",
        "AUTH_OIDC_ISSUER",
        "AUTH_INSECURE_NO_SIGN_IN",
    ):
        assert said in str(told.value)


@pytest.mark.parametrize("kind", SERVICES)
def test_every_service_refuses_at_its_start(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"_HOST: 0\.0\.0\.0 is reached from elsewhere"):
        Authenticator.of(kind(host="0.0.0.0", run_dir=tmp_path), SystemClock())
    users = kind(host="0.0.0.0", run_dir=tmp_path, users_file=users_file(tmp_path), auth_secret=SECRET)
    assert Authenticator.of(users, SystemClock()).mode == "users"


def test_who_wants_it_all_the_same_is_told_of_it_at_each_start(tmp_path: Path) -> None:
    with capture_logs() as logs:
        Authenticator.of(MonitorSettings(host="0.0.0.0", run_dir=tmp_path, insecure_no_sign_in=True), SystemClock())
    assert [(one["log_level"], one["because"]) for one in logs] == [("warning", "AUTH_INSECURE_NO_SIGN_IN")]


def test_run_refuses_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONITOR", "INGEST", "ALERTS", "RELAY"):
        monkeypatch.setenv(f"{name}_HOST", "0.0.0.0")
        with pytest.raises(SettingsError, match=rf"{name}_HOST: 0\.0\.0\.0 is reached from elsewhere"):
            running.plan(broker="embedded", simulator=False, speed=None, seed=None)
        monkeypatch.delenv(f"{name}_HOST")


def test_run_says_that_nobody_has_to_sign_in_and_has_made_up_people_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_USERS_FILE", "")
    monkeypatch.setenv("FLOORWATCH_RUN_DIR", str(tmp_path))

    def welcome() -> str:
        return running.welcome(running.plan(broker="embedded", simulator=False, speed=None, seed=None), 1.0)

    assert "Nobody has to sign in" in welcome()
    assert "login.html" not in welcome()
    running.use_demo_users()
    said = welcome()
    assert "Nobody has to sign in" not in said
    assert "chen (supervisor; 12 h)" in said
    with pytest.raises(SettingsError, match="AUTH_USERS_FILE names the users already"):
        running.use_demo_users()
