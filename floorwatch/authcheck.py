"""What the files of who may do what say, checked and shown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from floorwatch.authexplain import POLICY_SETTING, USERS_SETTING
from shared.authenticator import policy_of
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.exposure import check_exposed
from shared.identity import GRANTS, PERMISSIONS, ROLES
from shared.policy import Policy
from shared.policyfile import LivePolicy
from shared.settings import (
    AlertsSettings,
    AsteriskSettings,
    CommonSettings,
    IngestSettings,
    MonitorSettings,
    RelaySettings,
    load,
    variable,
)
from shared.sites import load_sites
from shared.tokens import secret_of
from shared.users import User, load_users

SERVICES = (MonitorSettings, IngestSettings, AlertsSettings, RelaySettings, AsteriskSettings)


class Checked:
    """The files in force and the settings of every service, read. Raises SettingsError for the first that is wrong."""

    def __init__(self) -> None:
        self.settings = load(CommonSettings)
        self.users: dict[str, User] = {}
        if self.settings.users_file is not None:
            self.users = load_users(self.settings.users_file, setting=USERS_SETTING)
        if self.settings.identified:
            self._live: LivePolicy = policy_of(self.settings, SystemClock())
            secret_of(self.settings)
        else:
            self._live = LivePolicy(self.settings.policy_file, SystemClock(), setting=POLICY_SETTING)
        for kind in SERVICES:
            check_exposed(load(kind))
        if self.settings.oidc_issuer:
            from shared.oidc import Provider

            Provider(self.settings, SystemClock())

    @property
    def policy(self) -> Policy:
        """What is in force."""
        return self._live.now.policy

    def doubts(self) -> Iterator[str]:
        """What is allowed and hardly meant."""
        policy, settings = self.policy, self.settings
        for role, granted in policy.granted.items():
            if granted and "floor.read" not in granted:
                yield f"{policy.where[role]}: {role} may do something without floor.read, which every page needs"
        if settings.policy_file is not None and policy.grants and not settings.oidc_issuer:
            issuer = variable(CommonSettings, "oidc_issuer")
            yield f"{settings.policy_file}: grants are for people of a provider, and {issuer} is not set"
        if settings.policy_file is not None and not settings.identified:
            yield f"{settings.policy_file}: nobody has to sign in, so what roles may do counts for nobody"
        for grant in policy.grants:
            if grant.user in self.users:
                yield f"{grant.where}: {grant.user} is in the users file, so nobody of the provider can have this name"
        known = set(load_sites(settings.sites_file).sites)
        named = {site for grant in policy.grants for site in grant.scope.sites or ()}
        named |= {site for user in self.users.values() for site in user.sites or ()}
        for site in sorted(named - known) if known else ():
            yield f"site {site} is not in {settings.sites_file}: is that its name?"


def show(checked: Checked, console: Console) -> None:
    """For people."""
    settings = checked.settings
    if not settings.identified:
        console.print("Nobody has to sign in: whoever reaches a port of this machine is the user local.")
    if settings.users_file is not None:
        count = Counter(role for user in checked.users.values() for role in user.roles)
        roles = ", ".join(f"{role} {count[role]}" for role in ROLES if count[role])
        console.print(f"Users: {settings.users_file}, {len(checked.users)} ({roles})")
    if settings.oidc_issuer:
        ways = "browsers and programs" if settings.oidc_client_id else "programs"
        console.print(f"Identity provider: {settings.oidc_issuer}, for {ways}; {len(checked.policy.grants)} grants")
    console.print(f"Policy: {settings.policy_file or 'as built in'}")
    console.print()
    console.print(_table(checked.policy))
    if any(role in checked.policy.granted for role in ROLES):
        console.print("* as the policy file says, not as built in")


def _table(policy: Policy) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("permission", no_wrap=True)
    for role in ROLES:
        table.add_column(
            role + ("*" if policy.granted.get(role, GRANTS[role]) != GRANTS[role] else ""), justify="center"
        )
    for permission in PERMISSIONS:
        table.add_row(permission, *("yes" if permission in policy.permissions([role]) else "" for role in ROLES))
    return table


def ask_provider(settings: CommonSettings) -> str:
    """Have the provider say where it is and which keys it has. Raises SettingsError, ProviderFault."""
    from shared.oidc import Provider

    if not settings.oidc_issuer:
        raise SettingsError(f"--online: {variable(CommonSettings, 'oidc_issuer')} is not set: there is nobody to ask")

    async def ask() -> str:
        provider = Provider(settings, SystemClock())
        metadata = await provider.metadata()
        keys = ", ".join(f"{kid or 'without id'} ({algorithm})" for kid, algorithm in sorted(provider.keys.ready))
        return f"{metadata.issuer} answers. Keys: {keys}"

    return asyncio.run(ask())
