"""Waits between attempts: in bounds, and such that a crowd that lost the same broker does not come back all at once."""

from __future__ import annotations

import ast
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import Backoff
from shared.settings import ROOT

FIRSTS = st.floats(0.001, 60.0)
TIMES = st.floats(1.0, 1000.0)


@given(FIRSTS, TIMES, st.integers(0, 2**32), st.integers(1, 2000))
def test_a_wait_is_in_its_bounds_however_often_it_failed(first: float, times: float, seed: int, failures: int) -> None:
    longest = first * times
    backoff = Backoff(first, longest, chance=Random(seed).random)
    for failed in range(failures):
        full = min(longest, first * 2 ** min(failed, 40))
        wait = backoff.next_s()
        assert full / 2 <= wait <= full
    assert backoff.failed == failures
    backoff.worked()
    assert first / 2 <= backoff.next_s() <= first


@given(FIRSTS, TIMES)
def test_without_chance_it_doubles_up_to_the_longest(first: float, times: float) -> None:
    backoff = Backoff(first, first * times, chance=lambda: 0.0)
    waits = [backoff.next_s() for _ in range(40)]
    assert waits == sorted(waits)
    assert waits[0] == first
    assert waits[-1] == first * times


@given(FIRSTS, st.integers(0, 2**32))
def test_without_a_longest_it_stays_as_it_is(first: float, seed: int) -> None:
    backoff = Backoff(first, chance=Random(seed).random)
    assert all(first / 2 <= backoff.next_s() <= first for _ in range(100))


@pytest.mark.parametrize("away_s", [10.0, 60.0])
def test_a_crowd_that_lost_the_same_broker_comes_back_spread_over_its_longest_wait(away_s: float) -> None:
    """A thousand clients are cut off at the same moment. Whenever it is back, each comes within the longest wait, and no tenth
    of that sees more than a fourth of them."""
    chance = Random(11)
    longest = 10.0
    back = []
    for _ in range(1000):
        backoff = Backoff(0.25, longest, chance=chance.random)
        at = 0.0
        while at < away_s:
            at += backoff.next_s()
        back.append(at - away_s)
    assert max(back) <= longest
    tenths = [sum(longest * part / 10 <= at < longest * (part + 1) / 10 for at in back) for part in range(10)]
    assert max(tenths) <= 250, tenths


# ---------------------------------------------------------------- everybody

AWAY = {"BusError", "StoreError", "ProviderFault", "LinkFailed"}
# these look again after a fixed time, and may: files that hold a reason why
SELDOM = {
    "services/alerts/reach/sender.py": "each lane by itself, when a message is there to be sent",
    "services/alerts/retention/keeper.py": "old rows, once a day, a minute later",
    "services/alerts/retention/purging.py": "the same",
    "services/monitor/listen/keeper.py": "it looks once a second anyway",
    "shared/intake.py": "once, before what waits by chance",
}


def test_whoever_waits_for_what_is_away_waits_by_chance() -> None:
    """A loop that catches an outage and then sleeps for a constant comes back in the same moment as all of its kind."""
    found = set()
    for path in [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]:
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if ".sleep(" in source else ():
            if isinstance(node, ast.ExceptHandler) and node.type is not None and _names(node.type) & AWAY:
                found |= {str(path.relative_to(ROOT)) for one in ast.walk(node) if _sleeps_for_a_constant(one)}
    assert found <= SELDOM.keys(), "shared.backoff has the waits"


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _sleeps_for_a_constant(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep"):
        return False
    (seconds,) = node.args
    return isinstance(seconds, ast.Constant) or (isinstance(seconds, ast.Name) and seconds.id.isupper())
