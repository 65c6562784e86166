"""One wallboard's WebSocket: its frames out, its few messages in, until either side ends it."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
from fastapi import WebSocket, WebSocketDisconnect

from services.monitor.feed import messages
from services.monitor.feed.hub import Hub, Subscriber

CLOSE_WITHIN_S = 2.0  # a client that does not read never gets the code; its connection must not stay for that


async def serve_feed(socket: WebSocket, hub: Hub) -> None:
    """Serve one connection from `hello` to its close code."""
    await socket.accept()
    subscriber = hub.join()
    tasks = (
        asyncio.create_task(_write(socket, hub, subscriber), name="feed writer"),
        asyncio.create_task(_read(socket, hub, subscriber), name="feed reader"),
        asyncio.create_task(subscriber.ending(), name="feed end"),
    )
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if subscriber.is_ending:
            await asyncio.wait(tasks[:1], timeout=CLOSE_WITHIN_S)
    finally:
        hub.left(subscriber)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await task


async def _read(socket: WebSocket, hub: Hub, subscriber: Subscriber) -> None:
    while (found := await socket.receive())["type"] == "websocket.receive":
        text = found.get("text")
        if text is None:
            await socket.close(messages.BAD_MESSAGE, "cannot read binary frames: send JSON as text")
            return
        try:
            message = messages.client_messages.decode(text)
        except (msgspec.MsgspecError, RecursionError) as exc:
            await socket.close(messages.BAD_MESSAGE, f"cannot read this message: {exc}"[:120])
            return
        match message:
            case messages.Subscribe():
                hub.subscribe(subscriber)
            case messages.Resume():
                hub.resume(subscriber, message.epoch, message.position)
            case messages.Ping():
                subscriber.put(messages.encode(messages.Pong()))


async def _write(socket: WebSocket, hub: Hub, subscriber: Subscriber) -> None:
    while (frame := await subscriber.get()) is not None:
        await socket.send_text(frame)
        subscriber.sent()
    if subscriber.too_slow:
        await socket.close(messages.TOO_SLOW, f"too slow, resume from {hub.log.epoch}")
    else:
        await socket.close(messages.GOING_AWAY, "this monitor ends, come back")
