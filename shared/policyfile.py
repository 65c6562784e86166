"""The policy file: what each role may do, and what people whom an identity provider knows are given. YAML, checked, read anew
when it changes.

    roles:
      viewer: [floor.read, history.read]      # instead of what is built in for this role
    grants:
      - claim: groups
        value: cc-supervisors
        roles: [supervisor]
        sites: [demo]
      - {user: li@example.org, roles: [inspector]}
    blocked: [eve@example.org]
    tokens_since: 2026-03-02T00:00:00Z
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from shared.clock import Clock
from shared.errors import SettingsError
from shared.filemetrics import FileHealth
from shared.identity import LOCAL, PERMISSIONS, ROLES, Permission, Role, Scope
from shared.livefile import LiveFile
from shared.policy import Grant, Policy
from shared.yamlfile import Where, load_checked

Names = tuple[str, ...]
_LISTS: Final = ("sites", "teams", "queues")


class Entry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of `grants` as it is written."""

    user: str = ""
    claim: str = ""
    value: str = ""
    values: Names = ()
    roles: tuple[Role, ...] = ()
    sites: Names | None = None
    teams: Names | None = None
    queues: Names | None = None
    sites_from: str = ""
    teams_from: str = ""
    queues_from: str = ""
    agent: str = ""
    agent_from: str = ""


class PolicyFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file as it is written."""

    roles: dict[str, Names] = {}
    grants: tuple[Entry, ...] = ()
    blocked: Names = ()
    tokens_since: Annotated[datetime, Meta(tz=True)] | None = None


class Loaded(Struct, frozen=True):
    """A policy, and the moment before which what a provider said is void (None: all is good)."""

    policy: Policy = Policy()
    tokens_since: datetime | None = None


def load_policy(path: Path, *, setting: str = "") -> Loaded:
    """Read and check `path`, which is what the variable `setting` says. Raises SettingsError naming file, line and key."""
    found, where = load_checked(path, PolicyFile, setting=setting)
    if (
        found == PolicyFile()
    ):  # as it is for a moment while it is written: what was taken from roles would be given again
        raise SettingsError(f"{path}: nothing is in it; deploy/policy.yaml shows what there may be")
    granted, places = _roles(found.roles, where)
    grants = tuple(_grant(entry, f"grants[{number}]", where) for number, entry in enumerate(found.grants))
    policy = Policy(granted=granted, grants=grants, blocked=frozenset(found.blocked), where=places)
    return Loaded(policy, found.tokens_since)


def _roles(written: Mapping[str, Names], where: Where) -> tuple[dict[Role, frozenset[Permission]], dict[Role, str]]:
    granted: dict[Role, frozenset[Permission]] = {}
    places: dict[Role, str] = {}
    for name, names in written.items():
        role = next((one for one in ROLES if one == name), None)
        if role is None:
            raise SettingsError(f"{where(f'roles.{name}')}: there is no role {name!r}; there are {', '.join(ROLES)}")
        for number, one in enumerate(names):
            if one not in PERMISSIONS:
                near = get_close_matches(one, PERMISSIONS, n=1)
                advice = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(PERMISSIONS)}"
                raise SettingsError(f"{where(f'roles.{name}[{number}]')}: there is no permission {one!r}{advice}")
        granted[role] = frozenset(one for one in PERMISSIONS if one in names)
        places[role] = where(f"roles.{name}")
    return granted, places


def _grant(entry: Entry, key: str, where: Where) -> Grant:
    _check_for_whom(entry, key, where)
    if not entry.roles and not entry.agent and not entry.agent_from:
        raise SettingsError(f"{where(f'{key}.roles')}: a grant without a role gives nothing")
    for name in _LISTS:
        listed, claim = getattr(entry, name), getattr(entry, f"{name}_from")
        if listed is not None and not listed:
            raise SettingsError(f"{where(f'{key}.{name}')}: none of them is nothing to see; leave the key out for all")
        if listed is not None and claim:
            raise SettingsError(f"{where(f'{key}.{name}_from')}: {name} says it already; one of the two, please")
    if entry.agent and (not entry.user or not all(entry.agent.partition("/"))):
        raise SettingsError(
            f"{where(f'{key}.agent')}: expected site/id, such as hq/1001, with `user`: an agent is one person"
        )
    return Grant(
        where=where(key),
        user=entry.user,
        claim=entry.claim,
        values=frozenset(entry.values) | ({entry.value} if entry.value else frozenset()),
        roles=frozenset(entry.roles),
        scope=Scope(
            *(None if names is None else frozenset(names) for names in (entry.sites, entry.teams, entry.queues))
        ),
        sites_from=entry.sites_from,
        teams_from=entry.teams_from,
        queues_from=entry.queues_from,
        agent=entry.agent,
        agent_from=entry.agent_from,
    )


def _check_for_whom(entry: Entry, key: str, where: Where) -> None:
    if bool(entry.user) == bool(entry.claim):
        raise SettingsError(f"{where(key)}: expected `claim` with `value`, or `user`: for whom is this?")
    if entry.user == LOCAL.user:
        raise SettingsError(f"{where(f'{key}.user')}: this name is that of everybody where nobody signs in")
    if entry.user and (entry.value or entry.values):
        raise SettingsError(f"{where(f'{key}.value')}: a value is one of a claim, and this grant is for a user")
    if entry.claim and not entry.value and not any(entry.values):
        raise SettingsError(
            f"{where(f'{key}.claim')}: which value must it have? Say `value`, or `values` for any of several"
        )


class LivePolicy:
    """The policy in force: that of the file, looked at as the users file is; without a file what is built in."""

    def __init__(self, path: Path | None, clock: Clock, *, setting: str = "") -> None:
        """Raises SettingsError."""
        self._file: LiveFile[Loaded] | None = None
        if path is not None:
            self._file = LiveFile(path, clock, lambda file: load_policy(file, setting=setting), what="policy")
        self._built_in = Loaded()

    @property
    def now(self) -> Loaded:
        """What is in force now."""
        return self._built_in if self._file is None else self._file.get()

    @property
    def health(self) -> Callable[[], FileHealth] | None:
        """What tells whether the file can be used as it is now; None without a file."""
        return None if self._file is None else self._file.health
