"""A wallboard that was away sees what a new one sees, whenever it left and came back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.monitor.core.engine import Engine
from services.monitor.feed.hub import Hub, Subscriber
from services.monitor.feed.log import FeedLog
from services.monitor.metrics import FeedMetrics
from shared import events
from shared.clock import FakeClock
from tests.floorkit import CONFIG, RULES, event
from tests.property.histories import History, histories
from tests.property.test_engine import stream_of

IDS = {"queues": "queue", "agents": "agent_id", "calls": "call_id", "transfers": "transfer_id", "flags": "flag_id"}


class Board:
    """A client as the documentation describes it."""

    def __init__(self) -> None:
        self.epoch = ""
        self.position = -1
        self.entities: dict[tuple[str, str], Any] = {}
        self.answers: list[str] = []

    def hear(self, frame: str) -> None:
        message = json.loads(frame)
        if message["type"] in ("snapshot", "resumed"):
            self.answers.append(message["type"])
        if message["type"] == "snapshot":
            self.epoch, self.position = message["epoch"], message["position"]
            floor = message["floor"]
            self.entities = {("site", site["site"]): site for site in floor["sites"]}
            for name, field in IDS.items():
                for one in floor[name]:
                    self.entities[name[:-1], f"{one['site']}/{one[field]}"] = one
        elif message["type"] == "delta":
            assert message["position"] == self.position + 1, "no delta is missing and none comes twice"
            self.position = message["position"]
            for change in message["changes"]:
                if change["value"] is None:
                    self.entities.pop((change["kind"], change["key"]), None)
                else:
                    self.entities[change["kind"], change["key"]] = change["value"]

    def shown(self) -> dict[tuple[str, str], Any]:
        """All it shows, but for the site's own clock, which comes with every clock message."""
        return {
            key: {name: value for name, value in one.items() if (key[0], name) != ("site", "now")}
            for key, one in self.entities.items()
        }


async def drain(subscriber: Subscriber, board: Board) -> None:
    while subscriber._frames:
        frame = await subscriber.get()
        assert frame is not None
        subscriber.sent()
        board.hear(frame)


@settings(max_examples=100, deadline=None)
@given(histories, st.data(), st.integers(1, 20))
def test_a_resumed_client_sees_what_a_new_client_sees(history: History, data: st.DataObject, log_size: int) -> None:
    stream = stream_of(history)
    leaves = data.draw(st.integers(0, len(stream)))
    returns = data.draw(st.integers(leaves, len(stream)))
    asyncio.run(_leave_and_return(stream, leaves, returns, log_size))


async def _leave_and_return(stream: Any, leaves: int, returns: int, log_size: int) -> None:
    engine = Engine(CONFIG, RULES)
    hub = Hub(engine, FakeClock(), FeedMetrics.on(CollectorRegistry()), flush_s=1000, log_size=log_size)
    board, missed = Board(), 0
    subscriber = hub.join()
    hub.subscribe(subscriber)
    for number, one in enumerate(stream):
        if number == leaves:
            await drain(subscriber, board)
            hub.left(subscriber)
            missed = hub.log.position
        if number == returns:
            missed = hub.log.position - missed
            subscriber = hub.join()
            hub.resume(subscriber, board.epoch, board.position)
        hub.on_batch(engine.apply(one))
        hub.flush()
    if leaves < len(stream) and returns == len(stream):
        subscriber = hub.join()
        hub.resume(subscriber, board.epoch, board.position)
    await drain(subscriber, board)
    fresh, newcomer = Board(), hub.join()
    hub.subscribe(newcomer)
    await drain(newcomer, fresh)
    assert board.shown() == fresh.shown()
    assert board.position == fresh.position
    if returns < len(stream) and leaves < returns and missed <= log_size:
        assert board.answers == ["snapshot", "resumed"], "what the log still holds needs no second snapshot"


