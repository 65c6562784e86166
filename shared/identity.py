"""Who somebody is and what they may see and do: plain values without I/O.

A role grants permissions; a scope says of which sites, teams and queues. Tokens, cookies and tickets: `shared.auth`.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, get_args

from msgspec import Struct

Role = Literal["viewer", "supervisor", "inspector", "operations", "auditor", "admin", "service"]
Permission = Literal[
    "floor.read",  # the board: feed, floor, figures, rules, incidents
    "floor.act",  # cases of transfers, actions on the floor, incidents taken and resolved
    "history.read",  # finished calls and transfers, the floor of an earlier moment
    "numbers.reveal",  # callers' numbers in full; each time is audited
    "calls.listen",  # hear calls as they are, as far as the site's policy lets them; each time is audited
    "calls.speak",  # and speak into them
    "audit.read",  # who saw which number, who listened to whom
    "operations.read",  # anomalies, raw records, dead letters
    "events.write",  # hand events in over HTTP
]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)

_GRANTS: Final[dict[Role, frozenset[Permission]]] = {
    "viewer": frozenset({"floor.read"}),
    "supervisor": frozenset({"floor.read", "floor.act", "history.read", "calls.listen", "calls.speak"}),
    "inspector": frozenset({"floor.read", "history.read", "numbers.reveal", "calls.listen", "calls.speak"}),
    "operations": frozenset({"floor.read", "floor.act", "history.read", "operations.read", "events.write"}),
    "auditor": frozenset({"floor.read", "history.read", "audit.read"}),
    "admin": frozenset(PERMISSIONS),
    "service": frozenset({"floor.read", "events.write"}),
}
GRANTS: Final = MappingProxyType(_GRANTS)  # what each role may do; docs/security.md shows it as a table


class Scope(Struct, frozen=True):
    """Of which sites, teams and queues somebody sees the entities. None: of all."""

    sites: frozenset[str] | None = None
    teams: frozenset[str] | None = None
    queues: frozenset[str] | None = None

    def site(self, name: str) -> bool:
        """Whether anything of this site may be seen."""
        return self.sites is None or name in self.sites

    def sites_of(self, site: str) -> frozenset[str] | None:
        """The sites of which anything may be seen, narrowed to `site` if one is named; None: all."""
        if not site:
            return self.sites
        return frozenset({site}) if self.site(site) else frozenset()

    def whole(self, site: str) -> bool:
        """Whether all of this site may be seen: its totals, its anomalies."""
        return self.site(site) and self.teams is None and self.queues is None


WHOLE: Final = Scope()


class Principal(Struct, frozen=True):
    """Who asks. `issued` and `expires`: when the token begins and ends; None: there is none (mode `local`).

    `agent`: which agent they are themselves, as `site/id`; "" for none. They may see who listened to them.
    `granted`: what their roles may do by the policy in force; None: as built in. `facts`: what an identity provider said of
    them, claims with their values; None: they are in the users file.
    """

    user: str
    name: str
    roles: frozenset[Role]
    scope: Scope = WHOLE
    expires: datetime | None = None
    issued: datetime | None = None
    agent: str = ""
    granted: frozenset[Permission] | None = None
    facts: frozenset[tuple[str, str]] | None = None

    def may(self, permission: Permission) -> bool:
        """Whether one of the roles grants it."""
        if self.granted is not None:
            return permission in self.granted
        return any(permission in GRANTS[role] for role in self.roles)

    @property
    def reads_notes(self) -> bool:
        """Whether they read what people typed as it was typed, numbers and all: who works with it, or may see numbers."""
        return self.may("floor.act") or self.may("numbers.reveal")

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """All that the roles grant, in the order of PERMISSIONS."""
        return tuple(permission for permission in PERMISSIONS if self.may(permission))


# whoever reaches the port, where no users are configured
LOCAL: Final = Principal("local", "local", frozenset({"supervisor", "inspector", "operations"}))
