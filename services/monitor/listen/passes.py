"""Passes: with one a page opens the sound of one listen at the relay. The monitor signs them, the relay reads them (JWT, HS256).

A pass is good for a minute and may be used again meanwhile: a page that lost its connection comes back with it. What its
holder may hear is not in it, the relay's newest order of that listen says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from shared.tokens import NotAuthenticated, read_signed, signed

VALID_S: Final = 60
_ISSUER: Final = "floorwatch-listen"


def sign_pass(secret: str, user: str, listen_id: str, now: datetime) -> str:
    """A pass of `user` to this listen, good for VALID_S seconds from `now`."""
    return signed(secret, _ISSUER, now, timedelta(seconds=VALID_S), sub=user, listen=listen_id)


def read_pass(secret: str, token: str, now: datetime) -> tuple[str, str]:
    """User and listen id of a pass of ours. Raises NotAuthenticated `missing`, `invalid` or `expired`."""
    if not token:
        raise NotAuthenticated("missing", "this needs a pass (GET /api/v1/listens/{id}/pass)")
    found = read_signed(secret, _ISSUER, token, now, "sub", "listen", what="pass")
    return found["sub"], found["listen"]
