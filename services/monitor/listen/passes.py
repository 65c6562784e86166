"""Passes: with one a page opens the sound of one listen at the relay. The monitor signs them, the relay reads them (JWT, HS256).

A pass is good for a minute and may be used again meanwhile: a page that lost its connection comes back with it. What its
holder may hear is not in it, the relay's newest order of that listen says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import jwt

from shared.clock import from_epoch
from shared.tokens import MAX_TOKEN, NotAuthenticated

VALID_S: Final = 60
_ISSUER: Final = "floorwatch-listen"
_ALGORITHM: Final = "HS256"


def sign_pass(secret: str, user: str, listen_id: str, now: datetime) -> str:
    """A pass of `user` to this listen, good for VALID_S seconds from `now`."""
    issued = int(now.timestamp())
    claims = {"iss": _ISSUER, "sub": user, "listen": listen_id, "iat": issued, "exp": issued + VALID_S}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def read_pass(secret: str, token: str, now: datetime) -> tuple[str, str]:
    """User and listen id of a pass of ours. Raises NotAuthenticated `missing`, `invalid` or `expired`."""
    if not token:
        raise NotAuthenticated("missing", "this needs a pass (GET /api/v1/listens/{id}/pass)")
    if len(token) > MAX_TOKEN:
        raise NotAuthenticated("invalid", "this is no pass of this Floorwatch")
    try:
        found = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={"require": ["sub", "listen", "iat", "exp"], "verify_exp": False, "verify_iat": False},
        )
        user, listen_id, expires = str(found["sub"]), str(found["listen"]), from_epoch(found["exp"])
    except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError) as exc:
        raise NotAuthenticated("invalid", "this is no pass of this Floorwatch, or its secret was changed") from exc
    if now >= expires:  # by our clock, which tests can move
        raise NotAuthenticated("expired", "this pass ended: ask for another one")
    return user, listen_id
