"""Signing in by browser at the identity provider: how one signs in here, the way there and the way back."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlencode, urlsplit

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from shared.auth import COOKIE, Authenticator, public
from shared.errors import ProviderFault
from shared.identity import Principal
from shared.limits import Limits
from shared.problems import Problem
from shared.sessions import SignInFailed
from shared.tokens import NotAuthenticated

LONGEST_WAY: Final = 1000  # bytes of where somebody wanted to go; in the cookie they may become three times as many
CALLBACK: Final = "/api/v1/session/callback"
_BEGIN: Final = "/api/v1/session/provider"
_SEE_OTHER: Final = 303

log = structlog.get_logger()
router = APIRouter(prefix="/api/v1", tags=["who asks"])


class ProviderView(BaseModel):
    """An identity provider that signs people in."""

    label: str = Field(description="what people call it")
    begin: str = Field(
        description="a path of this service that leads there; `?next=` says where one goes on afterwards"
    )
    sign_out: str | None = Field(description="where one signs out at the provider; null where it says of no such place")


class WaysView(BaseModel):
    """How one signs in here."""

    mode: Literal["local", "users"] = Field(description="local: nobody needs to")
    links: bool = Field(description="whether login links do")
    provider: ProviderView | None


@router.get("/session", dependencies=[Depends(public)])
async def ways(request: Request) -> WaysView:
    """How one signs in here, for whoever has not yet."""
    auth: Authenticator = request.app.state.auth
    found = None
    if auth.provider is not None and auth.sign_in is not None:
        found = ProviderView(label=auth.provider.label, begin=_BEGIN, sign_out=auth.provider.sign_out_url)
    return WaysView(mode=auth.mode, links=auth.has_links, provider=found)


@router.get("/session/provider", dependencies=[Depends(public)], include_in_schema=False)
async def begin(request: Request, next_: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Send the browser to the provider."""
    auth: Authenticator = request.app.state.auth
    limits: Limits = request.app.state.limits
    limits.before_sign_in(request)
    if auth.sign_in is None:
        raise Problem(404, "no identity provider is set up here", title="Not found")
    destination = own_path(next_)
    try:
        begun = await auth.sign_in.begin(
            auth.sign_in.redirect_url(str(request.url.replace(path=CALLBACK, query=""))), destination
        )
    except ProviderFault as exc:
        auth.metrics.signing_in("provider_away")
        log.warning("nobody can be sent to the identity provider", why=str(exc))
        return _told("provider", destination)
    response = RedirectResponse(begun.url, _SEE_OTHER)
    # Lax: the browser comes back from another site, and has to bring it
    response.set_cookie(
        begun.cookie,
        begun.value,
        max_age=begun.max_age_s,
        path=CALLBACK,
        httponly=True,
        samesite="lax",
        secure=_secure(request),
    )
    return response


@router.get("/session/callback", dependencies=[Depends(public)], include_in_schema=False)
async def callback(request: Request) -> Response:
    """Take the browser back: sign it in, or say on the page why not."""
    auth: Authenticator = request.app.state.auth
    limits: Limits = request.app.state.limits
    limits.before_sign_in(request)
    if auth.sign_in is None:
        raise Problem(404, "no identity provider is set up here", title="Not found")
    query = dict(request.query_params)
    name = auth.sign_in.cookie_of(query.get("state", ""))
    destination = "/"
    try:
        who, destination = await auth.came_back(query, request.cookies.get(name, ""))
        response: Response = RedirectResponse(own_path(destination), _SEE_OTHER)
        set_cookie(response, request, auth.session(who), who)
        auth.metrics.signing_in("signed_in")
    except (SignInFailed, NotAuthenticated) as exc:
        limits.sign_in_failed(request)
        auth.metrics.signing_in(exc.reason)
        log.info("nobody signed in", reason=exc.reason, why=str(exc))
        response = _told("no_access" if exc.reason == "unknown_user" else exc.reason, destination)
    response.delete_cookie(name, path=CALLBACK, httponly=True, samesite="lax", secure=_secure(request))
    return response


def set_cookie(response: Response, request: Request, token: str, who: Principal) -> None:
    """Have the browser keep who it is."""
    response.set_cookie(COOKIE, token, expires=who.expires, httponly=True, samesite="strict", secure=_secure(request))
    log.info("signed in", user=who.user)


def own_path(wanted: str) -> str:
    """A place on this service; `/` for what may be elsewhere."""
    # browsers take any number of slashes for the two before a host
    if not wanted.startswith("/") or wanted.startswith("//") or "\\" in wanted:
        return "/"
    if not wanted.isprintable() or len(wanted.encode()) > LONGEST_WAY:
        return "/"
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc or parts.path == "/login.html" else wanted


def _told(problem: str, destination: str) -> Response:
    return RedirectResponse(f"/login.html?{urlencode({'problem': problem, 'next': destination})}", _SEE_OTHER)


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"
