"""Sessions: what a browser keeps of somebody whom an identity provider knows. Signed as our tokens are (JWT, HS256).

In it is who somebody is and what the provider said of them, as far as the policy asks for it; what they may do for that, the
policy says at each request. So a change of the policy counts at once, a change at the provider when they sign in anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from shared.errors import FloorwatchError
from shared.policy import Facts
from shared.tokens import MAX_TOKEN, NotAuthenticated, read_signed, signed

ISSUER: Final = "floorwatch-session"
Reason = Literal["state", "declined", "provider", "token"]


class SignInFailed(FloorwatchError):
    """Somebody came back from the provider and is not signed in. `reason` is for the page, the message for the log."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Identity(Struct, frozen=True):
    """Somebody as a provider knows them, from `issued` until `expires`."""

    user: str
    name: str
    facts: Facts
    issued: datetime
    expires: datetime


def sign_session(secret: str, provider: str, who: Identity) -> str:
    """A session of `who`. Raises NotAuthenticated `invalid` when what is said of them is more than a cookie holds."""
    made = signed(
        secret,
        ISSUER,
        who.issued,
        who.expires - who.issued,
        sub=who.user,
        name=who.name,
        idp=provider,
        facts=msgspec.json.encode(listed(who.facts)).decode(),
    )
    if len(made) > MAX_TOKEN:
        raise NotAuthenticated(
            "invalid",
            f"the provider says too much of {who.user} for a cookie: {len(who.facts)} values of claims that the policy asks for",
        )
    return made


def read_session(secret: str, provider: str, token: str, now: datetime) -> Identity:
    """Whose session of this provider it is. Raises NotAuthenticated `invalid` or `expired`."""
    found = read_signed(secret, ISSUER, token, now, "sub", "name", "idp", "facts", what="session")
    if found["idp"] != provider:
        raise NotAuthenticated("invalid", "this session is of another identity provider")
    try:
        facts = unlisted(msgspec.json.decode(found["facts"], type=dict[str, list[str]]))
    except msgspec.MsgspecError as exc:
        raise NotAuthenticated("invalid", "this is no session of this Floorwatch") from exc
    return Identity(found["sub"], found["name"], facts, found["iat"], found["exp"])


def listed(facts: Facts) -> dict[str, list[str]]:
    """Facts as JSON has them: claims with their values."""
    found: dict[str, list[str]] = {}
    for claim, value in sorted(facts):
        found.setdefault(claim, []).append(value)
    return found


def unlisted(found: dict[str, Any]) -> Facts:
    """And back."""
    return frozenset((claim, value) for claim, values in found.items() for value in values)


def lasting(issued: datetime, hours: float) -> datetime:
    """When a session that begins now ends."""
    return issued + timedelta(hours=hours)
