"""A whole recorded session through the connector: what it writes makes the same floor as the recording itself."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from services.ingest.adapters.asterisk import AsteriskAdapter
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from shared.clock import from_epoch
from shared.events import Event, LinkUp, Snapshot, TransferRequested
from shared.raw import Raw
from shared.siteconfig import Sites
from tests.amikit import Wired, opening, stream, wired
from tests.recordedasterisk import CONFIG, SITE


def pieces(data: bytes, dice: random.Random) -> list[bytes]:
    """Cut anywhere, mostly into a few pieces and sometimes into single bytes."""
    size = dice.choice([1, 7, 100, 1400, len(data)])
    found = []
    while data:
        step = dice.randint(1, size)
        found.append(data[:step])
        data = data[step:]
    return found


async def play(site: Wired, begin: int, end: int, dice: random.Random) -> None:
    """The switch says its packets from `begin` to `end`, at the times of the recording, in pieces; some come together."""
    told = stream()[begin:end]
    while told:
        burst = min(len(told), dice.choice([1, 2, 20, 60]))
        data = b"".join(one for _, one in told[:burst])
        site.clock.pause(max(0.0, told[burst - 1][0] - site.clock.now().timestamp()))
        before = site.connector.heard[1]
        await site.switch.talk.say(*pieces(data, dice))
        await site.heard(before + len(data))
        told = told[burst:]


def said(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """What is said and when; of what was listed only what, as answers to questions carry no time of their own."""
    return [
        (None if isinstance(event.data, Snapshot) else event.time, event.data)
        for event in events
        if not isinstance(event.data, LinkUp)
    ]


def floor(events: Iterable[Event]) -> dict[str, Any]:
    """What a board shows when this was said; figures aside, which say since when they count."""
    engine = Engine(Sites({SITE: CONFIG}), RuleBook(()))
    for event in events:
        engine.apply(event)
    shown = engine.floor_view()
    return {
        "agents": [(one.agent_id, one.state, one.since, one.provenance, one.call, one.queues) for one in shown.agents],
        "queues": [(one.queue, one.waiting, one.longest_since, one.agents) for one in shown.queues],
        "calls": shown.calls,
        "transfers": shown.transfers,
    }


def read_directly(raws: list[Raw]) -> list[Event]:
    adapter = AsteriskAdapter(SITE, CONFIG)
    return [event for raw in raws for event in adapter.feed(raw)]


async def test_the_floor_is_that_of_the_recording() -> None:
    dice = random.Random(7)
    async with wired() as site:
        await site.up()
        await play(site, 0, len(stream()), dice)
        (session,) = {raw.session for raw in site.raws()}
        assert site.stream_of(session) == bytes(site.switch.talk.sent), "byte for byte, in order, complete"
        written = [raw for raw in site.raws() if raw.kind == "event"]
        alone = [one for name in ("CoreShowChannels", "QueueStatus") for one in opening()[name]]
        alone += [one for _, one in stream()]
        by_value = {raw.value: raw.received for raw in written}
        direct = [
            Raw(
                value=one,
                vendor="asterisk",
                site=SITE,
                connector="asterisk",
                received=by_value.get(one, from_epoch(stream()[0][0])),
                session="direct",
                partition=0,
                offset=offset,
            )
            for offset, one in enumerate(alone, start=1)
        ]
        through, straight = site.events(), read_directly(direct)
        assert len(straight) > 800
        assert said(through) == said(straight)
        link = next(event for event in through if isinstance(event.data, LinkUp))
        busy = through.index(next(event for event in through if isinstance(event.data, TransferRequested))) + 100
        then = floor([link, *straight[: busy - 1]])
        assert len(then["agents"]) == 12
        assert then["calls"]
        assert floor(through[:busy]) == then
        assert floor(through) == floor([link, *straight])


async def test_a_cut_in_mid_event_loses_that_event_alone_and_everything_is_asked_anew() -> None:
    dice = random.Random(3)
    async with wired() as site:
        await site.up()
        half = len(stream()) // 2
        await play(site, 0, half, dice)
        talk = site.switch.talk
        torn = stream()[half][1]
        whole = bytes(talk.sent)
        await talk.say(torn[: len(torn) // 2])
        await site.heard(len(whole) + len(torn) // 2)
        talk.writer.close()
        await site.pass_s(3)
        first, second = site.switch.talks
        assert [type(link).__name__ for link in site.links()] == ["LinkUp", "LinkDown", "LinkUp"]
        sessions = list(dict.fromkeys(raw.session for raw in site.raws()))
        assert site.stream_of(sessions[0]) == whole, "half an event is no record"
        await play(site, half + 1, len(stream()), dice)
        assert site.stream_of(sessions[1]) == bytes(second.sent)
        assert len(second.actions("QueueStatus")) == 1
        assert len(first.actions("Login")) == len(second.actions("Login")) == 1
