"""Two monitors on the same topics, of which either may be killed at any time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from shared import topics
from shared.bus import Bus
from tests.brokers import BOTH, Broker
from tests.fault.kit import (
    Downstream,
    Service,
    Uninterrupted,
    by_site,
    create_topics,
    following,
    last_checkpoints,
    read_all,
    services,
)
from tests.fault.load import Canonical, Load, Plan, pouring
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]  # each on a partition of its own
RATE: Final = float(os.environ.get("FAULT_RATE", "5000"))  # events a second, of both together

Tell = Callable[[str], None]


@pytest.mark.parametrize("broker", BOTH, indirect=True)
async def test_kill_9_of_either_monitor_at_full_load_costs_no_flag_and_doubles_none(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=RATE, lasts_s=10)
    first, second = (Service("monitor", broker, tmp_path, name=name, checkpoint_s=1) for name in "ab")
    async with services(first, second), following(broker, topics.FLOOR_FLAGS) as flags:
        async with pouring(plan, Canonical(bus, SITES)) as load:
            kills, took = [], []
            for second_s, one in ((2.0, first), (5.5, second)):
                await load.until(max(second_s, load.now_s() + 0.5))
                kills.append(load.now_s())
                await one.kill()
                took.append(await one.start())
            await load.done.wait()
            await load.until(plan.ends_s + 1)
        records = await read_all(bus, topics.FLOOR_EVENTS)
        truth = Uninterrupted(records)
        await until(lambda: everything_is_down(flags, truth), "every flag is downstream")
        await first.stop()
        await second.stop()

        # no flag lost, none doubled, each with its own deadline
        assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
        for topic, seen in ((topics.FLOOR_FLAGS, flags), (topics.FLOOR_RECORDS, Downstream(topics.FLOOR_RECORDS))):
            await seen.catch_up(bus)
            for site in SITES:
                assert seen.of(site) == truth.of(site, topic), (topic.name, site)
            assert len({fact.id for fact in seen.facts}) == len(seen.facts)

        # both ended in the state of an uninterrupted run
        ended = await last_checkpoints(bus, "monitor", truth.offsets)
        assert len(ended) >= 2
        assert all(by_site(one.state) == truth.state() for one in ended)
    measured(
        f"{load.poured} events at {RATE:.0f}/s, {len(plan.slow)} slow transfers, load average {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores; from kill -9 to ready {took[0]:.1f} s and {took[1]:.1f} s"
    )
    after_kill, else_ = lateness(flags, load, kills)
    for when, late in (("in the 3 s after a kill -9", after_kill), ("otherwise", else_)):
        if late:
            measured(
                f"flags downstream {when}: {len(late)}, late by {median(late):.3f} s (median), {max(late):.3f} s (largest)"
            )


async def everything_is_down(downstream: Downstream, truth: Uninterrupted) -> bool:
    return all(len(downstream.of(site)) >= len(truth.of(site, downstream.topic)) for site in SITES)


def lateness(downstream: Downstream, load: Load, kills: list[float]) -> tuple[list[float], list[float]]:
    """From the deadline of each slow transfer to the first arrival of its flag, seconds: those due within 3 s after a
    kill, and the others that were due while we watched."""
    after_kill: list[float] = []
    else_: list[float] = []
    for flag in downstream.slow_flags():
        due_s = (flag.data.raised_at - load.began).total_seconds()
        late = (downstream.arrived[flag.id] - flag.data.raised_at).total_seconds()
        if any(kill <= due_s < kill + 3 for kill in kills):
            after_kill.append(late)
        elif due_s > 0.5:
            else_.append(late)
    return after_kill, else_
