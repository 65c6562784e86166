"""Sites shared out: two monitors, each with a partition of its own (MONITOR_PARTITIONS), on Apache Kafka."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final

import pytest

from shared import topics
from shared.bus import Bus
from tests.brokers import APACHE, Broker
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
from tests.fault.load import Canonical, Plan, pouring
from tests.soak.boards import Board, Wanted
from tests.waiting import beside, until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]  # each on a partition of its own


@pytest.mark.parametrize("broker", [APACHE], indirect=True)
async def test_a_monitor_that_is_killed_costs_the_sites_of_another_share_nothing(
    broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    await create_topics(broker, partitions=2)
    plan = Plan(SITES, rate=300, lasts_s=1, transfers_a_second=8)
    shares = [Service("monitor", broker, tmp_path, name=f"share-{n}", partitions=n, checkpoint_s=1) for n in range(2)]
    boards = [Board(one.name, [one], Wanted(), Random(1)) for one in shares]
    async with (
        services(*shares),
        following(broker, topics.FLOOR_FLAGS) as flags,
        beside(*(board.watch() for board in boards)),
    ):
        async with pouring(plan, Canonical(bus, SITES)) as load:
            await until(lambda: all(board.picture.times for board in boards), "each board was told of a site")
            killed, other = shares[0], boards[1].picture
            await killed.kill()
            before = other.position
            await until(lambda: other.position != before, "the other's board goes on")
            await killed.start()
            await load.done.wait()
            await load.until(plan.ends_s + 1)
        records = await read_all(bus, topics.FLOOR_EVENTS)
        truth = Uninterrupted(records)
        finished = Downstream(topics.FLOOR_RECORDS)

        async def all_told() -> bool:
            await finished.catch_up(bus)
            return all(
                len(seen.of(site)) >= len(truth.of(site, seen.topic)) for site in SITES for seen in (flags, finished)
            )

        await until(all_told, "all is told", every_s=0.2)
        for seen in (flags, finished):
            for site in SITES:
                assert seen.of(site) == truth.of(site, seen.topic), "what one engine makes of all, each once"
        assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}

        places = {record.key.decode(): record.partition for record in records}
        assert sorted(places.values()) == [0, 1]
        for site, number in places.items():
            board = boards[number]
            await until(lambda b=board: b.picture.floor["site"], "the board has its picture again")
            assert (set(board.picture.floor["site"]), board.wrong) == ({site}, [])
            for one, shown in ((shares[number], [site]), (shares[1 - number], [])):
                floor = (await one.get(f"/api/v1/floor?site={site}"))["floor"]
                assert [known["site"] for known in floor["sites"]] == shown
        for one in shares:
            await one.stop()
        for site, number in places.items():
            end = {(topics.FLOOR_EVENTS.name, number): truth.offsets[topics.FLOOR_EVENTS.name, number]}

            covering = await last_checkpoints(bus, f"monitor[{number}]", end)
            assert covering, "its last checkpoint has all"
            assert all(by_site(one.state) == {site: truth.state()[site]} for one in covering)
