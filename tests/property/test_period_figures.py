"""Figures of periods against a naive reading of the same records, in whatever order these came and wherever midnight is."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.app import MIGRATIONS
from services.alerts.periodic.period import KINDS, Period, containing, midnight, parse
from services.alerts.recorder import store
from services.alerts.recorder.figures import PeriodFigures, Spread
from services.alerts.recorder.gather import figures
from shared import facts
from shared.db import Database
from shared.siteconfig import SiteConfig
from tests.databases import BOTH, examples, migrated_url
from tests.deskkit import call_ended, transfer_ended
from tests.recorderkit import fact_of, interval, items_of, queue_interval

# where the clocks change in the days around: at three, over midnight, by half an hour, and not at all
PLACES = [
    ("Europe/Copenhagen", date(2026, 10, 24)),
    ("Europe/Copenhagen", date(2026, 3, 28)),
    ("America/Santiago", date(2026, 9, 5)),
    ("America/Santiago", date(2026, 4, 4)),
    ("Australia/Lord_Howe", date(2026, 10, 3)),
    ("Asia/Kathmandu", date(2026, 11, 22)),
]
DAYS = 3
MINUTES = DAYS * 24 * 60
STATES = ("offline", "ready", "talk", "wrap", "break", "unknown")
ENOUGH = settings(max_examples=examples(10), deadline=None)

STINT = st.tuples(st.sampled_from(STATES), st.integers(1, 900), st.sampled_from(["observed", "stale"]))
AGENTS = st.lists(st.tuples(st.integers(-600, MINUTES), st.lists(STINT, min_size=1, max_size=12)), max_size=3)
CALLS = st.lists(
    st.tuples(
        st.integers(0, MINUTES),
        st.sampled_from(["0", "1", ""]),
        st.sampled_from(["sales", "support", ""]),
        st.sampled_from(["answered", "abandoned"]),
        st.integers(0, 10**7),
    ),
    max_size=12,
)
INTERVALS = st.lists(
    st.tuples(
        st.integers(0, DAYS * 96), st.sampled_from(["sales", "support"]), st.integers(0, 9), st.sampled_from([15, 20])
    ),
    max_size=14,
    unique_by=lambda one: one[:2],
)
TRANSFERS = st.lists(
    st.tuples(
        st.integers(0, MINUTES),
        st.sampled_from(["blind", "attended"]),
        st.integers(0, 20_000_000),
        st.sampled_from(["completed", "completed", "failed", "abandoned"]),
        st.sampled_from(["yes", "no", "cannot_tell", None]),
        st.sampled_from(["1", "2", "3"]),
    ),
    max_size=16,
)
FLOORS = st.fixed_dictionaries(
    {
        "place": st.sampled_from(PLACES),
        "agents": AGENTS,
        "calls": CALLS,
        "queues": INTERVALS,
        "transfers": TRANSFERS,
        "seed": st.integers(0, 2**16),
    }
)
_sites = itertools.count()


@pytest.fixture(scope="module", params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with migrated_url(request.param, tmp_path_factory.mktemp("figures"), MIGRATIONS) as found:
        yield found


def told(floor: dict[str, Any]) -> list[Any]:
    """What a monitor would publish of this floor."""
    zone, first = floor["place"]
    opens = midnight(first, zone)
    found: list[Any] = []

    def after(minutes: int) -> datetime:
        return opens + timedelta(minutes=minutes)

    for agent, (start, stints) in enumerate(floor["agents"]):
        for state, minutes, provenance in stints:
            span = {"started_at": after(start), "ended_at": after(start + minutes), "duration_s": minutes * 60.0}
            reason = f"why {minutes % 2}" if state == "break" else ""
            found.append(interval(str(agent), state=state, provenance=provenance, reason=reason, **span))
            start += minutes
    for number, (end, agent, queue, outcome, us) in enumerate(floor["calls"]):
        more = {"agent_id": agent, "queue": queue, "outcome": outcome, "talk_s": us / 1e6, "waited_s": us / 3e6}
        found.append(call_ended(f"c{number}", started_at=after(end - 5), ended_at=after(end), **more))
    for quarter, queue, count, within in floor["queues"]:
        start = after(15 * quarter)
        counts = dict.fromkeys(("offered", "answered", "abandoned", "handled", "answered_within"), count)
        span = {"started_at": start, "counted_from": start, "ended_at": start + timedelta(minutes=15)}
        found.append(
            queue_interval(queue, longest_waited_s=float(count) or None, within_s=float(within), **counts, **span)
        )
    for number, (end, kind, us, outcome, slow, agent) in enumerate(floor["transfers"]):
        total = us / 1e6 if outcome == "completed" else None
        stamps = {"requested_at": after(end) - timedelta(microseconds=us), "ended_at": after(end)}
        stamps["bridged_at"] = after(end) if outcome == "completed" else None
        more = {"kind": kind, "outcome": outcome, "slow": slow if total is not None else None, "from_agent": agent}
        found.append(transfer_ended(f"t{number}", total_s=total, **stamps, **more))
    return found


class Recorded:
    """A floor that was recorded, in some order and with repetitions, and the figures of its periods."""

    def __init__(self, database: Database, site: str, zone: str) -> None:
        self.database, self.site = database, site
        self.config = SiteConfig(time_zone=zone)

    async def write(self, found: Iterable[Any]) -> None:
        items = items_of(fact_of(data, site=self.site) for data in found)
        async with self.database.unit_of_work() as session:
            await store.write(session, [item.fact for item in items], lambda _: self.config.time_zone)

    async def of(self, period: Period) -> PeriodFigures:
        async with self.database.reading() as session:
            return await figures(session, self.site, self.config, period, datetime(2027, 6, 1, tzinfo=UTC))


async def recorded(database: Database, floor: dict[str, Any], data: Sequence[Any]) -> Recorded:
    random, order = Random(floor["seed"]), [*data, *data[::3]]  # some come twice
    random.shuffle(order)
    found = Recorded(database, f"site{next(_sites)}", floor["place"][0])
    for part in (order[: len(order) // 2], order[len(order) // 2 :]):
        await found.write(part)
    return found


def with_database(url: str, check: Any) -> None:
    async def run() -> None:
        database = Database(url)
        try:
            await check(database)
        finally:
            await database.close()

    asyncio.run(run())


@ENOUGH
@given(FLOORS)
def test_figures_of_a_day_are_those_of_a_naive_reading(url: str, floor: dict[str, Any]) -> None:
    data = told(floor)

    async def check(database: Database) -> None:
        found = await recorded(database, floor, data)
        zone, first = floor["place"]
        for day in range(-1, DAYS + 1):
            period = containing("daily", first + timedelta(days=day), zone)
            agrees(await found.of(period), data, period)

    with_database(url, check)


@settings(ENOUGH, max_examples=examples(4))
@given(FLOORS, st.sampled_from(["weekly", "monthly", "quarterly", "yearly"]))
def test_figures_of_a_period_are_the_sums_of_its_days(url: str, floor: dict[str, Any], kind: Any) -> None:
    data = told(floor)

    async def check(database: Database) -> None:
        found = await recorded(database, floor, data)
        zone, first = floor["place"]
        period = containing(kind, first, zone)
        whole = await found.of(period)
        agrees(whole, data, period)
        near = [first + timedelta(days=day) for day in range(-2, DAYS + 8)]  # all that the floor can reach
        days = [await found.of(containing("daily", day, zone)) for day in near if period.first <= day <= period.last]
        for name in (
            "offered",
            "answered",
            "abandoned",
            "handled",
            "wait_answered_s",
            "talk_s",
            "ready_s",
            "intervals",
        ):
            total = getattr(whole.total.total, name)
            assert sum(getattr(one.total.total, name) for one in days) == pytest.approx(total), name
            assert sum(getattr(one, name) for one in whole.total.steps) == pytest.approx(total), name
            assert sum(getattr(one, name) for one in whole.total.hours) == pytest.approx(total), name
        assert sum(one.transfers.count for one in days) == whole.transfers.count
        assert sum(one.calls.count for one in days) == whole.calls.count
        crews = [one.crew.total_s for one in days if one.crew]
        assert sum(crews) == pytest.approx(whole.crew.total_s if whole.crew else 0.0)
        assert sum(one.coverage.recorded for one in days) == whole.coverage.recorded

    with_database(url, check)


def agrees(found: PeriodFigures, data: Sequence[Any], period: Period) -> None:
    """As anybody would read the records one by one."""
    start, end = period.start, period.end

    def within(at: datetime) -> bool:
        return start <= at < end

    times: dict[str, dict[str, float]] = {}
    stale = 0.0
    for one in (one for one in data if isinstance(one, facts.AgentInterval)):
        lasted = (min(one.ended_at, end) - max(one.started_at, start)).total_seconds()
        if lasted > 0:
            states = times.setdefault(one.agent_id, {})
            states[one.state] = states.get(one.state, 0.0) + lasted
            stale += lasted * (one.provenance == "stale")
    assert {one.agent_id: one.state_s for one in found.agents} == times
    assert (found.crew.stale_s if found.crew else 0.0) == stale
    for one in found.agents:
        assert one.total_s == sum(times[one.agent_id].values())
        assert one.uncovered_s == 0
        assert sum(one.breaks_s.values()) == one.state_s.get("break", 0.0)
    calls = [one for one in data if isinstance(one, facts.CallEnded) and within(one.ended_at)]
    assert found.calls.count == len(calls)
    assert found.calls.unqueued == sum(not one.queue for one in calls)
    for agent in found.agents:
        mine = [one for one in calls if one.agent_id == agent.agent_id and one.outcome == "answered"]
        assert (agent.calls, agent.talk_s) == (len(mine), pytest.approx(sum(one.talk_s for one in mine)))
    queues = [one for one in data if isinstance(one, facts.QueueInterval) and within(one.started_at)]
    total = found.total.total
    assert total.offered == sum(one.offered for one in queues)
    assert total.asa_s == ratio(sum(one.wait_answered_s for one in queues), total.answered)
    assert total.longest_waited_s == max((one.longest_waited_s for one in queues if one.longest_waited_s), default=None)
    for level in total.service_levels:
        mine = [one for one in queues if one.within_s == level.within_s]
        counted = sum(one.answered + one.abandoned - one.short_abandoned for one in mine)
        assert level.value == ratio(sum(one.answered_within for one in mine), counted)
    assert {one.within_s for one in total.service_levels} == {one.within_s for one in queues}
    transfers = [one for one in data if isinstance(one, facts.TransferEnded) and within(one.ended_at)]
    assert found.transfers.count == len(transfers)
    assert found.transfers.slow == sum(one.slow == "yes" for one in transfers)
    assert found.transfers.judged == sum(one.slow is not None for one in transfers)
    spread_agrees(found.transfers.legs["total"], [one.total_s for one in transfers if one.total_s is not None])
    assert sum(one.count for one in found.transfers.by_agent) == len(transfers)


def ratio(part: float, whole: float) -> Any:
    return pytest.approx(part / whole) if whole > 0 else None


def spread_agrees(found: Spread, values: list[float]) -> None:
    assert found.count == len(values)
    if not values:
        assert (found.mean_s, found.p50_s, found.max_s) == (None, None, None)
        return
    for percent, value in ((50, found.p50_s), (90, found.p90_s), (95, found.p95_s)):
        assert value in values
        assert sum(one <= value for one in values) * 100 >= percent * len(values)
        assert all(
            one >= value or sum(other <= one for other in values) * 100 < percent * len(values) for one in values
        )
    assert found.max_s == max(values)
    assert found.mean_s == pytest.approx(sum(values) / len(values))


@settings(max_examples=200)
@given(
    st.sampled_from(KINDS), st.dates(date(1971, 1, 1), date(2090, 1, 1)), st.sampled_from([zone for zone, _ in PLACES])
)
def test_periods_follow_each_other_without_gap_or_overlap(kind: Any, day: date, zone: str) -> None:
    period = containing(kind, day, zone)
    assert period.first <= day <= period.last
    assert period.before().end == period.start
    assert period.after().before() == period
    assert all(containing(kind, one, zone) == period for one in (period.first, period.last))
    assert parse(period.key, zone) == period
    assert period.end - period.start > timedelta(hours=22) * len(period.days)
    assert period.label("en")
    assert period.label("zh")
