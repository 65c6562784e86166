"""The incidents' feed over its real port: what its document promises, whose incidents it tells, how connections end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.alerts.feed import asyncdoc, messages
from services.alerts.feed import reader as readers
from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertpages import view
from tests.alertskit import TOPICS, Alerts, publish, serving
from tests.authkit import bearer, settings, users_file
from tests.flagkit import CALLER, flag
from tests.unit.test_alerts_scope import FLAGS, SEEN, USERS
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)
DOC = Path(__file__).parents[2] / "docs" / "alerts.md"


class Running:
    """A service with its port and its bus."""

    def __init__(self, alerts: Alerts, bus: MemoryBus, url: str) -> None:
        self.alerts, self.bus, self.url = alerts, bus, url

    def feed(self, user: str = "", **how: Any) -> connect:
        headers = bearer(user, **how) if user else None
        return connect(self.url.replace("http", "ws") + "/api/v1/feed", additional_headers=headers)


@asynccontextmanager
async def running(database: Database, **more: Any) -> AsyncIterator[Running]:
    bus = MemoryBus()
    await bus.create(TOPICS)
    async with serving(bus, database, **more) as (alerts, url):
        yield Running(alerts, bus, url)


async def hear(line: ClientConnection, *kinds: str) -> Any:
    """The next message of one of these kinds."""
    async with asyncio.timeout(60):
        while True:
            found = json.loads(await line.recv())
            if found["type"] in kinds:
                return found


async def closed(line: ClientConnection) -> int:
    """The code that the connection ends with, whatever is told before."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(60):
            while True:
                await line.recv()
    assert line.close_code is not None
    return line.close_code


class Document:
    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found

    def check(self, said: dict[str, Any]) -> None:
        """Raise unless its schema fits."""
        reference = self.found["components"]["messages"][said["type"]]["payload"]["$ref"]
        Draft202012Validator({"$ref": reference, "components": self.found["components"]}).validate(said)


async def test_every_message_is_as_documented(alerts_db: Database) -> None:
    async with running(alerts_db) as floor:
        document = Document((await floor.alerts.client.get("/asyncapi.json")).json())
        heard: set[str] = set()

        async def next_of(*kinds: str) -> Any:
            found = await hear(line, *kinds)
            document.check(found)
            heard.add(found["type"])
            return found

        async with floor.feed() as line:
            hello = await next_of("hello", "incident", "beat")
            assert (hello["type"], hello["version"]) == ("hello", 1)
            await publish(floor.bus, flag(labels={"caller": CALLER}))
            opened = (await next_of("incident"))["incident"]
            assert (opened["id"], opened["state"]) == (1, "open")
            listed = (await floor.alerts.get("/incidents"))["incidents"]
            assert listed[0].keys() == opened.keys(), "a list and the feed say the same of an incident"
            await floor.alerts.post("/incidents/1/acknowledge", {"by": "Li Wei"})
            while (await next_of("incident"))["incident"]["owner"] != "Li Wei":
                pass
            silence = {
                "kind": "silence",
                "matchers": {"rule": "x"},
                "reason": "drill",
                "by": "Li Wei",
                "duration_s": 60,
            }
            await floor.alerts.post("/silences", silence, 201)
            await next_of("silences")
            floor.bus.break_down("unplugged")
            assert (await next_of("status"))["status"]["state"] == "lost"
            await next_of("beat")
            floor.alerts.service.hub.resync()
            await next_of("resync")
        assert heard == set(document.found["components"]["messages"])
        with pytest.raises(ValidationError):
            document.check({"type": "incident", "incident": {"id": "1"}})


async def test_all_references_lead_somewhere_and_close_codes_are_the_same_everywhere() -> None:
    found = asyncdoc.document("1", "127.0.0.1:8602")
    references = {part.split('"')[0] for part in json.dumps(found).split('"$ref": "')[1:]}
    assert references
    for reference in references:
        place: Any = found
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    in_code = {value for name, value in vars(messages).items() if name.isupper() and type(value) is int}
    assert set(asyncdoc.CLOSE_CODES) == in_code
    rows = [line.split("|") for line in DOC.read_text(encoding="utf-8").splitlines() if line.startswith("| 4")]
    written = {int(cells[1]): cells[3].strip().startswith("yes") for cells in rows}
    assert written == {code: messages.comes_back(code) for code in in_code}


async def test_each_hears_of_their_own_and_nobody_without_a_token(tmp_path: Path, alerts_db: Database) -> None:
    how = settings(tmp_path)
    users_file(tmp_path, USERS)
    async with running(alerts_db, **how) as floor:
        async with floor.feed() as nobody:
            assert await closed(nobody) == messages.NOT_AUTHENTICATED
        async with floor.feed("all") as every, floor.feed("blue") as blue, floor.feed("sales") as sales:
            for line in (every, blue, sales):
                await hear(line, "hello")
            await publish(floor.bus, *FLAGS)
            for user, line in (("all", every), ("blue", blue), ("sales", sales)):
                told: set[int] = set()
                while told != SEEN[user]:
                    told.add(int((await hear(line, "incident"))["incident"]["subject_id"]))
                    assert told <= SEEN[user]


async def test_a_token_that_ends_closes_what_it_opened(tmp_path: Path, alerts_db: Database) -> None:
    async with running(alerts_db, **settings(tmp_path)) as floor, floor.feed("viewer", hours=2 / 3600) as line:
        await hear(line, "hello")
        assert await closed(line) == messages.NOT_AUTHENTICATED


async def test_other_ends(alerts_db: Database) -> None:
    async with running(alerts_db, max_connections=2) as floor:
        async with floor.feed() as one, floor.feed() as two:
            await hear(one, "hello")
            await hear(two, "hello")
            async with floor.feed() as third:
                assert await closed(third) == messages.TOO_MANY_CONNECTIONS
            await one.send("hello?")
            assert await closed(one) == messages.BAD_MESSAGE
            await floor.alerts.service.hub.part()
            assert await closed(two) == messages.GOING_AWAY
        await until(lambda: floor.alerts.service.hub.readers == 0)


async def test_who_does_not_read_holds_little_and_slows_nobody(
    alerts_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its system takes some, its connection some more; beyond that it is told to ask anew, once it reads again."""
    most = 20
    monkeypatch.setattr(readers, "MAX_WAITING", most)
    async with running(alerts_db) as floor:
        hub = floor.alerts.service.hub
        narrow = socket.create_connection(("127.0.0.1", int(floor.url.rsplit(":", 1)[1])))
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        uri = floor.url.replace("http", "ws") + "/api/v1/feed"
        async with connect(uri, sock=narrow, max_queue=1, close_timeout=0.1) as stuck, floor.feed() as quick:
            await hear(stuck, "hello")
            await hear(quick, "hello")
            large = view(0, summary_en="x" * 20_000)
            total = 0
            while not any(one.resyncs for one in hub._readers):
                for number in range(total, total + most):
                    hub.changed(large.model_copy(update={"id": number}))
                total += most
                hub.flush()
                told = {(await hear(quick, "incident"))["incident"]["id"] for _ in range(most)}
                assert len(told) == most, "the other has all of them"
                assert total < 50 * most, "it holds without a bound"
            assert all(len(one._waiting) <= most + 1 for one in hub._readers)
            assert hub.readers == 2, "nobody was let go: it is not slow for long"
            await hear(stuck, "resync")
