"""A report's totals are the board's at that moment: at the end of an interval, when all of it is published.

A simulated floor runs through the real engine over a midnight of its site; what the engine publishes goes through the real alerts
service into its database; the figures of the day are then those that the board shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import pytest

from services.alerts.periodic.period import containing
from services.alerts.recorder.figures import PeriodFigures
from services.alerts.recorder.gather import figures
from services.alerts.tables import PositionRow
from services.ingest.connectors.simulator.floor import SimulatedFloor
from services.monitor.core.engine import Engine
from shared import events, facts
from shared.clock import SystemClock
from shared.codec import encode
from shared.db import Database
from shared.envelope import Data
from shared.facts import Fact
from shared.memorybus import MemoryBus
from shared.positions import Positions
from shared.topics import FLOOR_FLAGS, FLOOR_RECORDS
from tests.alertskit import SITES, TOPICS, running
from tests.floorkit import RULES
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

D = TypeVar("D", bound=Data)

SITE = "s1"  # in Shanghai: midnight is at 16:00 UTC
OPENS = datetime(2026, 11, 22, 15, 35, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
MOMENTS = [MIDNIGHT + timedelta(minutes=15 * quarters) for quarters in (-1, 1, 2)]  # ends of intervals
A_MOMENT = timedelta(milliseconds=1)  # what is due at a boundary happens once the clock is beyond it


class Floor:
    """A simulated floor and the engine that watches it."""

    def __init__(self) -> None:
        self._floor = SimulatedFloor(7, OPENS)
        self.engine = Engine(SITES, RULES)
        self._offset = 0
        self.made: list[Fact] = []
        self._tell(OPENS, events.LinkUp(connector="simulator", simulated=True))
        for told in self._floor.opening:
            self._tell(*told)

    def go_on(self, until: datetime) -> None:
        """Until then, that moment included."""
        for told in self._floor.next(until - A_MOMENT):
            self._tell(*told)
        self._tell(until + A_MOMENT, events.Clock())

    def _tell(self, time: datetime, data: Data) -> None:
        place = {} if isinstance(data, events.Clock) else {"rawpartition": 0, "rawoffset": self._offset}
        self._offset += 1
        event = events.make(data, id=str(self._offset), source="/sim", site=SITE, time=time, **place)
        self.made += self.engine.apply(event)


async def publish(bus: MemoryBus, made: list[Fact]) -> None:
    for one in made:
        topic = FLOOR_FLAGS if isinstance(one.data, facts.FLAG_TYPES) else FLOOR_RECORDS
        await bus.publish(topic, encode(one), key=SITE)
    await bus.flush()


async def of_day(database: Database, day: date, kind: str = "daily") -> PeriodFigures:
    config = SITES.site(SITE)
    async with database.reading() as session:
        period = containing(kind, day, config.time_zone)  # type: ignore[arg-type]
        return await figures(session, SITE, config, period, SystemClock().now())


async def test_totals_of_the_day_are_those_of_the_board_at_that_moment(alerts_db: Database) -> None:
    bus, floor = MemoryBus(), Floor()
    await bus.create(TOPICS)

    async def recorded() -> bool:
        async with alerts_db.reading() as session:
            positions = Positions(session, PositionRow)
            ends = [await positions.all(topic.name) for topic in (FLOOR_RECORDS, FLOOR_FLAGS)]
        found = [sum(one.next_offset for one in end.values()) for end in ends]
        return found == [len(bus.records(topic)) for topic in (FLOOR_RECORDS, FLOOR_FLAGS)]

    async with running(bus, alerts_db):
        for moment in MOMENTS:
            sent = len(bus.records(FLOOR_RECORDS)) + len(bus.records(FLOOR_FLAGS))
            floor.go_on(moment)
            await publish(bus, floor.made[sent:])
            await until(recorded)
            day = date(2026, 11, 22) if moment < MIDNIGHT else date(2026, 11, 23)
            found = await of_day(alerts_db, day)
            assert found.origin == "simulated"
            queues_agree(floor, found)
            transfers_agree(floor, found)
            flags_agree(floor, found)
            if moment > MIDNIGHT:  # until then the board lacks what was so before it began to listen
                agents_agree(floor, found)
        assert found.total.total.offered > 100, "too little happened to prove anything"
        assert found.transfers.count > 5
        assert found.flags.count > 5


def queues_agree(floor: Floor, found: PeriodFigures) -> None:
    """Counts and ratios are the same; agents' time on the board goes a millisecond further."""
    totals = floor.engine.site_figures(SITE)
    assert totals is not None
    total = found.total.total
    assert (total.offered, total.answered, total.abandoned) == (totals.offered, totals.answered, totals.abandoned)
    names = {view.queue for view in floor.engine.floor_view().queues}
    assert {one.queue for one in found.queues} == names
    for queue in found.queues:
        day = floor.engine.queue_day(SITE, queue.queue)
        assert day is not None
        ours, board = queue.total, day.total
        for name in (
            "offered",
            "answered",
            "abandoned",
            "short_abandoned",
            "other_ended",
            "handled",
            "longest_waited_s",
        ):
            assert getattr(ours, name) == getattr(board, name), name
        for name in ("asa_s", "aht_s", "abandonment_rate", "transfer_rate"):
            assert getattr(ours, name) == pytest.approx(getattr(board, name), abs=1e-9), name
        assert ours.service_level is not None
        assert ours.service_level.by_formula == board.service_levels
        assert ours.service_level.value == day.service_level.value
        assert ours.handling_s == pytest.approx(board.handling_s - day.running.handling_s, abs=1e-3)
        assert ours.ready_s == pytest.approx(board.ready_s - day.running.ready_s, abs=1e-3)
        assert [step.offered for step in queue.steps] == [one.offered for one in day.intervals]


