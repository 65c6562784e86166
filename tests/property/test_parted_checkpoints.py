"""Checkpoints that are written part by part while the log goes on: whatever interrupts them, the machine, its outputs and its
dead letters end up as if nothing had.

Parts are taken one at a turn, with records of several sites on two partitions applied in between; the process is killed in the
middle of a checkpoint, while its outputs are unacknowledged, or just after it was written, and another replica goes on from it.
"""

from __future__ import annotations

import asyncio

import msgspec
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.monitor import app
from services.monitor.core.engine import Engine
from shared import events
from shared.codec import encode
from shared.dedup import Passed
from shared.events import Event
from shared.facts import Fact
from shared.memorybus import MemoryBus
from shared.pump import Pace, Pump
from shared.siteconfig import Sites
from shared.topics import FLOOR_EVENTS, FLOOR_FLAGS, FLOOR_RECORDS, SWITCH_DEAD_LETTER
from tests.floorkit import RULES, SITE, event
from tests.partkit import SITES, Fate, Life, Tallies, by_part, fates, paces, tallies_pump
from tests.property.histories import CONFIG, happenings
from tests.pumpkit import Counted, Said, once

WORDS = ("a", "a", "b", "b", "c", "close", "no", "garbage", "bug", "boom")
UNUSABLE = {"no", "garbage", "bug", "boom"}
said = st.lists(st.tuples(st.sampled_from(SITES), st.sampled_from(WORDS)), min_size=40, max_size=200)


def live(life: Life, parts: list[Fate], registry: CollectorRegistry) -> None:
    """Live through it, and note for `--hypothesis-show-statistics` that what is tested happens."""
    with capture_logs():
        asyncio.run(life.through(parts))
    (name,) = {sample.labels["pump"] for family in registry.collect() for sample in family.samples}
    known = registry.get_sample_value("pump_records_total", {"pump": name, "outcome": "known"})
    note("some records were in the restored state already" if known else "none was")


@settings(max_examples=80)
@given(said, fates, paces)
def test_a_machine_that_counts_all_it_hears_counts_nothing_twice(
    words: list[tuple[str, str]], parts: list[Fate], pace: Pace
) -> None:
    machines, registry = list[Tallies](), CollectorRegistry()

    def make(bus: MemoryBus, writer: str) -> Pump[Said, Counted]:
        machines.append(Tallies())
        return tallies_pump(bus, machines[-1], writer=writer, pace=pace, registry=registry)

    opening = [(site, "a") for site in SITES]
    life = Life([(site, f"{site}:{word}".encode()) for site, word in opening + words], make)
    live(life, parts, registry)
    whole, expected, refused = Tallies(), set[tuple[str, int]](), set[tuple[bytes, bytes]]()
    for record in life.bus.records(FLOOR_EVENTS):
        word = record.value.decode()
        if word.partition(":")[2] in UNUSABLE:
            refused.add((str(record.offset).encode(), record.value))
        else:
            expected |= {(one.id, one.times) for one in whole.apply(Said(word, record.partition, record.offset))}
    assert machines[-1].times == whole.times
    assert {(one.id, one.times) for one in once(life.bus.records(FLOOR_FLAGS))} == expected
    letters = life.bus.records(SWITCH_DEAD_LETTER)
    assert {(dict(record.headers)["offset"], record.value) for record in letters} == refused


# ------------------------------------------------------------ the engine

FLOORS = Sites({site: CONFIG.site(SITE) for site in SITES})
steps = st.tuples(st.sampled_from(SITES), st.one_of(st.integers(0, 40), st.integers(-5, 5)), happenings, st.booleans())
LINKS = (events.LinkUp, events.LinkDown, events.Clock)


@st.composite
def logs_of_floors(draw: st.DrawFn) -> list[Event]:
    """Events of several sites as they lie in the log: those about the link and marks without a position, some told twice."""
    found: list[Event] = []
    now = dict.fromkeys(SITES, 0.0)
    opening = [(site, 0, events.LinkUp(connector="test"), False) for site in SITES]
    for offset, (site, step, data, twice) in enumerate(opening + draw(st.lists(steps, min_size=30, max_size=120))):
        now[site] += step
        one = event(now[site], data, -1 if isinstance(data, LINKS) else offset, site)
        found += [one, one] if twice and not isinstance(data, LINKS) else [one]
    return found


def as_read(bus: MemoryBus) -> dict[str, list[bytes]]:
    """Flags and records of each site as a reader takes them that drops positions that it has passed."""
    found: dict[str, list[bytes]] = {}
    for topic in (FLOOR_FLAGS, FLOOR_RECORDS):
        passed = Passed()
        for record in bus.records(topic):
            fact = msgspec.json.decode(record.value)
            if not passed.seen(fact["site"], fact["rawpartition"], fact["rawoffset"], fact.get("rawindex", 0)):
                found.setdefault(fact["site"], []).append(record.value)
    return found


@settings(max_examples=80)
@given(logs_of_floors(), fates, paces)
def test_a_monitor_whose_checkpoints_are_of_many_moments_says_what_it_would_have_said(
    log: list[Event], parts: list[Fate], pace: Pace
) -> None:
    engines, registry = list[Engine](), CollectorRegistry()

    def make(bus: MemoryBus, writer: str) -> Pump[Event, Fact]:
        engines.append(Engine(FLOORS, RULES))
        return Pump(
            "monitor",
            bus,
            engines[-1],
            topics=[FLOOR_EVENTS],
            decode=app.decode,
            route=app.route,
            writer=writer,
            registry=registry,
            pace=pace,
        )

    life = Life([(one.site, encode(one)) for one in log], make)
    live(life, parts, registry)
    whole = Engine(FLOORS, RULES)
    made = [fact for record in life.bus.records(FLOOR_EVENTS) for fact in whole.apply(app.decode(record))]
    assert by_part(engines[-1]) == by_part(whole), "duplicates are counted in it"
    expected = [app.route(fact) for fact in made]
    published = {record.value for topic in (FLOOR_FLAGS, FLOOR_RECORDS) for record in life.bus.records(topic)}
    assert published == {one.value for one in expected}
    in_order: dict[str, list[bytes]] = {}
    for topic in (FLOOR_FLAGS, FLOOR_RECORDS):
        for one in expected:
            if one.topic == topic:
                in_order.setdefault(one.key, []).append(one.value)
    assert as_read(life.bus) == in_order


@given(logs_of_floors())
def test_no_site_knows_of_another(log: list[Event]) -> None:
    """What lets the engine be written down site by site."""
    together = Engine(FLOORS, RULES)
    made = [fact for one in log for fact in together.apply(one)]
    assert set(together.parts()) == {one.site for one in log}
    for site in together.parts():
        alone = Engine(FLOORS, RULES)
        own = [fact for one in log if one.site == site for fact in alone.apply(one)]
        assert own == [fact for fact in made if fact.site == site]
        assert alone.dump_part(site) == together.dump_part(site)
    assert by_part(together) == {
        name: bytes(part) for name, part in msgspec.msgpack.decode(together.dump(), type=dict[str, msgspec.Raw]).items()
    }
