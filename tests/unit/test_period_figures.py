"""What a period's figures say of flags, incidents, causes, coverage and origin."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.alerts.periodic.period import containing, parse
from services.alerts.recorder import store
from services.alerts.recorder.coverage import covered
from services.alerts.recorder.figures import PeriodFigures
from services.alerts.recorder.gather import figures
from shared.db import Database
from shared.errors import InvalidInput
from shared.memorybus import MemoryBus
from shared.siteconfig import AgentConfig, QueueConfig, ServiceLevelTarget, SiteConfig
from tests.alertskit import SITES, TOPICS, publish, running
from tests.deskkit import call_ended, transfer_ended
from tests.flagkit import T0, clearing, flag
from tests.floorkit import SITE, START, at
from tests.recorderkit import fact_of, interval, items_of, queue_interval
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

DAY = date(2026, 11, 22)
CONFIG = SiteConfig(
    label="Headquarters",
    agents={"1": AgentConfig(name="Anna", team="blue")},
    queues={
        "sales": QueueConfig(label="Sales"),
        "support": QueueConfig(service_level=ServiceLevelTarget(formula="F1", target=0.9)),
    },
)


async def write(database: Database, found: Iterable[Any], **more: Any) -> None:
    items = items_of(fact_of(data, **more) for data in found)
    async with database.unit_of_work() as session:
        await store.write(session, [item.fact for item in items], lambda _: "UTC")


async def of_day(
    database: Database, site: str = SITE, config: SiteConfig = CONFIG, kind: Any = "daily", now: datetime | None = None
) -> PeriodFigures:
    async with database.reading() as session:
        period = containing(kind, DAY, config.time_zone)
        return await figures(session, site, config, period, now or datetime(2026, 12, 24, tzinfo=UTC))


async def test_a_day_of_which_nothing_is_recorded_has_no_figures_and_says_so(alerts_db: Database) -> None:
    found = await of_day(alerts_db)
    assert (found.origin, found.coverage.share, found.coverage.recorded) == ("none", 0.0, 0)
    assert [(gap.started_at, gap.ended_at) for gap in found.coverage.gaps] == [(found.start, found.end)]
    assert (found.crew, found.agents, found.queues) == (None, (), ())
    total = found.total.total
    assert (total.offered, total.asa_s, total.aht_s, total.abandonment_rate) == (0, None, None, None)
    assert (total.service_levels, total.longest_waited_s) == ((), None)
    assert (found.transfers.slow_share, found.transfers.legs["total"].p50_s) == (None, None)


async def test_counts_by_different_thresholds_are_not_added_up(alerts_db: Database) -> None:
    await write(
        alerts_db,
        [queue_interval("sales", 0), queue_interval("sales", 1, within_s=30.0), queue_interval("support", 0)],
    )
    found = await of_day(alerts_db)
    sales, support = found.queues
    assert [(one.formula, one.within_s, one.value) for one in sales.total.service_levels] == [
        ("F3s", 20.0, 6 / 9),
        ("F3s", 30.0, 6 / 9),
    ]
    assert sales.total.service_level is None
    assert sales.steps[0].service_level is not None
    assert support.total.service_level is not None
    assert (support.total.service_level.formula, support.total.service_level.value) == ("F1", 7 / 10)
    assert {(one.formula, one.within_s, one.target) for one in found.total.total.service_levels} == {
        ("F3s", 20.0, 0.8),
        ("F3s", 30.0, 0.8),
        ("F1", 20.0, 0.9),
    }
    assert found.total.total.occupancy is None
    assert sales.total.occupancy == 1040 / 1540
    assert [step.started_at for step in sales.steps] == [START, START + timedelta(minutes=15)]
    assert [(hour.started_at.hour, hour.offered) for hour in sales.hours] == [(9, 20)]


async def test_transfers_by_what_they_have_in_common(alerts_db: Database) -> None:
    await write(
        alerts_db,
        [
            call_ended("call-t1", 0, queue="sales"),
            transfer_ended("t1", 5, 8.0),
            transfer_ended("t2", 6, 3.0, to_agent="", to_queue="support", kind="queue"),
            transfer_ended("t3", 7, 2.0, outcome="failed", reason="busy", to_agent="", to_number="+4530123456"),
            transfer_ended("t4", 8, 7.0, slow="cannot_tell", precision_ms=1000),
            transfer_ended("t5", 9, 4.0, from_agent="3"),
        ],
    )
    found = (await of_day(alerts_db)).transfers
    assert (found.count, found.judged, found.slow, found.cannot_tell) == (5, 4, 1, 1)
    assert (found.slow_share, found.cannot_tell_share) == (0.25, 0.25)
    assert found.outcomes == {"completed": 4, "failed": 1}
    assert {name: leg.count for name, leg in found.legs.items()} == {
        "seek": 5, "ring": 0, "brief": 0, "customer_gap": 0, "total": 4,
    }  # fmt: skip
    assert [(cause.key, cause.count) for cause in found.by_reason] == [(("completed", ""), 4), (("failed", "busy"), 1)]
    targets = {cause.key: (cause.label, cause.count, cause.not_completed) for cause in found.by_target}
    assert targets[("blind", "", "", "+••••••3456")] == (("blind", "+••••••3456"), 1, 1)
    assert targets[("queue", "support", "", "")] == (("queue", "support"), 1, 0)
    assert [(cause.label, cause.count, cause.slow) for cause in found.by_agent] == [(("Anna",), 4, 1), (("3",), 1, 0)]
    assert [(cause.label, cause.count) for cause in found.by_pair] == [(("Anna", "2"), 2), (("3", "2"), 1)]
    assert [(cause.label, cause.slow) for cause in found.by_queue] == [(("Sales",), 1)]


async def test_flags_and_incidents_of_a_day_with_their_times(alerts_db: Database) -> None:
    bus = MemoryBus()
    await bus.create(TOPICS)
    async with running(bus, alerts_db) as alerts:
        named = {"agent": "1001", "agent_name": "Chen Jing", "team": "red", "queue": "sales"}
        second = flag("f2", "t2", raised=T0 + timedelta(hours=30), rule="long_hold")
        await publish(bus, flag("f1", labels=named), clearing("f1"), second)
        await until(lambda: _count(alerts, 2))
        await alerts.post("/incidents/1/acknowledge", {"by": "Mei"})
        await alerts.post("/incidents/1/resolve", {"by": "Mei"})
        config = SITES.site("s1")
        found = await _today(alerts, alerts_db)
    total = found.incidents.total
    assert (total.opened, total.acknowledged, total.resolved, total.open, total.not_taken) == (2, 1, 1, 1, 1)
    assert total.to_acknowledge.count == total.to_resolve.count == 1
    assert total.to_acknowledge.p90_s is not None
    assert total.to_resolve.max_s is not None
    assert total.to_acknowledge.p90_s <= total.to_resolve.max_s
    assert [(line.number, line.state) for line in found.incidents.still_open] == [(2, "open")]
    assert {share.key for share in found.incidents.by_rule} == {"slow_transfer", "long_hold"}
    await write(alerts_db, [interval("1001", 0, 60)], site="s1")
    of_flags = await of_day(alerts_db, "s1", config)
    (rule,) = of_flags.flags.rules  # the other was raised on the next day
    assert (rule.rule, rule.count, rule.ended, rule.standing, rule.total_s, rule.longest_s) == (
        "slow_transfer", 1, 1, 0, 9.3, 9.3,
    )  # fmt: skip
    assert [(share.key, share.label, share.count) for share in rule.by_agent] == [("1001", "Chen Jing", 1)]
    assert [share.key for share in rule.by_queue] == ["sales"]
    assert [(one.name, one.team) for one in of_flags.agents] == [("Chen Jing", "red")]


async def _count(alerts: Any, number: int) -> bool:
    return len(await alerts.incidents()) == number


async def _today(alerts: Any, database: Database) -> PeriodFigures:
    """The year around now, in which the incidents were opened, whenever this runs."""
    now = datetime.fromisoformat((await alerts.incidents())[0]["opened_at"]).astimezone(UTC) + timedelta(minutes=1)
    async with database.reading() as session:
        period = containing("yearly", now.date(), "UTC")
        return await figures(session, "s1", SITES.site("s1"), period, now)


async def test_made_up_and_real_records_of_one_site_are_said_to_be_mixed(alerts_db: Database) -> None:
    await write(alerts_db, [interval("1", 0, 60)], simulated=True)
    assert (await of_day(alerts_db)).origin == "simulated"
    await write(alerts_db, [interval("1", 60, 90)])
    assert (await of_day(alerts_db)).origin == "mixed"


async def test_what_is_not_known_covers_nothing(alerts_db: Database) -> None:
    quarter = 900
    await write(
        alerts_db,
        [
            interval("1", 0, quarter, "ready"),
            interval("1", quarter, 2 * quarter, "unknown"),
            interval("1", 2 * quarter, 3 * quarter, "ready", provenance="stale"),
            queue_interval("sales", 3),
            queue_interval(
                "sales", 4, **dict.fromkeys(("offered", "answered", "abandoned", "other_ended", "handled"), 0)
            ),
        ],
    )
    found = await of_day(alerts_db, now=at(5 * quarter))
    assert not found.over
    assert (found.coverage.intervals, found.coverage.recorded) == (9 * 4 + 5, 2)
    assert [(gap.started_at, gap.ended_at) for gap in found.coverage.gaps] == [
        (found.start, START),
        (at(quarter), at(3 * quarter)),
        (at(4 * quarter), at(5 * quarter)),
    ]
    assert found.crew is not None
    assert (found.crew.unknown_s, found.crew.stale_s, found.crew.staffed_s) == (900.0, 900.0, 1800.0)


def test_quarters_at_the_edges_are_cut() -> None:
    start, end = at(5 * 60), at(40 * 60)
    found = covered([at(0), at(15 * 60)], start, end)
    assert (found.intervals, found.recorded) == (3, 2)
    assert (found.first, found.last) == (start, at(30 * 60))
    assert [(gap.started_at, gap.ended_at) for gap in found.gaps] == [(at(30 * 60), end)]


@pytest.mark.parametrize(
    "text", ["", "2026-13", "2026-02-30", "2026-W54", "2026-Q5", "26", "0000", "9999", "2026-1-1", "１２３４"]
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text, "UTC")
