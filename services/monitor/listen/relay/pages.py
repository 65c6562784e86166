"""The sound's way to a page: `/api/v1/listens/{listen_id}/audio?ticket=PASS`, a WebSocket."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, WebSocket

from services.monitor.listen.passes import read_pass
from services.monitor.listen.relay import wire
from services.monitor.listen.relay.hub import Hub
from services.monitor.listen.relay.listener import Listener
from shared.auth import by, turned_away
from shared.tokens import NotAuthenticated
from shared.wsserver import EXTENSION, DirectProtocol

_UNEXPECTED: Final = 1011


def router_for(hub: Hub, secret: str) -> APIRouter:
    """The route of pages, on this hub; passes are signed with `secret`."""
    router = APIRouter(prefix="/api/v1")

    @router.websocket("/listens/{listen_id}/audio", dependencies=[Depends(by("pass"))])
    async def audio(socket: WebSocket, listen_id: str) -> None:
        await serve_page(socket, hub, secret, listen_id)

    return router


async def serve_page(socket: WebSocket, hub: Hub, secret: str, listen_id: str) -> None:
    """Serve one connection from its pass to its close code."""
    protocol = socket.scope.get("extensions", {}).get(EXTENSION)
    if isinstance(protocol, DirectProtocol):
        protocol.ping_interval = None  # a listener does that more often, and for less
    await socket.accept()
    try:
        user, named = read_pass(secret, socket.query_params.get("ticket", ""), hub.clock.now())
    except NotAuthenticated as exc:
        raise turned_away(socket, wire.BAD_PASS, str(exc), wire.BUSY) from exc
    if named != listen_id:
        await socket.close(wire.BAD_PASS, "this pass is for another listen")
        return
    if not await hub.is_ready():  # what it knows may be over, or lapsed, or somebody's who hears it no more
        await socket.close(wire.RELAY_ENDS, "this relay still reads its orders: come back")
        return
    found = await hub.order_of(listen_id)
    if found is None:
        await socket.close(wire.UNKNOWN, "no such listen")
    elif found.listen.user != user:
        await socket.close(wire.BAD_PASS, "this listen is somebody else's")
    elif found.listen.state == "ended":
        await socket.close(wire.OVER, found.listen.reason or "ended")
    elif not hub.has_room() and not hub.is_here(listen_id):
        await socket.close(wire.BUSY, "too many listeners")
    elif not isinstance(protocol, DirectProtocol):
        await socket.close(_UNEXPECTED, "this server cannot send sound")
    elif not protocol.transport.is_closing():
        await _listen(socket, hub, Listener(hub, found.site, found.listen, protocol))


async def _listen(socket: WebSocket, hub: Hub, listener: Listener) -> None:
    hub.join(listener)
    try:
        while True:
            said = await socket.receive()
            if said["type"] != "websocket.receive":
                return
            _do(listener, said)
    finally:
        hub.leave(listener)


def _do(listener: Listener, said: MutableMapping[str, Any]) -> None:
    """What a page says. What cannot be read changes nothing: a newer page may say more than this relay knows."""
    sound = said.get("bytes")
    if isinstance(sound, bytes):
        listener.speak(sound)
        return
    try:
        ping = wire.pages.decode(str(said.get("text") or ""))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return
    listener.answer(ping.n)
