"""Whether somebody may do something, and which lines of which files say so: by the same files and code as the services."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from shared.authenticator import Authenticator
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.identity import GRANTS, LOCAL, Permission, Principal, Role, Scope
from shared.policy import Facts, Policy
from shared.policyfile import load_policy
from shared.settings import CommonSettings, variable
from shared.tokens import NotAuthenticated
from shared.users import read_users

BUILT_IN = "built in (docs/security.md)"
USERS_SETTING = variable(CommonSettings, "users_file")
POLICY_SETTING = variable(CommonSettings, "policy_file")


class Line(Struct, frozen=True):
    """One step of the answer, and where it is written."""

    says: str
    where: str = ""


class Place(Struct, frozen=True):
    """Of what somebody wants to do it; "" is not asked about."""

    site: str = ""
    team: str = ""
    queue: str = ""


class Explained(Struct, frozen=True):
    """The answer: `verdict` in one line, and the steps that lead to it."""

    allowed: bool
    verdict: str
    lines: tuple[Line, ...]


class Known(Struct, frozen=True):
    """Somebody, and the lines that say what they are. `who` is None for nobody."""

    who: Principal | None
    lines: tuple[Line, ...]
    scope_lines: dict[str, str] = {}


class Files:
    """The files in force, as the settings name them."""

    def __init__(self, settings: CommonSettings) -> None:
        """Raises SettingsError."""
        self.settings = settings
        self.policy = Policy()
        if settings.policy_file is not None:
            self.policy = load_policy(settings.policy_file, setting=POLICY_SETTING).policy

    def by_name(self, user: str, facts: Facts) -> Known:
        """Who `user` is: of the users file, else of the provider, who says `facts` of them."""
        if not self.settings.identified:
            return Known(
                LOCAL,
                (Line(f"nobody has to sign in: everybody is the user {LOCAL.user}", f"{USERS_SETTING} is not set"),),
            )
        if self.settings.users_file is not None:
            users, where = read_users(self.settings.users_file, setting=USERS_SETTING)
            if user in users:
                key = f"users.{user}"
                if user in self.policy.blocked:
                    known = Line(f"{user} is in the users file", where(key))
                    return Known(None, (known, Line(f"{user} is blocked", f"{self.settings.policy_file}: blocked")))
                found = self.policy.principal(users[user].principal(user))
                listed = {name: where(f"{key}.{name}") for name in ("sites", "teams", "queues")}
                return Known(found, (Line(f"{user} is in the users file", where(key)),), listed)
        if not self.settings.oidc_issuer:
            return Known(None, (Line(f"{user} is not in the users file", str(self.settings.users_file)),))
        return self.provided(user, user, facts)

    def provided(self, user: str, name: str, facts: Facts) -> Known:
        """Somebody of whom the provider says `facts`."""
        said = ", ".join(f"{claim}={value}" for claim, value in sorted(facts)) or "nothing that the policy asks for"
        lines = [Line(f"{user} is of {self.settings.oidc_issuer or 'the provider'}, which says {said}")]
        if user in self.policy.blocked:
            return Known(None, (*lines, Line(f"{user} is blocked", f"{self.settings.policy_file}: blocked")))
        given = self.policy.given(user, facts)
        if given is None:
            return Known(None, (*lines, Line("no grant is for them", str(self.settings.policy_file))))
        for grant in self.policy.grants:
            if grant.scope_for(user, facts) is None:
                continue
            what = f"grants {', '.join(sorted(grant.roles)) or 'no role'}"
            left = (
                ""
                if grant.where in given.where
                else "; left out, for joined with the others it would give more than it says"
            )
            lines.append(Line(what + left, grant.where))
        found = self.policy.principal(Principal(user, name, given.roles, given.scope, agent=given.agent, facts=facts))
        place = ", ".join(given.where)
        return Known(found, tuple(lines), dict.fromkeys(("sites", "teams", "queues"), place))

    async def by_token(self, token: str) -> Known:
        """Whose token it is, checked as the services check it: the provider is asked for its keys."""
        try:
            who = await Authenticator.of(self.settings, SystemClock()).authenticated(token)
        except NotAuthenticated as exc:
            return Known(None, (Line(f"the token is not taken ({exc.reason}): {exc}"),))
        until = (
            f"the token is good until {who.expires:%Y-%m-%d %H:%M} UTC" if who.expires else "the token is not looked at"
        )
        known = (
            self.by_name(who.user, frozenset()) if who.facts is None else self.provided(who.user, who.name, who.facts)
        )
        return Known(known.who, (Line(until), *known.lines), known.scope_lines)


def explain(known: Known, permission: Permission, place: Place, policy: Policy) -> Explained:
    """Whether they may."""
    who = known.who
    if who is None:
        return Explained(False, known.lines[-1].says, known.lines)
    lines = [*known.lines]
    for role in sorted(who.roles):
        may = permission in policy.granted.get(role, GRANTS[role])
        lines.append(
            Line(f"role {role} {'includes' if may else 'does not include'} {permission}", place_of(role, policy))
        )
    outside: list[str] = []
    for name, wanted in (("sites", place.site), ("teams", place.team), ("queues", place.queue)):
        line, sees = _dimension(who.scope, name, wanted, known.scope_lines.get(name, ""))
        lines += [line] if line is not None else []
        outside += [] if sees else [f"{name[:-1]} {wanted}"]
    roles = ", ".join(sorted(who.roles)) or "no role"
    where = _place_words(place)
    if not who.may(permission):
        return Explained(False, f"{who.user} ({roles}) may not: {permission} is in no role of theirs", tuple(lines))
    if outside:
        return Explained(False, f"{who.user} has {permission}, but does not see {' and '.join(outside)}", tuple(lines))
    return Explained(True, f"{who.user} ({roles}) has {permission}{where}", tuple(lines))


def place_of(role: Role, policy: Policy) -> str:
    """Where it is written what a role may do."""
    return policy.where.get(role, BUILT_IN)


def _dimension(scope: Scope, name: str, wanted: str, where: str) -> tuple[Line | None, bool]:
    """What is said of one list, and whether what is wanted is in it."""
    listed: frozenset[str] | None = getattr(scope, name)
    if listed is None:
        return (Line(f"sees all {name}"), True) if wanted else (None, True)
    shown = ", ".join(sorted(listed)[:10]) + (f" and {len(listed) - 10} more" if len(listed) > 10 else "")
    return Line(f"sees only {name} {shown}", where), not wanted or wanted in listed


def _place_words(place: Place) -> str:
    said = [
        f"{name} {value}"
        for name, value in (("site", place.site), ("team", place.team), ("queue", place.queue))
        if value
    ]
    return f" of {', '.join(said)}" if said else ""


def facts_of(claims: Sequence[str]) -> Facts:
    """`groups=cc-supervisors` given on the command line. Raises SettingsError."""
    found = set[tuple[str, str]]()
    for one in claims:
        claim, mark, value = one.partition("=")
        if not mark or not claim or not value:
            raise SettingsError(f"--claim: expected NAME=VALUE, such as groups=cc-supervisors, got {one!r}")
        found.add((claim, value))
    return frozenset(found)


def token_from(file: Path) -> str:
    """A token from a file, or from standard input for `-`: never from the command line, which others see.

    Raises SettingsError.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"--token-file: {file} cannot be read: {exc}") from exc
    return text.strip().removeprefix("Bearer ")
