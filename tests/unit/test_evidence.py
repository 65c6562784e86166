from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core.evidence import numbers_in, plain_rows, transfer_of
from tests.flagkit import BRIDGED, CALLER, T0, TRANSFER


def test_what_masking_changes_is_found_so_that_a_sentence_can_be_masked_too() -> None:
    seen = {"from_number": CALLER, "call_id": "1763788123.44", "legs": [{"peer": CALLER, "agent_id": "1001"}]}
    assert list(numbers_in(seen)) == [CALLER, CALLER]


def seen_at(seconds: float) -> Any:
    return T0 + timedelta(seconds=seconds)


def test_a_running_transfer_shows_how_long_its_open_leg_lasts() -> None:
    found = transfer_of(TRANSFER, {}, 7.0, seen_at(7))
    assert found is not None
    assert [(leg.name, leg.seconds, leg.open_s) for leg in found.legs] == [
        ("seek", 1.2, None),
        ("ring", None, 5.8),
        ("brief", None, None),
    ]
    assert (found.total_s, found.outcome, found.to) == (None, "running", "1002")


def test_a_completed_transfer_has_all_its_legs() -> None:
    found = transfer_of(TRANSFER, BRIDGED, 7.0, seen_at(9.3))
    assert found is not None
    assert [(leg.name, leg.seconds) for leg in found.legs] == [("seek", 1.2), ("ring", 3.7), ("brief", 4.4)]
    assert (found.total_s, found.outcome) == (9.3, "completed")


def test_a_failed_transfer_has_no_total() -> None:
    failed = TRANSFER | {"outcome": "failed", "ended": seen_at(8).isoformat()}
    found = transfer_of(TRANSFER, failed, 7.0, seen_at(8))
    assert found is not None
    assert found.total_s is None
    assert found.legs[1].open_s == pytest.approx(6.8)


def test_the_fields_of_the_record_are_read_too() -> None:
    """`floor.records` names the stamps requested_at, ringing_at, ..."""
    record = {f"{k}_at" if k in ("requested", "ringing") else k: v for k, v in TRANSFER.items()}
    found = transfer_of(record, {}, 7.0, seen_at(7))
    assert found is not None
    assert dict(found.stamps)["ringing"] == seen_at(1.2)


def test_a_blind_transfer_has_no_brief() -> None:
    found = transfer_of(TRANSFER | {"kind": "blind"}, {}, 7.0, seen_at(7))
    assert found is not None
    assert [leg.name for leg in found.legs] == ["seek", "ring"]


@given(
    st.dictionaries(
        st.sampled_from([*TRANSFER, "total_s", "extra"]), st.none() | st.text() | st.floats() | st.booleans()
    )
)
def test_evidence_of_any_shape_is_survived(evidence: dict[str, Any]) -> None:
    transfer_of(evidence, evidence, 7.0, T0)
    assert all(isinstance(name, str) and isinstance(text, str) for name, text in plain_rows(evidence))
    list(numbers_in(evidence))


def test_a_stamp_of_no_time_of_ours_is_none() -> None:
    """One of the calendar's last day cannot be shown where it is the next day already."""
    found = transfer_of(TRANSFER | {"released": "9999-12-31T23:59:59-14:00"}, {}, 7.0, seen_at(7))
    assert found is not None
    assert "released" not in dict(found.stamps)


def test_other_evidence_is_no_transfer() -> None:
    assert transfer_of({"agent_id": "1001", "state": "wrap", "requested": T0.isoformat()}, {}, 45.0, T0) is None
