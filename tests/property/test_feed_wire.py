"""The same over the wire, with a real server and real clients of several tokens at once.

Whatever happened to a connection, its picture is in the end that of a new one with the same filter, and no byte of what its
token does not allow was ever sent to it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, WebSocket
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect

from services.monitor.core.engine import Engine
from services.monitor.feed.connection import serve_feed
from services.monitor.feed.hub import Hub
from services.monitor.feed.lens import Lens
from shared.auth import socket_authed
from shared.events import Event
from shared.identity import Principal, Scope
from shared.ports import listen
from shared.wsserver import DirectProtocol
from tests.feedkit import Board
from tests.floorkit import RULES
from tests.property.histories import History
from tests.property.test_feed import TEAMS, asking, happenings, hub_of, on_two_sites, scopes, shown_by, to_be_seen

CLIENTS = 2


class Doorman:
    """Lets in whoever says which of the scopes is theirs: who somebody is, is not what is tried here."""

    def __init__(self, scopes: list[Scope]) -> None:
        self._known = [Principal(str(n), "", frozenset({"viewer"}), scope) for n, scope in enumerate(scopes)]

    async def of_socket(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Principal:
        return self._known[int(query["as"])]

    def current(self, who: Principal) -> Principal:
        return who


@asynccontextmanager
async def serving(hub: Hub, scopes: list[Scope]) -> AsyncIterator[str]:
    """A server of this hub's feed; its address."""
    app = FastAPI()
    app.state.auth = Doorman(scopes)

    @app.websocket("/feed")
    async def feed(socket: WebSocket, who: Annotated[Principal, Depends(socket_authed("floor.read"))]) -> None:
        await serve_feed(socket, hub, who)

    sock = listen("127.0.0.1", 0, setting="PORT")
    server = uvicorn.Server(
        uvicorn.Config(app, ws=DirectProtocol, ws_per_message_deflate=False, log_config=None, lifespan="off")
    )
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        await asyncio.sleep(0)
    try:
        yield f"ws://127.0.0.1:{sock.getsockname()[1]}/feed"
    finally:
        server.should_exit = server.force_exit = True
        await task


class Watcher:
    """A client of the wire: what it asked for, and what it knows by now."""

    _numbers = itertools.count()

    def __init__(self, url: str, number: int, asked: Any) -> None:
        self.url = f"{url}?as={number}"
        self.asked = asked
        self.board = Board()
        self.heard: list[str] = []
        self.socket: ClientConnection | None = None

    async def come(self) -> None:
        if self.socket is None:
            self.socket = await connect(self.url, compression=None)
            if self.board.epoch:
                await self.say("resume", epoch=self.board.epoch, position=self.board.position)
            else:
                await self.say("subscribe")
            await self.listen()

    async def ask(self, asked: Any) -> None:
        self.asked = asked
        if self.socket is not None:
            await self.say("subscribe")
        else:
            self.board = Board()

    async def go(self) -> None:
        if self.socket is not None:
            await self.socket.close()
            self.socket = None

    async def say(self, kind: str, **more: Any) -> None:
        channels, wanted = self.asked
        said = {"type": kind, **more}
        if channels is not None:
            said["channels"] = channels
        if wanted is not None:
            said["filter"] = {name: list(getattr(wanted, name)) for name in _NAMES if getattr(wanted, name) is not None}
        assert self.socket is not None
        await self.socket.send(json.dumps(said))

    async def listen(self) -> None:
        """Hear everything that was sent until now."""
        if self.socket is None:
            return
        number = next(self._numbers)
        await self.socket.send(json.dumps({"type": "ping", "id": number}))
        while True:
            text = await self.socket.recv()
            assert isinstance(text, str)
            self.heard.append(text)
            if json.loads(text) == {"type": "pong", "id": number}:
                return
            self.board.hear(text)


_NAMES = ("sites", "teams", "queues", "agents", "channels")
who = st.integers(0, CLIENTS - 1)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("happens"), who, st.integers(1, 12)),
        st.tuples(st.just("happens"), who, st.integers(1, 12)),
        st.tuples(st.just("ask"), who, asking),
        st.tuples(st.just("go"), who, st.none()),
        st.tuples(st.just("come"), who, st.none()),
        st.tuples(st.just("listen"), who, st.none()),
        st.tuples(st.just("clock"), who, st.none()),
        st.tuples(st.just("restart"), who, st.none()),
    ),
    max_size=14,
)


@settings(max_examples=40)
@given(happenings, st.tuples(scopes, scopes), st.tuples(asking, asking), moves, st.integers(2, 30))
def test_over_the_wire_every_client_sees_what_a_new_one_sees_and_never_what_it_must_not(
    history: History, allowed: tuple[Scope, Scope], asked: Any, steps: Any, log_size: int
) -> None:
    async def scene() -> None:
        async with asyncio.timeout(120):
            await _scene(on_two_sites(history), list(allowed), asked, steps, log_size)

    asyncio.run(scene())


async def _scene(events: list[Event], allowed: list[Scope], asked: Any, steps: Any, log_size: int) -> None:
    engine = Engine(TEAMS, RULES)
    hub = hub_of(engine, log_size=log_size, messages_per_s=1000.0)
    stream = iter(events)
    might_see: list[set[Any]] = [set() for _ in allowed]

    def happens(many: int | None) -> None:
        for one in itertools.islice(stream, many):
            hub.on_batch(engine.apply(one))
            for scope, seen in zip(allowed, might_see, strict=True):
                seen.update(shown_by(engine, Lens(scope)))
            if many is None:
                hub.flush()
        hub.flush()

    async with serving(hub, allowed) as url:
        watchers = [Watcher(url, number, asked[number]) for number in range(CLIENTS)]
        for what, number, how in steps:
            happens(2)
            if what == "happens":
                happens(how)
            elif what == "clock":
                hub.tell_time()
            elif what == "restart":
                hub.restart()
            else:
                await getattr(watchers[number], what)(*([how] if what == "ask" else []))
        for watcher in watchers[:1]:
            await watcher.come()
        happens(None)
        for number, watcher in enumerate(watchers):
            await watcher.come()
            await watcher.listen()
            fresh = Watcher(url, number, watcher.asked)
            await fresh.come()
            assert watcher.board.shown() == fresh.board.shown() == to_be_seen(engine, allowed[number], *watcher.asked)
            assert watcher.board.epoch == fresh.board.epoch
            assert set(watcher.board.seen) <= might_see[number], "something was sent that is not for this token"
            if allowed[number].sites is not None:
                assert watcher.board.sites_told <= allowed[number].sites
            await watcher.go()
            await fresh.go()
