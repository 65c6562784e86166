"""The bank's call log as events: what a row becomes, when it is released, and every irregularity by its name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.anonymous_bank import END, AnonymousBankAdapter
from services.ingest.adapters.registry import ADAPTERS
from shared import events
from shared.errors import InvalidInput
from shared.events import Event
from shared.raw import Raw
from shared.siteconfig import SiteConfig
from tests import bankkit
from tests.bankkit import HEADER, row

SITE = "bank"
TEN = 10 * 3600  # ten in the morning
RECEIVED = datetime(1999, 1, 5, tzinfo=UTC)


def adapter(time_zone: str = "UTC") -> AnonymousBankAdapter:
    return AnonymousBankAdapter(SITE, SiteConfig(time_zone=time_zone))


def raw(value: bytes, offset: int = 0, shift_s: float = 0.0) -> Raw:
    return Raw(
        value=value,
        vendor="anonymous_bank",
        site=SITE,
        connector="file",
        received=RECEIVED,
        partition=0,
        offset=offset,
        shift_s=shift_s,
    )


def feed(
    machine: AnonymousBankAdapter, lines: Iterable[str | bytes], shift_s: float = 0.0, first: int = 0
) -> list[Event]:
    found: list[Event] = []
    for offset, line in enumerate(lines, first):
        value = line if isinstance(line, bytes) else line.encode()
        found += machine.feed(raw(value, offset, shift_s))
    return found


def told(*rows: list[str], time_zone: str = "UTC", shift_s: float = 0.0) -> tuple[list[Event], AnonymousBankAdapter]:
    """All events of a log of these rows, and the adapter that told them."""
    machine = adapter(time_zone)
    return feed(machine, [*bankkit.tabbed(*rows), END], shift_s), machine


def jerusalem(second: int, day: int = 5) -> datetime:
    """`second` seconds after midnight of a day of January 1999, when the bank's clock was two hours ahead of UTC."""
    return datetime(1999, 1, day, tzinfo=UTC) + timedelta(seconds=second - 2 * 3600)


def times(found: list[Event]) -> dict[str, datetime]:
    return {type(event.data).__name__: event.time for event in found}


def test_it_is_the_adapter_of_its_vendor() -> None:
    assert ADAPTERS["anonymous_bank"] is AnonymousBankAdapter


def test_a_row_of_a_served_call_becomes_its_story() -> None:
    found, _ = told(row(TEN, vru=6, wait=153, talk=54, server="MICHAL", kind="NW", priority="2", serve_after=-1))
    call = "990105-100000-AA0101-1"
    assert [(event.time, event.data) for event in found] == [
        (
            jerusalem(TEN),
            events.CallStarted(call_id=call, attributes={"type": "NW", "priority": "2", "date": "1999-01-05"}),
        ),
        (jerusalem(TEN + 6), events.CallQueued(call_id=call, queue="NW")),
        (
            jerusalem(TEN + 158),
            events.LegStarted(
                call_id=call, leg_id=f"{call}/agent", agent_id="MICHAL", role="agent", state="talking", queue="NW"
            ),
        ),
        (
            jerusalem(TEN + 159),
            events.CallDequeued(call_id=call, queue="NW", reason="answered", agent_id="MICHAL"),
        ),
        (jerusalem(TEN + 212), events.LegCleared(call_id=call, leg_id=f"{call}/agent")),
        (jerusalem(TEN + 212), events.CallCleared(call_id=call)),
    ]
    assert {event.precisionms for event in found} == {1000}


def test_a_caller_who_hung_up_has_no_agent_whatever_the_row_says_of_service() -> None:
    found, machine = told(row(TEN, wait=40, outcome="HANG", talk=9, server="ANAT"))
    kinds = [type(event.data) for event in found]
    assert kinds == [events.CallStarted, events.CallQueued, events.CallDequeued, events.CallCleared]
    assert found[2].data == events.CallDequeued(call_id="990105-100000-AA0101-1", queue="PS", reason="abandoned")
    assert machine.counts.irregular() == {"hang_with_ser_time": 1, "hang_with_server": 1}


