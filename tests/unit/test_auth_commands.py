"""`floorwatch auth check` and `explain`: what they print, which lines they name, and what they do with tokens."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from floorwatch.auth import app
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.sessions import Identity, sign_session
from tests.authkit import SECRET, token, users_file
from tests.unit.test_cli import floorwatch

PROVIDER = "http://127.0.0.1:9/never-asked"
POLICY = """\
roles:
  viewer: [floor.read, history.read]
grants:
  - {claim: groups, value: supervisors, roles: [supervisor], sites: [hq]}
  - claim: groups
    value: north-supervisors
    roles: [supervisor]
    sites: [north]
  - {claim: groups, value: north-quality, roles: [inspector], sites: [north]}
  - {user: sun@example.org, roles: [auditor]}
blocked: [eve]
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    users_file(tmp_path)
    for name, value in {"USERS_FILE": "users.yaml", "POLICY_FILE": "policy.yaml", "SECRET": SECRET}.items():
        monkeypatch.setenv(f"AUTH_{name}", value)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_OIDC_ISSUER", PROVIDER)
    monkeypatch.setenv("AUTH_OIDC_AUDIENCE", "floor")


def said(*arguments: str, status: int = 0, given: str | None = None) -> list[str]:
    done = CliRunner().invoke(app, list(arguments), input=given)
    if isinstance(done.exception, SettingsError):
        raise done.exception
    assert done.exit_code == status, done.output
    return [" ".join(line.split()) for line in done.output.splitlines()]


def test_a_user_of_the_file_and_the_lines_that_say_so() -> None:
    assert said("explain", "blue", "floor.act", "--team", "Blue", "--site", "hq") == [
        "allowed: blue (supervisor) has floor.act of site hq, team Blue",
        "blue is in the users file users.yaml:4: users.blue",
        "role supervisor includes floor.act built in (docs/security.md)",
        "sees all sites",
        "sees only teams Blue users.yaml:4: users.blue.teams",
    ]
    denied = said("explain", "blue", "floor.act", "--team", "Red", status=1)
    assert denied[0] == "denied: blue has floor.act, but does not see team Red"


def test_who_is_blocked_is_out_although_the_users_file_has_them(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("blocked: [blue]\n", encoding="utf-8")
    assert said("explain", "blue", "floor.read", status=1) == [
        "denied: blue is blocked",
        "blue is in the users file users.yaml:4: users.blue",
        "blue is blocked policy.yaml: blocked",
    ]


def test_what_the_policy_changed_of_a_role_is_named_by_its_line() -> None:
    assert "role viewer includes history.read policy.yaml:2: roles.viewer" in said("explain", "viewer", "history.read")
    denied = said("explain", "viewer", "audit.read", status=1)
    assert denied[0] == "denied: viewer (viewer) may not: audit.read is in no role of theirs"
    assert said("explain", "nobody", "floor.read", status=1)[0] == "denied: nobody is not in the users file"


@pytest.mark.usefixtures("provider")
def test_people_of_the_provider_by_what_it_says_of_them() -> None:
    both = ["--claim", "groups=supervisors", "--claim", "groups=north-supervisors"]
    assert said("explain", "wang", "floor.act", "--site", "north", *both) == [
        "allowed: wang (supervisor) has floor.act of site north",
        f"wang is of {PROVIDER}, which says groups=north-supervisors, groups=supervisors",
        "grants supervisor policy.yaml:4: grants[0]",
        "grants supervisor policy.yaml:5: grants[1]",
        "role supervisor includes floor.act built in (docs/security.md)",
        "sees only sites hq, north policy.yaml:4: grants[0], policy.yaml:5: grants[1]",
    ]
    mixed = said("explain", "li", "numbers.reveal", *both[:2], "--claim", "groups=north-quality", status=1)
    assert (
        "grants inspector; left out, for joined with the others it would give more than it says policy.yaml:9: grants[2]"
        in mixed
    )
    assert said("explain", "sun@example.org", "audit.read")[0].startswith("allowed")
    assert said("explain", "someone", "floor.read", status=1)[0] == "denied: no grant is for them"
    assert (
        said("explain", "eve", "floor.read", "--claim", "groups=supervisors", status=1)[0] == "denied: eve is blocked"
    )


@pytest.mark.usefixtures("provider")
def test_a_token_is_read_from_a_file_or_from_standard_input_and_checked(tmp_path: Path) -> None:
    (tmp_path / "t").write_text(token("blue") + "\n", encoding="ascii")
    lines = said("explain", "floor.act", "--token-file", "t")
    assert lines[0] == "allowed: blue (supervisor) has floor.act"
    assert lines[1].startswith("the token is good until")
    old = said("explain", "floor.act", "--token-file", "-", status=1, given=token("blue", hours=-1))
    assert old[0].startswith("denied: the token is not taken (expired)")
    now = SystemClock().now()
    who = Identity("li", "Li", frozenset({("groups", "north-quality")}), now, now + timedelta(hours=1))
    session = said("explain", "calls.listen", "--token-file", "-", given=sign_session(SECRET, PROVIDER, who))
    assert session[0] == "allowed: li (inspector) has calls.listen"
    assert "grants inspector policy.yaml:9: grants[2]" in session


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "blue", "floor.reed"), "there is no action 'floor.reed'; did you mean floor.read?"),
        (("explain", "floor.read"), "expected USER ACTION"),
        (("explain", "blue", "floor.read", "--token-file", "t"), "expected USER ACTION, or ACTION with --token-file"),
        (("explain", "floor.read", "--token-file", "none"), "--token-file: none cannot be read"),
        (("explain", "blue", "floor.read", "--claim", "groups"), "--claim: expected NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=message.replace("?", r"\?")):
        said(*arguments)


def test_check_shows_what_roles_may_do_and_what_is_hardly_meant(tmp_path: Path) -> None:
    lines = said("check")
    assert (
        lines[0]
        == "Users: users.yaml, 10 (viewer 2, supervisor 2, inspector 1, operations 2, auditor 1, admin 1, service 1)"
    )
    assert "permission viewer* supervisor inspector operations auditor admin service" in lines
    assert "warning: policy.yaml: grants are for people of a provider, and AUTH_OIDC_ISSUER is not set" in lines
    said("check", "--strict", status=1)
    (tmp_path / "policy.yaml").write_text("roles:\n  viewer: [floor.reed]", encoding="utf-8")
    assert said("check", status=1)[0].startswith("policy.yaml:2: roles.viewer[0]: there is no permission 'floor.reed'")


@pytest.mark.usefixtures("provider")
def test_check_asks_the_provider_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"Identity provider: {PROVIDER}, for programs; 4 grants" in said("check")
    assert any(
        "127.0.0.1/never-asked/.well-known/openid-configuration cannot be reached" in line
        for line in said("check", "--online", status=1)
    )
    monkeypatch.setenv("MONITOR_HOST", "0.0.0.0")
    said("check")
    monkeypatch.setenv("AUTH_POLICY_FILE", "")
    assert said("check", status=1)[0].startswith("AUTH_POLICY_FILE is not set")


def test_the_command_is_there() -> None:
    done = floorwatch("auth", "explain", "local", "floor.read")
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "allowed: local (inspector, operations, supervisor) has floor.read",
    )
