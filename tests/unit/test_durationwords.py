"""How long something is or lasted is said in one way: in flags, mails and reports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codewords import Language
from shared.durationwords import exact, hours, lasting, tenths

LANGUAGES: tuple[Language, ...] = ("en", "zh")


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (7, "7 s", "7 秒"),
        (0.5, "0.5 s", "0.5 秒"),
        (90, "90 s", "90 秒"),
        (900, "15 min", "15 分钟"),
        (7200, "2 h", "2 小时"),
        (172_800, "2 d", "2 天"),
        (0, "0 s", "0 秒"),
    ],
)
def test_a_limit_is_said_in_the_largest_unit_that_it_is_a_whole_number_of(seconds: float, en: str, zh: str) -> None:
    assert (exact(seconds, "en"), exact(seconds, "zh")) == (en, zh)


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0, "0 s", "0 秒"),
        (9.34, "9.3 s", "9.3 秒"),
        (45.02, "45 s", "45 秒"),
        (59.96, "1 min", "1 分钟"),
        (725, "12 min 5 s", "12 分钟 5 秒"),
        (7383, "2 h 3 min", "2 小时 3 分钟"),
        (7204, "2 h", "2 小时"),
        (86_400 * 3 + 14_500, "3 d 4 h", "3 天 4 小时"),
    ],
)
def test_what_lasted_is_said_in_two_units_at_most(seconds: float, en: str, zh: str) -> None:
    assert (lasting(seconds, "en"), lasting(seconds, "zh")) == (en, zh)


def test_tenths_and_hours() -> None:
    assert (tenths(9, "en"), tenths(9.26, "zh")) == ("9.0 s", "9.3 秒")
    assert (hours(4_500_000, "en"), hours(36_000, "zh")) == ("1,250 h", "10 小时")


@given(st.floats(min_value=0, max_value=10**9, allow_nan=False), st.sampled_from(LANGUAGES))
def test_what_is_said_is_never_off_by_more_than_its_smaller_unit(seconds: float, language: Language) -> None:
    sizes = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "秒": 1, "分钟": 60, "小时": 3600, "天": 86_400}
    words = lasting(seconds, language).split(" ")
    said = sum(float(number) * sizes[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    order = [1, 60, 3600, 86_400]
    largest = sizes[words[1]]
    smaller = order[max(0, order.index(largest) - 1)]
    assert len(words) <= 4
    assert abs(said - seconds) <= smaller