def test_a_phantom_makes_no_call_and_is_counted() -> None:
    found, machine = told(row(TEN, outcome="PHANTOM", kind="TT"))
    assert found == []
    assert machine.counts.irregular() == {"phantom": 1, "phantom_with_ser_time": 1}
    assert machine.counts.phantom_by_type == {"TT": 1}


def test_a_service_by_nobody_named_is_a_line_without_an_agent() -> None:
    found, machine = told(row(TEN, server="NO_SERVER", talk=3))
    [leg] = [event.data for event in found if isinstance(event.data, events.LegStarted)]
    assert leg.agent_id == ""
    assert machine.counts.irregular() == {"agent_with_NO_SERVER": 1}


def test_a_customer_number_goes_nowhere() -> None:
    found, _ = told(row(TEN, customer_id="9664491"))
    assert "9664491" not in repr(found)


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (row(TEN, talk=0), {"agent_ser_time_zero": 1}),
        (row(TEN, talk=3 * 3600 + 1), {"agent_ser_time_gt_3600": 1}),
        (row(TEN, vru=-20), {"vru_time_negative": 1}),
        (row(TEN, wait=30, serve_after=-2), {"ser_start_before_q_exit": 1}),
        (row(TEN, wait=-3), {"q_time_negative": 1}),
        (row(TEN, talk=-3), {"ser_time_negative": 1}),
        (row(86_390, talk=60), {"service_ends_after_midnight": 1}),
        (row(86_390, wait=60, vru=1, outcome="HANG", talk=0, server="NO_SERVER"), {"queue_spans_midnight": 1}),
        (row(TEN, wait=30, serve_after=0, q_time="31"), {"q_time_ne_exit_minus_start_mod_day": 1}),
        (row(TEN, ser_time="61"), {"ser_time_ne_exit_minus_start_mod_day": 1}),
        (row(TEN, vru_time="7"), {"vru_time_ne_exit_minus_entry": 1}),
        (row(TEN, server="NO_SERVERTALI"), {"server_names_with_embedded_NO_SERVER": 1}),
        (row(TEN, vru_entry="24:00:10", vru_exit="0:00:15", ser_start="0:00:15", ser_exit="0:01:15"), {"hour_24": 1}),
        (row(TEN, ser_start="3:00:00", ser_exit="3:01:00"), {"clock_far_off": 1}),
    ],
)
def test_each_irregularity_has_its_name(one: list[str], names: dict[str, int]) -> None:
    _, machine = told(one)
    found = machine.counts.irregular()
    assert {name: found.get(name) for name in names} == names


def test_two_services_of_one_agent_at_a_time_are_counted_and_one_after_the_other_not() -> None:
    _, machine = told(row(TEN, talk=100), row(TEN + 50, call_id="2"), row(TEN + 110, call_id="3"))
    assert machine.counts.irregular() == {"services_of_one_agent_overlap": 1}


