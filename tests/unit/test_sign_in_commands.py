"""`floorwatch token` and `login-link`: what they print is good at the services; what is wrong is said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from floorwatch import run as running
from floorwatch import signin
from shared.auth import Authenticator
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.settings import CommonSettings, MonitorSettings
from tests.authkit import USERS, users_file
from tests.unit.test_cli import floorwatch


def test_a_token_from_the_command_is_good_at_a_service_of_the_same_run_directory(tmp_path: Path) -> None:
    users = users_file(tmp_path)
    env = {"AUTH_USERS_FILE": str(users), "FLOORWATCH_RUN_DIR": str(tmp_path / "run")}
    made = floorwatch("token", "supervisor", "--hours", "2", **env)
    assert made.returncode == 0, made.stderr
    auth = Authenticator.of(CommonSettings(users_file=users, run_dir=tmp_path / "run"), SystemClock())
    who = auth.of_token(made.stdout.strip())
    assert who.name == "王芳"
    assert who.expires is not None
    assert who.issued is not None
    assert who.expires - who.issued == timedelta(hours=2)


def test_a_login_link_leads_to_the_page_with_the_token_behind_the_hash(tmp_path: Path) -> None:
    env = {"AUTH_USERS_FILE": str(users_file(tmp_path)), "AUTH_SECRET": "s" * 32, "MONITOR_PORT": "9999"}
    here = floorwatch("login-link", "viewer", **env).stdout
    assert here.startswith("http://127.0.0.1:9999/login.html#ey")
    there = floorwatch("login-link", "viewer", "--url", "https://floor.example/", **env).stdout
    assert there.startswith("https://floor.example/login.html#ey")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("token", "nobody"), "has no user nobody; there are viewer, supervisor"),
        (("token", "viewer", "--hours", "0"), "--hours: expected above 0"),
    ],
)
def test_what_is_wrong_is_one_clear_message(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = floorwatch(*arguments, AUTH_USERS_FILE=str(users_file(tmp_path)), AUTH_SECRET="s" * 32)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_without_a_users_file_a_token_means_nothing() -> None:
    done = floorwatch("token", "viewer")
    assert done.returncode == 2
    assert "AUTH_USERS_FILE is not set" in done.stderr


def test_run_prints_a_link_for_each_person_and_refuses_a_wrong_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_USERS_FILE", str(users_file(tmp_path)))
    monkeypatch.setenv("FLOORWATCH_RUN_DIR", str(tmp_path / "run"))
    floor = running.plan(broker="embedded", simulator=False, speed=None, seed=None)
    text = running.welcome(floor, 1.0)
    people = [line.split()[0] for line in text.splitlines() if "/login.html#" in line]
    assert people == [name for name in ("viewer", "supervisor", "blue", "sales", "elsewhere") if name in USERS] + [
        "inspector",
        "operations",
        "auditor",
        "admin",
    ]
    users_file(tmp_path, "users: {}")
    with pytest.raises(SettingsError, match="nobody is in it"):
        running.plan(broker="embedded", simulator=False, speed=None, seed=None)
    monkeypatch.delenv("AUTH_USERS_FILE")
    assert "login.html" not in running.welcome(
        running.plan(broker="embedded", simulator=False, speed=None, seed=None), 1.0
    )


@pytest.mark.parametrize(("found", "command"), [(True, "floorwatch"), (False, ".venv/bin/floorwatch")])
def test_run_says_how_more_links_are_made_in_words_that_work_as_they_stand(
    found: bool, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = users_file(tmp_path)
    if found:
        (tmp_path / "floorwatch").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [".venv/bin/floorwatch", "run"])
    monkeypatch.setenv("FLOORWATCH_RUN_DIR", str(tmp_path / "run"))
    alone = running.plan(broker="embedded", simulator=False, speed=None, seed=None)
    assert f": {command} run --demo-users" in running.welcome(alone, 1.0)
    monkeypatch.setenv("AUTH_USERS_FILE", str(users))
    signed_in = running.plan(broker="embedded", simulator=False, speed=None, seed=None)
    assert f"AUTH_USERS_FILE={users} {command} login-link USER" in running.welcome(signed_in, 1.0)


def test_programs_and_agents_without_a_role_get_no_link(tmp_path: Path) -> None:
    users = users_file(tmp_path, f"{USERS}  anna: {{agent: test/1}}\n")
    settings = MonitorSettings(users_file=users, run_dir=tmp_path)
    shown = [name for name, _, _ in signin.links(settings, "http://x")]
    assert "viewer" in shown
    assert not {"pbx", "anna"} & set(shown), "a program, and an agent for whom there is no page"