def agents_agree(floor: Floor, found: PeriodFigures) -> None:
    """Each state's time of each agent, of states that are over; the running one is recorded once it ends."""
    cards = {card.agent_id: card for card in floor.engine.floor_view().agents}
    board = {agent_id: card.today.state_s for agent_id, card in cards.items() if card.today and card.today.state_s}
    ours = {one.agent_id: one.state_s for one in found.agents}
    assert ours.keys() == board.keys()
    for agent_id, states in board.items():
        assert ours[agent_id] == pytest.approx(states, abs=1e-6), agent_id
    for one in found.agents:  # a partition: no gap, no overlap
        assert one.uncovered_s == 0
        assert one.known_from == found.start
        assert one.known_to == cards[one.agent_id].since
    assert found.crew is not None
    assert found.crew.total_s == pytest.approx(sum(sum(states.values()) for states in board.values()))


def transfers_agree(floor: Floor, found: PeriodFigures) -> None:
    """The board counts a transfer when it is asked for, from when it began to listen; a report when it is over."""
    since = max(found.start, OPENS)
    view = floor.engine.floor_view()
    asked = sum(card.today.transfers for card in view.agents if card.today)
    runs = [one for one in view.transfers if one.outcome == "running"]
    ended = {one.transfer_id: one for one in _made(floor, facts.TransferEnded)}
    from_before = [one for one in ended.values() if one.requested_at < since and found.start <= one.ended_at]
    assert found.transfers.count == asked + len(from_before) - sum(one.requested >= since for one in runs)
    today = [one for one in ended.values() if found.start <= one.ended_at < found.end]
    assert found.transfers.slow == sum(one.slow == "yes" for one in today)
    assert found.transfers.outcomes == {
        outcome: sum(one.outcome == outcome for one in today) for outcome in {one.outcome for one in today}
    }


def flags_agree(floor: Floor, found: PeriodFigures) -> None:
    raised = {one.flag_id: one for one in _made(floor, facts.FlagRaised) if found.start <= one.raised_at < found.end}
    standing = {flag.flag_id for flag in floor.engine.floor_view().flags}
    assert found.flags.count == len(raised)
    assert sum(rule.standing for rule in found.flags.rules) == len(standing & raised.keys())
    cleared = {one.flag_id: one.duration_s for one in _made(floor, facts.FlagCleared) if one.flag_id in raised}
    assert sum(rule.total_s for rule in found.flags.rules) == pytest.approx(sum(cleared.values()))


def _made(floor: Floor, kind: type[D]) -> Iterator[D]:
    return (one.data for one in floor.made if isinstance(one.data, kind))
