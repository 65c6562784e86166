"""A wallboard that was away, or slow, sees what a new one sees, whenever it left and came back, and nothing else ever."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.monitor.core.engine import Engine
from services.monitor.feed.hub import Hub
from services.monitor.feed.lens import Lens, Wanted
from services.monitor.feed.log import ChangeLog
from services.monitor.feed.messages import CHANNELS, KINDS, Channel, Filter
from services.monitor.metrics import FeedMetrics
from shared import events
from shared.clock import FakeClock
from shared.events import Event
from shared.frames import FRAME_BYTES
from shared.identity import Principal, Scope
from shared.siteconfig import AgentConfig, QueueConfig, SiteConfig, Sites
from tests.feedkit import Board, Client
from tests.floorkit import CONFIG, RULES, event
from tests.property.histories import AGENTS, CALLS, LEGS, QUEUES, TRANSFERS, History, histories
from tests.property.test_engine import stream_of

TEAMS = Sites(
    {
        name: SiteConfig(
            queues={"sales": QueueConfig(wrap_up_s=6)},
            agents={"1": AgentConfig(team="red"), "2": AgentConfig(team="blue")},
        )
        for name in ("hq", "north")
    }
)


def hub_of(engine: Engine, **wanted: Any) -> Hub:
    return Hub(engine, FakeClock(), FeedMetrics.on(CollectorRegistry()), flush_s=1000, **wanted)


# ---------------------------------------------------------------- everything


@settings(max_examples=100)
@given(histories, st.data(), st.integers(1, 20))
def test_a_resumed_client_sees_what_a_new_client_sees(history: History, data: st.DataObject, log_size: int) -> None:
    stream = stream_of(history)
    leaves = data.draw(st.integers(0, len(stream)))
    returns = data.draw(st.integers(leaves, len(stream)))
    asyncio.run(_leave_and_return(stream, leaves, returns, log_size))


async def _leave_and_return(stream: list[Event], leaves: int, returns: int, log_size: int) -> None:
    engine = Engine(CONFIG, RULES)
    hub = hub_of(engine, log_size=log_size)
    client = Client(hub)
    hub.subscribe(client.subscriber)
    board, missed, noted = client.board, 0, 0
    for number, one in enumerate(stream):
        if number == leaves:
            client.leave()
            noted = 0
        if number == returns:
            missed, client = noted, Client(hub, board=board)
            hub.resume(client.subscriber, board.epoch, board.position)
        hub.on_batch(engine.apply(one))
        hub.flush()
        noted += 1
    if leaves < len(stream) and returns == len(stream):
        client = Client(hub, board=board)
        hub.resume(client.subscriber, board.epoch, board.position)
    client.hear()
    fresh = Client(hub)
    hub.subscribe(fresh.subscriber)
    assert board.shown() == fresh.hear().shown() == shown_by(engine)
    assert board.position == fresh.board.position
    if returns < len(stream) and leaves < returns and missed * 2 <= log_size:  # flags make a batch of their own
        assert board.answers == ["snapshot", "resumed"], "what is known needs no second snapshot"


def shown_by(engine: Engine, lens: Lens | None = None, channels: tuple[Channel, ...] = CHANNELS) -> dict[Any, Any]:
    """What a board is to show, by the engine and the lens alone."""
    kinds = {kind for name in channels for kind in KINDS[name]}
    floor = (lens or Lens()).floor(engine.floor_view())
    message = {"type": "snapshot", "epoch": "", "position": 0, "part": 1, "parts": 1, "floor": floor}
    board = Board()
    board.hear(msgspec.json.encode(message).decode())
    return {entity: value for entity, value in board.shown().items() if entity[0] in kinds}


def to_be_seen(
    engine: Engine, scope: Scope, channels: tuple[Channel, ...] | None, wanted: Filter | None
) -> dict[Any, Any]:
    """What a client is to show that asked for this: of channels that the filter does not narrow, all that is allowed."""
    if wanted is None:
        return shown_by(engine, Lens(scope), channels or CHANNELS)
    sets = (wanted.sites, wanted.teams, wanted.queues, wanted.agents)
    lens = Lens(scope, Wanted(*(None if found is None else frozenset(found) for found in sets)))
    narrowed = {name: wanted.channels is None or name in wanted.channels for name in channels or CHANNELS}
    few = shown_by(engine, lens, tuple(name for name, it_is in narrowed.items() if it_is))
    return few | shown_by(engine, Lens(scope), tuple(name for name, it_is in narrowed.items() if not it_is))


# ---------------------------------------------------------------- scopes, filters, slow readers

names = st.sets(st.sampled_from(["red", "blue", ""]), max_size=2)
queues = st.sampled_from([{"sales"}, {"sales"}, {"support"}, {"sales", "support"}, set()])
sites = st.sets(st.sampled_from(["hq", "north"]), max_size=2)
agents = st.sets(st.sampled_from(["hq/1", "hq/2", "north/1", "hq/9"]), max_size=2)


def perhaps(found: st.SearchStrategy[set[str]]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | found.map(frozenset)


scopes = st.builds(Scope, sites=st.none() | perhaps(sites), teams=st.none() | perhaps(names), queues=perhaps(queues))
filters = st.none() | st.builds(
    lambda narrowed, *sets: Filter(
        *(None if found is None else tuple(sorted(found)) for found in sets), channels=narrowed
    ),
    st.none() | st.lists(st.sampled_from(CHANNELS), unique=True, max_size=4).map(tuple),
    st.none() | perhaps(sites),
    st.none() | perhaps(names),
    perhaps(queues),
    st.none() | perhaps(agents),
)
channels = st.sampled_from([None, None, ("agents",), ("calls", "flags"), ("queues", "site"), ("flags",)])
asking = st.tuples(channels, filters)
# agents that go from queue to queue while they talk: what is seen of their calls changes without anything happening to those
wandering = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.one_of(
            st.builds(events.AgentLoggedOn, agent_id=AGENTS, queues=st.lists(QUEUES, max_size=1).map(tuple)),
            st.builds(events.AgentLoggedOn, agent_id=AGENTS, queues=st.lists(QUEUES, max_size=1).map(tuple)),
            st.builds(events.LegStarted, call_id=CALLS, leg_id=LEGS, agent_id=AGENTS, state=st.just("talking")),
            st.builds(
                events.TransferRequested, transfer_id=TRANSFERS, call_id=CALLS, kind=st.just("blind"), from_agent=AGENTS
            ),
        ),
    ),
    min_size=15,
    max_size=40,
)
happenings = histories | wandering | wandering
deeds = st.one_of(
    st.none(),
    st.tuples(st.just("room"), st.integers(0, 3)),
    st.tuples(st.just("open"), st.none()),
    st.tuples(st.just("subscribe"), asking),
    st.tuples(st.just("leave"), st.none()),
    st.tuples(st.just("resume"), st.none()),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("clock"), st.none()),
)
# so many things happen, whether a flush follows, and what becomes of the client then
moves = st.lists(st.tuples(st.integers(0, 8), st.booleans(), deeds), min_size=2, max_size=12)


class Scene:
    """One client with a token, through whatever happens to it; all that it was sent is held against what it might see."""

    def __init__(self, stream: list[Event], scope: Scope, asked: Any, log_size: int) -> None:
        self.engine = Engine(TEAMS, RULES)
        self.hub = hub_of(self.engine, log_size=log_size)
        self.who = Principal("anna", "Anna", frozenset({"viewer"}), scope)
        self.asked = asked
        self.stream = iter(stream)
        self.allowed: dict[Any, list[Any]] = {}  # what the token ever allowed to see, with every value
        self.client: Client | None = Client(self.hub, self.who)
        self.hub.subscribe(self.client.subscriber, *asked)
        self.board = self.client.board
        self.left_at: tuple[str, int] | None = None
        self.note()

    def note(self) -> None:
        for entity, value in shown_by(self.engine, Lens(self.who.scope)).items():
            self.allowed.setdefault(entity, []).append(value)

    def happens(self, many: int | None, *, flush: bool) -> None:
        for one in islice(self.stream, many):
            self.hub.on_batch(self.engine.apply(one))
            self.note()
            if flush:
                self.hub.flush()

    def do(self, what: str, how: Any) -> None:
        if what == "restart":
            self.hub.restart()
        elif what == "clock":
            self.hub.tell_time()
        elif what == "resume":
            self.come_back()
        elif self.client is None:
            return
        elif what == "room":
            self.client.pipe.give_room(how)
        elif what == "open":
            self.client.pipe.give_room(None)
        elif what == "subscribe":
            self.asked = how
            self.hub.subscribe(self.client.subscriber, *how)
        elif what == "leave":
            self.board = self.client.leave()
            self.client = None

    def come_back(self) -> None:
        if self.client is None:
            self.client = Client(self.hub, self.who, board=self.board)
            if self.board.epoch:
                self.hub.resume(self.client.subscriber, self.board.epoch, self.board.position, *self.asked)
            else:
                self.hub.subscribe(self.client.subscriber, *self.asked)

    def check(self) -> None:
        for entity, values in self.board.seen.items():
            known = self.allowed.get(entity)
            assert known is not None, f"{entity} was never to be seen"
            for value in values:
                plain = value if value is None or entity[0] != "site" else {**value, "now": None}
                among = known if entity[0] != "site" else [{**one, "now": None} for one in known]
                assert plain is None or plain in among, f"{entity} was not to be seen like that"
        if self.who.scope.sites is not None:
            assert self.board.sites_told <= self.who.scope.sites


def on_two_sites(history: History) -> list[Event]:
    """The history as it happens, every third thing at the other site."""
    return [
        events.make(
            one.data,
            id=one.id,
            source=one.source,
            site="north" if number % 3 == 2 else "hq",
            time=one.time,
            rawpartition=one.rawpartition,
            rawoffset=one.rawoffset,
        )
        for number, one in enumerate(stream_of(history))
    ]


@settings(max_examples=200)
@given(happenings, scopes, asking, moves, st.integers(1, 20))
def test_whatever_happens_to_a_client_it_sees_in_the_end_what_a_new_one_sees_and_never_what_it_must_not(
    history: History, scope: Scope, asked: Any, moves: Any, log_size: int
) -> None:
    async def scene() -> None:
        it = Scene(on_two_sites(history), scope, asked, log_size)
        for many, flush, deed in moves:
            it.happens(many, flush=flush)
            if deed is not None:
                it.do(*deed)
        it.happens(5, flush=True)
        it.come_back()
        assert it.client is not None
        it.happens(None, flush=True)
        it.hub.flush()
        it.client.pipe.give_room(None)
        it.hub.flush()
        it.client.hear()
        fresh = Client(it.hub, it.who)
        it.hub.subscribe(fresh.subscriber, *it.asked)
        it.hub.tell_time()
        assert fresh.hear().shown() == to_be_seen(it.engine, scope, *it.asked)
        assert it.client.hear().shown() == fresh.board.shown()
        assert (it.board.epoch, it.board.position) == (fresh.board.epoch, fresh.board.position)
        it.check()

    asyncio.run(scene())


# ---------------------------------------------------------------- single cases


def test_a_flag_does_not_tell_of_who_has_just_left_what_one_sees() -> None:
    """Raised at 7 s, told with what came at 8 s: by then its agent is in no queue of the viewer."""

    async def scene() -> None:
        said = [
            (0, events.AgentLoggedOn(agent_id="2", queues=("sales",))),
            (0, events.TransferRequested(transfer_id="t", call_id="a", kind="blind", from_agent="2")),
            (8, events.AgentLoggedOn(agent_id="2", queues=())),
        ]
        at, stream = 0, []
        for number, (later, data) in enumerate(said):
            at += later
            stream.append(event(at, data, number))
        it = Scene(stream, Scope(queues=frozenset({"sales"})), (None, None), 10)
        client = it.client
        assert client is not None
        it.happens(2, flush=True)
        client.hear()
        assert ("transfer", "hq/t") in it.board.shown()
        it.happens(None, flush=False)
        client.hear()
        it.check()
        assert ("transfer", "hq/t") not in it.board.shown()

    asyncio.run(scene())


def test_a_client_of_another_epoch_gets_a_snapshot() -> None:
    async def scene() -> None:
        hub = hub_of(Engine(CONFIG, RULES))
        client = Client(hub)
        hub.resume(client.subscriber, "old", 0)
        board = client.hear()
        assert (board.answers, board.epoch) == (["snapshot"], hub.epoch)

    asyncio.run(scene())


def test_a_picture_of_one_filter_cannot_be_resumed_with_another() -> None:
    async def scene() -> None:
        engine = Engine(CONFIG, RULES)
        hub = hub_of(engine)
        engine.apply(event(0, events.AgentLoggedOn(agent_id="1"), 0))
        client = Client(hub)
        hub.subscribe(client.subscriber, None, Filter(agents=("hq/9",)))
        board = client.leave()
        assert not [key for kind, key in board.entities if kind == "agent"]
        client = Client(hub, board=board)
        hub.resume(client.subscriber, board.epoch, board.position)
        assert client.hear().answers == ["snapshot", "snapshot"]
        assert ("agent", "hq/1") in board.entities

    asyncio.run(scene())


def test_boards_start_anew_when_the_state_was_replaced() -> None:
    async def scene() -> None:
        engine = Engine(CONFIG, RULES)
        hub = hub_of(engine)
        client = Client(hub)
        hub.subscribe(client.subscriber)
        engine.apply(event(0, events.AgentLoggedOn(agent_id="1"), 0))
        hub.restart()
        board = client.hear()
        assert board.answers == ["snapshot", "snapshot"]
        assert ("agent", "hq/1") in board.entities
        assert board.epoch == hub.epoch

    asyncio.run(scene())


def test_a_reader_that_takes_nothing_is_told_last_values_when_it_does_again() -> None:
    async def scene() -> None:
        engine = Engine(CONFIG, RULES)
        hub = hub_of(engine)
        client = Client(hub)
        hub.subscribe(client.subscriber)
        client.hear()
        client.pipe.give_room(0)
        for second in range(100):
            hub.on_batch(engine.apply(event(second, events.AgentLoggedOn(agent_id="1", name=f"name {second}"), second)))
            hub.flush()
        assert not client.pipe.frames
        client.pipe.give_room(None)
        assert len(client.pipe.frames) == 1, "a hundred deltas became one"
        assert client.hear().entities["agent", "hq/1"]["name"] == "name 99"

    asyncio.run(scene())


def test_a_large_floor_comes_in_parts_and_what_changes_meanwhile_is_not_lost() -> None:
    async def scene() -> None:
        engine = Engine(CONFIG, RULES)
        hub = hub_of(engine)
        for number in range(1000):
            engine.apply(event(0, events.AgentLoggedOn(agent_id=f"{number:04}"), number))
        client = Client(hub, room=2)
        hub.subscribe(client.subscriber)
        for second, agent_id in enumerate(("0999", "0000", "0500")):
            hub.on_batch(engine.apply(event(1 + second, events.AgentLoggedOff(agent_id=agent_id), 1000 + second)))
            hub.flush()
            client.pipe.give_room(1)
        assert client.hear().answers == [], "not all parts are there"
        client.pipe.give_room(None)
        assert max(len(frame.wire) for frame in client.pipe.frames) <= FRAME_BYTES
        board = client.hear()
        assert board.answers == ["snapshot"]
        assert board.shown() == shown_by(engine)

    asyncio.run(scene())


def test_a_change_of_the_whole_floor_comes_in_frames_from_each_of_which_one_can_resume() -> None:
    async def scene() -> None:
        engine = Engine(CONFIG, RULES)
        hub = hub_of(engine)
        for number in range(1000):
            engine.apply(event(0, events.AgentLoggedOn(agent_id=f"{number:04}"), number))
        client = Client(hub)
        hub.subscribe(client.subscriber)
        client.hear()
        client.pipe.give_room(2)
        for number in range(1000):
            hub.on_batch(engine.apply(event(5, events.AgentNotReady(agent_id=f"{number:04}"), 1000 + number)))
        hub.flush()
        board = client.leave()
        assert board.shown() != shown_by(engine), "there is more to come"
        client = Client(hub, board=board)
        hub.resume(client.subscriber, board.epoch, board.position)
        assert max(len(frame.wire) for frame in client.pipe.frames) <= FRAME_BYTES
        assert client.hear().answers == ["snapshot", "resumed"]
        assert board.shown() == shown_by(engine)

    asyncio.run(scene())


def test_asking_again_and_again_leaves_one_answer() -> None:
    async def scene() -> None:
        engine = Engine(CONFIG, RULES)
        hub = hub_of(engine)
        engine.apply(event(0, events.AgentLoggedOn(agent_id="1"), 0))
        client = Client(hub, room=1)
        for _ in range(1000):
            hub.subscribe(client.subscriber)
        client.pipe.give_room(None)
        assert client.hear().answers == ["snapshot"]
        assert hub.subscribers == 1

    asyncio.run(scene())


def test_the_log_forgets_the_oldest_and_says_so() -> None:
    most = 100
    log = ChangeLog(0, 2, lambda: most)
    for number in range(10):
        log.note([("agent", "hq", str(number)), ("call", "hq", "c")])
    assert log.position == 20
    assert log.since(18) == [(("agent", "hq", "9"), 19), (("call", "hq", "c"), 20)]
    assert log.since(16) is not None
    assert log.since(0) is None
    assert log.since(21) is None
    most = 1
    assert log.since(16) is None, "more than is worth telling"


@given(
    batches=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=12), max_size=60),
    kept=st.integers(1, 12),
    most=st.integers(1, 20),
)
def test_the_log_tells_what_one_that_forgets_nothing_tells_or_that_it_does_not_know(
    batches: list[list[int]], kept: int, most: int
) -> None:
    log, told = ChangeLog(0, kept, lambda: most), list[int]()
    for batch in batches:
        log.note([("agent", "hq", str(number)) for number in batch])
        told += batch
        last = {number: position for position, number in enumerate(told, 1)}
        for position in range(log.position + 1):
            wanted = [
                (("agent", "hq", str(n)), at) for n, at in sorted(last.items(), key=lambda one: one[1]) if at > position
            ]
            found = log.since(position)
            if found is None:
                assert position < log.begins or len(wanted) > most
            else:
                assert found == wanted
        assert len(log) <= most + most // 4
        if len(batch) <= most and len(last) <= most:  # what was told last is known, whoever else forgets
            assert log.since(log.position - len(batch)) is not None


def test_what_a_replay_changed_is_shown_though_nothing_happens_after_it() -> None:
    async def scene() -> None:
        live, engine = False, Engine(CONFIG, RULES)
        hub = Hub(engine, FakeClock(), FeedMetrics.on(CollectorRegistry()), live=lambda: live)
        client = Client(hub)
        hub.subscribe(client.subscriber)
        hub.on_batch(engine.apply(event(0, events.AgentLoggedOn(agent_id="1"), 0)))
        telling = asyncio.create_task(hub.run_clock())
        await asyncio.sleep(0)
        assert not client.hear().entities
        live = True
        telling.cancel()
        telling = asyncio.create_task(hub.run_clock())
        await asyncio.sleep(0)
        assert ("agent", "hq/1") in client.hear().entities
        telling.cancel()

    asyncio.run(scene())
