"""The feed's WebSocket: who it is, until either side ends it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, WebSocket

from services.alerts.feed import messages
from services.alerts.feed.hub import Hub
from shared.auth import Authenticator, Principal, brief, socket_authed
from shared.outlets import outlet_of

MAX_UNSENT_BYTES: Final = 256 << 10  # on its way to one page

router = APIRouter(prefix="/api/v1")


@router.websocket("/feed")
async def feed(socket: WebSocket, who: Annotated[Principal, Depends(socket_authed("floor.read"))]) -> None:
    """Serve one connection from `hello` to its close code."""
    auth: Authenticator = socket.app.state.auth
    hub: Hub = socket.app.state.alerts.hub
    outlet = outlet_of(socket, MAX_UNSENT_BYTES)
    reader = hub.join(outlet, who, lambda: auth.current(who))
    if reader is None:
        await socket.close(messages.TOO_MANY_CONNECTIONS, brief(f"{who.user} has too many connections"))
        return
    try:
        outlet.begin(reader.serve)
        found = await socket.receive()
        if found["type"] == "websocket.receive" and reader.ended is None:
            reader.end(messages.BAD_MESSAGE, "this feed only tells; ask the API")
    finally:
        hub.left(reader)
        await outlet.finish()
