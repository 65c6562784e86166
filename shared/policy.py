"""What the policy makes of somebody: roles to permissions, and what an identity provider says of them to roles and scope. Pure.

A grant says for whom it is (a claim with one of some values, or a name), which roles it gives, and of what. Where several are
for somebody, they are joined only where that gives exactly what each gives by itself: a supervisor of one site who may look
at all of them does not become a supervisor of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from shared.identity import GRANTS, Permission, Principal, Role, Scope

Facts = frozenset[tuple[str, str]]  # what a provider says of somebody: claims with their values, one by one

_SPACED: Final = frozenset({"scope", "scp"})  # claims whose text is a list parted by blanks, RFC 8693 section 4.2
_DIMENSIONS: Final = ("sites", "teams", "queues")


class Grant(Struct, frozen=True, kw_only=True):
    """Roles of a scope for some. `where` is its place in the file, for people.

    `sites_from` and the like name a claim whose values the list is; whoever has none of that claim is given nothing.
    """

    where: str
    user: str = ""
    claim: str = ""
    values: frozenset[str] = frozenset()
    roles: frozenset[Role]
    scope: Scope = Scope()
    sites_from: str = ""
    teams_from: str = ""
    queues_from: str = ""
    agent: str = ""
    agent_from: str = ""

    def scope_for(self, user: str, facts: Facts) -> Scope | None:
        """Of what it gives its roles to this one; None when it is not for them."""
        if self.user and self.user != user:
            return None
        if self.claim and not any(claim == self.claim and value in self.values for claim, value in facts):
            return None
        if not self.user and not self.claim:
            return None
        found: dict[str, frozenset[str] | None] = {}
        for name, claim in zip(_DIMENSIONS, (self.sites_from, self.teams_from, self.queues_from), strict=True):
            said: frozenset[str] | None = getattr(self.scope, name)
            if claim:
                said = frozenset(value for one, value in facts if one == claim)
                if not said:
                    return None
            found[name] = said
        return Scope(**found)

    def agent_for(self, facts: Facts) -> str:
        """Which agent this one is, as `site/id`; "" for none."""
        said = sorted(value for claim, value in facts if claim == self.agent_from and all(value.partition("/")))
        return self.agent or (said[0] if said else "")


class Given(Struct, frozen=True):
    """What grants gave: roles of one scope, and the places in the file that say so. `agent`: of one grant, or of all of them."""

    roles: frozenset[Role]
    scope: Scope
    where: tuple[str, ...]
    agent: str = ""


class Policy(Struct, frozen=True):
    """The policy in force. `granted`: what each role may do, `where` the line that says so; other roles are as built in."""

    granted: Mapping[Role, frozenset[Permission]] = {}
    grants: tuple[Grant, ...] = ()
    blocked: frozenset[str] = frozenset()
    where: Mapping[Role, str] = {}

    def permissions(self, roles: Iterable[Role]) -> frozenset[Permission]:
        """All that these roles may do."""
        return frozenset(one for role in roles for one in self.granted.get(role, GRANTS[role]))

    def principal(self, who: Principal) -> Principal:
        """The same person with what their roles may do by this policy."""
        return Principal(
            who.user,
            who.name,
            who.roles,
            who.scope,
            who.expires,
            who.issued,
            who.agent,
            granted=self.permissions(who.roles),
            facts=who.facts,
        )

    def given(self, user: str, facts: Facts) -> Given | None:
        """What somebody of whom a provider says `facts` is given; None: nothing, or they are blocked."""
        if user in self.blocked:
            return None
        found = [
            Given(grant.roles, scope, (grant.where,), grant.agent_for(facts))
            for grant in self.grants
            if (scope := grant.scope_for(user, facts)) is not None
        ]
        if not found:
            return None
        given = joined([one for one in found if one.roles] or found)
        agent = next((one for one in found if one.agent), None)  # whoever is one is it whatever else they see
        if agent is not None:
            where = given.where if agent.where[0] in given.where else given.where + agent.where
            given = Given(given.roles, given.scope, where, agent.agent)
        return given if given.roles or given.agent else None

    @property
    def claims(self) -> frozenset[str]:
        """The claims that matter."""
        return frozenset(one.claim for one in self.grants if one.claim) | self._whole

    @property
    def _whole(self) -> frozenset[str]:
        """Claims all of whose values matter."""
        named = ((one.sites_from, one.teams_from, one.queues_from, one.agent_from) for one in self.grants)
        return frozenset(name for names in named for name in names if name)

    def facts(self, claims: Mapping[str, Any]) -> Facts:
        """Of a token's claims those that the policy asks for: a person may be in hundreds of groups."""
        whole = self._whole
        wanted = {(one.claim, value) for one in self.grants for value in one.values}
        said = ((claim, value) for claim in self.claims for value in values_of(claims, claim))
        return frozenset(one for one in said if one in wanted or one[0] in whole)


def values_of(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The values of a claim, as text. `name` is the claim itself, else a way into it: `realm_access.roles`."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for step in name.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset(found.split() if name in _SPACED else [found])
    many = found if isinstance(found, list | tuple) else [found]
    return frozenset(text for one in many if (text := _text(one)))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value) if isinstance(value, str | int) else ""
    if not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text):
        return ""  # half a character: nothing can be written of it
    return text


def joined(found: Sequence[Given]) -> Given:
    """What these grants are together: the first one, with whatever of the others adds nothing that none of them gives.

    Two with the same scope give both their roles; two with the same roles whose scopes differ in one list give both lists; and a
    role of a wider scope is one of the narrower scope, too. What cannot be joined is left out, so the order of the file counts.
    """
    one, *others = found
    while True:
        for other in others:
            more = _both(one, other)
            if more is not None:
                one, others = more, [left for left in others if left is not other]
                break
        else:
            break
    for other in others:
        if covers(other.scope, one.scope) and not other.roles <= one.roles:
            one = Given(one.roles | other.roles, one.scope, one.where + other.where)
    return one


def _both(one: Given, other: Given) -> Given | None:
    """The two as one that gives exactly what they give; None when there is no such one."""
    where = one.where + other.where
    if one.scope == other.scope:
        return Given(one.roles | other.roles, one.scope, where)
    if one.roles >= other.roles and covers(one.scope, other.scope):
        return Given(one.roles, one.scope, where)
    if one.roles <= other.roles and covers(other.scope, one.scope):
        return Given(other.roles, other.scope, where)
    differing = [name for name in _DIMENSIONS if getattr(one.scope, name) != getattr(other.scope, name)]
    if one.roles != other.roles or len(differing) != 1:
        return None
    (name,) = differing
    first, second = getattr(one.scope, name), getattr(other.scope, name)
    whole = None if first is None or second is None else first | second
    parts = {each: getattr(one.scope, each) for each in _DIMENSIONS} | {name: whole}
    return Given(one.roles, Scope(**parts), where)


def covers(wide: Scope, narrow: Scope) -> bool:
    """Whether whoever sees `wide` sees all that `narrow` shows."""
    return all(
        (more := getattr(wide, name)) is None or ((less := getattr(narrow, name)) is not None and less <= more)
        for name in _DIMENSIONS
    )
