"""The users file: who there is, what each may do, and of which sites, teams and queues. YAML, checked, read anew when it changes.

    users:
      wang:
        name: 王芳
        roles: [supervisor]
        sites: [demo]
        teams: [Support]

A list that is left out is all of them. What a token may do is looked up here at each request, so that whoever is taken out of
the file is out at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from shared.clock import Clock
from shared.errors import SettingsError
from shared.filemetrics import FileHealth
from shared.identity import LOCAL, Principal, Role, Scope
from shared.livefile import LOOK_EVERY_S, LiveFile
from shared.yamlfile import Where, load_checked

__all__ = ["LONGEST_HOURS", "LOOK_EVERY_S", "USER_PATTERN", "LiveUsers", "User", "load_users", "read_users"]

LONGEST_HOURS: Final = 24 * 366 * 10.0
USER_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


class User(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One user as the file has them. `hours`: how long a token is good for; tokens from before `tokens_since` are not.

    `agent`: which agent this is, as `site/id`. Whoever is one needs no role: they may see who listened to them, and no more.
    """

    roles: tuple[Role, ...] = ()
    name: str = ""
    sites: tuple[str, ...] | None = None
    teams: tuple[str, ...] | None = None
    queues: tuple[str, ...] | None = None
    hours: float = 12.0
    tokens_since: Annotated[datetime, Meta(tz=True)] | None = None
    agent: str = ""

    def principal(self, user: str) -> Principal:
        """Whom requests of this user come from."""
        scope = Scope(sites=_all_or(self.sites), teams=_all_or(self.teams), queues=_all_or(self.queues))
        return Principal(user, self.name or user, frozenset(self.roles), scope, agent=self.agent)


class UsersFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    users: dict[str, User]


def load_users(path: Path, *, setting: str = "") -> dict[str, User]:
    """Read and check `path`, which is what the variable `setting` says. Raises SettingsError naming file, line and key."""
    return read_users(path, setting=setting)[0]


def read_users(path: Path, *, setting: str = "") -> tuple[dict[str, User], Where]:
    """The same, with what tells the line of a key."""
    found, where = load_checked(path, UsersFile, setting=setting)
    if not found.users:
        raise SettingsError(f"{where('users')}: nobody is in it, so nobody could sign in")
    for name, user in found.users.items():
        _check(name, user, where)
    return found.users, where


def _check(name: str, user: User, where: Where) -> None:
    key = f"users.{name}"
    if not USER_PATTERN.fullmatch(name):
        raise SettingsError(f"{where(key)}: a user is called by letters, digits and . _ @ -, 64 at most")
    if name == LOCAL.user:
        raise SettingsError(f"{where(key)}: this name is that of everybody where there is no users file")
    if not user.roles and not user.agent:
        raise SettingsError(f"{where(f'{key}.roles')}: no role may do nothing; give one or take the user out")
    if user.agent and not all(user.agent.partition("/")):
        raise SettingsError(f"{where(f'{key}.agent')}: expected site/id, such as hq/1001, got {user.agent!r}")
    for what, names in (("sites", user.sites), ("teams", user.teams), ("queues", user.queues)):
        if names is not None and not names:
            raise SettingsError(f"{where(f'{key}.{what}')}: none of them is nothing to see; leave the key out for all")
    if not 0 < user.hours <= LONGEST_HOURS:
        raise SettingsError(
            f"{where(f'{key}.hours')}: expected above 0 and at most {LONGEST_HOURS:g}, got {user.hours:g}"
        )


def _all_or(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


class LiveUsers:
    """The users in force; a change of the file is taken over within a second."""

    def __init__(self, path: Path, clock: Clock, *, setting: str = "") -> None:
        """Raises SettingsError."""
        self._file = LiveFile(path, clock, lambda file: load_users(file, setting=setting), what="users", tell=_told)
        self._read: Mapping[str, User] = {}
        self._principals: dict[str, Principal] = {}

    def get(self, user: str) -> Principal | None:
        """This user now; None when they are not (or no longer) in the file."""
        users = self._file.get()
        if users is not self._read:
            self._read = users
            self._principals = {name: one.principal(name) for name, one in users.items()}
        return self._principals.get(user)

    def health(self) -> FileHealth:
        """Whether the file can be used as it is now."""
        return self._file.health()

    def tokens_since(self, user: str) -> datetime | None:
        """Tokens of this user that were issued before are not good any more; None: all are."""
        found = self._file.get().get(user)
        return found.tokens_since if found else None


def _told(before: Mapping[str, User], now: Mapping[str, User]) -> dict[str, object]:
    return {"users": len(now), "gone": sorted(set(before) - set(now))}
