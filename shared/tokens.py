"""Tokens: who somebody is, signed (JWT, HS256). What they may do is not in it: the users file says that at each request.

Other things that are signed (passes to the sound of a listen) have an issuer of their own, so that none is taken for another.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import jwt
from msgspec import Struct

from shared.clock import from_epoch
from shared.errors import FloorwatchError, SettingsError
from shared.settings import CommonSettings, variable

Refusal = Literal["missing", "invalid", "expired", "revoked", "unknown_user", "provider_away"]

SECRET_BYTES: Final = 32  # as long as the hash, RFC 7518 section 3.2
SECRET_FILE: Final = "auth.secret"
MAX_TOKEN: Final = 4000  # of ours: browsers drop a cookie of more than 4096 bytes, its name included, without a word
MAX_PROVIDED: Final = 16 << 10  # of a provider: a person in two hundred groups, each a UUID, is 10 KiB
ISSUER: Final = "floorwatch"
_ALGORITHM: Final = "HS256"


class NotAuthenticated(FloorwatchError):
    """Nobody knows who asks. `reason` is a short stable word; the message is for people."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class KeyUnknown(NotAuthenticated):
    """A token of an identity provider names a key that is not known: the provider may have a new one."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid", message)


class Claims(Struct, frozen=True):
    """What a token says."""

    user: str
    issued: datetime
    expires: datetime


def signed(secret: str, issuer: str, issued: datetime, valid_for: timedelta, **claims: str) -> str:
    """`claims`, among them `sub`, signed by `issuer` and good from now on."""
    begin, end = int(issued.timestamp()), int((issued + valid_for).timestamp())
    return jwt.encode({"iss": issuer, **claims, "iat": begin, "exp": end}, secret, algorithm=_ALGORITHM)


def read_signed(
    secret: str, issuer: str, token: str, now: datetime, *claims: str, what: str = "token"
) -> dict[str, Any]:
    """What was signed: `claims` as text, `iat` and `exp` as times. `what` it is, for people. Raises NotAuthenticated `invalid` or
    `expired`."""
    if len(token) > MAX_TOKEN:
        raise NotAuthenticated("invalid", f"this is no {what} of this Floorwatch")
    try:
        found = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            issuer=issuer,
            options={"require": [*claims, "iat", "exp"], "verify_exp": False, "verify_iat": False},
        )
        texts = {name: str(found[name]) for name in claims}
        issued, expires = from_epoch(found["iat"]), from_epoch(found["exp"])
    except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError) as exc:
        raise NotAuthenticated("invalid", f"this is no {what} of this Floorwatch, or its secret was changed") from exc
    if now >= expires:  # by our clock, which tests can move
        raise NotAuthenticated("expired", f"this {what} ended at {expires:%Y-%m-%d %H:%M} UTC")
    return {**texts, "iat": issued, "exp": expires}


def issuer_of(token: str) -> str:
    """Who a token says it is of, which nobody has checked; "" when it says nothing of it. Only for choosing how to check it."""
    try:
        found = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return ""
    return str(found.get("iss") or "")


class Signer:
    """Makes and reads tokens with one secret."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def sign(self, user: str, issued: datetime, valid_for: timedelta) -> str:
        """A token of `user`, good from now on."""
        return signed(self.secret, ISSUER, issued, valid_for, sub=user)

    def read(self, token: str, now: datetime) -> Claims:
        """What a token of ours says. Raises NotAuthenticated `invalid` or `expired`."""
        found = read_signed(self.secret, ISSUER, token, now, "sub")
        return Claims(found["sub"], found["iat"], found["exp"])


def secret_of(settings: CommonSettings) -> str:
    """AUTH_SECRET, or what is in the run directory, made at the first call. Raises SettingsError."""
    given = settings.auth_secret.get_secret_value()
    if given:
        if len(given.encode()) < SECRET_BYTES:
            name = variable(CommonSettings, "auth_secret")
            raise SettingsError(
                f"{name}: expected at least {SECRET_BYTES} characters, such as `openssl rand -hex 32` makes"
            )
        return given
    return _kept_secret(settings.run_dir / SECRET_FILE)


def _kept_secret(path: Path) -> str:
    try:
        if not path.exists():
            _keep_new(path)
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path}: others may read it; remove it (every token ends then) or `chmod 600` it")
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{path}: cannot be read or made: {exc}; AUTH_SECRET may hold the secret instead") from exc
    if len(found) < SECRET_BYTES:
        raise SettingsError(f"{path}: too short for a secret; remove it, a new one is made")
    return found


def _keep_new(path: Path) -> None:
    """Write a secret that is whole from the moment it is there: several services start at once, and one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(SECRET_BYTES) + "\n")
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
