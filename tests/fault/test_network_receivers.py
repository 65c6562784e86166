"""The way to a receiver is bad: slow, refused, or gone just when the receiver has the message and its answer does not come back.

Nobody can know then whether people were told. They are told again, and whatever may be a second copy says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from services.alerts.app import MIGRATIONS
from services.alerts.reach import sender
from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, publish
from tests.databases import migrated_database
from tests.fault.alerting import MoodyMail
from tests.flagkit import flag
from tests.netkit import Proxy, proxied
from tests.sinks import HttpSink, listening
from tests.unit.test_receivers import Floor, floor
from tests.waiting import until

pytestmark = pytest.mark.fault

SOON: Final = (timedelta(seconds=0.05),) * 200  # more than there are attempts
AGAIN: Final = "second copy"
Sink = HttpSink | MoodyMail


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus()
    await made.create(TOPICS)
    return made


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database("sqlite", tmp_path, MIGRATIONS) as made:
        yield made


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "RETRIES", SOON)


def receiver(kind: str, way: Proxy) -> str:
    mail = f"mailto://{way.address}?from=floorwatch@floor.test&to=ops@floor.test&mode=insecure&cto=2&rto=2"
    return {
        "webhook": f'  ops: {{webhook: {{url: "http://{way.address}/x"}}}}',
        "json": f'  ops: {{notify: ["json://{way.address}/x?cto=2&rto=2"]}}',
        "mail": f'  ops: {{notify: ["{mail}"]}}',
    }[kind]


def texts(sink: Sink) -> list[str]:
    """What people read in each copy that came."""
    if isinstance(sink, MoodyMail):
        return [str(mail.get_body(("plain",)).get_content()) for mail in sink.received]  # type: ignore[union-attr]
    return [one.get("text") or one.get("message") for one in sink.received]


def keeps_silent(sink: Sink) -> None:
    """It takes what comes and does not answer."""
    if isinstance(sink, HttpSink):
        sink.answering.clear()


def is_well(sink: Sink) -> None:
    if isinstance(sink, HttpSink):
        sink.answering.set()
    else:
        sink.well.set()


async def failed_once(it: Floor) -> Any:
    async def tried() -> Any:
        return [row for row in await it.messages() if row["attempts"]]

    return (await until(tried, "an attempt has failed"))[0]


def new(kind: str, mood: str = "unsaid") -> Sink:
    return MoodyMail(mood) if kind == "mail" else HttpSink()


@pytest.mark.parametrize("kind", ["webhook", "json", "mail"])
async def test_slow_pieces_and_a_port_that_refuses_leave_no_doubt(
    kind: str, bus: MemoryBus, database: Database, tmp_path: Path
) -> None:
    sink = new(kind)
    is_well(sink)
    async with listening(sink), proxied(sink.port, seed=29) as way:
        for one in (way.up, way.down):
            one.latency_s, one.jitter_s, one.pieces = 0.02, 0.02, (1, 20)
        await way.refuse()
        async with floor(bus, database, tmp_path, receiver(kind, way)) as it:
            await publish(bus, flag())
            assert not (await failed_once(it))["maybe_before"]
            await way.listen()
            (row,) = await it.done()
    *refused, taken = row["attempts"]
    assert refused
    assert taken["ok"]
    assert not row["maybe_before"]
    (text,) = texts(sink)
    assert AGAIN not in text


def resets(way: Proxy) -> None:
    way.reset()


def falls_silent(way: Proxy) -> None:
    way.go_silent()


GONE: Final[list[tuple[str, Callable[[Proxy], None]]]] = [
    ("webhook", resets),
    ("json", resets),
    ("json", falls_silent),
    ("mail", resets),
    ("mail", falls_silent),
]


@pytest.mark.parametrize(("kind", "goes"), GONE, ids=[f"{kind}, {goes.__name__}" for kind, goes in GONE])
async def test_a_way_that_goes_when_the_receiver_has_it_has_people_told_again_and_told_so(
    kind: str, goes: Callable[[Proxy], None], bus: MemoryBus, database: Database, tmp_path: Path
) -> None:
    sink = new(kind)
    keeps_silent(sink)
    async with (
        listening(sink),
        proxied(sink.port, seed=31) as way,
        floor(bus, database, tmp_path, receiver(kind, way)) as it,
    ):
        await publish(bus, flag())
        await until(lambda: sink.received, "the receiver has it")
        goes(way)
        is_well(sink)
        way.restore()
        (row,) = await it.done()
        (notice,) = await it.notices()
    assert row["attempts"][-1]["ok"]
    assert (row["maybe_before"], notice["maybe_before"]) == (True, True)
    first, *more = texts(sink)
    assert AGAIN not in first
    assert more
    assert all(AGAIN in text for text in more), more
    if kind == "webhook" and isinstance(sink, HttpSink):
        assert {one["key"] for one in sink.received} == {sink.received[0]["key"]}
        assert [one["may_be_repeated"] for one in sink.received] == [False, *[True] * len(more)]


@pytest.mark.parametrize("kind", ["webhook", "json"])
async def test_half_an_answer_is_none(kind: str, bus: MemoryBus, database: Database, tmp_path: Path) -> None:
    sink = new(kind)
    is_well(sink)
    async with listening(sink), proxied(sink.port, seed=37) as way:
        way.down.reset_after = (12, 12)
        async with floor(bus, database, tmp_path, receiver(kind, way)) as it:
            await publish(bus, flag())
            await failed_once(it)
            way.restore()
            (row,) = await it.done()
    came = texts(sink)
    assert row["attempts"][-1]["ok"]
    assert row["maybe_before"]
    assert [AGAIN in text for text in came] == [False, *[True] * (len(came) - 1)]
    assert len(came) > 1
