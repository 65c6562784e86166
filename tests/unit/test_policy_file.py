"""The policy file: what is wrong with it, what it gives to whom, and that a change is taken over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from shared.clock import FakeClock
from shared.errors import SettingsError
from shared.identity import GRANTS, PERMISSIONS, ROLES, Scope
from shared.livefile import LOOK_EVERY_S
from shared.policy import Policy, values_of
from shared.policyfile import LivePolicy, load_policy

ROOT = Path(__file__).parents[2]
GRANT = "grants:\n  - {claim: groups, value: a, roles: [viewer]}\n"


def policy_file(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def policy(folder: Path, text: str) -> Policy:
    return load_policy(policy_file(folder, text)).policy


def test_the_example_says_of_roles_what_is_built_in() -> None:
    found = load_policy(ROOT / "deploy" / "policy.yaml").policy
    assert dict(found.granted) == dict(GRANTS)
    assert found.claims == {"groups", "floorwatch_sites"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("roles:\n  boss: [floor.read]", "FILE:2: roles.boss: there is no role 'boss'; there are viewer, supervisor"),
        (
            "roles:\n  viewer:\n    - floor.read\n    - floor.reed",
            "FILE:4: roles.viewer[1]: there is no permission 'floor.reed'; did you mean floor.read?",
        ),
        ("role: {}", "FILE:1: role: there is no key `role`"),
        ("grants:\n  - {roles: [viewer]}", "FILE:2: grants[0]: expected `claim` with `value`, or `user`"),
        ("grants:\n  - {user: a, claim: b, value: c, roles: [viewer]}", "FILE:2: grants[0]: expected `claim`"),
        ("grants:\n  - {user: local, roles: [viewer]}", "FILE:2: grants[0].user: this name is that of everybody"),
        ("grants:\n  - {user: a, value: c, roles: [viewer]}", "FILE:2: grants[0].value: a value is one of a claim"),
        ("grants:\n  - {claim: groups, roles: [viewer]}", "FILE:2: grants[0].claim: which value must it have?"),
        ("grants:\n  - {claim: groups, value: a}", "FILE:2: grants[0].roles: a grant without a role gives nothing"),
        (
            "grants:\n  - {claim: groups, value: a, roles: [boss]}",
            "FILE:2: grants[0].roles[0]: invalid enum value 'boss'; allowed: admin",
        ),
        (GRANT + "  - claim: groups\n    value: b\n    roles: [viewer]\n    sites: []", "FILE:6: grants[1].sites: none of them"),
        ("grants:\n  - {user: a, roles: [viewer], sites: [x], sites_from: y}", "FILE:2: grants[0].sites_from: sites says it"),
        ("grants:\n  - {claim: groups, value: a, agent: hq/1}", "FILE:2: grants[0].agent: expected site/id"),
        ("grants:\n  - {user: a, agent: hq}", "FILE:2: grants[0].agent: expected site/id"),
        ("tokens_since: 2026-01-01", "FILE:1: tokens_since"),
        ("roles: [viewer]", "FILE:1: roles: expected keys with values, got a list"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as told:
        load_policy(policy_file(tmp_path, text))
    assert message.replace("FILE:", "policy.yaml:") in str(told.value)


def test_a_role_may_do_what_the_file_says_and_others_what_is_built_in(tmp_path: Path) -> None:
    found = policy(tmp_path, "roles:\n  viewer: [floor.read, history.read]\n  admin: []")
    assert found.permissions(["viewer"]) == {"floor.read", "history.read"}
    assert found.permissions(["admin"]) == frozenset()
    assert found.permissions(["viewer", "auditor"]) == {"floor.read", "history.read", "audit.read"}
    for role in set(ROLES) - {"viewer", "admin"}:
        assert found.permissions([role]) == GRANTS[role]
    assert Policy().permissions(ROLES) == set(PERMISSIONS)


@pytest.mark.parametrize(
    ("claims", "name", "values"),
    [
        ({"groups": ["a", "b"]}, "groups", {"a", "b"}),
        ({"groups": "a"}, "groups", {"a"}),
        ({"groups": "a b"}, "groups", {"a b"}),
        ({"scope": "read write"}, "scope", {"read", "write"}),
        ({"realm_access": {"roles": ["x"]}}, "realm_access.roles", {"x"}),
        ({"https://example.org/roles": ["x"]}, "https://example.org/roles", {"x"}),
        ({"vip": True, "level": 3}, "vip", {"true"}),
        ({"level": 3}, "level", {"3"}),
        ({"groups": [{"a": 1}, None, 1.5, ["b"], ""]}, "groups", set()),
        ({"groups": {"a": 1}}, "groups", set()),
        ({"a": "x"}, "a.b.c", set()),
        ({}, "groups", set()),
    ],
)
def test_values_of_a_claim(claims: dict[str, Any], name: str, values: set[str]) -> None:
    assert values_of(claims, name) == values


def test_who_gets_what(tmp_path: Path) -> None:
    found = policy(
        tmp_path,
        """
        grants:
          - {claim: groups, value: cc-supervisors, roles: [supervisor], sites: [hq], teams: [Blue]}
          - {claim: groups, values: [cc-quality, cc-trainers], roles: [inspector]}
          - {user: sun@example.org, roles: [auditor]}
          - {claim: groups, value: cc-site, roles: [viewer], sites_from: site}
          - {claim: groups, value: agents, agent_from: agent}
        blocked: [eve]
        """,
    )

    def given(user: str = "wang", **claims: Any) -> tuple[set[str], Scope, str] | None:
        one = found.given(user, found.facts(claims))
        return None if one is None else (set(one.roles), one.scope, one.agent)

    assert given() is None
    assert given(groups=["others"]) is None
    assert given(groups="cc-supervisors") == ({"supervisor"}, Scope(frozenset({"hq"}), frozenset({"Blue"})), "")
    assert given(groups=["x", "cc-trainers"]) == ({"inspector"}, Scope(), "")
    assert given("sun@example.org") == ({"auditor"}, Scope(), "")
    assert given("Sun@example.org") is None
    assert given(groups=["cc-site"], site=["hq", "north"]) == ({"viewer"}, Scope(frozenset({"hq", "north"})), "")
    assert given(groups=["cc-site"]) is None, "whoever has no site sees none, not all"
    assert given(groups=["agents"], agent="hq/1001") == (set(), Scope(), "hq/1001")
    assert given(groups=["agents"], agent="1001") is None
    assert given("eve", groups=["cc-quality"]) is None
    # which agent they are has nothing to do with what else they see
    assert given(groups=["cc-supervisors", "agents"], agent="hq/1001") == (
        {"supervisor"},
        Scope(frozenset({"hq"}), frozenset({"Blue"})),
        "hq/1001",
    )
    # a supervisor of Blue may hear calls of others as an inspector, but not act on them
    both = given(groups=["cc-supervisors", "cc-quality"])
    assert both == ({"supervisor", "inspector"}, Scope(frozenset({"hq"}), frozenset({"Blue"})), "")


def test_only_what_the_policy_asks_for_is_kept_of_claims(tmp_path: Path) -> None:
    found = policy(tmp_path, "grants:\n  - {claim: groups, value: a, roles: [viewer], sites_from: site}")
    claims = {"groups": ["a", *map(str, range(500))], "site": ["hq", "north"], "email": "x@example.org"}
    assert found.facts(claims) == {("groups", "a"), ("site", "hq"), ("site", "north")}


def test_half_a_character_in_a_claim_is_nothing_that_a_session_could_hold(tmp_path: Path) -> None:
    found = policy(tmp_path, "grants:\n  - {claim: groups, value: a, roles: [viewer], sites_from: site}")
    assert found.facts({"groups": ["a"], "site": ["hq", "\ud800"]}) == {("groups", "a"), ("site", "hq")}


def test_a_change_is_taken_over_and_a_wrong_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = policy_file(tmp_path, GRANT)
    clock = FakeClock()
    live = LivePolicy(path, clock)

    def write(text: str) -> None:
        before = path.stat().st_mtime_ns
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(before + 1, before + 1))
        clock.pause(LOOK_EVERY_S)

    write(GRANT + "blocked: [eve]")
    assert live.now.policy.blocked == {"eve"}
    for wrong in ("grants: [", "", "# being written\n"):
        write(wrong)
        assert live.now.policy.blocked == {"eve"}, wrong
    assert LivePolicy(None, clock).now.policy == Policy()
