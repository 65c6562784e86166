"""A picture is of one epoch, also where the floor is begun anew while it is being sent."""

from __future__ import annotations

import json
from itertools import pairwise

from prometheus_client import CollectorRegistry

from services.monitor.feed.hub import Hub
from services.monitor.feed.lens import Lens
from services.monitor.metrics import FeedMetrics
from shared.clock import SystemClock
from shared.events import AgentLoggedOn, LinkUp
from tests.feedkit import Client
from tests.floorkit import Bench

AGENTS = 800


async def test_who_is_in_the_middle_of_a_picture_gets_no_part_of_another_epoch() -> None:
    bench, live = Bench(), True
    bench(0, LinkUp(connector="test"))
    metrics = FeedMetrics.on(CollectorRegistry())
    hub = Hub(bench.engine, SystemClock(), metrics, log_size=2, live=lambda: live)
    client = Client(hub)
    hub.subscribe(client.subscriber)
    client.hear()
    client.pipe.give_room(0)
    for second in range(1, 7):  # more than is remembered, so that a picture is due
        bench(second, *(AgentLoggedOn(agent_id=str(n), name=f"{second}" * 150) for n in range(AGENTS)))
        hub.flush()
    client.pipe.give_room(2)
    live = False  # the engine is set back and catches up
    hub.restart()
    hub.picture(Lens())  # somebody asks meanwhile
    client.pipe.give_room(None)
    parts = [json.loads(frame.text) for frame in client.pipe.frames]
    assert parts[0]["parts"] > 3
    assert parts[0]["epoch"] != parts[-1]["epoch"]
    for one, after in pairwise(parts):
        assert after["part"] == 1 or (after["part"], after["epoch"]) == (one["part"] + 1, one["epoch"])
    board = client.hear()
    assert board.epoch == hub.epoch
    assert len(board.entities) == AGENTS + 1
