"""Signing in and out over HTTP, who one is, and tickets; the same at every service."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from shared.apidoc import problem
from shared.auth import COOKIE, Authenticator, authed, public, signed_in, unauthorized
from shared.identity import Permission, Principal, Role
from shared.limits import Limits
from shared.problems import Problem
from shared.providerapi import set_cookie
from shared.tickets import TICKET_S
from shared.tokens import MAX_PROVIDED, NotAuthenticated

log = structlog.get_logger()

_TOO_OFTEN = problem(429, "too many attempts of this address failed; `Retry-After` says when to come back")
_ENDS = problem(503, "this service ends; ask again, for another one may answer then")
_UNKNOWN = problem(401, "`reason`: missing, invalid, expired, revoked or unknown_user")


class ScopeView(BaseModel):
    """Of which sites, teams and queues; null is all."""

    sites: list[str] | None
    teams: list[str] | None
    queues: list[str] | None


class MeView(BaseModel):
    """Who asks."""

    user: str
    name: str
    roles: list[Role]
    permissions: list[Permission]
    scope: ScopeView
    agent: str = Field(description="which agent they are themselves, as site/id; empty for who is none")
    mode: Literal["local", "users"] = Field(description="local: no users are set up, everybody is the same one")
    expires: datetime | None = Field(description="when the token ends; null in mode local")

    @classmethod
    def of(cls, who: Principal, mode: Literal["local", "users"]) -> MeView:
        """As it is shown."""
        scope = ScopeView(
            sites=_listed(who.scope.sites), teams=_listed(who.scope.teams), queues=_listed(who.scope.queues)
        )
        return cls(
            user=who.user,
            name=who.name,
            roles=sorted(who.roles),
            permissions=list(who.permissions),
            scope=scope,
            agent=who.agent,
            mode=mode,
            expires=who.expires,
        )


class SessionBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str = Field(
        min_length=1, max_length=MAX_PROVIDED, description="a login link's, of `floorwatch token`, or the provider's"
    )


class TicketView(BaseModel):
    """To open one WebSocket with, as `?ticket=`."""

    ticket: str
    expires_in_s: float


def _auth(request: Request) -> Authenticator:
    found: Authenticator = request.app.state.auth
    return found


Auth = Annotated[Authenticator, Depends(_auth)]
Reader = Annotated[Principal, Depends(authed("floor.read"))]
router = APIRouter(prefix="/api/v1", tags=["who asks"])


@router.post("/session", dependencies=[Depends(public)], responses=_UNKNOWN | _TOO_OFTEN)
async def sign_in(body: SessionBody, request: Request, response: Response, auth: Auth) -> MeView:
    """Give a token, get the cookie that browsers use from then on. It ends with the token."""
    limits: Limits = request.app.state.limits
    limits.before_sign_in(request)
    try:
        who = await auth.authenticated(body.token)
        token = body.token if who.facts is None else auth.session(who)
    except NotAuthenticated as exc:
        limits.sign_in_failed(request)
        auth.metrics.signing_in(exc.reason)
        log.info("nobody signed in", reason=exc.reason)
        raise unauthorized(exc) from exc
    auth.metrics.signing_in("signed_in")
    if who.expires is not None:
        set_cookie(response, request, token, who)
    return MeView.of(who, auth.mode)


@router.delete("/session", status_code=204, dependencies=[Depends(public)])
async def sign_out(response: Response) -> None:
    """Forget the cookie. The token itself stays good until it ends; `tokens_since` in the users file voids it."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


@router.get("/me", responses=_UNKNOWN)
async def me(who: Annotated[Principal, Depends(signed_in)], auth: Auth) -> MeView:
    """Who asks, what they may do, and of what they see the entities."""
    return MeView.of(who, auth.mode)


@router.post("/tickets", status_code=201, responses=_ENDS)
async def ticket(who: Reader, auth: Auth, request: Request) -> TicketView:
    """A ticket for one WebSocket of this service, for the browser, which cannot send a header there: good once, for 30 s."""
    if request.app.state.ending:  # it is no good elsewhere, and there the WebSocket will be opened
        refusal = Problem(503, "this service ends: ask again")
        refusal.headers = {"retry-after": "1"}
        raise refusal
    return TicketView(ticket=auth.ticket(who), expires_in_s=TICKET_S)


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
