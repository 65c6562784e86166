"""Callers' numbers are hidden wherever they may be, and what is none stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.masking import masked, masked_deep, masked_field, masked_text

NUMBERS = st.from_regex(r"\+?[0-9]{7,15}", fullmatch=True)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8613912345678", "+•••••••••5678"),
        ("(030) 1234-567", "(•••) •••4-567"),
        ("1001", "1001"),
        ("95588", "95588"),
        ("anonymous", "anonymous"),
        ("sip:+4930123456@pbx", "sip:+••••••3456@pbx"),
        ("", ""),
    ],
)
def test_the_last_four_digits_stay(number: str, shown: str) -> None:
    assert masked(number) == shown


@given(st.from_regex(r"\+?[0-9 ().-]{1,20}", fullmatch=True))
def test_masking_twice_is_masking_once_and_shows_four_digits_at_most(number: str) -> None:
    shown = masked(number)
    assert shown == number or sum(char.isdigit() for char in shown) == 4
    assert masked(shown) == shown
    assert masked_text(masked_text(number)) == masked_text(number)


@given(
    NUMBERS,
    st.sampled_from(["{}", "call {} back", '{{"from_number":"{}"}}', "电话{}。", "CallerIDNum: {}\r\n", "<{}>"]),
)
def test_a_number_in_a_text_is_hidden_and_the_text_as_long_as_before(number: str, text: str) -> None:
    shown = masked_text(text.format(number))
    assert number.lstrip("+") not in shown
    assert len(shown) == len(text.format(number))
    assert number[-4:] in shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22 09:00:00,123",
        "2026-11-22T09:00:00.123456+00:00",
        "1795358578.42",  # Asterisk's unique id
        "listening on 192.168.100.200:8600",
        "550e8400-e29b-41d4-a716-446655440000",
        "0123abc4567890def",
        "offset 12345",
        "9.3 s (limit 7 s), 12 of 15",
    ],
)
def test_what_is_no_number_of_a_caller_stays(text: str) -> None:
    assert masked_text(text) == text


@pytest.mark.parametrize("name", ["from_number", "CallerIDNum", "caller_id", "ani", "phone", "customer", "attr_mobile"])
def test_a_field_for_numbers_is_masked_whatever_it_holds(name: str) -> None:
    assert masked_field(name, "PJSIP/x4930123456") == "PJSIP/x••••••3456"


@pytest.mark.parametrize("name", ["call_id", "customer_id", "uniqueid", "queue", "agent"])
def test_ids_stay_for_they_join_things_together(name: str) -> None:
    assert masked_field(name, "4930123456") == "4930123456"


def test_json_is_masked_by_what_its_keys_say_and_its_texts_look_like() -> None:
    seen = {
        "call_id": "4930123456",
        "legs": [{"peer": "x4930123456", "since": "2026-11-22T09:00:00Z"}],
        "n": 4930123456,
    }
    assert masked_deep(seen) == {
        "call_id": "4930123456",
        "legs": [{"peer": "x••••••3456", "since": "2026-11-22T09:00:00Z"}],
        "n": 4930123456,
    }
    assert masked_deep({"note": ["ring +49 30 123456"]}) == {"note": ["ring +•• •• ••3456"]}
