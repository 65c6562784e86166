"""Listening changes nothing: the recorded floor is the same floor with more listeners, and without the one that it had."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.links import link_value
from services.ingest.pipeline import IngestMachine
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rulefile import load_rulebook
from shared import events
from shared.clock import EPOCH
from shared.events import CommandAnswered, Event
from shared.raw import Raw
from shared.settings import ROOT
from shared.siteconfig import Sites
from tests.asterisklisteners import leg, spyee
from tests.floorkit import RULES, event
from tests.floorkit import SITE as HQ
from tests.perturb import Packet
from tests.property import histories
from tests.recordedasterisk import CONFIG, SITE, packets

LISTENING = events.ListenStarted | events.ListenEnded | events.CommandAnswered
UNREAD = frozenset({"CEL", "VarSet", "Cdr", "NewConnectedLine", "NewCallerid", "MusicOnHoldStart", "MusicOnHoldStop"})
LAG = 0.02  # longer than the recorded packets', so that they and no other tell the switch's clock
AFTER_HANGUP = 0.016  # a listener is thrown out so soon


@lru_cache(maxsize=1)
def rules() -> RuleBook:
    """Those that ship, but for those about listeners."""
    book = load_rulebook(ROOT / "deploy" / "rules.yaml")
    return RuleBook(tuple(rule for rule in book.rules if "listen" not in rule.name))


class Outcome(NamedTuple):
    """What a floor told, without its listeners."""

    story: list[Any]
    facts: list[Any]
    board: Any
    figures: Any
    listens: list[Event]


def outcome(recording: Iterable[tuple[float, Any]], base: frozenset[int]) -> Outcome:
    """Ingest and engine over packets (headers, or the answer to a command). Marks come with those of `base`, by identity."""
    sites = Sites({SITE: CONFIG})
    machine, engine = IngestMachine(sites), Engine(sites, rules())
    told: list[Event] = []
    made = []
    for offset, (received, what) in enumerate(recording):
        raw = _raw(received, what, offset)
        clock = machine.clocks.get(SITE)
        mark = clock.mark(raw.received) if clock is not None and id(what) in base else None
        found = [] if mark is None else [mark]
        for one in [*found, *machine.apply(raw)]:
            made += engine.apply(one)
            if one is not mark:
                told.append(one)
    made += engine.finish()
    return Outcome(
        story=[(one.time, one.provenance, one.data) for one in told if not isinstance(one.data, LISTENING)],
        facts=sorted((one.time.isoformat(), one.id, _bare(one.data)) for one in made),
        board=_bare(engine.floor_view()),
        figures=[engine.site_figures(SITE), [engine.queue_day(SITE, queue) for queue in CONFIG.queues]],
        listens=[one for one in told if isinstance(one.data, LISTENING)],
    )


def _raw(received: float, what: Any, offset: int) -> Raw:
    is_link = isinstance(what, CommandAnswered | events.LinkUp)
    value = link_value(what, id=str(offset), source="/c") if is_link else json.dumps(what).encode()
    return Raw(
        value=value,
        vendor="asterisk",
        site=SITE,
        connector="recorded",
        received=EPOCH + timedelta(seconds=received),
        kind="link" if is_link else "event",
        session="s",
        partition=0,
        offset=offset,
    )


def _bare(what: Any) -> str:
    """As text, without who listens."""
    plain = msgspec.to_builtins(what)
    _strip(plain)
    return json.dumps(plain, sort_keys=True)


def _strip(plain: Any) -> None:
    if isinstance(plain, dict):
        for name in ("listened", "listeners", "unordered"):
            plain.pop(name, None)
    for one in plain.values() if isinstance(plain, dict) else plain if isinstance(plain, list | tuple) else ():
        _strip(one)


@lru_cache(maxsize=1)
def floor() -> tuple[list[Packet], frozenset[int]]:
    """The recording without what nobody reads, and which packets are of it."""
    found = [one for one in packets() if one[1].get("Event") not in UNREAD]
    return found, frozenset(id(headers) for _, headers in found)


@lru_cache(maxsize=1)
def as_recorded() -> Outcome:
    return outcome(*floor())


class Channel(NamedTuple):
    """A real channel in a conversation: how ChanSpyStart names it, when it entered it, and when it was hung up."""

    named: dict[str, str]
    since: float
    until: float


@lru_cache(maxsize=1)
def channels() -> list[Channel]:
    ends = {one["Uniqueid"]: float(one["Timestamp"]) for _, one in floor()[0] if one.get("Event") == "Hangup"}
    return [
        Channel(spyee(one), float(one["Timestamp"]), ends[one["Uniqueid"]])
        for _, one in floor()[0]
        if one.get("Event") == "BridgeEnter" and one["Channel"].startswith("PJSIP/")
    ]


def test_there_is_something_to_listen_to() -> None:
    assert len(channels()) > 100
    assert len({channel.named["SpyeeUniqueid"] for channel in channels()}) > 80
    assert len(as_recorded().facts) > 300
    assert [type(one.data) for one in as_recorded().listens] == [events.ListenStarted, events.ListenEnded]


def test_without_the_phone_that_listened_the_floor_is_the_same() -> None:
    (start,) = [one for _, one in floor()[0] if one.get("Event") == "ChanSpyStart"]
    names = {start["SpyerChannel"], start["SpyerUniqueid"], start["SpyerChannel"].partition("-")[0]}
    rest = [one for one in floor()[0] if not names & set(map(str, one[1].values()))]
    assert 10 <= len(floor()[0]) - len(rest) <= 20
    without = outcome(rest, floor()[1])
    assert not without.listens
    assert_same(without)


class Wish(NamedTuple):
    """A listen of a real conversation: where in it, as shares, by which kind of leg, and whether it was ordered."""

    channel: Channel
    begins: float
    lasts: float | None  # None: until it is thrown out
    kind: tuple[str, str]
    ordered: bool


KINDS = [("quDES", ""), ("qudES", "546"), ("qudES", "5"), ("quwES", ""), ("quBES", "")]
WISHES = st.builds(
    Wish,
    channel=st.deferred(lambda: st.sampled_from(channels())),
    begins=st.floats(0, 1),
    lasts=st.none() | st.floats(0, 1),
    kind=st.sampled_from(KINDS),
    ordered=st.booleans(),
)


def granted(number: int, wish: Wish) -> list[tuple[float, Any]]:
    """Its packets, and what the connector says of its order."""
    since, until = wish.channel.since, wish.channel.until
    begin = since + wish.begins * max(0.0, until - since - 0.2)
    end = until + AFTER_HANGUP if wish.lasts is None else begin + 0.13 + wish.lasts * max(0.0, until - begin - 0.13)
    fork, (options, digits) = str(UUID(int=number)), wish.kind
    found: list[tuple[float, Any]] = [
        *leg(fork, wish.channel.named, begin, max(end, begin + 0.13), options=options, digits=digits, lag=LAG)
    ]
    if wish.ordered:
        said = CommandAnswered(command_id=fork, action="listen_start", outcome="taken", fork_id=fork)
        found = [(begin + LAG, said), *found, (begin + 0.02 + LAG, msgspec.structs.replace(said, outcome="done"))]
    return found


@given(st.lists(WISHES, min_size=1, max_size=12))
@settings(max_examples=15)
def test_with_any_listeners_the_floor_is_the_same(wishes: list[Wish]) -> None:
    inserted = [one for number, wish in enumerate(wishes) for one in granted(number, wish)]
    heard = outcome(sorted([*floor()[0], *inserted], key=lambda one: one[0]), floor()[1])
    started = [one.data for one in heard.listens if isinstance(one.data, events.ListenStarted)]
    assert len(started) == len({one.listen_id for one in started}) == 1 + len(wishes)
    ended = [one.data.listen_id for one in heard.listens if isinstance(one.data, events.ListenEnded)]
    assert sorted(ended) == sorted(one.listen_id for one in started)
    assert_same(heard)


def assert_same(found: Outcome) -> None:
    """Everything but the listening is as recorded: what is told, calls, intervals, transfers, flags, board, figures."""
    expected = as_recorded()
    assert found.story == expected.story
    assert found.facts == expected.facts
    assert found.board == expected.board
    assert found.figures == expected.figures


# ---------------------------------------------------------------- the engine alone, whatever happens


def stream_of(history: histories.History) -> list[Event]:
    """The history as events with positions, after a first word of the site."""
    second, found = 100, [event(100, events.LinkUp(connector="test"), 0), event(100, events.Clock())]
    for offset, (step, data) in enumerate(history, 1):
        second = max(0, second + step)
        found.append(event(second, data, -1 if isinstance(data, events.Clock) else offset))
    return found


@given(histories.histories)
@settings(max_examples=80)
def test_who_listens_is_known_of_each_agent_and_of_no_other(history: histories.History) -> None:
    engine = Engine(histories.CONFIG, RULES)
    for one in stream_of(history):
        engine.apply(one)
        state = engine._floors[HQ].state
        running = {key: listen for key, listen in state.listening.items() if listen.ended is None}
        for agent in state.agents.values():
            mine = [key for key, listen in running.items() if listen.agent_id == agent.agent_id]
            assert sorted(agent.listeners) == sorted(mine)
            assert agent.unordered == sum(not running[key].ordered for key in mine)
        for listen in state.listening.values():
            assert not listen.agent_id or listen.agent_id in state.agents
            assert not listen.ordered or listen.ticket


@given(histories.histories)
@settings(max_examples=80)
def test_without_its_listeners_any_history_is_the_same(history: histories.History) -> None:
    """Time passes as it did: a mark stands where a listener came or went."""
    told: list[list[Any]] = []
    for heard in (True, False):
        engine, made = Engine(histories.CONFIG, RULES), []
        for one in stream_of(history):
            if heard or not isinstance(one.data, LISTENING):
                made += engine.apply(one)
            elif not isinstance(one.data, CommandAnswered):
                made += engine.apply(msgspec.structs.replace(event(0, events.Clock()), time=one.time))
        board = msgspec.to_builtins(engine.floor_view())
        for site in board["sites"]:
            for name in ("anomalies", "heard"):
                del site[name]
        told.append([(one.id, one.time, _bare(one.data)) for one in made] + [_bare(board), engine.site_figures(HQ)])
    assert told[0] == told[1]
