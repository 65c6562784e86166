from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.adapters import generic
from services.ingest.adapters.generic import GenericAdapter
from shared import events
from shared.errors import InvalidInput
from shared.siteconfig import SiteConfig
from tests.ingestkit import T0, cloud, raw


@pytest.fixture
def adapter() -> GenericAdapter:
    return GenericAdapter("s1", SiteConfig())


def test_an_event_keeps_its_data_and_gets_its_place(adapter: GenericAdapter) -> None:
    (event,) = adapter.feed(raw(cloud("agent_not_ready", {"agent_id": "7", "reason": "lunch"}), offset=42))
    assert event.data == events.AgentNotReady(agent_id="7", reason="lunch")
    assert (event.site, event.time, event.receivedtime) == ("s1", T0, T0)
    assert (event.id, event.rawpartition, event.rawoffset, event.rawindex) == ("s1:0:42:0", 0, 42, 0)
    assert event.source == "/sites/s1/c1"


def test_a_batch_keeps_its_order(adapter: GenericAdapter) -> None:
    batch = [cloud("call_started", {"call_id": "a"}), cloud("call_cleared", {"call_id": "a"}, at_s=1)]
    found = adapter.feed(raw(batch))
    assert [type(e.data) for e in found] == [events.CallStarted, events.CallCleared]
    assert [e.rawindex for e in found] == [0, 1]


def test_times_are_moved_and_in_utc(adapter: GenericAdapter) -> None:
    event = cloud("wrap_started", {"agent_id": "7", "until": "2026-03-02T10:00:10+01:00"})
    event["time"] = "2026-03-02T17:00:00+08:00"
    (found,) = adapter.feed(raw(event, shift_s=3600.0))
    assert found.time == T0 + timedelta(hours=1)
    assert found.time.tzinfo is UTC
    assert isinstance(found.data, events.WrapStarted)
    assert found.data.until == T0 + timedelta(hours=1, seconds=10)


def test_provenance_and_precision_pass(adapter: GenericAdapter) -> None:
    event = cloud("agent_ready", {"agent_id": "7"}, provenance="inferred", precisionms=1000)
    (found,) = adapter.feed(raw(event))
    assert (found.provenance, found.precisionms) == ("inferred", 1000)


def test_attributes_of_others_are_allowed(adapter: GenericAdapter) -> None:
    assert adapter.feed(raw(cloud("agent_ready", {"agent_id": "7"}, traceparent="00-1-2-3", subject="7")))


def without(event: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != name}


READY = cloud("agent_ready", {"agent_id": "7"})
REFUSED = {
    "no json": (b"{", "not_json", "not JSON"),
    "no text": (b"\xff\xfe", "not_json", "not JSON"),
    "no object": (7, "invalid_event", "$: expected `object`"),
    "unknown type": (READY | {"type": "floorwatch.coffee.v1"}, "unknown_type", "$.type: 'floorwatch.coffee.v1'"),
    "a clock mark": (cloud("clock", {}), "unknown_type", "$.type"),
    "a set clock": (cloud("clock_jumped", {"by_s": 3600}), "unknown_type", "$.type"),
    "no type": (without(READY, "type"), "invalid_event", "$.type is missing"),
    "no id": (without(READY, "id"), "invalid_event", "$.id is missing"),
    "empty id": (READY | {"id": ""}, "invalid_event", "$.id"),
    "no source": (without(READY, "source"), "invalid_event", "$.source is missing"),
    "no time": (without(READY, "time"), "invalid_event", "$.time is missing"),
    "naive time": (READY | {"time": "2026-03-02T09:00:00"}, "invalid_event", "$.time"),
    "no such time": (
        READY | {"time": "2026-13-02T09:00:00Z"},
        "invalid_event",
        "$.time: expected a time with a time zone",
    ),
    "version": (READY | {"specversion": "0.3"}, "invalid_event", "$.specversion"),
    "no data": (without(READY, "data"), "invalid_event", "$.data is missing"),
    "missing field": (cloud("agent_ready", {}), "invalid_event", "$.data.agent_id is missing"),
    "empty field": (cloud("agent_ready", {"agent_id": ""}), "invalid_event", "$.data.agent_id: is empty"),
    "unknown field": (
        cloud("agent_ready", {"agent_id": "7", "agent": 1}),
        "invalid_event",
        "$.data.agent is not a field",
    ),
    "wrong kind": (cloud("agent_ready", {"agent_id": 7}), "invalid_event", "$.data.agent_id: expected `str`"),
    "wrong word": (
        cloud("call_started", {"call_id": "a", "direction": "up"}),
        "invalid_event",
        "$.data.direction: invalid enum value 'up'",
    ),
    "naive until": (
        cloud("wrap_started", {"agent_id": "7", "until": "2026-03-02T09:00:00"}),
        "invalid_event",
        "$.data.until",
    ),
    "position": (
        cloud("call_queued", {"call_id": "a", "queue": "q", "position": 0}),
        "invalid_event",
        "$.data.position",
    ),
    "promise": (cloud("agent_seen", {"agent_id": "7", "lease_s": 0}), "invalid_event", "$.data.lease_s"),
    "too many attributes": (
        cloud("call_started", {"call_id": "a", "attributes": {str(n): "x" for n in range(21)}}),
        "invalid_event",
        "$.data.attributes: expected at most 20, got 21",
    ),
    "a long attribute": (
        cloud("call_started", {"call_id": "a", "attributes": {"note": "x" * 300}}),
        "invalid_event",
        "$.data.attributes.'note': longer than 256 characters",
    ),
    "a long name": (
        cloud("agent_ready", {"agent_id": "7" * 513}, id="x"),
        "invalid_event",
        "$.data.agent_id: longer than 512 characters",
    ),
    "a long name in a list": (
        cloud("agent_logged_on", {"agent_id": "7", "queues": ["sales", "q" * 513]}, id="x"),
        "invalid_event",
        "$.data.queues: holds a text that is longer than 512 characters",
    ),
    "a long name in a snapshot": (
        cloud("snapshot", {"connector": "c", "queues": {"sales": ["c" * 513]}}, id="x"),
        "invalid_event",
        "$.data.queues: holds a text that is longer than 512 characters",
    ),
    "a long name in a batch": (
        [READY, cloud("leg_cleared", {"call_id": "a", "leg_id": "l" * 513}, id="x")],
        "invalid_event",
        "$[1].data.leg_id: longer than 512 characters",
    ),
    "speed": (cloud("link_up", {"connector": "c", "speed": 0}), "invalid_event", "$.data.speed"),
    "sequence": (READY | {"sequence": "one"}, "invalid_event", "$.sequence"),
    "negative sequence": (READY | {"sequence": -1}, "invalid_event", "$.sequence"),
    "content": (READY | {"datacontenttype": "text/xml"}, "invalid_event", "$.datacontenttype"),
    "site": (READY | {"site": "s2"}, "wrong_site", "$.site"),
    "in a batch": ([READY, cloud("agent_ready", {})], "invalid_event", "$[1].data.agent_id is missing"),
}


