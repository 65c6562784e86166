"""Records as the client read them, whatever their producer stamped and left out: `shared.kafkarecords`."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from shared.envelope import LATEST
from shared.errors import InvalidInput
from shared.kafkarecords import Records
from shared.raw import from_record


def found(**more: Any) -> SimpleNamespace:
    values = {"topic": "switch.raw", "partition": 0, "offset": 7, "key": b"s1", "value": b"{}", "headers": ()}
    return SimpleNamespace(**values | {"timestamp": 1_795_000_000_000} | more)


@pytest.mark.parametrize(
    ("stamp", "written"),
    [
        (1_795_000_000_000, datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)),
        (1_795_000_000_000_000, LATEST),  # microseconds: the year 58 851, of which every reader of the topic died
        (1_795_000_000_000_000_000, LATEST),
        (-5, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1970, 1, 1, tzinfo=UTC)),  # Kafka's word for none
    ],
)
def test_a_stamp_beyond_the_calendar_is_put_at_its_end(stamp: int, written: datetime) -> None:
    (record,) = Records().of([found(timestamp=stamp)])
    assert record.written == written


@pytest.mark.parametrize("stamp", [1_795_000_000_000_000, -1])
def test_such_a_stamp_is_no_time_of_receipt(stamp: int) -> None:
    (record,) = Records().of([found(timestamp=stamp, headers=(("vendor", b"generic"), ("site", b"s1")))])
    with pytest.raises(InvalidInput, match="no time of ours") as told:
        from_record(record.value, record.headers, 0, 7, record.written)
    assert told.value.reason == "bad_headers"


def test_what_has_no_value_has_an_empty_one() -> None:
    (record,) = Records().of([found(key=None, value=None, headers=(("vendor", b"generic"), ("site", None)))])
    assert (record.key, record.value, record.headers) == (b"", b"", (("vendor", b"generic"), ("site", b"")))


def test_neighbours_share_their_stamp_and_none_is_mixed_up() -> None:
    stamps = [5, 5, 7, 10**17, 10**17, 5]
    records = Records().of([found(timestamp=stamp) for stamp in stamps])
    assert [int(record.written.timestamp() * 1000) for record in records[:3]] == [5, 5, 7]
    assert [record.written for record in records[3:5]] == [LATEST, LATEST]
    assert records[5].written == records[0].written