def test_a_client_of_another_epoch_gets_a_snapshot() -> None:
    async def scene() -> None:
        hub = Hub(Engine(CONFIG, RULES), FakeClock(), FeedMetrics.on(CollectorRegistry()))
        board, subscriber = Board(), hub.join()
        hub.resume(subscriber, "old", 0)
        await drain(subscriber, board)
        assert (board.answers, board.epoch) == (["snapshot"], hub.log.epoch)

    asyncio.run(scene())


def test_boards_start_anew_when_the_state_was_replaced() -> None:
    async def scene() -> None:
        engine = Engine(CONFIG, RULES)
        hub = Hub(engine, FakeClock(), FeedMetrics.on(CollectorRegistry()))
        board, subscriber = Board(), hub.join()
        hub.subscribe(subscriber)
        await drain(subscriber, board)
        engine.apply(event(0, events.AgentLoggedOn(agent_id="1"), 0))
        hub.restart()
        await drain(subscriber, board)
        assert board.answers == ["snapshot", "snapshot"]
        assert ("agent", "hq/1") in board.entities
        assert board.epoch == hub.log.epoch

    asyncio.run(scene())


def test_a_reader_that_falls_behind_its_bound_is_let_go_and_costs_nothing_more() -> None:
    async def scene() -> None:
        subscriber = Subscriber(max_unsent_bytes=100)
        for _ in range(10):
            subscriber.put("y" * 10)
        assert not subscriber.too_slow
        assert await subscriber.get() == "y" * 10
        subscriber.put("y" * 10)
        assert subscriber.too_slow, "what is being sent counts until it has left"
        assert await subscriber.get() is None
        subscriber.put("z" * 10)
        subscriber.start_over("s")
        assert not subscriber._frames

    asyncio.run(scene())


def test_a_snapshot_on_its_way_leaves_the_whole_bound_to_what_follows() -> None:
    """A floor of ten thousand agents is larger than the bound, and takes a while over a slow line."""

    async def scene() -> None:
        subscriber = Subscriber(max_unsent_bytes=100)
        subscriber.start_over("s" * 4000)
        assert await subscriber.get() == "s" * 4000
        for _ in range(10):
            subscriber.put("d" * 10)
        assert not subscriber.too_slow
        subscriber.sent()
        subscriber.put("d")
        assert subscriber.too_slow

    asyncio.run(scene())


def test_asking_again_and_again_replaces_the_answer() -> None:
    async def scene() -> None:
        hub = Hub(Engine(CONFIG, RULES), FakeClock(), FeedMetrics.on(CollectorRegistry()))
        subscriber = hub.join()
        for _ in range(1000):
            hub.subscribe(subscriber)
            hub.resume(subscriber, hub.log.epoch, hub.log.position)
        assert len(subscriber._frames) <= 2

    asyncio.run(scene())


def test_the_log_is_bounded_in_size_too() -> None:
    log = FeedLog("e", 100, max_bytes=50)
    for _ in range(10):
        log.append("x" * 20)
    assert log.position == 10
    assert log.since("e", 8) == ["x" * 20] * 2
    assert log.since("e", 7) is None


def test_what_a_replay_changed_is_shown_though_nothing_happens_after_it() -> None:
    async def scene() -> None:
        live, engine = False, Engine(CONFIG, RULES)
        hub = Hub(engine, FakeClock(), FeedMetrics.on(CollectorRegistry()), live=lambda: live)
        board, subscriber = Board(), hub.join()
        hub.subscribe(subscriber)
        hub.on_batch(engine.apply(event(0, events.AgentLoggedOn(agent_id="1"), 0)))
        telling = asyncio.create_task(hub.run_clock())
        await asyncio.sleep(0)
        await drain(subscriber, board)
        assert not board.entities
        live = True
        telling.cancel()
        telling = asyncio.create_task(hub.run_clock())
        await asyncio.sleep(0)
        await drain(subscriber, board)
        assert ("agent", "hq/1") in board.entities
        telling.cancel()

    asyncio.run(scene())
