"""From raw records to flags: a floor whose switch's clock is set now and then raises what the same floor raises otherwise."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.links import link_value
from services.ingest.pipeline import IngestMachine
from services.monitor.core.engine import Engine
from shared import events, facts
from shared.siteconfig import QueueConfig, SiteConfig, Sites
from tests.floorkit import RULES
from tests.ingestkit import T0, cloud, raw

SITE = "s1"
CONFIG = Sites({SITE: SiteConfig(queues={"sales": QueueConfig(wrap_up_s=6)})})
LENGTH_S = 240.0
NEAR_S = 0.4  # an event of the moments in which nobody is sure yet is told as of when it came in
MARK_S = 0.25

# Steps back are longer than this floor is ever quiet: a shorter one may look like a record that was held up on its way.
Step = tuple[float, str, dict[str, Any]]
JUMPS = st.lists(
    st.tuples(st.floats(30, LENGTH_S - 10), st.sampled_from([-7200.0, -600.0, -30.0, 2.5, 5.0, 600.0, 7200.0])),
    max_size=3,
)


def floor(seed: int) -> list[Step]:
    """What happens on a floor of four agents in four minutes: calls that wait, are answered, held, transferred, given up."""
    dice, steps = random.Random(seed), list[Step]()

    def say(at: float, what: str, /, **data: Any) -> None:
        steps.append((at, what, data))

    for agent in "1234":
        say(0.1, "agent_logged_on", agent_id=agent, name=agent, queues=["sales"])
    free_at = dict.fromkeys("1234", 1.0)
    for number in range(30):
        call, at = f"c{number}", 1.0 + number * 7 + dice.uniform(0, 5)
        say(at, "call_queued", call_id=call, queue="sales", from_number="+451")
        wait = dice.choice([2.0, 10.0, 40.0])
        agent = min(free_at, key=lambda one: free_at[one])
        ring = max(at + wait, free_at[agent])
        if ring > at + 45:
            say(at + 45, "call_cleared", call_id=call, cleared_by="customer")
            continue
        leg, talk = f"l{number}", dice.uniform(3, 30)
        say(ring, "leg_started", call_id=call, leg_id=leg, agent_id=agent, queue="sales")
        say(ring + 2, "leg_answered", call_id=call, leg_id=leg)
        say(ring + 2, "call_dequeued", call_id=call, queue="sales", reason="answered", agent_id=agent)
        end = ring + 2 + talk
        if dice.random() < 0.4:
            took = dice.choice([3.0, 6.0, 8.0, 12.0])
            transfer = f"t{number}"
            say(end, "transfer_requested", transfer_id=transfer, call_id=call, kind="blind", from_agent=agent)
            end += took
            say(end, "transfer_bridged", transfer_id=transfer)
        say(end, "call_cleared", call_id=call, cleared_by="agent")
        say(end, "wrap_started", agent_id=agent, call_id=call, queue="sales", until=end + 6)
        free_at[agent] = end + 6.5
    return sorted((step for step in steps if step[0] < LENGTH_S), key=lambda step: step[0])


def run(steps: list[Step], jumps: list[tuple[float, float]]) -> tuple[Engine, list[facts.Fact]]:
    """Through ingest and engine, with marks, by a switch's clock that is set when `jumps` says, by so much."""
    machine, engine, made = IngestMachine(CONFIG), Engine(CONFIG, RULES), list[facts.Fact]()
    records: Iterator[Step] = iter(steps)
    step, offset, now, delay = next(records, None), 1, 0.0, random.Random(7)

    def shown(at: float) -> float:
        return at + sum(by for when, by in jumps if when <= at)

    value = link_value(events.LinkUp(connector="c1"), id="0", source="/c1")
    for one in machine.apply(raw(value, kind="link", offset=0)):
        made += engine.apply(one)
    while now < LENGTH_S:
        while step is not None and step[0] <= now:
            at, kind, data = step
            if "until" in data:
                data = data | {"until": (T0 + timedelta(seconds=shown(at) + data["until"] - at)).isoformat()}
            received = at + delay.uniform(0, 0.05)
            record = raw(cloud(kind, data, at_s=shown(at), id=str(offset)), offset=offset, received_s=received)
            for one in machine.apply(record):
                made += engine.apply(one)
            offset += 1
            step = next(records, None)
        now += MARK_S
        mark = machine.clocks[SITE].mark(T0 + timedelta(seconds=now - 0.1))
        if mark is not None:
            made += engine.apply(mark)
    return engine, made


def flags(made: list[facts.Fact]) -> dict[str, list[str]]:
    """Which flags were raised, and how long each lasted, to the NEAR_S."""
    found: dict[str, list[str]] = defaultdict(list)
    for fact in made:
        if isinstance(fact.data, facts.FlagRaised):
            found["raised"].append(f"{fact.data.rule} {fact.data.subject_id}")
        elif isinstance(fact.data, facts.FlagCleared):
            found["cleared"].append(f"{fact.data.rule} {fact.data.subject_id}")
    return {name: sorted(one) for name, one in found.items()}


def spans(made: list[facts.Fact]) -> dict[str, list[tuple[str, float]]]:
    """Of each agent what it did for how long, of each call and transfer how long it took."""
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for fact in made:
        match fact.data:
            case facts.AgentInterval(agent_id=agent, state=state, duration_s=took) if took > NEAR_S:
                found[f"agent {agent}"].append((state, took))
            case facts.CallEnded(call_id=call, outcome=outcome, waited_s=waited, talk_s=talk):
                found[f"call {call}"] += [(outcome, waited), ("talk", talk or 0.0)]
            case facts.TransferEnded(transfer_id=transfer, outcome=outcome, total_s=total):
                found[f"transfer {transfer}"].append((outcome, total or 0.0))
            case _:
                pass
    return found


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), jumps=JUMPS)
def test_a_set_clock_makes_no_flag_and_no_duration_another(seed: int, jumps: list[tuple[float, float]]) -> None:
    spaced = [
        one for number, one in enumerate(sorted(jumps)) if number == 0 or one[0] - sorted(jumps)[number - 1][0] > 25
    ]
    steps = floor(seed)
    (plain_engine, plain), (_, was_set) = run(steps, []), run(steps, spaced)
    assert flags(was_set) == flags(plain)
    expected, found = spans(plain), spans(was_set)
    assert found.keys() == expected.keys()
    for key, story in expected.items():
        assert [what for what, _ in found[key]] == [what for what, _ in story], key
        for (_, took), (what, should) in zip(found[key], story, strict=True):
            assert abs(took - should) <= NEAR_S, (key, what)
    assert not plain_engine.anomalies(SITE)


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), jumps=JUMPS)
def test_it_is_the_same_each_time(seed: int, jumps: list[tuple[float, float]]) -> None:
    steps = floor(seed)[:120]
    one, other = run(steps, jumps), run(steps, jumps)
    assert one[0].dump() == other[0].dump()
    assert msgspec.json.encode(one[1]) == msgspec.json.encode(other[1])
