"""Who asks: tokens, ours and an identity provider's, the browsers' cookie and single-use tickets; as FastAPI dependencies.

    Reader = Annotated[Principal, Depends(authed("floor.read"))]

    @router.get("/floor")
    async def floor(who: Reader) -> ...: ...          # 401 and 403 as problem documents

    @router.websocket("/feed")
    async def feed(socket: WebSocket, who: Annotated[Principal, Depends(socket_authed("floor.read"))]) -> None: ...

Without a users file and without a provider (mode `local`) everybody who reaches the port is `LOCAL`. `create_app(..., auth=...)`
puts the authenticator in place; every route says its permission by `authed` or `socket_authed`, what else lets somebody in by
`by`, or that it needs nothing by `public`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Annotated, Final, cast

from fastapi import Depends, Request, WebSocket, WebSocketException
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from shared.authenticator import COOKIE, Authenticator, SocketRefused
from shared.identity import LOCAL, WHOLE, Permission, Principal, Role, Scope
from shared.limits import Limits
from shared.problems import Problem
from shared.tokens import NotAuthenticated

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
    "brief",
    "by",
    "public",
    "signed_in",
    "socket_authed",
]

NOT_ALLOWED: Final = 4403
TOO_OFTEN: Final = 4508  # a WebSocket's close code: come back, but later
_FOUND: Final = "floorwatch.who"  # in a request's scope
COME_BACK_S: Final = 10  # while the provider is away: no sooner is it asked again


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
    who = await known(request)
    limits: Limits = request.app.state.limits
    limits.known(request, who)
    return who


async def known(request: Request) -> Principal:
    """Who asks, found out once for each request. Raises Problem 401, and 429 where too many of an address are nobody."""
    if (found := request.scope.get(_FOUND)) is not None:
        return cast(Principal, found)
    auth: Authenticator = request.app.state.auth
    limits: Limits = request.app.state.limits
    try:
        who = await auth.of_request(request.headers, request.cookies)
    except NotAuthenticated as exc:
        auth.metrics.refused(exc.reason)
        limits.unknown(request)
        raise unauthorized(exc) from exc
    request.scope[_FOUND] = who
    return who


def unauthorized(exc: NotAuthenticated) -> Problem:
    """The answer to somebody nobody knows."""
    if exc.reason == "provider_away":
        problem = Problem(503, str(exc), title="The identity provider is away", reason=exc.reason)
        problem.headers = {"retry-after": str(COME_BACK_S)}
        return problem
    problem = Problem(401, str(exc), title="Not signed in", reason=exc.reason)
    problem.headers = {"www-authenticate": "Bearer"}
    return problem


@cache
def authed(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """A dependency: who asks, if they may. Problem documents: 401 when nobody knows who asks, 403 when they may not."""

    async def dependency(request: Request, who: Annotated[Principal, Depends(signed_in)]) -> Principal:
        if not who.may(permission):
            auth: Authenticator = request.app.state.auth
            auth.metrics.refused("not_allowed")
            roles = ", ".join(sorted(who.roles)) or "no role"
            detail = f"{who.user} ({roles}) may not do this: it needs {permission}"
            raise Problem(403, detail, title="Not allowed", permission=permission)
        return who

    dependency.permission = permission  # type: ignore[attr-defined]  # a test reads it off every route
    return dependency


@cache
def socket_authed(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """A dependency of a WebSocket, which it accepts: a browser learns only of one that is open why it is closed. The close code
    is 4401 for who is not known, 4504 where that cannot be checked now, 4403 for who may not, 4508 where too many of an address
    are not known."""

    async def dependency(socket: WebSocket) -> Principal:
        auth: Authenticator = socket.app.state.auth
        await socket.accept()
        try:
            who = await auth.of_socket(socket.headers, socket.query_params)
        except SocketRefused as exc:
            auth.metrics.refused(exc.reason)
            raise turned_away(socket, exc.code, str(exc)) from exc
        if not who.may(permission):
            auth.metrics.refused("not_allowed")
            raise WebSocketException(NOT_ALLOWED, "your roles do not include the floor")
        return who

    dependency.permission = permission  # type: ignore[attr-defined]
    return dependency


def turned_away(socket: WebSocket, code: int, why: str, too_often: int = TOO_OFTEN) -> WebSocketException:
    """What closes a WebSocket of somebody nobody knows; the address is counted, as with requests."""
    limits: Limits = socket.app.state.limits
    try:
        limits.unknown(socket)
    except Problem as exc:
        return WebSocketException(too_often, brief(str(exc.detail)))
    return WebSocketException(code, brief(why))


@cache
def by(what: str) -> Callable[[], Awaitable[None]]:
    """A dependency that says what lets somebody in here instead of a permission; the route looks at it: `pass`, `fork`."""

    async def dependency() -> None: ...

    dependency.let_in_by = what  # type: ignore[attr-defined]  # a test reads it off every route
    return dependency


async def public() -> None:
    """A dependency that says: this needs no token."""


def brief(reason: str) -> str:
    """What fits into a close frame: 123 bytes."""
    return reason.encode()[:120].decode(errors="ignore")