def test_a_row_told_twice_is_two_calls_and_counted() -> None:
    found, machine = told(row(TEN, talk=0), row(TEN, talk=0))
    assert machine.counts.irregular() == {"agent_ser_time_zero": 2, "row_twice": 1}
    assert len({event.data.call_id for event in found if isinstance(event.data, events.CallStarted)}) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("AA0101\t33116", "wrong_field_count"),
        ("\t".join(row(TEN, server="AVI DAN")), "wrong_field_count"),
        ("\t".join(row(TEN, date="990231")), "bad_date"),
        ("\t".join(row(TEN, date="19990105")), "bad_date"),
        ("\t".join(row(TEN, vru_exit="25:00:00")), "bad_time"),
        ("\t".join(row(TEN, ser_exit="10:00:60")), "bad_time"),
        ("\t".join(row(TEN, q_time="x")), "bad_number"),
        ("\t".join(row(TEN, ser_time="9999999")), "bad_number"),
        ("\t".join(row(TEN, outcome="agent")), "unknown_outcome"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_with_its_reason_and_changes_nothing(line: str, reason: str) -> None:
    machine = adapter()
    feed(machine, bankkit.tabbed(row(TEN)))
    before = machine.dump()
    with pytest.raises(InvalidInput) as refused:
        feed(machine, [line])
    assert refused.value.reason == reason
    assert machine.dump() == before


@pytest.mark.parametrize(
    "line",
    [
        "  ".join(row(TEN)),
        "\t".join(field.ljust(10) for field in row(TEN)),
        "\t".join(row(TEN)) + " ",
        " " + "\t\t".join(row(TEN)),
    ],
)
def test_padded_and_blank_separated_fields_read_the_same_and_are_counted(line: str) -> None:
    plain, _ = told(row(TEN))
    machine = adapter()
    assert feed(machine, [line, END]) == plain
    assert machine.counts.irregular() == {"lines_repaired_by_whitespace_split": 1}


def test_line_ends_of_another_system_need_no_repair() -> None:
    plain, _ = told(row(TEN))
    machine = adapter()
    assert feed(machine, ["\t".join(row(TEN)) + "\r\n", END]) == plain
    assert machine.counts.irregular() == {}


def test_column_names_and_empty_lines_make_nothing_and_only_the_first_names_are_regular() -> None:
    machine = adapter()
    assert feed(machine, [HEADER, "", "  ", HEADER, END]) == []
    assert machine.counts.irregular() == {"empty_line": 2, "header_repeated": 1}


# ---------------------------------------------------------------- when


def test_events_wait_until_a_later_row_makes_them_certain() -> None:
    machine = adapter()
    assert feed(machine, bankkit.tabbed(row(TEN), row(TEN + 600, call_id="2"))) == []
    found = feed(machine, bankkit.tabbed(row(TEN + 660, call_id="3")))
    assert [type(event.data) for event in found] == [
        events.CallStarted,
        events.LegStarted,  # the agents' clock is a second behind the queue's
        events.CallQueued,
        events.CallDequeued,
    ]
    assert len(feed(machine, [END])) == 14


@given(st.lists(bankkit.rows(), max_size=30))
def test_events_of_rows_in_order_come_in_order(found: list[list[str]]) -> None:
    """But for a line that was over before the queue's clock said that the call was answered."""
    sorted_rows = sorted(found, key=lambda one: (one[5].replace("000229", "9A0229"), bankkit._secs(one[6])))
    told_events, machine = told(*sorted_rows)
    times_ = [event.time for event in told_events if not isinstance(event.data, events.LegCleared)]
    assert times_ == sorted(times_)
    assert not {"row_out_of_order", "event_released_late"} & set(machine.counts.irregular())


@given(st.lists(bankkit.lines(), max_size=25), st.integers(0, 25))
def test_a_checkpoint_anywhere_changes_nothing(lines: list[str], cut: int) -> None:
    whole, first, second = adapter(), adapter(), adapter()
    before = feed(first, lines[:cut])
    second.load(first.dump())
    after = feed(second, [*lines[cut:], END], first=len(lines[:cut]))
    assert before + after == feed(whole, [*lines, END])
    assert second.dump() == whole.dump()


def test_a_row_that_comes_too_late_is_told_at_once_and_counted() -> None:
    machine = adapter()
    feed(machine, bankkit.tabbed(row(TEN), row(TEN + 7200, call_id="2")))
    found = feed(machine, bankkit.tabbed(row(TEN + 100, call_id="3", talk=5)))
    assert [event.data.call_id for event in found if isinstance(event.data, events.CallCleared)] == [
        "990105-100140-AA0101-3"
    ]
    assert machine.counts.irregular() == {"row_out_of_order": 1, "event_released_late": 6}


def test_a_shift_moves_every_time() -> None:
    plain, _ = told(row(TEN, wait=30))
    moved, _ = told(row(TEN, wait=30), shift_s=3600.5)
    assert [one.time - other.time for one, other in zip(moved, plain, strict=True)] == [timedelta(seconds=3600.5)] * 6


# ---------------------------------------------------------------- clocks


def test_what_follows_midnight_is_of_the_next_day() -> None:
    found, _ = told(row(86_390, vru=5, wait=30, talk=20))
    assert times(found) == {
        "CallStarted": jerusalem(86_390),
        "CallQueued": jerusalem(86_395),
        "LegStarted": jerusalem(24, day=6),
        "CallDequeued": jerusalem(25, day=6),
        "LegCleared": jerusalem(44, day=6),
        "CallCleared": jerusalem(44, day=6),
    }


def test_an_exit_before_the_entry_is_when_the_call_began_too() -> None:
    found, _ = told(row(TEN, vru=-100, outcome="HANG", talk=0, server="NO_SERVER"))
    assert {event.time for event in found} == {jerusalem(TEN - 100)}
    found, _ = told(row(10, vru=-20, outcome="HANG", talk=0, server="NO_SERVER"))
    assert {event.time for event in found} == {jerusalem(86_390, day=4)}


def test_a_service_too_far_from_its_answer_begins_with_the_answer() -> None:
    found, _ = told(row(TEN, wait=30, ser_start="0:00:00", ser_exit="0:01:00"))
    assert times(found)["LegStarted"] == jerusalem(TEN + 35)
    assert times(found)["LegCleared"] == jerusalem(TEN + 95)


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 2), ("Asia/Jerusalem", 2), ("Europe/Berlin", 1)])
def test_the_clock_is_that_of_the_site_and_without_one_that_of_the_bank(zone: str, hours: int) -> None:
    found, _ = told(row(TEN), time_zone=zone)
    assert found[0].time == datetime(1999, 1, 5, 10 - hours, tzinfo=UTC)


