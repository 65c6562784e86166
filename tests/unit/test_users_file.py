"""The users file: what is in it, what is wrong with it, and that a change is taken over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.clock import FakeClock
from shared.errors import SettingsError
from shared.identity import GRANTS, LOCAL, PERMISSIONS, ROLES, Scope
from shared.users import LOOK_EVERY_S, LiveUsers, load_users
from tests.authkit import users_file

ROOT = Path(__file__).parents[2]


def test_the_example_has_one_user_of_each_kind_and_says_of_what_each_sees() -> None:
    users = load_users(ROOT / "deploy" / "users.demo.yaml")
    assert {role for user in users.values() for role in user.roles} == set(ROLES) - {"admin"}
    assert users["chen"].principal("chen").scope == Scope(frozenset({"demo"}), frozenset({"Support"}), None)
    assert users["li"].principal("li").scope == Scope()
    assert users["hall"].principal("hall").permissions == ("floor.read",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "users.yaml:1: this key is missing: `users`"),
        ("users: {}", "users.yaml:1: users: nobody is in it"),
        (
            "users:\n  a: {roles: [boss]}",
            "users.yaml:2: users.a.roles[0]: invalid enum value 'boss'; allowed: admin, auditor",
        ),
        ("users:\n  a: {roles: []}", "users.yaml:2: users.a.roles: no role may do nothing"),
        (
            "users:\n  a:\n    roles: [viewer]\n    sites: []",
            "users.yaml:4: users.a.sites: none of them is nothing to see",
        ),
        ("users:\n  a: {roles: [viewer], hours: 0}", "users.yaml:2: users.a.hours: expected above 0"),
        ("users:\n  a: {roles: [viewer], team: x}", "users.yaml:2: users.a.team: there is no key `team`"),
        ("users:\n  a: {agent: hq}", "users.yaml:2: users.a.agent: expected site/id, such as hq/1001, got 'hq'"),
        ("users:\n  a b: {roles: [viewer]}", "users.yaml:2: users.a b: a user is called by letters"),
        ("users:\n  local: {roles: [viewer]}", "users.yaml:2: users.local: this name is that of everybody"),
        ("users:\n  a: {roles: [viewer], tokens_since: 2026-01-01}", "users.yaml:2: users.a.tokens_since"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as told:
        load_users(users_file(tmp_path, text))
    assert message in str(told.value)


def test_a_missing_file_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="AUTH_USERS_FILE says where it is"):
        load_users(tmp_path / "none.yaml", setting="AUTH_USERS_FILE")


def change(path: Path, text: str) -> None:
    before = path.stat().st_mtime_ns
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 1, before + 1))


def test_a_change_is_taken_over_and_a_wrong_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = users_file(tmp_path, "users:\n  a: {roles: [viewer]}\n  b: {roles: [viewer]}")
    clock = FakeClock()
    users = LiveUsers(path, clock)
    change(path, "users:\n  b: {roles: [operations], sites: [x]}\n  c: {roles: [admin]}")
    assert users.get("a") is not None  # looked at a moment ago
    clock.pause(LOOK_EVERY_S)
    with capture_logs() as logs:
        assert users.get("a") is None
    assert [(one["event"], one["users"], one["gone"]) for one in logs] == [("users reloaded", 2, ["a"])]
    b = users.get("b")
    assert b is not None
    assert (b.roles, b.scope.sites) == (frozenset({"operations"}), frozenset({"x"}))
    change(path, "users: [")
    clock.pause(LOOK_EVERY_S)
    assert users.get("c") is not None
    path.unlink()
    clock.pause(LOOK_EVERY_S)
    assert users.get("c") is not None


def test_an_agent_needs_no_role_and_may_nothing_else(tmp_path: Path) -> None:
    agent = load_users(users_file(tmp_path, "users:\n  anna: {agent: hq/1001}"))["anna"].principal("anna")
    assert (agent.agent, agent.permissions) == ("hq/1001", ())


def test_what_each_role_may_do() -> None:
    assert set(GRANTS) == set(ROLES)
    assert all("floor.read" in granted for granted in GRANTS.values())
    by_permission = {one: {role for role in ROLES if one in GRANTS[role]} - {"admin"} for one in PERMISSIONS}
    assert by_permission == {
        "floor.read": set(ROLES) - {"admin"},
        "floor.act": {"supervisor", "operations"},
        "history.read": {"supervisor", "inspector", "operations", "auditor"},
        "numbers.reveal": {"inspector"},
        "calls.listen": {"inspector", "supervisor"},
        "calls.speak": {"inspector", "supervisor"},
        "audit.read": {"auditor"},
        "operations.read": {"operations"},
        "events.write": {"operations", "service"},
    }
    assert GRANTS["admin"] == frozenset(PERMISSIONS)
    assert LOCAL.roles == {"supervisor", "inspector", "operations"}


@pytest.mark.parametrize("role", ROLES)
def test_the_table_in_the_documents_is_what_the_code_grants(role: str) -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    head = next(line for line in text.splitlines() if line.startswith("| permission |"))
    roles = [cell.strip() for cell in head.strip("|").split("|")][2:]
    column = 2 + roles.index(role)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    table = {cells[0].strip("`"): cells[column] for cells in rows if cells[0].strip("`") in PERMISSIONS}
    assert table == {one: "yes" if one in GRANTS[role] else "" for one in PERMISSIONS}  # type: ignore[index]
