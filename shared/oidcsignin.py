"""Signing in by browser at an identity provider: Authorization Code with PKCE (RFC 6749, RFC 7636, OpenID Connect Core).

What has to be known when a browser comes back (state, nonce, verifier, where it wanted to go) is in a cookie of its own, signed
and good for ten minutes: any replica can take it from there, and nobody can be signed in by a link of somebody else.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx
from msgspec import Struct

from shared.authsettings import AuthSettings
from shared.clock import Clock
from shared.errors import ProviderFault
from shared.oidc import Metadata, Provider, answer
from shared.policy import Policy, values_of
from shared.sessions import Identity, SignInFailed, lasting
from shared.tokens import KeyUnknown, NotAuthenticated, read_signed, signed

WITHIN: Final = timedelta(minutes=10)  # to type a password and find the second factor
_ISSUER: Final = "floorwatch-signing-in"
_STATE_BYTES: Final = 24


class Begun(Struct, frozen=True):
    """Where to send a browser, and the cookie by which it is known when it comes back."""

    url: str
    cookie: str
    value: str
    max_age_s: int = int(WITHIN.total_seconds())


class SignIn:
    """The way to the provider and back."""

    def __init__(self, provider: Provider, settings: AuthSettings, secret: str, clock: Clock) -> None:
        self._provider = provider
        self._settings = settings
        self._secret = secret
        self._clock = clock

    def redirect_url(self, own: str) -> str:
        """Where the provider sends browsers back to; `own`: the callback's address as this browser asks for it."""
        return self._settings.oidc_redirect_url or own

    def cookie_of(self, state: str) -> str:
        """The cookie of one sign-in: several tabs may begin one each."""
        return f"floorwatch-{hashlib.sha256(state.encode()).hexdigest()[:16]}"

    async def begin(self, callback: str, destination: str) -> Begun:
        """Raises ProviderFault."""
        metadata = await self._provider.metadata()
        if not metadata.authorization_endpoint or not metadata.token_endpoint:
            raise ProviderFault("it says nowhere how browsers sign in")
        state, nonce, verifier = (secrets.token_urlsafe(_STATE_BYTES) for _ in range(3))
        verifier += secrets.token_urlsafe(_STATE_BYTES)  # 43 characters at least, RFC 7636 section 4.1
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": callback,
            "scope": self._settings.oidc_scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        kept = signed(
            self._secret,
            _ISSUER,
            self._clock.now(),
            WITHIN,
            state=state,
            nonce=nonce,
            verifier=verifier,
            callback=callback,
            destination=destination,
        )
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return Begun(f"{metadata.authorization_endpoint}{joint}{urlencode(asked)}", self.cookie_of(state), kept)

    async def finish(self, query: Mapping[str, str], kept: str, policy: Policy) -> tuple[Identity, str]:
        """Who came back with this query and this cookie, and where they wanted to go. Raises SignInFailed."""
        try:
            held = read_signed(
                self._secret, _ISSUER, kept, self._clock.now(), "state", "nonce", "verifier", "callback", "destination"
            )
        except NotAuthenticated as exc:
            raise SignInFailed("state", f"this browser began no sign-in, or too long ago: {exc}") from exc
        if not secrets.compare_digest(held["state"].encode(), query.get("state", "").encode()):
            raise SignInFailed("state", "what came back is of another sign-in")
        if query.get("iss", self._provider.issuer) != self._provider.issuer:  # RFC 9207
            raise SignInFailed("state", "what came back is of another provider")
        if "error" in query or not query.get("code"):
            raise SignInFailed("declined", f"the provider says {query.get('error', 'nothing')!r:.100}")
        try:
            claims = await self._claims(query["code"], held, policy)
            user, name = self._provider.user_of(claims)
        except ProviderFault as exc:
            raise SignInFailed("provider", str(exc)) from exc
        except NotAuthenticated as exc:
            raise SignInFailed("token", str(exc)) from exc
        now = self._clock.now()
        ends = lasting(now, self._settings.oidc_session_hours)
        return Identity(user, name, policy.facts(claims), now, ends), str(held["destination"])

    async def _claims(self, code: str, held: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
        """What the provider says of who came with `code`. Raises ProviderFault, NotAuthenticated."""
        metadata = await self._provider.metadata()
        async with self._provider.client() as client:
            found = await answer(self._exchange(client, metadata, code, held), client)
            token = found.get("id_token") if isinstance(found, dict) else None
            if not isinstance(token, str):
                raise ProviderFault("its answer has no id_token")
            claims = await self._checked(token)
            if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), held["nonce"].encode()):
                raise NotAuthenticated("invalid", "the ID token is of another sign-in: its nonce is another one")
            wanted = policy.claims | {self._settings.oidc_user_claim, self._settings.oidc_name_claim}
            access = found.get("access_token")
            if (
                metadata.userinfo_endpoint
                and isinstance(access, str)
                and not all(values_of(claims, one) for one in wanted)
            ):
                claims = await self._more(client, metadata.userinfo_endpoint, access, claims)
        return claims

    async def _checked(self, token: str) -> dict[str, Any]:
        try:
            return self._provider.claims(token, id_token=True)
        except KeyUnknown:
            if not await self._provider.looked_again():
                raise
            return self._provider.claims(token, id_token=True)

    async def _more(self, client: httpx.AsyncClient, url: str, access: str, claims: dict[str, Any]) -> dict[str, Any]:
        """Providers with thin ID tokens tell of groups here. What the signed ID token says goes before it."""
        found = await answer(client.build_request("GET", url, headers={"authorization": f"Bearer {access}"}), client)
        if not isinstance(found, dict) or found.get("sub") != claims["sub"]:  # Core section 5.3.2
            raise ProviderFault("its userinfo is of somebody else")
        return found | claims

    def _exchange(
        self, client: httpx.AsyncClient, metadata: Metadata, code: str, held: Mapping[str, Any]
    ) -> httpx.Request:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": held["callback"],
            "client_id": self._provider.client_id,
            "code_verifier": held["verifier"],
        }
        headers = {"accept": "application/json"}
        secret = self._settings.oidc_client_secret.get_secret_value()
        if secret and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            pair = f"{quote(self._provider.client_id, safe='')}:{quote(secret, safe='')}"  # RFC 6749 section 2.3.1
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif secret:
            form["client_secret"] = secret
        return client.build_request("POST", metadata.token_endpoint, data=form, headers=headers)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
