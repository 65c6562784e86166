"""Tokens that an identity provider signed: its keys, and whether a token is good. No I/O, no clock.

What a token says of itself is believed in nothing but which key to look for: the algorithm must be one that we allow and that
fits the kind of the key, and keys come from the provider's own list alone (`jku`, `x5u` and `jwk` in a token are not read).
RFC 8725.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, get_args

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from msgspec import Struct

from shared.authsettings import OidcAlgorithm
from shared.clock import from_epoch
from shared.errors import ProviderFault
from shared.tokens import MAX_PROVIDED, KeyUnknown, NotAuthenticated

MAX_KEYS: Final = 100  # providers list two to five
MIN_RSA_BITS: Final = 2048  # RFC 7518 section 3.3
ALGORITHMS: Final[tuple[OidcAlgorithm, ...]] = get_args(OidcAlgorithm)
_TYPES: Final = frozenset(
    {"", "jwt", "at+jwt", "application/at+jwt"}
)  # other kinds are not for signing in: logout+jwt, dpop+jwt
_BROKEN = (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError)


class Expected(Struct, frozen=True):
    """What a good token has. `client`: it is an ID token of this client, with `nonce`; "": any token for these audiences."""

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str]
    skew: timedelta
    client: str = ""


class Keys(Struct, frozen=True):
    """A provider's keys, ready to check with: by id ("" for those without one) and algorithm."""

    ready: Mapping[tuple[str, str], Sequence[PyJWK]] = {}

    @property
    def ids(self) -> frozenset[str]:
        """The ids of keys that can be used."""
        return frozenset(kid for kid, _ in self.ready)

    def fitting(self, kid: str, algorithm: str) -> Sequence[PyJWK]:
        """Keys that may have signed; all of them for a token that names none."""
        if kid:
            return self.ready.get((kid, algorithm), ())
        return [key for (_, named), keys in self.ready.items() if named == algorithm for key in keys]


