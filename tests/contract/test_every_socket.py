"""Every WebSocket of every service ends who sends messages that are too long, or too many of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shared.wsserver import TOO_MANY_FRAMES
from tests.authkit import bearer
from tests.contract.test_permissions import SERVICES, app_of, filled, routes
from tests.servingkit import served
from tests.waiting import PATIENCE_S

FEEDS = ("/api/v1/feed",)
# where sound comes and goes: without a pass or a fork they end at once, whatever is sent
SOUND = {"/api/v1/listens/{listen_id}/audio", "/media/twilio", "/media/asterisk"}
LONGEST = 1 << 16
LONG = b"x" * (LONGEST + 1)
LONG_IN_PARTS = [b"x" * 1024] * 65


@asynccontextmanager
async def sockets_of(service: str, folder: Path) -> AsyncIterator[tuple[int, list[str]]]:
    """A port, and the addresses of the WebSockets there."""
    app = app_of(service, folder)
    async with served(app) as port:
        yield port, [path for method, path, _ in routes(app) if method == "WS"]


async def code_of(socket: ClientConnection) -> int | None:
    """What it was closed with; what it says until then is passed over."""
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code


@pytest.mark.parametrize("service", SERVICES)
async def test_messages_too_long_or_too_many_end_the_connection(service: str, tmp_path: Path) -> None:
    async with sockets_of(service, tmp_path) as (port, paths):
        assert set(paths) <= {*FEEDS, *SOUND}, "a new one: say here what it is"
        for path in paths:
            url = f"ws://127.0.0.1:{port}{filled(path)}"
            for said, expected in ((LONG, 1009), (LONG_IN_PARTS, 1009), (None, TOO_MANY_FRAMES)):
                async with connect(url, additional_headers=bearer("admin"), proxy=None, compression=None) as socket:
                    with contextlib.suppress(ConnectionClosed):
                        if said is not None:
                            await socket.send(said)
                        else:
                            for _ in range(2000):
                                await socket.pong()
                    code = await code_of(socket)
                    assert code == expected if path in FEEDS else code in (expected, *range(4400, 4600)), path
