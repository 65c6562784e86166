"""Who asks: tokens, the browsers' cookie and single-use tickets; as FastAPI dependencies.

    Reader = Annotated[Principal, Depends(authed("floor.read"))]

    @router.get("/floor")
    async def floor(who: Reader) -> ...: ...          # 401 and 403 as problem documents

    who = socket.app.state.auth.of_socket(socket.headers, socket.query_params)  # SocketRefused: close with its code

Without a users file (mode `local`) everybody who reaches the port is `LOCAL`. `create_app(..., auth=...)` puts the
authenticator in place; every route under /api says its permission by `authed`, or that it needs none by `public`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Annotated, Final, Literal

import msgspec
from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from shared.clock import Clock
from shared.errors import FloorwatchError
from shared.identity import LOCAL, WHOLE, Permission, Principal, Role, Scope
from shared.limits import Limits
from shared.problems import Problem
from shared.settings import CommonSettings, variable
from shared.tickets import Tickets
from shared.tokens import NotAuthenticated, Signer, secret_of
from shared.users import LiveUsers

__all__ = [
    "COOKIE",
    "LOCAL",
    "WHOLE",
    "Authenticator",
    "NotAuthenticated",
    "Permission",
    "Principal",
    "Role",
    "Scope",
    "SocketRefused",
    "authed",
    "public",
    "signed_in",
]

COOKIE: Final = "floorwatch"  # of the host, so the three services of one machine share it
NOT_AUTHENTICATED: Final = 4401  # a WebSocket's close code: do not come back without something new


class SocketRefused(FloorwatchError):
    """A WebSocket without a way to tell who it is: close it with `code`."""

    code = NOT_AUTHENTICATED


class Authenticator:
    """Tells who asks; one per service process."""

    def __init__(self, clock: Clock, users: LiveUsers | None = None, signer: Signer | None = None) -> None:
        """Without `users` mode `local`; with them a signer, too."""
        self._clock = clock
        self._users = users
        self._signer = signer
        self._tickets: Tickets[Principal] = Tickets(clock)

    @classmethod
    def of(cls, settings: CommonSettings, clock: Clock) -> Authenticator:
        """As the settings say. Raises SettingsError."""
        if settings.users_file is None:
            return cls(clock)
        users = LiveUsers(settings.users_file, clock, setting=variable(CommonSettings, "users_file"))
        return cls(clock, users, Signer(secret_of(settings)))

    @property
    def mode(self) -> Literal["local", "users"]:
        """`local`: whoever reaches the port; `users`: whoever has a token."""
        return "local" if self._users is None else "users"

    def of_token(self, token: str) -> Principal:
        """Whose token it is, as the users file has them now. Raises NotAuthenticated."""
        if self._users is None or self._signer is None:
            return LOCAL
        if not token:
            raise NotAuthenticated("missing", "sign in first: this needs a token")
        claims = self._signer.read(token, self._clock.now())
        found = self._users.get(claims.user)
        if found is None:
            raise NotAuthenticated("unknown_user", f"user {claims.user} is not in the users file (any more)")
        since = self._users.tokens_since(claims.user)
        if since is not None and claims.issued < since:
            raise NotAuthenticated("revoked", f"tokens of {claims.user} from before {since:%Y-%m-%d %H:%M %Z} are void")
        return msgspec.structs.replace(found, issued=claims.issued, expires=claims.expires)

    def of_request(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal:
        """By `Authorization: Bearer`, which goes first, or the cookie. Raises NotAuthenticated."""
        return self.of_token(_bearer(headers) or cookies.get(COOKIE, ""))

    def of_socket(self, headers: Mapping[str, str], query_params: Mapping[str, str]) -> Principal:
        """By `?ticket=` or `Authorization: Bearer`; the cookie alone does not do, for it also comes with other sites' pages.

        Raises SocketRefused, with the code to close with.
        """
        if self._users is None:
            return LOCAL
        try:
            if token := _bearer(headers):
                return self.of_token(token)
            held = self._tickets.redeem(query_params.get("ticket", ""))
            found = None if held is None else self.current(held)
        except NotAuthenticated as exc:
            raise SocketRefused(str(exc)) from exc
        if found is None:
            raise SocketRefused("this needs a ticket (POST /api/v1/tickets, 30 s, once) or a bearer token")
        return found

    def ticket(self, principal: Principal) -> str:
        """A ticket to open one WebSocket with."""
        return self._tickets.issue(principal.user, principal)

    def current(self, principal: Principal) -> Principal | None:
        """The same person as the users file has them now; None when their token ended or they were taken out.

        For what stays open: who gets another value than before must be served anew, who gets None must go.
        """
        if self._users is None:
            return principal
        if principal.expires is not None and self._clock.now() >= principal.expires:
            return None
        found = self._users.get(principal.user)
        since = self._users.tokens_since(principal.user)
        if found is None or (since is not None and principal.issued is not None and principal.issued < since):
            return None
        return msgspec.structs.replace(found, issued=principal.issued, expires=principal.expires)


def _bearer(headers: Mapping[str, str]) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


_scheme_bearer = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    auto_error=False,
    description="Programs: `floorwatch token USER` makes one.",
)
_scheme_cookie = APIKeyCookie(
    name=COOKIE, scheme_name="cookie", auto_error=False, description="Browsers: POST /api/v1/session sets it."
)
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme_bearer)]  # both only for the document
_Cookie = Annotated[str | None, Depends(_scheme_cookie)]


async def signed_in(request: Request, _bearer: _Bearer = None, _cookie: _Cookie = None) -> Principal:
    """A dependency: who asks, whatever they may do. Raises Problem 401 with `reason`, and 429 for who asks too often."""
    auth: Authenticator = request.app.state.auth
    limits: Limits = request.app.state.limits
    try:
        who = auth.of_request(request.headers, request.cookies)
    except NotAuthenticated as exc:
        limits.unknown(request)
        raise unauthorized(exc) from exc
    limits.known(request, who)
    return who


def unauthorized(exc: NotAuthenticated) -> Problem:
    """The answer to somebody nobody knows."""
    problem = Problem(401, str(exc), title="Not signed in", reason=exc.reason)
    problem.headers = {"www-authenticate": "Bearer"}
    return problem


@cache
def authed(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """A dependency: who asks, if they may. Problem documents: 401 when nobody knows who asks, 403 when they may not."""

    async def dependency(who: Annotated[Principal, Depends(signed_in)]) -> Principal:
        if not who.may(permission):
            roles = ", ".join(sorted(who.roles)) or "no role"
            detail = f"{who.user} ({roles}) may not do this: it needs {permission}"
            raise Problem(403, detail, title="Not allowed", permission=permission)
        return who

    dependency.permission = permission  # type: ignore[attr-defined]  # a test reads it off every route
    return dependency


async def public() -> None:
    """A dependency that says: this needs no token."""
