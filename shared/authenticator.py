"""Who it is that a request or a WebSocket comes from: by tokens, sessions and tickets, as users file and policy have them now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from prometheus_client import CollectorRegistry

from shared import sessions
from shared.accessmetrics import AccessMetrics, ProviderMetrics, Turned
from shared.clock import Clock
from shared.errors import FloorwatchError, SettingsError
from shared.exposure import check_exposed
from shared.filemetrics import FileMetrics
from shared.identity import LOCAL, Principal
from shared.policy import Facts, Policy
from shared.policyfile import LivePolicy, Loaded
from shared.readiness import Remark
from shared.sessions import Identity
from shared.settings import CommonSettings, ServiceSettings, variable
from shared.tickets import Tickets
from shared.tokens import KeyUnknown, NotAuthenticated, Signer, issuer_of, secret_of
from shared.users import LiveUsers

if TYPE_CHECKING:  # what they need takes a tenth of a second to import, and is wanted only where there is a provider
    from shared.oidc import Provider
    from shared.oidcsignin import SignIn
    from shared.service import Background

COOKIE: Final = "floorwatch"  # of the host, so the three services of one machine share it
MOST_KNOWN: Final = 20_000  # people whose rights are kept ready
NOT_AUTHENTICATED: Final = 4401  # a WebSocket's close code: do not come back without something new
PROVIDER_AWAY: Final = 4504  # nobody can tell now whether the token is good: come back, but later


class SocketRefused(FloorwatchError):
    """A WebSocket without a way to tell who it is: close it with `code`."""

    def __init__(self, message: str, reason: Turned = "ticket") -> None:
        super().__init__(message)
        self.reason = reason
        self.code = PROVIDER_AWAY if reason == "provider_away" else NOT_AUTHENTICATED


class Authenticator:
    """Tells who asks; one per service process."""

    def __init__(
        self,
        clock: Clock,
        users: LiveUsers | None = None,
        signer: Signer | None = None,
        *,
        policy: LivePolicy | None = None,
        provider: Provider | None = None,
        sign_in: SignIn | None = None,
    ) -> None:
        """Without `users` and `provider` mode `local`; with one of them a signer, too."""
        self._clock = clock
        self._users = users
        self._signer = signer
        self._policy = policy or LivePolicy(None, clock)
        self.provider = provider
        self.sign_in = sign_in  # by browser at the provider; None: not set up
        self._tickets: Tickets[Principal] = Tickets(clock)
        self.metrics = AccessMetrics()
        # what files make of somebody, by name and facts, with what it was made of: feeds ask for each of theirs twice a second
        self._made: dict[tuple[str, Facts | None], tuple[Principal | None, Loaded, Principal]] = {}

    @classmethod
    def of(cls, settings: CommonSettings, clock: Clock) -> Authenticator:
        """As the settings say. Raises SettingsError, also for a service that the network would reach in mode `local`."""
        if isinstance(settings, ServiceSettings):
            check_exposed(settings)
        if not settings.identified:
            return cls(clock)
        policy = policy_of(settings, clock)
        users = None
        if settings.users_file is not None:
            users = LiveUsers(settings.users_file, clock, setting=variable(CommonSettings, "users_file"))
        secret = secret_of(settings)
        if not settings.oidc_issuer:
            return cls(clock, users, Signer(secret), policy=policy)
        from shared.oidc import Provider
        from shared.oidcsignin import SignIn

        provider = Provider(settings, clock)
        sign_in = SignIn(provider, settings, secret, clock) if settings.oidc_client_id else None
        return cls(clock, users, Signer(secret), policy=policy, provider=provider, sign_in=sign_in)

    @property
    def mode(self) -> Literal["local", "users"]:
        """`local`: whoever reaches the port; `users`: whoever has a token, a session or a provider's token."""
        return "local" if self._signer is None else "users"

    @property
    def has_links(self) -> bool:
        """Whether login links of our own sign somebody in."""
        return self._users is not None

    @property
    def policy(self) -> Policy:
        """What is in force now."""
        return self._policy.now.policy

    def of_token(self, token: str) -> Principal:
        """Whose token it is, and what they may do now. Raises NotAuthenticated; KeyUnknown: `authenticated` may help."""
        if self._signer is None:
            return LOCAL
        if not token:
            raise NotAuthenticated("missing", "sign in first: this needs a token")
        if self.provider is None:
            return self._of_ours(token, self._signer)
        # what a token says of its issuer is only how to look at it: each way checks that again, and the signature by its own keys
        issuer = issuer_of(token)
        if issuer == self.provider.issuer:
            return self._of_identity(self._identity(token, self.provider))
        if issuer == sessions.ISSUER:
            return self._of_identity(
                sessions.read_session(self._signer.secret, self.provider.issuer, token, self._clock.now())
            )
        return self._of_ours(token, self._signer)

    def _of_ours(self, token: str, signer: Signer) -> Principal:
        claims = signer.read(token, self._clock.now())
        found = self._in_file(claims.user, claims.issued)
        return msgspec.structs.replace(found, issued=claims.issued, expires=claims.expires)

    def _in_file(self, user: str, issued: datetime | None) -> Principal:
        """A user of the users file. Raises NotAuthenticated."""
        found = self._users.get(user) if self._users is not None else None
        if found is None or self._users is None:
            raise NotAuthenticated("unknown_user", f"user {user} is not in the users file (any more)")
        since = self._users.tokens_since(user)
        if since is not None and issued is not None and issued < since:
            raise NotAuthenticated("revoked", f"tokens of {user} from before {since:%Y-%m-%d %H:%M %Z} are void")
        loaded, key = self._policy.now, (user, None)
        if user in loaded.policy.blocked:
            raise NotAuthenticated("revoked", f"{user} is blocked by the policy file")
        return self._known(key, found, loaded) or self._by_policy(key, found, found, loaded)

    def _by_policy(
        self, key: tuple[str, Facts | None], basis: Principal | None, who: Principal, loaded: Loaded
    ) -> Principal:
        """`who` with what their roles may do by this policy, which is the one of all else of them: it may change meanwhile.
        `basis`: what else they were made of."""
        made = loaded.policy.principal(who)
        if len(self._made) >= MOST_KNOWN:
            self._made.clear()
        self._made[key] = (basis, loaded, made)
        return made

    def _known(self, key: tuple[str, Facts | None], basis: Principal | None, loaded: Loaded) -> Principal | None:
        """What was made of the same files before."""
        found = self._made.get(key)
        return found[2] if found is not None and found[0] is basis and found[1] is loaded else None

    def _identity(self, token: str, provider: Provider) -> Identity:
        claims = provider.claims(token)
        user, name = provider.user_of(claims)
        return Identity(user, name, self.policy.facts(claims), claims["iat"], claims["exp"])

    def _of_identity(self, who: Identity) -> Principal:
        """Somebody whom the provider knows, with what the policy gives them. Raises NotAuthenticated."""
        loaded = self._policy.now
        since = loaded.tokens_since
        if who.user in loaded.policy.blocked:
            raise NotAuthenticated("revoked", f"{who.user} is blocked by the policy file")
        if since is not None and who.issued < since:
            raise NotAuthenticated("revoked", f"what was signed before {since:%Y-%m-%d %H:%M %Z} is void")
        if who.user == LOCAL.user or (self._users is not None and self._users.get(who.user) is not None):
            raise NotAuthenticated(
                "unknown_user",
                f"the provider's {who.user} has the name of a user of the users file, who is somebody else",
            )
        key = (who.user, who.facts)
        if (known := self._known(key, None, loaded)) is not None:
            return msgspec.structs.replace(known, name=who.name, issued=who.issued, expires=who.expires)
        given = loaded.policy.given(who.user, who.facts)
        if given is None:
            raise NotAuthenticated("unknown_user", f"the policy file gives {who.user} no role")
        found = Principal(
            who.user, who.name, given.roles, given.scope, who.expires, who.issued, given.agent, facts=who.facts
        )
        return self._by_policy(key, None, found, loaded)

    def session(self, who: Principal) -> str:
        """What a browser keeps of somebody whom the provider knows. Raises NotAuthenticated when a cookie cannot hold it."""
        if self.provider is None or self._signer is None or who.facts is None or not who.issued or not who.expires:
            raise NotAuthenticated("invalid", "there is no session without a provider")
        identity = Identity(who.user, who.name, who.facts, who.issued, who.expires)
        return sessions.sign_session(self._signer.secret, self.provider.issuer, identity)

    async def came_back(self, query: Mapping[str, str], cookie: str) -> tuple[Principal, str]:
        """Who came back from the provider, and where they wanted to go. Raises SignInFailed, NotAuthenticated."""
        if self.sign_in is None:
            raise NotAuthenticated("invalid", "there is no provider")
        identity, destination = await self.sign_in.finish(query, cookie, self.policy)
        return self._of_identity(identity), destination

    async def authenticated(self, token: str) -> Principal:
        """As `of_token`, and look at the provider's keys again for a key that is not known. Raises NotAuthenticated.

        While the provider does not list its keys, one that is not known may be its newest: such a token is not called wrong.
        """
        try:
            return self.of_token(token)
        except KeyUnknown:
            if self.provider is None or not await self.provider.looked_again():
                if self.provider is not None and (why := self.provider.check() or self.provider.remark):
                    raise NotAuthenticated("provider_away", f"tokens of it cannot be checked now: {why}") from None
                raise
            return self.of_token(token)

    async def of_request(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal:
        """By `Authorization: Bearer`, which goes first, or the cookie. Raises NotAuthenticated."""
        return await self.authenticated(_bearer(headers) or cookies.get(COOKIE, ""))

    async def of_socket(self, headers: Mapping[str, str], query_params: Mapping[str, str]) -> Principal:
        """By `?ticket=` or `Authorization: Bearer`; the cookie alone does not do, for it also comes with other sites' pages.

        Raises SocketRefused, with the code to close with.
        """
        if self._signer is None:
            return LOCAL
        try:
            if token := _bearer(headers):
                return await self.authenticated(token)
        except NotAuthenticated as exc:
            raise SocketRefused(str(exc), exc.reason) from exc
        held = self._tickets.redeem(query_params.get("ticket", ""))
        found = None if held is None else self.current(held)
        if found is None:
            raise SocketRefused("this needs a ticket (POST /api/v1/tickets, 30 s, once) or a bearer token")
        return found

    def ticket(self, principal: Principal) -> str:
        """A ticket to open one WebSocket with."""
        return self._tickets.issue(principal.user, principal)

    def current(self, principal: Principal) -> Principal | None:
        """The same person as users file and policy have them now; None when their token ended or they were taken out.

        For what stays open: who gets another value than before must be served anew, who gets None must go.
        """
        if self._signer is None:
            return principal
        if principal.expires is not None and self._clock.now() >= principal.expires:
            return None
        try:
            if principal.facts is None:
                found = self._in_file(principal.user, principal.issued)
                return msgspec.structs.replace(found, issued=principal.issued, expires=principal.expires)
            if self.provider is None or principal.issued is None or principal.expires is None:
                return None
            known = Identity(principal.user, principal.name, principal.facts, principal.issued, principal.expires)
            return self._of_identity(known)
        except NotAuthenticated:
            return None

    def check(self) -> str | None:
        """For readiness: why people of the provider cannot sign in; a Remark while they can by keys of before."""
        if self.provider is None:
            return None
        remark = self.provider.remark
        return self.provider.check() or (None if remark is None else Remark(remark))

    def describe(self, registry: CollectorRegistry) -> None:
        """Show on `registry` who comes in and who does not, the provider, and the files of people and policy."""
        self.metrics = AccessMetrics.on(registry)
        ProviderMetrics.on(registry, self.provider)
        files = FileMetrics.on(registry)
        if self._users is not None:
            files.follow("users", self._users.health)
        if (health := self._policy.health) is not None:
            files.follow("policy", health)

    def start(self, background: Background) -> None:
        """Keep the provider's keys fresh while the service runs."""
        if self.provider is not None:
            background.start("identity provider", self.provider.run())


def policy_of(settings: CommonSettings, clock: Clock) -> LivePolicy:
    """The policy in force. Raises SettingsError, also for a provider without grants: nobody of it could do anything."""
    name = variable(CommonSettings, "policy_file")
    policy = LivePolicy(settings.policy_file, clock, setting=name)
    if settings.oidc_issuer and not policy.now.policy.grants:
        said = (
            f"{settings.policy_file} grants"
            if settings.policy_file
            else f"{name} is not set, so there is nothing that grants"
        )
        raise SettingsError(
            f"{said} people of {settings.oidc_issuer} anything: it needs `grants`; deploy/policy.yaml shows how"
        )
    return policy


def _bearer(headers: Mapping[str, str]) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""
