"""What stands before every route of every service: names, pages of other origins, the length of bodies; and safe headers behind.

A page of another origin can send a change with somebody's cookie, but neither hide that it does (`Origin`, `Sec-Fetch-Site`) nor
add a header of its own. So a change that only a cookie speaks for must say where it comes from; a token in `Authorization` says
that no browser sent it unasked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import hosts, problems
from shared.auth import COOKIE, known
from shared.headers import add_headers, policy
from shared.hosts import Hosts
from shared.limits import SAFE, Limits
from shared.problems import Problem, problem_response

Connect = Callable[[str], str]  # for the name in `Host`, where else its pages may connect to
WITHOUT_DATA: Final = ("/healthz", "/readyz", "/metrics")  # asked by probes, by whatever name they find their way
UNKNOWN_BYTES: Final = 32 << 10  # of a body that is read before it is known who sends it: a provider's token has 16 KiB
_OWN: Final = "same-origin"


class Guard:
    """The middleware; the arguments are those of `shared.http.create_app`."""

    def __init__(
        self, app: ASGIApp, names: Hosts, connect: Connect | None, pages_elsewhere: bool, limits: Limits
    ) -> None:
        self._app = app
        self._names = names
        self._connect = connect
        self._pages_elsewhere = pages_elsewhere
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")

        async def send_safely(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                add_headers(message, scope, self._policy(host))
            await send(message)

        if (refused := self._refusal(scope, headers, host)) is not None:
            await _refuse(*refused, scope, receive, send_safely)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send_safely)
        else:
            await self._answer(scope, self._bounded(scope, receive), send_safely)

    def _refusal(self, scope: Scope, headers: Headers, host: str) -> tuple[int, str] | None:
        """Status and reason for what goes no further."""
        if not self._names.ours(host) and scope["path"] not in WITHOUT_DATA:
            return 421, hosts.refusal(host)
        if (why := _from_elsewhere(scope, headers)) and not self._known_page(scope, headers):
            return 403, why
        length = headers.get("content-length", "")
        if scope["type"] == "http" and length.isdecimal() and int(length[:20]) > self._limits.body_bytes(scope["path"]):
            return 413, self._too_long(scope["path"])
        return None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except ClientDisconnect:
            return  # whoever asked is gone in the middle of their question
        except asyncio.CancelledError:  # the service ends, and this was waited for as long as it may be
            if started:
                raise
            await problems.cut_short(scope["path"])(scope, receive, send)
        except Exception:
            response = problems.unexpected(scope["path"])  # logs it
            if started:
                raise
            await response(scope, receive, send)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """`receive`, which raises Problem once a body that did not say its length is longer than it may be, or is longer than
        that of a sign-in and nobody knows whose it is: a route reads its body before it asks who sends it."""
        most, came = self._limits.body_bytes(scope["path"]), 0

        async def receive_bounded() -> Message:
            nonlocal came
            message = await receive()
            if message["type"] == "http.request":
                came += len(message.get("body", b""))
                if came > most:
                    raise Problem(413, self._too_long(scope["path"]))
                if came > UNKNOWN_BYTES:
                    await known(Request(scope))
            return message

        return receive_bounded

    def _too_long(self, path: str) -> str:
        return f"a body here has at most {self._limits.body_bytes(path)} bytes"

    def _policy(self, host: str) -> str:
        return policy(self._connect(host) if self._connect is not None else "")

    def _known_page(self, scope: Scope, headers: Headers) -> bool:
        """True for a WebSocket that is there for pages of another port, asked for by a page of the host or of a listed one."""
        if scope["type"] != "websocket" or not self._pages_elsewhere:
            return False
        try:
            page = urlsplit(headers.get("origin", "")).netloc
        except ValueError:
            return False
        return bool(page) and (hosts.same_name(page, headers.get("host", "")) or self._names.listed(page))


def _from_elsewhere(scope: Scope, headers: Headers) -> str:
    """Why a WebSocket or a change is, or may be, asked for by a page of another origin; "" for what is not."""
    if scope["type"] == "http" and scope["method"] in SAFE:
        return ""
    origin = headers.get("origin")
    if origin is not None:
        try:
            ours = urlsplit(origin).netloc == headers.get("host", "")
        except ValueError:  # no browser's
            ours = False
        return "" if ours else "a page of another origin may not change anything here"
    if headers.get("sec-fetch-site", _OWN) != _OWN:
        return "a page of another origin may not change anything here"
    if scope["type"] == "http" and "sec-fetch-site" not in headers and _by_cookie_alone(headers):
        return "a change by cookie must say in `Origin` which page makes it; programs send a token in `Authorization`"
    return ""


def _by_cookie_alone(headers: Headers) -> bool:
    return "authorization" not in headers and COOKIE in cookie_parser(headers.get("cookie", ""))


async def _refuse(status: int, why: str, scope: Scope, receive: Receive, send: Send) -> None:
    """A problem document, of a WebSocket's handshake too where the server can."""
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": why})
            return
    await problem_response(status, why, instance=scope["path"])(scope, receive, send)
