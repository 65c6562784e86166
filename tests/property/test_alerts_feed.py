"""What a page of incidents has, after any changes, pauses, resyncs and reconnections, is what the database has."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.api.views import IncidentView
from services.alerts.feed import reader
from services.alerts.visibility import sees
from shared.identity import LOCAL, Principal, Scope
from tests.alertpages import Page, hub_of, view

QUEUES = ("sales", "support")
NUMBERS = st.integers(1, 6)
BLUE = Principal("blue", "Blue", roles=frozenset({"supervisor"}), scope=Scope(queues=frozenset({"sales"})))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), NUMBERS),
        st.tuples(st.sampled_from(["flush", "beat", "open", "shut", "hear", "answer", "again"]), st.just(0)),
        st.tuples(st.just("behind"), NUMBERS),  # rare by chance
    ),
    max_size=40,
)


@pytest.fixture(autouse=True, scope="module")
def little_room() -> Iterator[None]:
    with patch.object(reader, "MAX_WAITING", 2):
        yield


class World:
    """A database, its hub and one page; each method is a step, with a number for those that need one."""

    def __init__(self, who: Principal) -> None:
        self.who = who
        self.database: dict[int, IncidentView] = {}
        self.hub = hub_of(gather_s=3600.0)  # nothing goes by itself
        self.page = Page(self.hub, self.listed, who)

    def listed(self) -> list[IncidentView]:
        return [one for one in self.database.values() if sees(self.who.scope, one)]

    def change(self, number: int) -> None:
        version = self.database[number].version + 1 if number in self.database else 1
        one = view(number, version, labels={"queue": QUEUES[number % 2]}, subject="call")
        self.database[number] = one
        self.hub.changed(one)

    def flush(self, _: int = 0) -> None:
        self.hub.flush()

    def beat(self, _: int = 0) -> None:
        self.hub.beat()

    def open(self, _: int = 0) -> None:
        self.page.open()

    def shut(self, _: int = 0) -> None:
        self.page.shut()

    def hear(self, _: int = 0) -> None:
        self.page.hear()

    def answer(self, _: int = 0) -> None:
        self.page.answer()

    def again(self, _: int = 0) -> None:
        """The line is cut and made anew."""
        self.hub.left(self.page.reader)
        self.page = Page(self.hub, self.listed, self.who)

    def behind(self, number: int) -> None:
        """A page that has its list stops to read while much happens."""
        self.settle()
        self.shut()
        for one in range(number):
            self.change(one)
            self.flush()

    def settle(self) -> None:
        self.flush()
        self.open()
        for _ in range(3):  # what comes with an answer, and the question that waited for it
            self.hear()
            self.answer()


@given(steps=STEPS, who=st.sampled_from([LOCAL, BLUE]))
async def test_a_page_ends_with_what_the_database_has(steps: list[tuple[str, int]], who: Principal) -> None:
    world = World(who)
    for step, number in steps:
        getattr(world, step)(number)
    world.settle()
    assert world.page.known == {one.id: one.version for one in world.listed()}
    world.hub.left(world.page.reader)
    assert world.hub.readers == 0


@given(st.lists(NUMBERS, min_size=1, max_size=40))
async def test_a_page_that_reads_nothing_holds_no_more_than_its_bound(numbers: list[int]) -> None:
    hub = hub_of(gather_s=3600.0)
    page = Page(hub, list)
    page.shut()
    for version, number in enumerate(numbers):
        hub.changed(view(number, version))
        hub.flush()
        assert len(page.reader._waiting) <= reader.MAX_WAITING + 1
    page.open()
    page.hear()
    assert (page.resyncs > 0) == (len(set(numbers)) > reader.MAX_WAITING)
