"""What the alerts service sees of sites on a real broker: who is heard, how far monitors are, what cannot be read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from services.alerts.core.sitehealth import LETTERS, Health, Limits
from services.alerts.health.sight import Sight
from shared.checkpoint import Checkpoints
from shared.clock import SystemClock
from shared.kafka import KafkaBus
from shared.topics import FLOOR_CHECKPOINTS, FLOOR_EVENTS, SWITCH_DEAD_LETTER
from tests.embedded import embedded_broker
from tests.waiting import until


async def test_sites_monitors_and_dead_letters_are_seen_at_the_ends_of_their_topics(tmp_path: Path) -> None:
    with embedded_broker(tmp_path / "broker.log") as broker:
        bus, writer = KafkaBus(broker.bootstrap), KafkaBus(broker.bootstrap)
        sight = Sight(bus, SystemClock())
        try:
            await watched(sight, bus, writer)
        finally:
            await sight.close()
            await bus.close()
            await writer.close()


async def watched(sight: Sight, bus: KafkaBus, writer: KafkaBus) -> None:
    clock = SystemClock()
    health = Health(lambda _: Limits(letters=3, silent_after=timedelta(hours=1)), ["quiet"])
    await bus.create([FLOOR_EVENTS, FLOOR_CHECKPOINTS, SWITCH_DEAD_LETTER])
    for number in range(2200):  # more than the first look goes back
        await writer.publish(FLOOR_EVENTS, b"x" * 200, key="old" if number < 100 else "busy")
    for number in range(4):
        await writer.publish(SWITCH_DEAD_LETTER, b"?", key="busy", headers=(("offset", str(number).encode()),))
    await writer.flush()
    await Checkpoints(writer, "monitor", clock).save(b"state", {(FLOOR_EVENTS.name, 0): 2200})
    await Checkpoints(writer, "ingest", clock).save(b"state", {(FLOOR_EVENTS.name, 0): 1})
    await sight.open()
    await sight.look(health)
    assert health.known.keys() == {"busy"}
    assert health.view("busy", clock.now()).lag_s == 0
    assert health.view("busy", clock.now()).dead_letters_recent == 4
    assert [one.about for one in health.judged(clock.now())] == [(LETTERS, "busy")]

    for number in range(700):  # more than a look reads that is not thorough; the quiet one is not among the last
        await writer.publish(FLOOR_EVENTS, b"x" * 200, key="quiet" if number == 50 else "busy")
    await writer.flush()

    async def heard() -> bool:
        await sight.look(health)
        return "quiet" in health.known

    await until(heard)
