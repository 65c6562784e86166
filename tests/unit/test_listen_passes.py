"""Passes to the sound of a listen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.monitor.listen.passes import VALID_S, read_pass, sign_pass
from shared.tokens import NotAuthenticated, Signer

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECRET, OTHER = "s" * 32, "o" * 32


def test_a_pass_says_who_may_hear_what_for_a_minute_as_often_as_needed() -> None:
    token = sign_pass(SECRET, "ina", "listen-1", NOW)
    for second in (0, 30, VALID_S - 1):
        assert read_pass(SECRET, token, NOW + timedelta(seconds=second)) == ("ina", "listen-1")
    with pytest.raises(NotAuthenticated) as refused:
        read_pass(SECRET, token, NOW + timedelta(seconds=VALID_S))
    assert refused.value.reason == "expired"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "missing"),
        ("x", "invalid"),
        ("x" * 5000, "invalid"),
        (sign_pass(OTHER, "ina", "listen-1", NOW), "invalid"),
        (Signer(SECRET).sign("ina", NOW, timedelta(hours=1)), "invalid"),  # a token to sign in with is no pass
        (sign_pass(SECRET, "ina", "listen-1", NOW)[:-3] + "AAA", "invalid"),
    ],
)
def test_nothing_else_is_one(token: str, reason: str) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        read_pass(SECRET, token, NOW)
    assert refused.value.reason == reason


def test_a_pass_is_no_token_to_sign_in_with() -> None:
    with pytest.raises(NotAuthenticated):
        Signer(SECRET).read(sign_pass(SECRET, "ina", "listen-1", NOW), NOW)
