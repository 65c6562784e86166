"""Tokens and login links for the users of AUTH_USERS_FILE, made where the services' secret is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shared.clock import Clock, SystemClock
from shared.errors import SettingsError
from shared.settings import CommonSettings, MonitorSettings, variable
from shared.tokens import Signer, secret_of
from shared.users import LONGEST_HOURS, User, load_users

_SETTING = variable(CommonSettings, "users_file")


def users_of(settings: CommonSettings) -> dict[str, User]:
    """The users file; nobody when there is none. Raises SettingsError."""
    return {} if settings.users_file is None else load_users(settings.users_file, setting=_SETTING)


def token_for(settings: CommonSettings, user: str, hours: float | None = None, clock: Clock | None = None) -> str:
    """A token of `user` for so long, else as the users file says. Raises SettingsError."""
    if settings.users_file is None and settings.oidc_issuer:
        raise SettingsError(f"{_SETTING} is not set: here people and programs have tokens of {settings.oidc_issuer}")
    if settings.users_file is None:
        raise SettingsError(
            f"{_SETTING} is not set: everybody who reaches the pages may use them, and tokens mean nothing"
        )
    users = users_of(settings)
    if user not in users:
        raise SettingsError(f"{settings.users_file} has no user {user}; there are {', '.join(users)}")
    wanted = users[user].hours if hours is None else hours
    if not 0 < wanted <= LONGEST_HOURS:
        raise SettingsError(f"--hours: expected above 0 and at most {LONGEST_HOURS:g}, got {wanted:g}")
    now = (clock or SystemClock()).now()
    return Signer(secret_of(settings)).sign(user, now, timedelta(hours=wanted))


def link_for(base: str, token: str) -> str:
    """The address that signs its reader in. The token is in the fragment: no server, proxy or log sees it."""
    return f"{base.rstrip('/')}/login.html#{token}"


def links(settings: MonitorSettings, base: str) -> Iterator[tuple[str, User, str]]:
    """Name, user and login link of each user for whom there are pages: a person with a role."""
    for name, user in users_of(settings).items():
        if set(user.roles) - {"service"}:
            yield name, user, link_for(base, token_for(settings, name))
