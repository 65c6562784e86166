"""Nothing piles up: after a second day the engine's state is as large as at the same hour of the first."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from services.ingest.connectors.simulator.floor import SimulatedFloor
from services.monitor.core.engine import Engine
from services.monitor.rulefile import load_rulebook
from shared import events
from shared.envelope import Data
from shared.siteconfig import Sites
from tests.floorkit import SITE
from tests.ingestkit import T0

RULES = Path(__file__).parents[2] / "deploy" / "rules.yaml"
HOUR = timedelta(hours=1)


def test_a_second_day_needs_no_more_room_than_the_first() -> None:
    engine, floor = Engine(Sites({}), load_rulebook(RULES)), SimulatedFloor(1, T0)
    offset = 0

    def feed(time: datetime, data: Data) -> None:
        nonlocal offset
        engine.apply(events.make(data, id="", source="/s", site=SITE, time=time, rawpartition=0, rawoffset=offset))
        offset += 1

    feed(floor.start, events.LinkUp(connector="simulator", simulated=True))
    for told in (*floor.opening, *floor.next(T0 + 2 * HOUR)):
        feed(*told)
    first = len(engine.dump())
    for told in floor.next(T0 + 26 * HOUR):
        feed(*told)
    assert len(engine.dump()) < 1.5 * first
    assert engine.anomalies(SITE) == {}, "the simulated floor is a possible one"