def test_a_name_may_be_long_and_a_list_longer(adapter: GenericAdapter) -> None:
    queues = [f"{number:0512}" for number in range(50)]
    (event,) = adapter.feed(raw(cloud("agent_logged_on", {"agent_id": "7" * 512, "queues": queues}, id="x")))
    assert event.data == events.AgentLoggedOn(agent_id="7" * 512, queues=tuple(queues))


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_with_its_place(case: str, adapter: GenericAdapter) -> None:
    value, reason, message = REFUSED[case]
    before = adapter.dump()
    with pytest.raises(InvalidInput) as refused:
        adapter.feed(raw(value))
    assert refused.value.reason == reason
    assert message in str(refused.value)
    assert adapter.dump() == before


def test_a_time_moved_out_of_the_calendar_is_refused(adapter: GenericAdapter) -> None:
    with pytest.raises(InvalidInput) as refused:
        adapter.feed(raw(READY | {"time": "9999-12-31T23:59:59Z"}, shift_s=86400.0))
    assert refused.value.reason == "time_out_of_range"


def test_a_batch_is_good_as_a_whole_or_not_at_all(adapter: GenericAdapter) -> None:
    with pytest.raises(InvalidInput):
        adapter.feed(raw([READY, cloud("agent_ready", {})]))
    assert len(adapter.feed(raw([READY]))) == 1  # the good one was not remembered as seen


def test_the_same_event_counts_once(adapter: GenericAdapter) -> None:
    assert len(adapter.feed(raw(READY, offset=1))) == 1
    assert adapter.feed(raw(READY, offset=2)) == []
    assert adapter.duplicates == 1
    assert len(adapter.feed(raw(READY | {"source": "/other"}, offset=3))) == 1


def test_a_recording_played_again_happens_again(adapter: GenericAdapter) -> None:
    assert len(adapter.feed(raw(READY, shift_s=100.0))) == 1
    assert len(adapter.feed(raw(READY, shift_s=200.0))) == 1
    assert adapter.feed(raw(READY, shift_s=200.0)) == []


def test_memory_of_seen_events_is_bounded(adapter: GenericAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic, "REMEMBERED_EVENTS", 10)
    for number in range(50):
        adapter.feed(raw(READY | {"id": str(number)}))
    size = len(adapter.dump())
    for number in range(50, 100):
        adapter.feed(raw(READY | {"id": str(number)}))
    assert len(adapter.dump()) <= size + 2
    assert adapter.feed(raw(READY | {"id": "99"})) == []


@pytest.mark.parametrize("form", [int, str, lambda n: f"{n:09d}"])
def test_a_jump_in_sequence_is_a_gap(adapter: GenericAdapter, form: Any) -> None:
    for number in (5, 6, 9, 10, 1, 2):  # 7 and 8 are lost; then the producer starts again
        adapter.feed(raw(READY | {"id": str(number), "sequence": form(number)}))
    assert (adapter.gaps, adapter.lost, adapter.duplicates) == (1, 2, 0)


def test_state_survives_a_dump(adapter: GenericAdapter) -> None:
    adapter.feed(raw(READY | {"sequence": 5}))
    other = GenericAdapter("s1", SiteConfig())
    other.load(adapter.dump())
    assert other.feed(raw(READY)) == []
    assert len(other.feed(raw(READY | {"id": "new", "sequence": 8}))) == 1
    assert (other.duplicates, other.gaps, other.lost) == (1, 1, 2)


def test_every_kind_of_event_but_those_of_the_clock_and_of_commands_is_accepted(adapter: GenericAdapter) -> None:
    from floorwatch.eventdocs import example_of

    for number, kind in enumerate(events.DATA_TYPES):
        if kind in (events.Clock, events.ClockJumped, events.CommandAnswered):
            continue
        value = example_of(kind) | {"id": str(number), "time": datetime.now(UTC).isoformat()}
        value.pop("site", None)
        (event,) = adapter.feed(raw(json.loads(json.dumps(value))))
        assert type(event.data) is kind
