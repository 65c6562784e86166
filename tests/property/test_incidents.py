"""Whatever the order of flags, their ends, repetitions and what people do: these things hold."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core import lifecycle as steps
from services.alerts.core.grouping import Book
from services.alerts.core.incident import Change, Policy, Telling, WrongTransition
from services.alerts.core.telling import told
from tests.flagkit import T0, book, clearing, flag

FLAGS = st.integers(0, 7)
STEPS = st.one_of(
    st.tuples(st.just("raise"), FLAGS),
    st.tuples(st.just("clear"), FLAGS),
    st.tuples(st.sampled_from(["acknowledge", "resolve", "reopen", "note"]), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
)
HISTORIES = st.lists(STEPS, max_size=40)


def subject_of(number: int) -> str:
    return f"t{number % 3}"  # several flags of the same subject


class Desk:
    """A book and the people around it."""

    def __init__(self) -> None:
        self.book = book(Policy(reopen_within=timedelta(minutes=15)))
        self.now = T0
        self.changes: list[Change] = []

    def do(self, step: tuple[str, int]) -> None:
        kind, number = step
        self.now += timedelta(minutes=10 * number if kind == "wait" else 1)
        if kind == "raise":
            self._keep(self.book.raised(flag(f"f{number}", subject_of(number)), self.now)[1])
        elif kind == "clear":
            self._keep(self.book.cleared(clearing(f"f{number}"), self.now)[1])
        elif kind != "wait" and self.book.incidents:
            self._act(kind, number % len(self.book.incidents))

    def _act(self, kind: str, number: int) -> None:
        one = self.book.incidents[number]
        act: dict[str, Any] = {
            "acknowledge": steps.acknowledged,
            "resolve": steps.resolved,
            "reopen": steps.reopened,
            "note": steps.noted,
        }
        newest = all(other.group != one.group for other in self.book.incidents[number + 1 :])
        if kind == "reopen" and not newest:
            return  # the database refuses a second unresolved incident of a group, the API tells so
        try:
            change: Change = act[kind](one, "Li", "note", self.now)
        except WrongTransition:
            return
        self.book = book(
            Policy(reopen_within=timedelta(minutes=15)),
            [change.incident if i.opened_by == one.opened_by else i for i in numbered(self.book)],
            [(c.flag.flag_id, c.incident.opened_by) for c in self.changes if c.flag],
        )
        self._keep(change)

    def _keep(self, change: Change | None) -> None:
        if change is not None:
            self.changes.append(change)


def numbered(known: Book) -> list[Any]:
    return [*known.incidents]


def played(history: list[tuple[str, int]]) -> Desk:
    desk = Desk()
    for step in history:
        desk.do(step)
    return desk


@given(HISTORIES)
def test_every_flag_is_in_exactly_one_incident_once(history: list[tuple[str, int]]) -> None:
    desk = played(history)
    raised = {f"f{number}" for kind, number in history if kind == "raise"}
    placed = Counter(change.flag.flag_id for change in desk.changes if change.flag)
    assert placed == Counter(raised)
    assert sum(one.flags for one in desk.book.incidents) == len(raised)


@given(HISTORIES)
def test_a_group_has_at_most_one_unresolved_incident(history: list[tuple[str, int]]) -> None:
    groups = Counter(one.group for one in played(history).book.incidents if one.state != "resolved")
    assert all(count == 1 for count in groups.values())


@given(HISTORIES)
def test_the_history_of_an_incident_has_no_gap_and_ends_where_it_stands(history: list[tuple[str, int]]) -> None:
    desk = played(history)
    for one in desk.book.incidents:
        entries = [c.entry for c in desk.changes if c.incident.opened_by == one.opened_by]
        assert [entry.seq for entry in entries] == list(range(1, one.entries + 1))
        assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
        assert entries[0].kind == "opened"
        assert one.changed_at == entries[-1].at


@given(HISTORIES)
def test_the_condition_is_what_its_flags_say(history: list[tuple[str, int]]) -> None:
    desk = played(history)
    for one in desk.book.incidents:
        mine = [c for c in desk.changes if c.incident.opened_by == one.opened_by]
        newest = [c.flag.flag_id for c in mine if c.flag][-1]  # the earlier ones are over, said or not
        over = {c.clearing.flag_id for c in mine if c.clearing}
        assert set(one.active) == {newest} - over
        assert (one.ended is None) == bool(one.active)
        assert (one.quiet_since is None) == bool(one.active)


@given(HISTORIES)
def test_who_has_it_and_who_resolved_it_are_known_when_the_state_says_so(history: list[tuple[str, int]]) -> None:
    for one in played(history).book.incidents:
        assert bool(one.resolver) == (one.state == "resolved") == (one.resolved_at is not None)
        assert (one.acknowledged_at is not None) == bool(one.owner)
        assert one.state != "acknowledged" or one.owner


@given(HISTORIES, st.data())
def test_redelivery_changes_nothing(history: list[tuple[str, int]], data: st.DataObject) -> None:
    """The same flags again, from any earlier point on, as after a crash between two commits of somebody else."""
    desk = played(history)
    before = {one.opened_by: one for one in desk.book.incidents}
    again = history[data.draw(st.integers(0, len(history))) :] if history else []
    for kind, number in again:
        if kind == "raise":
            assert desk.book.raised(flag(f"f{number}", subject_of(number)), desk.now)[1] is None
        elif kind == "clear" and f"f{number}" not in {f for one in before.values() for f in one.active}:
            assert desk.book.cleared(clearing(f"f{number}"), desk.now)[1] is None
    assert {one.opened_by: one for one in desk.book.incidents} == before


@given(HISTORIES)
def test_each_opening_is_told_once_unless_it_was_taken_at_once(history: list[tuple[str, int]]) -> None:
    """By somebody who looks after each change, as the pipeline does."""
    desk = played(history)
    heard: dict[str, Telling] = {}
    for change in desk.changes:
        one = change.incident
        one = msgspec.structs.replace(one, telling=heard.get(one.opened_by, Telling()))
        telling = told(one, change.entry.at)
        if change.entry.kind in ("opened", "reopened") and one.openings > one.telling.opening:
            assert telling is not None
            assert telling.entry.data["reason"] == ("opened" if one.openings == 1 else "reopened")
        if telling is not None:
            heard[one.opened_by] = telling.incident.telling
    for one in desk.book.incidents:
        assert heard[one.opened_by].opening == one.openings
