"""Grants that are joined give nobody anything that none of them gives, whatever they are."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from shared.identity import PERMISSIONS, ROLES, Permission, Principal, Scope
from shared.policy import Facts, Grant, Policy, covers, joined

GROUPS = ("a", "b", "c")
SITES = ("north", "south", "west")
names = st.sampled_from(["x", "y", "z"])
lists = st.none() | st.frozensets(names, min_size=1)
scopes = st.builds(Scope, st.none() | st.frozensets(st.sampled_from(SITES), min_size=1), lists, lists)
roles = st.frozensets(st.sampled_from(ROLES), min_size=1, max_size=2)
by_group: st.SearchStrategy[Grant] = st.builds(
    Grant,
    where=st.text("0123456789", min_size=4, max_size=4),
    claim=st.just("groups"),
    values=st.frozensets(st.sampled_from(GROUPS), min_size=1),
    roles=roles,
    scope=scopes,
    sites_from=st.sampled_from(["", "", "site"]),
)
by_name = st.builds(Grant, where=st.just("name"), user=st.just("wang"), roles=roles, scope=scopes)
policies = st.builds(
    Policy,
    grants=st.lists(by_group | by_name, max_size=5).map(tuple),
    granted=st.dictionaries(st.sampled_from(ROLES), st.frozensets(st.sampled_from(PERMISSIONS)), max_size=2),
)
said: st.SearchStrategy[Facts] = st.frozensets(
    st.tuples(st.just("groups"), st.sampled_from(GROUPS)) | st.tuples(st.just("site"), st.sampled_from(SITES))
)
EVERYWHERE = list(product((*SITES, "?"), ("x", "y", "?"), ("x", "y", "?")))


def sees(scope: Scope, place: tuple[str, str, str]) -> bool:
    return all(
        one is None or name in one for one, name in zip((scope.sites, scope.teams, scope.queues), place, strict=True)
    )


def may(policy: Policy, who: Principal, permission: Permission, place: tuple[str, str, str]) -> bool:
    return policy.principal(who).may(permission) and sees(who.scope, place)


def single(policy: Policy, grant: Grant, facts: Facts) -> Principal | None:
    """What one grant gives by itself."""
    scope = grant.scope_for("wang", facts)
    return None if scope is None else Principal("wang", "", grant.roles, scope)


@given(policies, said)
def test_nobody_may_more_than_one_of_their_grants_lets_them(policy: Policy, facts: Facts) -> None:
    found = policy.given("wang", facts)
    alone = [one for grant in policy.grants if (one := single(policy, grant, facts)) is not None]
    assert (found is None) == (not alone)
    if found is None:
        return
    who = Principal("wang", "", found.roles, found.scope)
    for permission, place in product(PERMISSIONS, EVERYWHERE):
        if may(policy, who, permission, place):
            assert any(may(policy, one, permission, place) for one in alone), (permission, place)


@given(policies, said)
def test_the_first_grant_that_is_for_somebody_is_given_whole(policy: Policy, facts: Facts) -> None:
    found = policy.given("wang", facts)
    first = next((one for grant in policy.grants if (one := single(policy, grant, facts)) is not None), None)
    if found is None or first is None:
        return
    assert first.roles <= found.roles
    assert covers(found.scope, first.scope)


@given(st.lists(st.tuples(roles, st.frozensets(st.sampled_from(SITES), min_size=1)), min_size=1, max_size=4))
@example([(frozenset({"supervisor"}), frozenset({"north"})), (frozenset({"supervisor"}), frozenset({"south"}))])
def test_the_same_roles_at_several_sites_are_all_given(pairs: list[tuple[Any, Any]]) -> None:
    one = pairs[0][0]
    grants = [Grant(where=str(n), user="wang", roles=one, scope=Scope(sites)) for n, (_, sites) in enumerate(pairs)]
    found = Policy(grants=tuple(grants)).given("wang", frozenset())
    assert found is not None
    assert found.scope.sites == frozenset().union(*(sites for _, sites in pairs))
    assert found.roles == one
    assert set(found.where) == {grant.where for grant in grants}


@given(policies, said, st.sampled_from(GROUPS))
def test_a_provider_that_says_nothing_of_somebody_gives_them_nothing(policy: Policy, facts: Facts, group: str) -> None:
    nobody = Policy(grants=tuple(one for one in policy.grants if one.claim))
    assert nobody.given("wang", frozenset(fact for fact in facts if fact[0] != "groups")) is None
    blocked = Policy(grants=policy.grants, blocked=frozenset({"wang"}))
    assert blocked.given("wang", facts | {("groups", group)}) is None


@given(policies, st.dictionaries(st.sampled_from(["groups", "site", "email"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(GROUPS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)))  # fmt: skip
def test_whatever_a_claim_holds_it_is_read_and_never_gives_more(policy: Policy, claims: dict[str, Any]) -> None:
    facts = policy.facts(claims)
    groups = claims.get("groups")
    plain = (
        {groups}
        if isinstance(groups, str)
        else {one for one in groups if isinstance(one, str)}
        if isinstance(groups, list)
        else set()
    )
    assert {value for claim, value in facts if claim == "groups"} <= plain & set(GROUPS)
    policy.given("wang", facts)


@given(st.lists(st.tuples(roles, scopes), min_size=1, max_size=5))
def test_joining_is_the_same_each_time_and_says_where_it_is_from(pairs: list[tuple[Any, Scope]]) -> None:
    grants = tuple(Grant(where=str(n), user="wang", roles=one, scope=scope) for n, (one, scope) in enumerate(pairs))
    first, second = (Policy(grants=grants).given("wang", frozenset()) for _ in range(2))
    assert first == second
    assert first is not None
    assert first.where[0] == "0"
    assert joined([first]) == first
