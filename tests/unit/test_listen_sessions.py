"""Listens on a running monitor: what is ordered, what is written down, and how it ends."""

from __future__ import annotations

from services.monitor.listen import contract
from shared import commands
from shared.db import Database
from shared.events import CallCleared
from tests.listenkit import listening
from tests.monitordb import empty_monitor_db, monitor_db

__all__ = ["empty_monitor_db", "monitor_db"]


async def test_a_call_is_listened_to_from_the_asking_to_its_end(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        assert (asked["state"], asked["follow"], asked["agent_name"]) == ("starting", "call", "Anna")
        assert asked["audio"]["url"] == f"ws://127.0.0.1:8603/api/v1/listens/{asked['listen_id']}/audio"
        (fork,), (start,) = floor.orders(contract.ForkOrdered), floor.commands(commands.ListenStart)
        assert (start.fork_id, start.side, start.audio, start.leg_id) == (fork.fork_id, "customer", "split", "l")
        assert floor.order(asked["listen_id"]).fork_id == fork.fork_id
        await floor.live(asked["listen_id"])
        assert floor.order(asked["listen_id"]).state == "live"
        await floor.heard(asked["listen_id"], fork.fork_id, 4.0)
        await floor.happens(60, CallCleared(call_id="c"))
        found = await floor.get(asked["listen_id"])
        assert (found["state"], found["reason"]) == ("ended", "call_ended")
        assert floor.order(asked["listen_id"]).state == "ended"
        assert [one.fork_id for one in floor.commands(commands.ListenStop)] == [fork.fork_id]
        await floor.heard(asked["listen_id"], fork.fork_id, 4.5)
        await floor.report(contract.ListenerLeft(listen_id=asked["listen_id"], relay="relay", run="run-1", how="ended"))
        assert await floor.kinds(asked["listen_id"]) == ["asked", "fork", "started", "ended", "heard"]
        assert (await floor.detail(asked["listen_id"], "heard"))["bytes"] == 144000
