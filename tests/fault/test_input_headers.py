"""Headers of `switch.raw` that no connector of ours writes: refused by name; whatever is taken can be written down and go on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters.registry import ADAPTERS
from services.ingest.pipeline import IngestMachine
from shared.codec import decode_event, encode
from shared.errors import InvalidInput
from shared.raw import LARGEST_SEQ, LONGEST_NAME, Raw, from_record
from shared.siteconfig import Sites
from tests.ingestkit import cloud, raw

NOW: Final = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
GOOD: Final = {"vendor": b"generic", "site": b"hq", "connector": b"c", "received": NOW.isoformat().encode()}
READY: Final = json.dumps(cloud("agent_ready", {"agent_id": "7"})).encode()


def read(*, value: bytes = READY, offset: int = 0, **headers: bytes) -> Raw:
    return from_record(value, tuple((GOOD | headers).items()), 0, offset, NOW)


def refusal(**headers: bytes) -> str:
    with pytest.raises(InvalidInput) as found:
        read(**headers)
    assert found.value.reason == "bad_headers"
    return str(found.value)


def lives_on(machine: IngestMachine) -> None:
    """What it knows goes into a checkpoint and back, and its clocks go on."""
    other = IngestMachine(Sites())
    other.load(machine.dump())
    assert other.dump() == machine.dump()
    for one in machine.clocks.values():
        for wall in (NOW, NOW + timedelta(seconds=1)):
            one.now(wall)
            mark = one.mark(wall)
            assert mark is None or decode_event(encode(mark)) == mark, "a mark that no reader understands"


@pytest.mark.parametrize(
    ("header", "value", "said"),
    [
        (
            "seq",
            b"9" * 30,
            f"seq is not between 0 and {LARGEST_SEQ}",
        ),  # no checkpoint could hold it: ingest ended, for ever
        ("seq", b"-1", "seq is not between"),
        ("seq", b"9" * 5000, "a header cannot be read"),
        ("seq", b"\xff", "a header cannot be read"),
        (
            "received",
            b"9999-12-31T23:59:59+00:00",
            "is not between 1970 and 2200",
        ),  # an event that no monitor could read
        ("received", b"0001-01-01T00:00:00+14:00", "is not between 1970 and 2200"),  # before the calendar in UTC
        ("received", b"2026-11-22T09:00:00", "no time zone"),
        ("shift_s", b"far", "a header cannot be read"),
        *(
            ("shift_s", value, "shift_s is not between") for value in (b"nan", b"inf", b"-1e11", b"1e300")
        ),  # no adapter's fault
        ("site", b"", "site has 0 characters"),
        ("site", b"s" * (LONGEST_NAME + 1), f"site has {LONGEST_NAME + 1} characters"),
        ("site", "\ud800".encode("utf-8", "surrogatepass"), "a header cannot be read"),
        ("connector", b"c" * 500_000, "connector has 500000 characters"),
        ("session", b"s" * 900_000, "session has 900000 characters"),
    ],
)
def test_a_header_that_cannot_be_is_refused_by_name(header: str, value: bytes, said: str) -> None:
    assert said in refusal(**{header: value})


@pytest.mark.parametrize("missing", ["vendor", "site"])
def test_who_says_it_must_be_said(missing: str) -> None:
    headers = tuple((name, value) for name, value in GOOD.items() if name != missing)
    with pytest.raises(InvalidInput, match=f"header {missing} is missing"):
        from_record(READY, headers, 0, 0, NOW)


def test_of_a_header_that_is_there_twice_the_last_counts() -> None:
    headers = (*GOOD.items(), ("site", b"lab"))
    assert from_record(READY, headers, 0, 0, NOW).site == "lab"


def test_without_a_time_of_receipt_it_is_the_brokers() -> None:
    headers = tuple((name, value) for name, value in GOOD.items() if name != "received")
    assert from_record(READY, headers, 0, 0, NOW).received == NOW


def test_numbers_that_jump_as_far_as_they_may_again_and_again_fit_into_a_checkpoint() -> None:
    """Each session a gap of 2⁵³; of the generic form's own numbers one of 10¹⁸ each time they begin anew."""
    machine = IngestMachine(Sites())
    for number in range(40):
        for seq, sequence in ((0, 1), (LARGEST_SEQ, 10**18 - 1)):
            value = cloud("agent_ready", {"agent_id": "7"}, id=f"{number}-{seq}", sequence=sequence)
            machine.apply(raw(value, session=f"s{number}", seq=seq))
    (source,) = machine.sources
    assert (source.gaps, source.lost) == (80, LARGEST_SEQ)
    lives_on(machine)


def test_a_fast_floor_that_was_received_in_1970_leaves_no_calendar() -> None:
    """A machine without a battery begins in 1970; at a thousand times our speed its floor is beyond the year 9999 by now."""
    machine = IngestMachine(Sites())
    early = {"received": b"1970-01-02T00:00:00+00:00"}
    up = cloud("link_up", {"connector": "c", "speed": 1000.0, "simulated": True})
    machine.apply(read(value=json.dumps(up | {"time": "1970-01-02T00:00:00Z"}).encode(), **early))
    machine.apply(read(value=json.dumps(cloud("agent_ready", {"agent_id": "7"})).encode(), offset=1, **early))
    lives_on(machine)


DIGITS: Final = st.sampled_from([b"0", b"1", b"-1", b"9" * 17, b"9" * 30, b"1_0", b" 7", b"1e5", b"", b"\xff"])
TIMES: Final = st.datetimes(timezones=st.sampled_from([UTC, None])).map(lambda when: when.isoformat().encode())
NAMES: Final = st.sampled_from([b"hq", b"", b"\0", b"a\0b", b"x" * 600, "总部".encode(), b"\xed\xa0\x80"]) | st.binary(
    max_size=6
)
HEADERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "seq": DIGITS,
        "received": TIMES | st.binary(max_size=9),
        "shift_s": st.floats().map(lambda number: repr(number).encode()) | DIGITS,
        "site": NAMES,
        "connector": NAMES,
        "session": NAMES,
        "vendor": st.sampled_from([name.encode() for name in (*ADAPTERS, "acme", "")]),
        "kind": st.sampled_from([b"link", b"event", b"", b"LINK"]),
    },
)
VALUES: Final = st.sampled_from(
    [
        READY,
        json.dumps(cloud("link_up", {"connector": "c"})).encode(),
        json.dumps(cloud("link_up", {"connector": "c", "speed": 1000.0, "replay": True})).encode(),
        json.dumps(cloud("link_down", {"connector": "c", "reason": "x"})).encode(),
        json.dumps(cloud("call_started", {"call_id": "a"})).encode(),
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"Event: Newchannel\r\nUniqueid: 1.1\r\n\r\n",
    ]
)


@settings(max_examples=150)
@given(records=st.lists(st.tuples(VALUES, HEADERS), min_size=1, max_size=4))
def test_whatever_headers_say_ingest_lives_on(records: list[tuple[bytes, dict[str, Any]]]) -> None:
    machine, faults = IngestMachine(Sites()), 0
    for offset, (value, headers) in enumerate(records):
        try:
            events = machine.apply(read(value=value, offset=offset, **headers))
        except InvalidInput as exc:
            faults += exc.reason == "internal_error"
            continue
        for event in events:
            assert decode_event(encode(event)) == event, "an event that no monitor can read"
    lives_on(machine)
    assert not faults
