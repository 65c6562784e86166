"""A log that was replaced is read anew once, whichever replica finds it, and however late another one does."""

from __future__ import annotations

from structlog.testing import capture_logs

from services.alerts.core.incident import Clearing, Flag
from services.alerts.intake import read
from shared.db import Database
from shared.intake import Intake, LogReplaced, NotKept
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_FLAGS
from tests.alertskit import TOPICS, publish
from tests.flagkit import flag
from tests.holdkit import Fleet

pytest_plugins = ("tests.alertsdb",)


def intake(fleet: Fleet, number: int, bus: MemoryBus) -> Intake[Flag | Clearing]:
    part = fleet.services[number].pipeline
    return Intake("alerts", FLOOR_FLAGS, bus=bus, clock=fleet.clock, read=read, sink=part, watch=part)


async def step(one: Intake[Flag | Clearing]) -> LogReplaced | None:
    """Open and read what there is; what of it says that the log was replaced."""
    try:
        reader = await one._open()
        try:
            await one._step(reader)
        finally:
            await reader.close()
    except LogReplaced as exc:
        return exc
    return None


async def test_who_finds_it_late_takes_nothing_back_of_what_another_one_has_read_of_the_new_log(
    alerts_db: Database,
) -> None:
    old, new = MemoryBus(), MemoryBus()
    for bus in (old, new):
        await bus.create(TOPICS)
    fleet = Fleet(alerts_db)
    await publish(old, flag("old"))
    assert await step(intake(fleet, 0, old)) is None
    await publish(new, flag("new", subject_id="t2"))

    one, other = intake(fleet, 0, new), intake(fleet, 1, new)
    found, late = await step(one), await step(other)
    assert found is not None
    assert late is not None
    await one._start_anew(found)
    assert await step(one) is None
    await other._start_anew(late)
    assert await step(other) is None
    assert [await fleet.kinds(number) for number in (1, 2)] == [["opened", "told", "lost"], ["opened", "told"]]
    assert [one.condition for one in await fleet.incidents()] == ["unknown", "active"]


async def test_records_that_were_gone_before_they_were_read_are_told_and_counted(alerts_db: Database) -> None:
    """Away for longer than the topic keeps: what stood may have ended among what is gone."""
    bus = MemoryBus()
    await bus.create(TOPICS)
    fleet = Fleet(alerts_db)
    metrics = fleet.services[0].pipeline._metrics
    await publish(bus, flag("read"))
    assert await step(intake(fleet, 0, bus)) is None
    await publish(bus, flag("gone", subject_id="t2"), flag("gone, too", subject_id="t3"), flag("kept", subject_id="t4"))
    bus.forget_before(FLOOR_FLAGS, 0, 3)
    one = intake(fleet, 0, bus)
    found = await step(one)
    assert isinstance(found, NotKept)
    with capture_logs() as logs:
        await one._start_anew(found)
        await one._start_anew(found)
    (told,) = logs
    assert (told["event"], told["log_level"]) == ("records_not_kept", "error")
    assert (told["offset"], told["first"], told["lost"]) == (1, 3, 2)
    assert metrics.not_kept._value.get() == 2
    assert await step(one) is None
    assert [incident.subject_id for incident in await fleet.incidents()] == ["t1", "t4"]
    assert [incident.condition for incident in await fleet.incidents()] == ["unknown", "active"]


async def test_retention_that_removes_what_was_read_is_nothing_to_tell(alerts_db: Database) -> None:
    bus = MemoryBus()
    await bus.create(TOPICS)
    fleet = Fleet(alerts_db)
    await publish(bus, flag("read"))
    assert await step(intake(fleet, 0, bus)) is None
    bus.forget_before(FLOOR_FLAGS, 0, 1)
    await publish(bus, flag("next", subject_id="t2"))
    assert await step(intake(fleet, 0, bus)) is None
    assert [incident.condition for incident in await fleet.incidents()] == ["active", "active"]
