"""Passes to hear a listen: what the browser shows to the relay. Signed (JWT, HS256), good for a minute, as often as it is shown.

The relay asks nobody: signature, time, and that its newest order of that listen is of that user and not ended.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import jwt

from shared.clock import from_epoch
from shared.errors import FloorwatchError

PASS_S: Final = 60
MAX_PASS: Final = 2048
_ISSUER: Final = "floorwatch-listen"  # not that of tokens: neither passes for the other
_ALGORITHM: Final = "HS256"


class PassRefused(FloorwatchError):
    """This is no pass, or none any more."""


def sign_pass(secret: str, user: str, listen_id: str, now: datetime) -> str:
    """A pass of `user` for this listen, good for PASS_S seconds from `now`."""
    expires = now + timedelta(seconds=PASS_S)
    claims = {"iss": _ISSUER, "sub": user, "listen": listen_id, "iat": int(now.timestamp()), "exp": expires.timestamp()}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def read_pass(secret: str, token: str, now: datetime) -> tuple[str, str]:
    """User and listen id of a pass of ours. Raises PassRefused."""
    if len(token) > MAX_PASS:
        raise PassRefused("this is no pass")
    try:
        found = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={"require": ["sub", "listen", "exp"], "verify_exp": False, "verify_iat": False},
        )
        user, listen_id, expires = str(found["sub"]), str(found["listen"]), from_epoch(found["exp"])
    except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError) as exc:
        raise PassRefused("this is no pass of this Floorwatch, or its secret was changed") from exc
    if now >= expires:  # by our clock, which tests can move
        raise PassRefused("this pass is over a minute old; ask for another")
    return user, listen_id
