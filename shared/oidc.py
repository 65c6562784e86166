"""The identity provider (OpenID Connect): where it is, which keys it signs with, and who its tokens are of.

Its description and keys are fetched at the start and every few minutes. Keys that are known go on while it is away, and one is
gone when its list no longer has it. A token with a key that is not known makes us look again, but seldom: anybody can write one.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
import structlog
from msgspec import Struct

from shared.authsettings import AuthSettings
from shared.backoff import Backoff
from shared.clock import Clock
from shared.errors import ProviderFault, SettingsError
from shared.oidckeys import Expected, Keys, checked, read_keys
from shared.policy import values_of
from shared.settings import variable
from shared.tokens import KeyUnknown, NotAuthenticated

FRESH_S: Final = 300.0  # so old may keys be: a key that was withdrawn is trusted for so long
AGAIN_S: Final = 10.0  # between two looks that tokens made us have
TIMEOUT_S: Final = 5.0  # for one answer, from the first byte to the last
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0  # between attempts while it is away
MAX_ANSWER: Final = 512 << 10
OURSELVES: Final = "floorwatch"  # who did it, in histories, where nobody did
USER: Final = re.compile(r"[^\W_][\w.@|:+=~-]{0,127}")  # what audits and notes may call somebody

log = structlog.get_logger()


class Metadata(Struct, frozen=True):
    """Of the provider's description (OpenID Connect Discovery section 3) what is used here."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """One identity provider, as the settings name it."""

    def __init__(self, settings: AuthSettings, clock: Clock) -> None:
        """Raises SettingsError; asks for nothing yet."""
        self.issuer = settings.oidc_issuer
        if not _can_be_asked(self.issuer):
            raise SettingsError(
                f"{variable(AuthSettings, 'oidc_issuer')}: {self.issuer} is no address: are host and port right?"
            )
        self.label = settings.oidc_label or str(urlsplit(self.issuer).hostname)
        self.client_id = settings.oidc_client_id
        self._clock = clock
        self._settings = settings
        audiences = settings.oidc_audience or ((self.client_id,) if self.client_id else ())
        if not audiences:
            raise SettingsError(
                f"{variable(AuthSettings, 'oidc_audience')}: whom tokens of {self.issuer} must be for is not said; set it, or "
                f"{variable(AuthSettings, 'oidc_client_id')}"
            )
        skew = timedelta(seconds=settings.oidc_skew_s)
        self._algorithms = frozenset(settings.oidc_algorithms)
        self._bearer = Expected(self.issuer, frozenset(audiences), self._algorithms, skew)
        self._id_token = Expected(self.issuer, frozenset({self.client_id}), self._algorithms, skew, self.client_id)
        self._trust = _trust(settings.oidc_ca_file)
        try:
            self.client()  # which each look makes anew
        except (ImportError, ValueError, httpx.InvalidURL) as exc:
            raise SettingsError(f"{self.issuer}: the proxy that the environment names cannot be used: {exc}") from exc
        self.keys = Keys()
        self._metadata: Metadata | None = None
        self._looked: float | None = None  # when it was asked last, and whether that went well
        self._fresh: float | None = None
        self._trouble: str | None = None
        self._asking: asyncio.Task[None] | None = None
        self.failures = 0  # looks that brought nothing

    def claims(self, token: str, *, id_token: bool = False) -> dict[str, Any]:
        """What a good token of this provider says, by the keys that are known. `id_token`: it must be one of ours, not any.

        Raises NotAuthenticated; KeyUnknown when `looked_again` may help.
        """
        if not self.keys.ready:
            raise KeyUnknown(f"the keys of {self.issuer} are not known yet")
        return checked(token, self.keys, self._id_token if id_token else self._bearer, self._clock.now())

    def user_of(self, claims: Mapping[str, Any]) -> tuple[str, str]:
        """Name for audits and name for people. Raises NotAuthenticated when there is none that can be used."""
        claim = self._settings.oidc_user_claim
        user = claims.get(claim)
        if not isinstance(user, str) or not USER.fullmatch(user) or user.casefold() == OURSELVES:
            shown = "is missing" if user is None else "cannot be used as a name"
            raise NotAuthenticated("invalid", f"the claim {claim}, by which people are called here, {shown}")
        if claim == "email" and str(claims.get("email_verified", True)).lower() in (
            "false",
            "0",
        ):  # some write it as text
            raise NotAuthenticated("invalid", f"the provider does not vouch for the address {user}")
        return user, _shown(values_of(claims, self._settings.oidc_name_claim)) or user

    def check(self) -> str | None:
        """For readiness: why nobody of the provider could sign in; None when they can, with older keys perhaps."""
        return None if self.keys.ready else self._trouble or "its keys were not fetched yet"

    @property
    def up(self) -> bool:
        """Whether it answered when it was asked last."""
        return self.keys.ready != {} and self._trouble is None

    @property
    def remark(self) -> str | None:
        """What is out of order although tokens are still checked."""
        if not self.keys.ready or self._trouble is None or self._fresh is None:
            return None
        age = timedelta(seconds=round(self._clock.monotonic() - self._fresh))
        return f"{self._trouble}; its keys of {age} ago go on"

    @property
    def sign_out_url(self) -> str | None:
        """Where people sign out at the provider, as far as it was heard of."""
        found = self._metadata.end_session_endpoint if self._metadata is not None else ""
        joint = "&" if "?" in found else "?"
        return f"{found}{joint}{urlencode({'client_id': self.client_id})}" if found else None

    async def metadata(self) -> Metadata:
        """Where to send people, and so on. Raises ProviderFault when that was never known and cannot be fetched now."""
        if self._metadata is None:
            await self._ask(AGAIN_S)
        if self._metadata is None:
            raise ProviderFault(self._trouble or "it was asked a moment ago, and did not answer")
        return self._metadata

    async def looked_again(self) -> bool:
        """Fetch the keys anew because of a token; False when that was done a moment ago, or fails."""
        return await self._ask(AGAIN_S)

    async def run(self) -> None:
        """Keep description and keys fresh. Until cancelled."""
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while True:
            await self._ask(0.0)
            if self._trouble is None:
                backoff.worked()
                await self._clock.sleep(FRESH_S)
            else:
                await self._clock.sleep(backoff.next_s())

    async def _ask(self, at_least_s: float) -> bool:
        """Fetch; whoever comes meanwhile waits for the same answer."""
        if self._asking is None or self._asking.done():
            if self._looked is not None and self._clock.monotonic() - self._looked < at_least_s:
                return False
            self._looked = self._clock.monotonic()
            self._asking = asyncio.create_task(self._fetch())
            self._asking.add_done_callback(self._asked)
        await asyncio.shield(self._asking)
        return self._trouble is None

    def _asked(self, task: asyncio.Task[None]) -> None:
        if self._asking is task:
            self._asking = None

    async def _fetch(self) -> None:
        try:
            async with self.client() as client:
                metadata = await self._describe(client)
                keys = read_keys(await answer(client.build_request("GET", metadata.jwks_uri), client), self._algorithms)
        except ProviderFault as exc:
            self._failed(f"{self.issuer}: {exc}")
            return
        before, self.keys, self._metadata = self.keys, keys, metadata
        self._fresh = self._clock.monotonic()
        if self._trouble is not None or before.ids != keys.ids:
            log.info(
                "keys of the identity provider",
                provider=self.issuer,
                keys=sorted(keys.ids),
                gone=sorted(before.ids - keys.ids),
            )
        self._trouble = None

    def _failed(self, why: str) -> None:
        self.failures += 1
        if why != self._trouble:
            consequence = "its known keys go on" if self.keys.ready else "nobody of it can sign in"
            log.warning("the identity provider cannot be used", why=why, consequence=consequence)
        self._trouble = why

    async def _describe(self, client: httpx.AsyncClient) -> Metadata:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            found = msgspec.convert(await answer(client.build_request("GET", url), client), Metadata)
        except msgspec.ValidationError as exc:
            raise ProviderFault(f"its description cannot be used: {exc}") from exc
        if found.issuer != self.issuer:
            raise ProviderFault(
                f"it calls itself {found.issuer[:200]!r}: {variable(AuthSettings, 'oidc_issuer')} must be the same"
            )
        here = self.issuer.startswith("http://")
        for name in found.__struct_fields__:
            said = getattr(found, name) if name.endswith(("_endpoint", "_uri")) else ""
            if said and not (said.startswith(("https://", "http://") if here else "https://") and _can_be_asked(said)):
                raise ProviderFault(f"its {name} is no https address: {said[:200]!r}")
        return found

    def client(self) -> httpx.AsyncClient:
        """For requests to it. Redirects are not followed: an answer from elsewhere is not its answer."""
        return httpx.AsyncClient(verify=self._trust, timeout=TIMEOUT_S, follow_redirects=False)


