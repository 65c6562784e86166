"""Silences and inhibition at work on a real database, with two instances: nobody hears of what is held, and nothing that was held
is forgotten.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from services.alerts.app import MIGRATIONS
from services.alerts.core import lifecycle as steps
from services.alerts.core.incident import Change, Flag, Incident, WrongTransition
from services.alerts.core.inhibition import hidden_by
from services.alerts.core.silences import Silence, WrongSilence, holding
from services.alerts.desk import AnotherIsOpen
from services.alerts.tables import EventRow
from tests.databases import BOTH, examples, own_database
from tests.flagkit import clearing, flag
from tests.holdkit import LINK, Fleet

MINUTE = timedelta(minutes=1)
RULES = ("link_silent", "slow_transfer", "long_wait")
MATCHERS = ({"rule": "slow_transfer"}, {"site": "s1"}, {"rule": "!long_wait"}, {"severity": "critical"})
NUMBERS = st.integers(1, 4)

OPS = st.one_of(
    st.tuples(st.just("flags"), st.lists(st.sampled_from(RULES), min_size=1, max_size=3), st.just(0)),
    st.tuples(st.just("clear"), NUMBERS, st.just(0)),
    st.tuples(st.sampled_from(["acknowledge", "resolve", "reopen"]), NUMBERS, st.just(0)),
    st.tuples(st.just("silence"), st.sampled_from(MATCHERS), st.integers(0, 5)),
    st.tuples(st.just("silence"), st.sampled_from(MATCHERS), st.integers(0, 5)),
    st.tuples(st.just("end"), NUMBERS, st.just(0)),
    st.tuples(st.just("pass"), st.integers(1, 7), st.just(0)),
    st.tuples(st.just("pass"), st.integers(1, 7), st.just(0)),
)
RUNS = st.lists(st.tuples(st.integers(0, 1), OPS), min_size=4, max_size=14)


class Run:
    """What happens to a fleet, and what plainly ought to be."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.silences: dict[int, Silence] = {}
        self.flags: dict[int, str] = {}  # the newest flag of each incident
        self.seen = 0  # the last line of any history

    def plain(self, one: Incident, incidents: list[Incident], now: datetime) -> str:
        """What holds an incident, from everything that there is."""
        silence = holding(self.silences.values(), one.all_labels, now)
        if silence is not None:
            return f"silence {silence.id}"
        standing = [(other.id, other.all_labels) for other in incidents if other.active]
        source = hidden_by((LINK,), one.id, one.all_labels, standing)
        return f"incident {source}" if source else ""

    async def do(self, instance: int, op: tuple[str, object, int]) -> None:
        fleet, (kind, what, more) = self.fleet, op
        try:
            match kind, what:
                case "flags", list(rules):
                    await fleet.take(*(self.flag(rule) for rule in rules), instance=instance)
                case "clear", int(number):
                    if found := self.flags.get(number):
                        await fleet.take(clearing(found), instance=instance)
                case "silence", dict(written):
                    after = timedelta(minutes=more) if more % 2 else timedelta()
                    one = await fleet.silence(written, (more + 2) * MINUTE, starts_in=after, instance=instance)
                    self.silences[one.id] = one
                case "end", int(number):
                    if number in self.silences:
                        self.silences[number] = await fleet.end(number, instance)
                case "pass", int(minutes):
                    await self.pass_(minutes, instance)
                case _, int(number):
                    if number <= len(await fleet.incidents()):
                        await fleet.act(number, lambda one, now: self.step(kind, one, now), instance)
        except (WrongTransition, WrongSilence, AnotherIsOpen):
            pass
        await self.check()

    def flag(self, rule: str) -> Flag:
        self.count = getattr(self, "count", 0) + 1
        severity = "critical" if self.count % 3 == 0 else "warning"
        return flag(f"f{self.count}", subject_id="x", rule=rule, severity=severity)

    def step(self, kind: str, one: Incident, now: datetime) -> Change:
        match kind:
            case "acknowledge":
                return steps.acknowledged(one, "Li", "", now)
            case "resolve":
                return steps.resolved(one, "Li", "", now)
        return steps.reopened(one, "Li", "", now)

    async def pass_(self, minutes: int, instance: int) -> None:
        for _ in range(minutes):
            await self.fleet.pass_(MINUTE, instance)
            await self.check()

    async def check(self) -> None:
        """What was told since the last check, by what plainly held then."""
        incidents = await self.fleet.incidents()
        for one in incidents:
            if one.active:
                self.flags[one.id] = next(reversed(one.active))
        by_number = {one.id: one for one in incidents}
        async with self.fleet.database.reading() as session:
            rows = (
                await session.scalars(select(EventRow).where(col(EventRow.id) > self.seen).order_by(col(EventRow.id)))
            ).all()
        for row in rows:
            self.seen = max(self.seen, row.id or 0)
            one = by_number[row.incident_id]
            if row.kind == "told" and one.state != "resolved":
                assert self.plain(one, incidents, row.at) == "", f"{one.id} was told of while held: {row.data}"

    async def check_at_rest(self, instance: int) -> None:
        await self.fleet.attend(instance)
        await self.check()
        incidents, now = await self.fleet.incidents(), self.fleet.clock.now()
        holds = self.fleet.desk(instance).holds.last
        for one in incidents:
            expected = self.plain(one, incidents, now)
            assert holds.by(one, now) == expected
            if one.state == "resolved":
                continue
            assert one.held == expected
            if one.state == "open" and not one.held:
                assert one.telling.opening == one.openings, f"{one.id} is due and nobody was told"
        for one in incidents:
            told = Counter(await self.fleet.told(one.id))
            assert told["opened"] <= 1
            assert told["opened"] + told["reopened"] <= one.openings


@pytest.mark.parametrize("kind", BOTH)
@settings(max_examples=examples(10))
@given(run=RUNS)
@example(run=[(0, ("flags", ["link_silent", "slow_transfer"], 0)), (1, ("clear", 1, 0)), (0, ("pass", 1, 0))])
@example(run=[(0, ("flags", ["slow_transfer"], 0)), (1, ("flags", ["link_silent"], 0)), (0, ("resolve", 2, 0))])
@example(run=[(0, ("silence", {"site": "s1"}, 0)), (1, ("flags", ["slow_transfer"], 0)), (1, ("end", 1, 0))])
@example(run=[(0, ("silence", {"site": "s1"}, 3)), (1, ("pass", 4, 0)), (1, ("flags", ["long_wait"], 0))])
def test_nobody_is_told_of_what_is_held_and_all_is_told_once_nothing_holds_it(
    kind: str, run: list[tuple[int, tuple[str, object, int]]]
) -> None:
    async def play() -> None:
        async with own_database(kind, MIGRATIONS) as database:
            one = Run(Fleet(database))
            for instance in (0, 1):  # the first look compares everything; from then on only what changed may
                await one.fleet.attend(instance)
            for instance, op in run:
                await one.do(instance, op)
            await one.check_at_rest(0)
            await one.check_at_rest(1)
            await one.pass_(13, 1)  # every silence is over then
            await one.check_at_rest(1)
            assert all(silence.standing(one.fleet.clock.now()) == "over" for silence in one.silences.values())

    asyncio.run(play())
