"""The course of an incident: looked at only when it asks for it, it is told exactly as if somebody looked all the time."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core import actions
from services.alerts.core import lifecycle as steps
from services.alerts.core.actions import Edit
from services.alerts.core.course import coming, looked_at, next_look
from services.alerts.core.grouping import Book
from services.alerts.core.handling import Handling
from services.alerts.core.incident import Change, Incident, Policy, WrongTransition
from services.alerts.core.labels import Matcher
from services.alerts.core.plan import SEVERITIES, Leaf, Raise, Step, rank
from services.alerts.core.routes import Raising, Route, Routes, Schedule
from tests.flagkit import T0, clearing, flag

GRID = timedelta(seconds=30)
HORIZON = 400  # steps of it
POLICY = Policy(
    reopen_within=timedelta(minutes=15), quiet_for=timedelta(hours=1), critical_quiet_for=timedelta(hours=2)
)
ZONE = "Asia/Shanghai"
TODAY = date(2026, 11, 22)  # its morning is over at T0, so people are told on the 23rd: 8 in Shanghai is 0 in UTC
RECEIVERS = ("ops", "phone", "boss", "night")


def times(most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(0, most).map(lambda n: n * GRID)


@st.composite
def leaves(draw: st.DrawFn) -> Leaf:
    after = sorted(draw(st.lists(st.integers(1, 80), max_size=3)))
    return Leaf(
        path="r",
        receiver=draw(st.sampled_from(RECEIVERS)),
        wait=draw(times(6)),
        interval=draw(times(20)),
        repeat=draw(st.none() | times(60).map(lambda t: t + GRID)),
        steps=tuple(Step(n * GRID, (draw(st.sampled_from(RECEIVERS)),)) for n in after),
        tell_end=draw(st.booleans()),
    )


@st.composite
def handlings(draw: st.DrawFn) -> Handling:
    start, length = draw(st.integers(7 * 60, 13 * 60)), draw(st.integers(10, 200))  # it is 9 o'clock in Shanghai
    schedules = {"shift": Schedule("shift", ((((start, start + length),), ()),))}
    below = tuple(
        Route(
            draw(leaves()),
            matchers=draw(st.sampled_from([(), (Matcher("severity", ("critical",)),)])),
            schedule=draw(st.sampled_from(["", "shift"])),
            goes_on=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(0, 3)))
    )
    raisings = draw(
        st.lists(
            st.builds(
                Raising,
                st.one_of(
                    st.builds(Raise, st.sampled_from(SEVERITIES), times(80).map(lambda t: t + GRID)),
                    st.builds(lambda to, n: Raise(to, None, n), st.sampled_from(SEVERITIES), st.integers(1, 4)),
                ),
            ),
            max_size=2,
        )
    )
    return Handling(Routes(Route(draw(leaves()), routes=below), schedules, tuple(raisings)))


DONE = (
    *("flag", "flag", "clear", "acknowledge", "assign", "resolve", "reopen", "hold", "release"),
    *("action", "action", "done", "undone", "later", "rechecked", "failed"),
)
ACTS = st.lists(
    st.tuples(
        st.integers(1, HORIZON),
        st.sampled_from(DONE),
    ),
    max_size=8,
).map(lambda acts: sorted(acts, key=lambda act: act[0]))


class Course:
    """One incident from its first flag on, and everything that became of it."""

    def __init__(self, handling: Handling, severity: str) -> None:
        self.book = Book(POLICY, handling, lambda site: "Asia/Shanghai")
        self.now, self.flags, self.held = T0, 0, ""
        self.changes: list[Change] = []
        self.severity = severity
        self.raise_one()

    @property
    def incident(self) -> Incident:
        return self.changes[-1].incident

    @property
    def told(self) -> list[tuple[datetime, dict[str, Any]]]:
        return [(one.entry.at, one.entry.data) for one in self.changes if one.entry.kind == "told"]

    def raise_one(self) -> None:
        self.flags += 1
        one = flag(f"f{self.flags}", severity=self.severity)
        _, change = self.book.raised(one, self.now)
        if change is not None and change.incident.opened_by == "f1":
            self.changes.append(change)

    def look(self) -> None:
        self.changes += looked_at(self.incident, POLICY, lambda _: self.held, self.now)
        self.book = Book(
            POLICY,
            self.book._handling,
            lambda site: "Asia/Shanghai",
            [self.incident],
            [(f"f{n}", "f1") for n in range(1, self.flags + 1)],
        )

    def act(self, kind: str) -> None:
        one = self.incident
        try:
            match kind:
                case "flag":
                    self.raise_one()
                case "clear":
                    _, change = self.book.cleared(clearing(f"f{self.flags}"), self.now)
                    self.changes += [change] if change else []
                case "acknowledge":
                    self.changes.append(steps.acknowledged(one, "Li", "", self.now))
                case "assign":
                    self.changes.append(steps.assigned(one, "Wu", "Li", "", self.now))
                case "resolve":
                    later = self.now + 20 * GRID
                    self.changes.append(steps.resolved(one, "Li", "", self.now, recheck_at=later))
                case "reopen":
                    self.changes.append(steps.reopened(one, "Li", "", self.now))
                case "action" | "done" | "undone" | "later":
                    self.act_on_actions(kind)
                case "rechecked" | "failed":
                    self.changes.append(actions.rechecked(one, kind == "rechecked", "Li", "", self.now))
                case "hold" | "release":
                    self.held = "silence 1" if kind == "hold" else ""
        except WrongTransition:
            pass
        self.look()

    def act_on_actions(self, kind: str) -> None:
        one = self.incident
        if kind == "action":
            self.changes.append(actions.added(one, "call back", "Wu", TODAY, "Li", ZONE, self.now))
        elif one.actions:
            later = Edit(due_on=TODAY + timedelta(days=self.flags))
            edit = later if kind == "later" else Edit(done=kind == "done")
            change = actions.edited(one, one.actions[-1].number, edit, "Li", ZONE, self.now)
            self.changes += [change] if change else []


def played(handling: Handling, severity: str, acts: list[tuple[int, str]], *, always: bool) -> Course:
    """Looked at on every step of the grid, or only when it asked for it or something happened."""
    course = Course(handling, severity)
    course.look()
    number = 0
    while number < HORIZON:
        due = next_look(course.incident, POLICY, course.now)
        number = number + 1 if always else _next_step(number, due, acts)
        course.now = T0 + number * GRID
        for at, kind in acts:
            if at == number:
                course.act(kind)
        if always or (due is not None and due <= course.now):
            course.look()
    return course


def _next_step(number: int, due: datetime | None, acts: list[tuple[int, str]]) -> int:
    """The first step after `number` on which it is due or something happens; what asked is left alone until then."""
    asked = HORIZON if due is None else max(number + 1, -((T0 - due) // GRID))
    return min(asked, HORIZON, *(at for at, _ in acts if at > number))


@given(handlings(), st.sampled_from(SEVERITIES), ACTS)
def test_who_looks_only_when_asked_misses_nothing(
    handling: Handling, severity: str, acts: list[tuple[int, str]]
) -> None:
    watched = played(handling, severity, acts, always=True)
    asked = played(handling, severity, acts, always=False)
    assert asked.told == watched.told
    assert asked.incident == watched.incident


@given(handlings(), st.sampled_from(SEVERITIES), ACTS)
def test_nobody_is_told_the_same_twice_nor_while_it_is_held(
    handling: Handling, severity: str, acts: list[tuple[int, str]]
) -> None:
    course = played(handling, severity, acts, always=False)
    numbers = [data["telling"] for _, data in course.told]
    assert numbers == list(range(1, len(numbers) + 1))
    openings = Counter(
        (change.incident.openings, receiver)
        for change in course.changes
        if change.entry.kind == "told" and change.entry.data["reason"] in ("opened", "reopened")
        for receiver in change.entry.data["receivers"]
    )
    assert all(count == 1 for count in openings.values())
    for before, change in zip(course.changes, course.changes[1:], strict=False):
        if change.entry.kind != "told":
            continue
        reason = change.entry.data["reason"]
        assert not before.incident.held or before.incident.state == "resolved"
        if reason in ("more", "reminder", "escalated"):
            assert before.incident.state == "open"
        if reason in ("worse", "resolved"):
            assert set(before.incident.telling.receivers) <= set(change.entry.data["receivers"])
        if reason == "worse":
            assert rank(before.incident.severity) > rank(before.incident.telling.severity)


@given(st.lists(leaves(), min_size=1, max_size=3, unique_by=lambda leaf: leaf.receiver), st.integers(0, 80))
def test_each_route_tells_by_its_own_times_whatever_the_others_do(several: list[Leaf], joins: int) -> None:
    """Nobody does anything; a second flag joins at `joins`. Each receiver hears what it would hear if it were alone."""

    def heard(leaves_: list[Leaf], receiver: str) -> list[tuple[datetime, str]]:
        below = tuple(Route(msgspec.structs.replace(leaf, steps=()), goes_on=True) for leaf in leaves_)
        handling = Handling(Routes(Route(Leaf("", "nobody else"), routes=below)))
        told = played(handling, "warning", [(joins, "flag")], always=False).told
        return [(at, data["reason"]) for at, data in told if receiver in data["receivers"]]

    for leaf in several:
        assert heard(several, leaf.receiver) == heard([leaf], leaf.receiver)


@given(handlings(), st.sampled_from(SEVERITIES), ACTS)
def test_looking_again_at_once_finds_nothing(handling: Handling, severity: str, acts: list[tuple[int, str]]) -> None:
    course = played(handling, severity, acts, always=False)
    course.look()
    assert looked_at(course.incident, POLICY, lambda _: course.held, course.now) == []
    due = next_look(course.incident, POLICY, course.now)
    assert due is None or due > course.now


@given(handlings(), st.sampled_from(SEVERITIES))
def test_what_nobody_takes_is_told_to_every_step(handling: Handling, severity: str) -> None:
    course = played(handling, severity, [], always=False)
    if course.incident.state == "resolved":
        return
    reached = {
        step
        for leaf in course.incident.plan.leaves(course.incident.severity, course.now)
        for step in leaf.steps
        if course.incident.open_since + step.after <= course.now
    }
    assert reached <= set(course.incident.telling.escalated)
    assert {name for step in reached for name in step.receivers} <= set(course.incident.telling.receivers)


@given(handlings(), st.sampled_from(SEVERITIES), ACTS)
def test_an_end_is_told_to_exactly_those_who_heard_of_this_opening(
    handling: Handling, severity: str, acts: list[tuple[int, str]]
) -> None:
    heard: dict[int, set[str]] = {}
    for change in played(handling, severity, acts, always=False).changes:
        if change.entry.kind != "told":
            continue
        there = heard.setdefault(change.incident.openings, set())
        receivers = set(change.entry.data["receivers"])
        if change.entry.data["reason"] == "resolved":
            assert receivers == there
        there |= receivers
        assert set(change.incident.telling.receivers) == there


def days_later(severity: str, acts: list[tuple[int, str]], handling: Handling) -> Course:
    """The course, and then two days in which nobody does anything, looked at only when it asks."""
    course = played(handling, severity, acts, always=False)
    end = course.now + timedelta(days=2)
    while (due := next_look(course.incident, POLICY, course.now)) is not None and due <= end:
        course.now = max(due, course.now)
        course.look()
    course.now = end
    return course


@given(handlings(), st.sampled_from(SEVERITIES), ACTS)
def test_each_day_of_an_action_is_told_once_and_never_when_it_is_done(
    handling: Handling, severity: str, acts: list[tuple[int, str]]
) -> None:
    course = days_later(severity, acts, handling)
    waiting: dict[int, tuple[datetime, bool]] = {}  # until when, and whether it was told
    for change in course.changes:
        if change.entry.kind == "told" and change.entry.data["reason"] == "action_due":
            for number in change.entry.data["actions"]:
                until, told = waiting.pop(number)
                assert until <= change.entry.at
                assert not told
                waiting[number] = (until, True)
        for one in change.incident.actions:
            if one.done_at is not None or one.due_at is None:
                waiting.pop(one.number, None)
            elif one.number not in waiting or waiting[one.number][0] != one.due_at:
                waiting[one.number] = (one.due_at, one.told)
    leaves = course.incident.plan.leaves(course.incident.severity, course.now)
    if leaves and (course.incident.state == "resolved" or not course.incident.held):
        assert all(told for until, told in waiting.values() if until < course.now)


@given(handlings(), st.sampled_from(SEVERITIES), ACTS, st.none() | st.integers(1, 300))
def test_what_is_said_to_come_next_is_what_comes(
    handling: Handling, severity: str, acts: list[tuple[int, str]], released: int | None
) -> None:
    """`released`: when what holds it then, if anything, is over, in steps of the grid."""
    course = played(handling, severity, acts, always=False)
    over = None if released is None else course.now + released * GRID
    kept = course.held

    def held_at(at: datetime) -> str:
        return "" if over is not None and at >= over else kept

    expected = coming(
        course.incident,
        POLICY,
        lambda _, at: held_at(at),
        lambda at: over if over is not None and at < over else None,
        course.now,
    )
    before = len(course.told)
    for _ in range(200):
        due = next_look(course.incident, POLICY, course.now)
        ends = over if over is not None and course.now < over else None
        at = min((one for one in (due, ends) if one is not None), default=None)
        if at is None or len(course.told) > before:
            break
        course.now, course.held = at, held_at(at)
        course.look()
    found = course.told[before : before + 1]
    said = [] if expected is None else [(expected.at, expected.reason, list(expected.receivers))]
    assert [(at, data["reason"], data["receivers"]) for at, data in found] == said
