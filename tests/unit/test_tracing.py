"""From a record of `switch.raw` to an incident: the trace id, and the lines of the logs that have it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.alerts.intake import read
from services.ingest.trail import Trail
from services.monitor import trail
from services.monitor.core.engine import Engine
from shared import events
from shared.bus import Record
from shared.clock import SystemClock
from shared.codec import encode
from shared.errors import InvalidInput
from shared.facts import Fact
from shared.fewlines import MOST, SPAN_S
from shared.logs import redact
from shared.tracing import place_of, trace_id, trace_of, traceparent
from tests.floorkit import CONFIG, RULES, SITE, event

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Ticking:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at


@given(st.text(min_size=1), st.integers(0, 10_000), st.integers(0, 10**15))
def test_a_trace_id_tells_its_place_and_is_never_masked(site: str, partition: int, offset: int) -> None:
    trace = trace_id(site, partition, offset)
    assert place_of(trace) == (partition, offset)
    assert trace_of(traceparent(trace, "anything")) == trace
    assert redact(None, "", {"trace": trace}) == {"trace": trace}  # though it may look like a number to dial


@given(st.text())
def test_a_traceparent_that_cannot_be_read_is_none(text: str) -> None:
    assert trace_of(text) == "" or traceparent(trace_of(text), "")


@pytest.mark.parametrize("trace", ["", "0" * 31, "0" * 32, "g" * 32, "A" * 32])
def test_what_is_no_trace_id_has_no_place(trace: str) -> None:
    with pytest.raises(ValueError, match="no trace id"):
        place_of(trace)


def test_what_comes_of_no_record_has_no_trace() -> None:
    assert trace_id(SITE, -1, -1) == ""
    assert traceparent("", "anything") == ""


def flags_of_a_slow_transfer() -> list[Fact]:
    """Asked for in record 7; others follow, and the flag comes seven seconds later, with a mark; cleared in record 9."""
    engine, found = Engine(CONFIG, RULES), list[Fact]()
    transfer = {"transfer_id": "t1", "call_id": "c1", "from_agent": "a1", "kind": "blind"}
    for second, offset, data in (
        (0, 5, events.LinkUp(connector="c1")),
        (0, 6, events.CallStarted(call_id="c1")),
        (1, 7, events.TransferRequested(**transfer)),  # type: ignore[arg-type]
        (2, 8, events.AgentLoggedOn(agent_id="a2")),
        (9, -1, events.Clock()),
        (10, 9, events.TransferBridged(transfer_id="t1")),
    ):
        found += [fact for fact in engine.apply(event(second, data, offset)) if fact.traceparent]
    return found


def test_a_flag_goes_back_to_the_record_with_which_its_condition_began() -> None:
    raised, cleared = flags_of_a_slow_transfer()
    assert trace_of(raised.traceparent) == trace_of(cleared.traceparent) == trace_id(SITE, 0, 7)
    assert raised.rawoffset == 8  # its position is that of what was heard last: readers go by that
    assert raised.traceparent != cleared.traceparent  # two steps of one trace


def test_every_replica_says_the_same() -> None:
    assert [one.traceparent for one in flags_of_a_slow_transfer()] == [
        one.traceparent for one in flags_of_a_slow_transfer()
    ]


def test_monitor_and_alerts_have_the_trace_of_the_record() -> None:
    trace = trace_id(SITE, 0, 7)
    flags = flags_of_a_slow_transfer()
    with capture_logs() as lines:
        trail.tell(flags, "0", SystemClock())
    assert [(line["event"], line["trace"]) for line in lines] == [("flag raised", trace), ("flag cleared", trace)]
    assert [read(record(encode(flag))).trace for flag in flags] == [trace, trace]


def record(value: bytes, offset: int = 0, **headers: bytes) -> Record:
    return Record("switch.raw", 0, offset, SITE.encode(), value, tuple(headers.items()), NOW)


def refuse(told: Trail, offset: int) -> None:
    told.refused(record(b"?", offset, site=SITE.encode()), InvalidInput("not_json", "no"), offset)


def test_of_dead_letters_a_few_a_minute_are_said_and_the_rest_counted() -> None:
    clock: Any = Ticking()
    told = Trail(clock)
    with capture_logs() as lines:
        for offset in range(MOST + 30):
            refuse(told, offset)
        assert len(lines) == MOST
        assert lines[3]["trace"] == trace_id(SITE, 0, 3)
        clock.at = SPAN_S
        refuse(told, 99)
    assert lines[MOST]["reasons"] == {"not_json": 30}
    assert lines[-1]["trace"] == trace_id(SITE, 0, 99)
