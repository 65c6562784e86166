"""The audit's chain: whatever is changed in it afterwards is found, and an untouched one holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from services.monitor.listen.chain import BEGIN, Link, link, verify
from services.monitor.listen.model import Entry
from tests.floorkit import SITE, START

TEXTS = [name for name in Entry.__struct_fields__ if name != "at"]
FIELDS = ["at", *TEXTS, "id", "prev_hash", "hash"]
words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)


def chain(texts: list[str]) -> list[Link]:
    """A chain with these in it."""
    rows: list[Link] = []
    for number, text in enumerate(texts, 1):
        at = START + timedelta(microseconds=number * 1_234_567)
        entry = Entry(at=at, site=SITE, kind="asked", listen_id=f"l{number // 3}", by=text, detail='{"a":1}')
        rows.append(link(number, entry, rows[-1].hash if rows else BEGIN))
    return rows


chains = st.lists(words, min_size=1, max_size=12).map(chain)


def altered(row: Link, field: str, text: str) -> Link:
    """The row with another value there, whatever that is."""
    value: Any = text
    if field == "at":
        value = row.at + timedelta(microseconds=1)
    elif field == "id":
        value = row.id + len(text) + 1
    return msgspec.structs.replace(row, **{field: value})


@given(chains)
def test_a_chain_that_nobody_touched_holds(rows: list[Link]) -> None:
    found = verify(rows)
    assert (found.rows, found.head, found.breaks) == (len(rows), rows[-1].hash, ())
    assert verify(rows, [(one.id, one.hash) for one in rows]).breaks == ()


@given(chains, st.data())
def test_any_change_of_any_field_of_any_row_is_found(rows: list[Link], data: st.DataObject) -> None:
    place, field = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(FIELDS))
    changed = altered(rows[place], field, data.draw(words))
    assume(changed != rows[place])
    assert verify([*rows[:place], changed, *rows[place + 1 :]]).breaks


@given(chains, st.data())
def test_a_row_that_was_changed_with_its_hash_is_found_by_the_next_or_by_what_was_noted(
    rows: list[Link], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    before = rows[place]
    forged = link(before.id, msgspec.structs.replace(_entry(before), by=before.by + "x"), before.prev_hash)
    forgery = [*rows[:place], forged, *rows[place + 1 :]]
    assert bool(verify(forgery).breaks) == (place < len(rows) - 1)
    assert verify(forgery, [(rows[-1].id, rows[-1].hash)]).breaks


@given(chains, st.data())
def test_all_hashes_made_anew_are_found_by_what_was_noted(rows: list[Link], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    forgery = rows[:place]
    for number, row in enumerate(rows[place:]):
        entry = msgspec.structs.replace(_entry(row), by="somebody else") if number == 0 else _entry(row)
        forgery.append(link(row.id, entry, forgery[-1].hash if forgery else BEGIN))
    assert verify(forgery).breaks == ()
    assert "was noted" in verify(forgery, [(rows[-1].id, rows[-1].hash)]).breaks[0].what


@given(chains, st.data())
def test_a_row_that_is_gone_is_found(rows: list[Link], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(rows) - 1))
    last = data.draw(st.integers(first, len(rows) - 1))
    left = rows[:first] + rows[last + 1 :]
    noted = [(rows[-1].id, rows[-1].hash)]
    if last < len(rows) - 1:
        assert "missing" in verify(left).breaks[0].what
    else:
        assert verify(left).breaks == ()  # nothing in what is left tells it
        assert "rows were removed at the end" in verify(left, noted).breaks[-1].what
    assert verify(left, noted).breaks


@given(chains, st.data())
def test_rows_that_changed_places_are_found_also_with_their_numbers_put_right(
    rows: list[Link], data: st.DataObject
) -> None:
    assume(len(rows) > 1)
    one, other = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True))
    swapped = list(rows)
    swapped[one], swapped[other] = rows[other], rows[one]
    assert verify(swapped).breaks
    renumbered = [msgspec.structs.replace(row, id=number) for number, row in enumerate(swapped, 1)]
    assert verify(renumbered).breaks
    rehashed = [link(row.id, _entry(row), row.prev_hash) for row in renumbered]
    assert verify(rehashed).breaks


@given(chains, st.data(), words)
def test_a_row_put_in_between_is_found(rows: list[Link], data: st.DataObject, text: str) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    before = rows[place - 1].hash if place else BEGIN
    new = link(place + 1, Entry(at=START, site=SITE, kind="ended", by=text), before)
    later = [msgspec.structs.replace(row, id=row.id + 1) for row in rows[place:]]
    assert verify([*rows[:place], new, *rows[place:]]).breaks
    assert verify([*rows[:place], new, *later]).breaks
    assert verify([*rows[:place], new, *(link(one.id, _entry(one), one.prev_hash) for one in later)]).breaks


def _entry(row: Link) -> Entry:
    return Entry(**{name: getattr(row, name) for name in Entry.__struct_fields__})


def test_what_is_found_is_said_in_words() -> None:
    rows = chain(["ann", "bob", "cid", "dan"])
    changed = msgspec.structs.replace(rows[1], by="nobody")
    assert verify([rows[0], changed, *rows[2:]]).breaks[0].what.startswith("row 2 was changed: its fields do not make")
    assert verify([rows[0], *rows[2:]]).breaks[0].what == "row 2 is missing before row 3"
    assert verify([rows[3]]).breaks[0].what == "rows 1 to 3 are missing before row 4"
    moved = verify([rows[0], rows[2], rows[1], rows[3]])
    assert any("out of order" in one.what for one in moved.breaks)
    assert verify([]).head == BEGIN
