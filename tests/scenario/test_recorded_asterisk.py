"""A real floor, recorded: what the adapter tells must be what phones and customers did, within a quarter of a second."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from floorwatch.traces import Trace
from services.ingest.adapters.asterisk import AsteriskAdapter
from shared import events
from shared.events import Event
from shared.siteconfig import QueueConfig, SiteConfig

HERE = Path(__file__).parents[1] / "recorded" / "asterisk"
CONFIG = SiteConfig(
    queues={
        "sales": QueueConfig(wrap_up_s=6),
        "support": QueueConfig(wrap_up_s=10),
        "complaints": QueueConfig(wrap_up_s=15),
    }
)
NEAR = 0.25


@lru_cache(maxsize=2)
def told(name: str = "ami.jsonl.gz") -> tuple[Event, ...]:
    adapter = AsteriskAdapter("hq", CONFIG)
    with Trace(HERE / name) as trace:
        return tuple(event for raw in trace.raws(site="hq") for event in adapter.feed(raw))


@lru_cache(maxsize=1)
def truth() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(HERE / "ground_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            found.setdefault(one["type"], []).append(one)
    return found


def at(event: Event) -> float:
    return event.time.timestamp()


def test_text_and_json_tell_the_same_story() -> None:
    """The bytes alone do not say when an answer came in."""
    answers = events.Snapshot | events.AgentSeen
    text, as_json = told("ami.raw.gz"), told()
    assert [(event.data, event.provenance) for event in text] == [(event.data, event.provenance) for event in as_json]
    assert [event.time for event in text if not isinstance(event.data, answers)] == [
        event.time for event in as_json if not isinstance(event.data, answers)
    ]


def test_every_queue_visit_is_there_with_its_outcome_and_wait() -> None:
    joined: dict[tuple[str, str], float] = {}
    found = []
    for event in told():
        match event.data:
            case events.CallQueued(call_id=call_id, queue=queue):
                joined[call_id, queue] = at(event)
            case events.CallDequeued(call_id=call_id, queue=queue) as left:
                found.append((call_id, queue, left.reason, left.agent_id, joined.pop((call_id, queue)), at(event)))
    assert not joined
    want = [(call["uniqueid"], visit) for call in truth()["call"] for visit in call["queue_visits"]]
    assert len(found) == len(want) == 52
    left = sorted(found)
    for (call_id, visit), mine in zip(sorted(want, key=lambda one: (one[0], one[1]["queue"])), left, strict=True):
        assert mine[:4] == (call_id, visit["queue"], visit["outcome"], visit["agent"] or "")
        assert mine[4] == pytest.approx(visit["join"], abs=NEAR)
        assert mine[5] == pytest.approx(visit["end"], abs=NEAR)


def test_every_transfer_is_there_with_its_total_and_none_is_invented() -> None:
    story: dict[str, dict[str, Any]] = {}
    for event in told():
        transfer_id = getattr(event.data, "transfer_id", None)
        if transfer_id is not None:
            story.setdefault(transfer_id, {}).setdefault(type(event.data).__name__, event)
    calls = {call["call"]: call for call in truth()["call"]}
    want = {(one["from_agent"], calls[one["call"]]["uniqueid"]): one for one in truth()["transfer"]}
    assert len(story) == len(want) == 11
    for mine in story.values():
        asked = mine["TransferRequested"]
        true = want[asked.data.from_agent, asked.data.call_id]
        assert at(asked) == pytest.approx(true["start"], abs=NEAR)
        if true["mode"] == "attended":
            assert mine["TransferAnswered"].data.to_agent == true["to_agent"]
            assert at(mine["TransferAnswered"]) == pytest.approx(true["target_answered"], abs=NEAR)
        if true["outcome"] == "cancelled":
            assert mine["TransferEnded"].data.outcome == "cancelled"
            assert at(mine["TransferEnded"]) == pytest.approx(true["end"], abs=NEAR)
            continue
        bridged = true["end"]
        if true["mode"] == "blind":
            legs = calls[true["call"]]["legs"]
            bridged = min(leg["start"] for leg in legs if leg["start"] > true["start"])
        total = at(mine["TransferBridged"]) - at(asked)
        assert total == pytest.approx(bridged - true["start"], abs=NEAR)
        assert mine["TransferReleased"].data.transfer_id == asked.data.transfer_id


def test_every_ring_begins_and_ends_when_the_phone_did() -> None:
    rings: list[tuple[str, float, float]] = []
    open_rings: dict[str, tuple[str, float]] = {}
    for event in told():
        match event.data:
            case events.LegStarted(leg_id=leg_id, state="ringing", agent_id=agent_id):
                open_rings[leg_id] = (agent_id, at(event))
            case events.LegAnswered(leg_id=leg_id) | events.LegCleared(leg_id=leg_id) if leg_id in open_rings:
                agent_id, start = open_rings.pop(leg_id)
                rings.append((agent_id, start, at(event)))
    want = sorted((ring["agent"], ring["start"], ring["end"]) for ring in truth()["ring"])
    assert len(rings) == len(want)
    for (agent_id, start, end), mine in zip(want, sorted(rings), strict=True):
        assert mine == (agent_id, pytest.approx(start, abs=NEAR), pytest.approx(end, abs=NEAR))


def test_wraps_are_those_of_queue_calls_alone() -> None:
    wraps = [event.data for event in told() if isinstance(event.data, events.WrapStarted)]
    queue_legs = [leg for call in truth()["call"] for leg in call["legs"] if leg["kind"] == "queue"]
    assert Counter(wrap.agent_id for wrap in wraps) == Counter(leg["agent"] for leg in queue_legs)


def test_the_supervisors_listening_is_told_and_is_no_call() -> None:
    spy = truth()["spy"][0]
    listens = [event for event in told() if isinstance(event.data, events.ListenStarted)]
    assert [(event.data.agent_id, event.data.listener) for event in listens] == [(spy["agent"], spy["supervisor"])]  # type: ignore[attr-defined]
    agents = {event.data.agent_id for event in told() if isinstance(event.data, events.LegStarted)}
    assert spy["supervisor"] not in agents


def test_everything_that_began_has_ended() -> None:
    legs: set[str] = set()
    calls: set[str] = set()
    for event in told():
        match event.data:
            case events.LegStarted(leg_id=leg_id):
                legs.add(leg_id)
            case events.LegCleared(leg_id=leg_id):
                legs.remove(leg_id)
            case events.CallStarted(call_id=call_id):
                assert call_id not in calls
                calls.add(call_id)
            case events.CallCleared(call_id=call_id):
                calls.remove(call_id)
            case _:
                pass
    assert not legs
    assert not calls
