from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import Struct

from shared.timeshift import fields_with_times, move_times

T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Inner(Struct):
    at: datetime
    word: str = ""


class Fixed(Struct, frozen=True):
    due: datetime
    name: str = "x"


class Books(Struct):
    began: datetime


class Outer(Struct):
    when: datetime | None
    other: datetime
    one: Inner
    many: dict[str, Inner]
    times: dict[str, dict[str, datetime]]
    listed: list[tuple[int, datetime]]
    fixed: list[Fixed]
    books: Books
    words: list[str] = []
    none: datetime | None = None


def state() -> Outer:
    return Outer(T, T, Inner(T), {"a": Inner(T)}, {"r": {"s": T}}, [(1, T)], [Fixed(T)], Books(T))


def test_every_time_is_moved_wherever_it_is_and_nothing_else() -> None:
    found = state()
    inner, many = found.one, found.many
    move_times(found, lambda at: at + HOUR)
    later = T + HOUR
    assert found == Outer(
        later, later, Inner(later), {"a": Inner(later)}, {"r": {"s": later}}, [(1, later)], [Fixed(later)], Books(later)
    )
    assert found.one is inner
    assert found.many is many


def test_what_is_excepted_stays() -> None:
    found = state()
    move_times(found, lambda at: at + HOUR, {Outer: frozenset({"other", "fixed"}), Books: frozenset()})
    assert (found.other, found.fixed, found.books) == (T, [Fixed(T)], Books(T))
    assert found.one.at == T + HOUR


def test_only_fields_that_may_hold_times_are_looked_at() -> None:
    assert "words" not in fields_with_times(Outer)
    assert "none" in fields_with_times(Outer)


@pytest.mark.parametrize("hint", [dict[datetime, str], set[datetime], list[dict[datetime, int]]])
def test_a_time_that_cannot_be_moved_in_place_is_an_error_and_not_forgotten(hint: type) -> None:
    bad = type("Bad", (Struct,), {"__annotations__": {"found": hint}, "__module__": __name__})
    with pytest.raises(TypeError, match=r"Bad\.found"):
        fields_with_times(bad)
