"""That a receiver cannot be reached is said by several instances at once, and stays said for as long as it is so."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import col

from services.alerts.app import AlertsService
from services.alerts.reach.outbox import RECEIVER_DEAD
from services.alerts.reach.queue import Lane, Queue
from services.alerts.reach.tables import ChannelRow
from shared.clock import FakeClock
from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import SITES, settings
from tests.flagkit import T0

pytest_plugins = ("tests.alertsdb",)


def instance(database: Database, clock: FakeClock) -> AlertsService:
    given = settings(notify_urls=("json://127.0.0.1:9/",))
    return AlertsService(given, bus=MemoryBus(), database=database, clock=clock, sites=SITES)


async def dies(database: Database, service: AlertsService) -> None:
    """The only receiver is dead from now on."""
    (name,) = service.in_force.channels.receivers
    async with database.unit_of_work() as session:
        await Queue(session).channel(Lane(name, service.in_force.channels.of[name][0].key))
        await session.execute(
            update(ChannelRow).values(dead_since=T0, failing_since=T0).where(col(ChannelRow.receiver) == name)
        )


async def test_who_looked_before_a_receiver_died_does_not_say_that_it_lives(alerts_db: Database) -> None:
    clock = FakeClock(T0)
    one, other = instance(alerts_db, clock), instance(alerts_db, clock)
    states = one.reach.states
    refresh = states.refresh

    async def refreshed() -> None:
        await refresh()
        states.refresh = refresh  # type: ignore[method-assign]
        await dies(alerts_db, other)
        await other.reach.sender.look_after_receivers()

    states.refresh = refreshed  # type: ignore[method-assign]
    await one.reach.sender.look_after_receivers()
    assert [flag.rule for flag in await other.desk.own_flags()] == [RECEIVER_DEAD]

    for late in (one, other):
        await clock.advance(60)
        await late.reach.sender.look_after_receivers()
    assert len(await other.desk.own_flags()) == 1
    assert one.reach.states.all() == other.reach.states.all()


async def test_one_that_is_dead_and_was_out_of_the_file_for_a_while_is_said_again(alerts_db: Database) -> None:
    clock = FakeClock(T0)
    service = instance(alerts_db, clock)
    await dies(alerts_db, service)
    await service.reach.sender.look_after_receivers()
    without = AlertsService(settings(), bus=MemoryBus(), database=alerts_db, clock=clock, sites=SITES)
    await without.reach.sender.look_after_receivers()
    assert await service.desk.own_flags() == []
    await clock.advance(60)
    await service.reach.sender.look_after_receivers()
    (said,) = await service.desk.own_flags()
    assert (said.rule, said.started) == (RECEIVER_DEAD, T0)
