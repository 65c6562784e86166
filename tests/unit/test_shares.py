"""Large answers: a share for each user, handed over no faster than they are read, and given up when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import Response

from services.monitor import shares
from services.monitor.core.views import FloorView
from services.monitor.rewind import api
from services.monitor.rewind.protocol import Answer, AskFloor, AskRange, Kept, RewoundFloor
from services.monitor.shares import PIECE_BYTES, Shares
from shared.auth import LOCAL
from shared.events import LinkUp
from shared.http import create_app
from shared.problems import Problem
from tests.deskkit import Someone, principal
from tests.floorkit import SITE, Bench, at
from tests.waiting import until

ANNA, BO = principal("anna", "supervisor"), principal("bo", "supervisor")


class Client:
    """Takes what it is sent, as far as it reads."""

    def __init__(self, reads: int | None = None) -> None:
        self.said: list[dict[str, Any]] = []
        self._reads = reads
        self.begun = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.begun.set()
        if self._reads is not None and len(self.said) > self._reads:
            await asyncio.Event().wait()
        self.said.append(message)

    async def take(self, response: Response) -> None:
        async def nothing() -> Any:
            raise AssertionError("nobody listens")

        await response({"type": "http", "path": "/floor"}, nothing, self.send)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.said)


async def large() -> bytes:
    return b"0123456789" * PIECE_BYTES


async def test_an_answer_comes_whole_in_pieces() -> None:
    client = Client()
    await client.take(await Shares("floors", 1, 1).answer(ANNA, large))
    assert client.body == await large()
    assert client.said[0]["status"] == 200
    assert dict(client.said[0]["headers"])[b"content-length"] == b"%d" % len(client.body)
    assert [one["more_body"] for one in client.said[1:]] == [True] * 9 + [False]
    assert max(len(one["body"]) for one in client.said[1:]) <= PIECE_BYTES


async def test_who_has_a_share_on_the_way_gets_no_more_and_others_do() -> None:
    floors, greedy = Shares("floors", 2, 100), Client(reads=3)
    sending = [asyncio.create_task(greedy.take(await floors.answer(ANNA, large))) for _ in range(2)]
    await greedy.begun.wait()
    with pytest.raises(Problem) as refused:
        await floors.answer(ANNA, large)
    assert refused.value.status_code == 429
    assert refused.value.headers == {"retry-after": "2"}
    other = Client()
    await other.take(await floors.answer(BO, large))
    assert other.body == await large()
    for one in sending:
        one.cancel()
    await asyncio.wait(sending)
    await Client().take(await floors.answer(ANNA, large))


async def test_where_nobody_signs_in_all_are_not_taken_for_one() -> None:
    floors = Shares("floors", 1, 3)
    for _ in range(3):
        await floors.answer(LOCAL, large)
    with pytest.raises(Problem):
        await floors.answer(LOCAL, large)


async def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "PATIENCE_S", 0.05)
    floors, client = Shares("floors", 1, 1), Client(reads=2)
    async with asyncio.timeout(60):
        await client.take(await floors.answer(ANNA, large))
    assert client.said[-1]["more_body"], "it is not complete"
    await Client().take(await floors.answer(ANNA, large))


async def test_what_could_not_be_answered_counts_no_more() -> None:
    floors = Shares("floors", 1, 1)

    async def broken() -> bytes:
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await floors.answer(ANNA, broken)


# ---------------------------------------------------------------- rewinding


class Worker:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.let = asyncio.Event()

    async def ask(self, question: AskRange | AskFloor) -> Answer:
        self.asked += 1
        await self.let.wait()
        if isinstance(question, AskRange):
            return Answer(200, msgspec.json.encode(Kept(at(0))))
        nothing = FloorView(sites=(), queues=(), agents=(), calls=(), transfers=(), flags=())
        return Answer(200, msgspec.json.encode(RewoundFloor(site=SITE, at=question.at, now=question.at, floor=nothing)))


@asynccontextmanager
async def rewinding() -> AsyncIterator[tuple[Worker, Someone, httpx.AsyncClient]]:
    bench, worker, someone = Bench(), Worker(), Someone()
    bench(0, LinkUp(connector="test"))
    bench.mark(60)
    app = create_app("monitor", auth=someone)
    app.include_router(api.router_for(bench.engine, worker))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        yield worker, someone, client


async def test_one_user_does_not_hold_all_places_of_the_rewind() -> None:
    async with rewinding() as (worker, someone, client):
        path, then = f"/api/v1/rewind/{SITE}", {"at": at(30).isoformat()}
        someone.who = ANNA
        theirs = [asyncio.create_task(client.get(f"{path}/floor", params=then)) for _ in range(2)]
        await until(lambda: worker.asked == 2)
        for refused in (await client.get(f"{path}/floor", params=then), await client.get(path)):
            assert (refused.status_code, refused.json()["reason"]) == (429, "too_many")
            assert int(refused.headers["retry-after"]) > 0
        someone.who = BO
        others = [asyncio.create_task(client.get(f"{path}/floor", params=then)), asyncio.create_task(client.get(path))]
        await until(lambda: worker.asked == 4)
        worker.let.set()
        assert [(await one).status_code for one in theirs + others] == [200] * 4
        someone.who = ANNA
        assert (await client.get(path)).status_code == 200