def _shown(names: Iterable[str]) -> str:
    """A name for people, in one line; "" for none. Many choose theirs at the provider: it must not pass for what it is not."""
    name = min(names, default="")
    plain = " ".join("".join(one if one.isprintable() else " " for one in name).split())[:100]
    return "" if plain.casefold() == OURSELVES else plain


def _can_be_asked(address: str) -> bool:
    """Whether a request can be made of it. What cannot would end more than that request: a port above 65535, half a bracket."""
    try:
        return bool(httpx.URL(address).host) and urlsplit(address).port != 0
    except (httpx.InvalidURL, ValueError):
        return False


def _trust(file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as exc:
        raise SettingsError(
            f"{variable(AuthSettings, 'oidc_ca_file')}: {file} cannot be used: {exc.strerror or exc}"
        ) from exc


async def answer(request: httpx.Request, client: httpx.AsyncClient) -> Any:
    """The JSON that it answers with. Raises ProviderFault, with what it says of an error of ours (RFC 6749 section 5.2)."""
    where = f"{request.url.host}{request.url.path}"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            response = await client.send(request, stream=True)
            try:
                body = b""
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER:
                        raise ProviderFault(f"{where} answers with more than {MAX_ANSWER} bytes")
            finally:
                await response.aclose()
    except TimeoutError:
        raise ProviderFault(f"{where} does not answer within {TIMEOUT_S:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
        raise ProviderFault(f"{where} cannot be reached: {str(exc) or type(exc).__name__}") from exc
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        found = None
    if response.status_code != httpx.codes.OK:
        said = found.get("error") if isinstance(found, dict) else None
        raise ProviderFault(f"{where} answers {response.status_code}" + (f": {said!r:.100}" if said else ""))
    if found is None:
        raise ProviderFault(f"{where} answers with something that is no JSON")
    return found