def utc_of(found: list[Event]) -> list[str]:
    return [f"{event.time:%d %H:%M:%S}" for event in found]


def attributes(found: list[Event]) -> dict[str, str]:
    [one] = [event.data.attributes for event in found if isinstance(event.data, events.CallStarted)]
    return one


def hung_up(entry: int, day: str, **fields: Any) -> list[str]:
    return row(entry, day=day, outcome="HANG", talk=0, server="NO_SERVER", **fields)


def test_before_and_after_the_day_of_summer_time_each_hour_has_its_offset() -> None:
    """2 April 1999, 02:00 became 03:00."""
    found, machine = told(hung_up(3600 + 3500, "990402", vru=0), hung_up(3 * 3600, "990402", vru=0, call_id="2"))
    assert utc_of(found) == ["01 23:58:20"] * 4 + ["02 00:00:00"] * 4
    assert machine.counts.irregular() == {}


def test_a_time_that_never_was_is_of_a_clock_not_yet_moved() -> None:
    found, machine = told(hung_up(2 * 3600 - 5, "990402", vru=10))
    assert utc_of(found) == ["01 23:59:55", "02 00:00:05", "02 00:00:05", "02 00:00:05"]
    assert machine.counts.irregular() == {"dst_gap": 1}
    assert attributes(found)["utc_offset"] == "+02:00"


def test_of_a_time_that_was_twice_the_first_is_meant() -> None:
    """3 September 1999, 02:00 became 01:00."""
    found, machine = told(hung_up(3600 + 1800, "990903", vru=10))
    assert utc_of(found)[0] == "02 22:30:00"
    assert machine.counts.irregular() == {"dst_overlap": 1}


def test_unless_the_row_goes_on_after_the_change() -> None:
    found, _ = told(hung_up(7200 - 5, "990903", vru=10))
    assert utc_of(found)[:2] == ["02 23:59:55", "03 00:00:05"]
