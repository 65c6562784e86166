"""How far marks are held back follows how late events come."""

from __future__ import annotations

import pytest

from services.ingest.holdback import LEAST_S, MOST_S, HoldBack


def after(lags: list[float], *, apart_s: float = 0.1) -> tuple[HoldBack, float]:
    """A site whose events came with these lags, and the time of the last."""
    found, now = HoldBack(), 100.0
    for lag in lags:
        now += apart_s
        found.arrived(lag, 1, now)
    return found, now


def test_while_little_is_known_it_is_what_a_busy_machine_needs() -> None:
    found, now = after([0.001] * 19)
    assert found.seconds(now) == MOST_S
    found.arrived(0.001, 1, now)
    assert found.seconds(now) < MOST_S


def test_it_is_the_worst_lag_and_a_margin() -> None:
    found, now = after([0.002] * 40 + [0.02] + [0.002] * 40)
    assert found.seconds(now) == pytest.approx(0.035)


def test_it_has_bounds() -> None:
    found, now = after([0.0] * 50)
    assert found.seconds(now) == LEAST_S
    found, now = after([0.3] * 50)
    assert found.seconds(now) == MOST_S


def test_the_worst_counts_for_ten_seconds_at_least_and_twenty_at_most() -> None:
    found, now = after([0.04] + [0.002] * 95)  # 9.5 s later
    assert found.seconds(now) == pytest.approx(0.055)
    found, now = after([0.04] + [0.002] * 205)
    assert found.seconds(now) == LEAST_S


def test_what_was_known_before_a_silence_is_known_no_longer() -> None:
    found, now = after([0.002] * 50)
    assert found.seconds(now) == LEAST_S
    assert found.seconds(now + 21) == MOST_S
