"""A log that was replaced is read anew once, whichever replica finds it, and however late another one does."""

from __future__ import annotations

from services.alerts.core.incident import Clearing, Flag
from services.alerts.intake import read
from shared.db import Database
from shared.intake import Intake, LogReplaced
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
