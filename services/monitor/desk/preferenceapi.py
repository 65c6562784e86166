"""Users' preferences over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Depends, Path, Request, Response

from services.monitor.desk.desk import Desk
from services.monitor.desk.preferences import MOST_BYTES, MOST_KEYS, Preferences, TooManyPreferences
from services.monitor.desk.transferapi import TOO_MANY
from shared.apidoc import Responses, problem
from shared.auth import Principal, authed
from shared.problems import Problem

Reader = Annotated[Principal, Depends(authed("floor.read"))]
Key = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", description="letters, digits and _ . : -, 64 at most")]
_AWAY = problem(503, "the database is away; nothing was changed")
_MAP: Responses = {200: {"description": "key: value", "content": {"application/json": {"schema": {"type": "object"}}}}}


def router_for(desk: Desk) -> APIRouter:
    """The routes, on this desk."""
    router = APIRouter(prefix="/api/v1", tags=["preferences"])

    @router.get("/preferences", response_class=Response, responses=_MAP | _AWAY)
    async def all_preferences(who: Reader) -> Response:
        """Your own preferences as `{key: value}`; nobody sees or changes another user's. In mode local all are one user."""
        async with desk.store.reading() as session:
            found = await Preferences(session).all(who.user)
        return _map(found)

    @router.put(
        "/preferences/{key}",
        response_class=Response,
        responses=_MAP
        | _AWAY
        | TOO_MANY
        | problem(400, "the body is not JSON")
        | problem(409, f"you have {MOST_KEYS} keys already")
        | problem(413, f"over {MOST_BYTES} bytes"),
        openapi_extra={"requestBody": {"required": True}},  # `null` is a value, too
    )
    async def put_preference(
        request: Request, who: Reader, key: Key, value: Annotated[Any, Body(description="any JSON")] = None
    ) -> Response:
        """Keep a value of at most 8 KiB under this key, 50 keys at most; the answer is `{key: value}`."""
        desk.admit_change(who)
        kept = await _body(request)
        try:
            async with desk.store.unit_of_work() as session:
                await Preferences(session).put(who.user, key, kept, desk.clock.now())
        except TooManyPreferences as exc:
            raise Problem(409, str(exc), title="Too many preferences") from exc
        return _map({key: kept})

    @router.delete("/preferences/{key}", response_class=Response, responses=_MAP | _AWAY | TOO_MANY)
    async def delete_preference(who: Reader, key: Key) -> Response:
        """Forget this key, also one that is not there; the answer is `{}`."""
        desk.admit_change(who)
        async with desk.store.unit_of_work() as session:
            await Preferences(session).forget(who.user, key)
        return _map({})

    return router


async def _body(request: Request) -> str:
    """The body as compact JSON. Raises Problem 400 and 413."""
    raw = await request.body()
    if len(raw) > 8 * MOST_BYTES:
        raise Problem(413, f"{len(raw)} bytes; a preference has at most {MOST_BYTES}", title="Too large")
    try:
        compact = msgspec.json.encode(msgspec.json.decode(raw)).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Problem(400, f"the body is not JSON: {exc}", title="Not JSON") from exc
    if len(compact.encode()) > MOST_BYTES:
        raise Problem(413, f"{len(compact.encode())} bytes; a preference has at most {MOST_BYTES}", title="Too large")
    return compact.replace("\\u0000", "\\ufffd")  # PostgreSQL stores any character but NUL


def _map(found: dict[str, str]) -> Response:
    body = {key: msgspec.Raw(value.encode()) for key, value in found.items()}
    return Response(msgspec.json.encode(body), media_type="application/json")