def read_keys(document: Any, algorithms: Iterable[str]) -> Keys:
    """The keys of a JWK set (RFC 7517) that can check one of `algorithms`. Raises ProviderFault when there is none."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ProviderFault('its list of keys is none: expected {"keys": [...]}')
    allowed = frozenset(algorithms)
    ready: dict[tuple[str, str], list[PyJWK]] = {}
    for one in listed[:MAX_KEYS]:
        for key in _usable(one, allowed):
            ready.setdefault((str(one.get("kid") or ""), str(key.algorithm_name)), []).append(key)
    if not ready:
        raise ProviderFault(f"none of its {len(listed)} keys can be used for {', '.join(sorted(allowed))}")
    return Keys(ready)


def _usable(one: Any, allowed: frozenset[str]) -> list[PyJWK]:
    """One key for each algorithm that it is good for. Symmetric and private ones and those for encrypting are none."""
    if not isinstance(one, dict) or one.get("use", "sig") != "sig" or not isinstance(one.get("kid", ""), str):
        return []
    if "d" in one:  # a private key: whoever reads the list can sign with it
        return []
    operations = one.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return []
    found: list[PyJWK] = []
    for algorithm in _family(one) & allowed:
        if one.get("alg", algorithm) != algorithm:
            continue
        try:
            key = PyJWK(one, algorithm)
        except _BROKEN:  # not a key of this kind after all
            continue
        if not isinstance(key.key, RSAPublicKey) or key.key.key_size >= MIN_RSA_BITS:
            found.append(key)
    return found


def _family(one: Mapping[str, Any]) -> frozenset[str]:
    match one.get("kty"), one.get("crv"):
        case "RSA", _:
            return frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
        case "EC", "P-256":
            return frozenset({"ES256"})
        case "EC", "P-384":
            return frozenset({"ES384"})
        case "EC", "P-521":
            return frozenset({"ES512"})
        case "OKP", "Ed25519":
            return frozenset({"EdDSA"})
        case _:
            return frozenset()


def checked(token: str, keys: Keys, expected: Expected, now: datetime) -> dict[str, Any]:
    """The claims of a token that is good, with `iat` and `exp` as times.

    Raises NotAuthenticated `invalid` or `expired`, with what is wrong; KeyUnknown where newer keys may help.
    """
    if len(token) > MAX_PROVIDED:
        raise NotAuthenticated(
            "invalid", f"this token is too long: {len(token)} bytes, and at most {MAX_PROVIDED} are read"
        )
    claims = _signed(token, keys, expected.algorithms)
    if claims.get("iss") != expected.issuer:
        raise NotAuthenticated(
            "invalid", f"this token is of the issuer {claims.get('iss')!r:.200}, not of {expected.issuer}"
        )
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise NotAuthenticated("invalid", "this token does not say whose it is: `sub` is missing")
    _check_audience(claims, expected)
    return claims | _times(claims, expected.skew, now)


def _signed(token: str, keys: Keys, algorithms: frozenset[str]) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
        algorithm, kid, kind = (header.get(name) or "" for name in ("alg", "kid", "typ"))
    except _BROKEN as exc:
        raise NotAuthenticated("invalid", "this is no token: its head cannot be read") from exc
    if not isinstance(kid, str) or not isinstance(algorithm, str) or algorithm not in algorithms:
        raise NotAuthenticated("invalid", f"this token is signed by {algorithm!r:.50}, which is not allowed here")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise NotAuthenticated("invalid", f"this token is a {kind!r:.50}, which is not for signing in")
    if "crit" in header:
        raise NotAuthenticated("invalid", "this token wants something heeded (`crit`) that is not known here")
    if kid and kid not in keys.ids:
        raise KeyUnknown(f"this token is signed with the key {kid!r:.100}, which its provider does not list")
    fitting = keys.fitting(kid, algorithm)
    for key in fitting:
        try:
            return dict(jwt.decode(token, key, algorithms=[algorithm], options=_UNCHECKED))
        except jwt.InvalidSignatureError:
            continue
        except _BROKEN as exc:
            raise NotAuthenticated("invalid", "this is no token: it cannot be read") from exc
    if kid and fitting:
        raise NotAuthenticated("invalid", "this token's signature is wrong")
    if kid:
        raise NotAuthenticated("invalid", f"the key {kid!r:.100} is not for {algorithm}")
    raise KeyUnknown("this token is signed with no key that its provider lists")


# times are looked at by our clock, which tests can move; issuer and audience with messages of our own
_UNCHECKED: Final[Any] = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


def _check_audience(claims: Mapping[str, Any], expected: Expected) -> None:
    said = claims.get("aud")
    audiences = (
        {said}
        if isinstance(said, str)
        else {one for one in said if isinstance(one, str)}
        if isinstance(said, list)
        else set()
    )
    if audiences.isdisjoint(expected.audiences):
        shown = ", ".join(sorted(audiences))[:200] or "nobody"
        raise NotAuthenticated("invalid", f"this token is for {shown}, not for {', '.join(sorted(expected.audiences))}")
    party = claims.get("azp")  # OpenID Connect Core section 3.1.3.7
    if expected.client and (len(audiences) > 1 or party is not None) and party != expected.client:
        raise NotAuthenticated("invalid", f"this token was made for {party!r:.100}, not for {expected.client}")


def _times(claims: Mapping[str, Any], skew: timedelta, now: datetime) -> dict[str, datetime]:
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    if now >= expires + skew:
        raise NotAuthenticated("expired", f"this token ended at {expires:%Y-%m-%d %H:%M:%S} UTC")
    begins = _time(claims, "nbf") if "nbf" in claims else issued
    if max(begins, issued) > now + skew:
        raise NotAuthenticated(
            "invalid",
            f"this token is good from {max(begins, issued):%Y-%m-%d %H:%M:%S} UTC on only; whose clock is wrong?",
        )
    return {"iat": issued, "exp": expires}


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise NotAuthenticated("invalid", f"this token's `{name}` is no time")
    try:
        return from_epoch(found)
    except (OverflowError, ValueError) as exc:
        raise NotAuthenticated("invalid", f"this token's `{name}` is no time") from exc
