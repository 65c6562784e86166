"""Whispering and barging: one at a time, only to whom it is allowed, and nobody is left speaking by mistake."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.monitor.listen import contract
from services.monitor.listen.model import Listen
from services.monitor.listen.session import Sessions
from shared import commands
from shared.db import Database
from shared.events import (
    CommandAnswered,
    LegAnswered,
    LegCleared,
    LegStarted,
)
from shared.identity import Principal
from shared.siteconfig import Listening as Policy
from shared.siteconfig import ListenRule
from tests.listenkit import RELAY, ListenFloor, listening, sites
from tests.monitordb import empty_monitor_db, monitor_db

__all__ = ["empty_monitor_db", "monitor_db"]

WANG = Principal("wang", "Wang Fang", frozenset({"supervisor"}))


async def test_speaking_is_one_at_a_time_and_falls_back_when_the_agent_changes(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        path = f"/listens/{asked['listen_id']}"
        assert (await floor.call("PATCH", path, json={"mode": "whisper"}))["mode"] == "whisper"
        start = floor.commands(commands.ListenStart)[-1]
        assert (start.speaks, start.side, start.audio, start.mode, start.leg_id) == (
            True,
            "agent",
            "mixed",
            "whisper",
            "l",
        )
        assert floor.order(asked["listen_id"]).speak_fork_id == start.fork_id
        await floor.taken(start, "taken", "done")
        await floor.call("PATCH", path, json={"mode": "barge"})
        switched = floor.commands(commands.ListenMode)[-1]
        assert (switched.fork_id, switched.mode) == (start.fork_id, "barge")
        floor.auth.who = WANG
        floor.auth.now["wang"] = WANG
        refused = await floor.ask(409, call_id="c", mode="whisper")
        assert (refused["speaker"], refused["speaker_name"]) == ("li", "Li Na")
        await floor.happens(
            60,
            LegCleared(call_id="c", leg_id="l", cause="transferred"),
            LegStarted(call_id="c", leg_id="m", agent_id="2"),
            LegAnswered(call_id="c", leg_id="m"),
        )
        order = floor.order(asked["listen_id"])
        assert (order.mode, order.reason, order.speak_fork_id, order.state) == ("listen", "transferred", "", "live")
        assert start.fork_id in [one.fork_id for one in floor.orders(contract.ForkEnded)]
        assert (await floor.ask(call_id="c", mode="whisper"))["mode"] == "whisper", "now another may"


@pytest.mark.parametrize("before", ["listens", "nothing"])
async def test_nobody_speaks_to_an_agent_who_took_over_while_it_was_written_down(
    monitor_db: Database, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    only_blue = Policy(rules=(ListenRule(teams=("Blue",)), ListenRule(modes=("listen",))))
    async with listening(monitor_db, config=sites(only_blue)) as floor:
        keeper = floor.listening.keeper
        assert keeper is not None
        change = keeper.change

        async def change_late(work: Callable[[Sessions], Listen]) -> Listen:
            monkeypatch.setattr(keeper, "change", change)
            floor.bench(
                60,
                LegCleared(call_id="c", leg_id="l", cause="transferred"),
                LegStarted(call_id="c", leg_id="m", agent_id="2"),
                LegAnswered(call_id="c", leg_id="m"),
            )
            await keeper.look()
            return await change(work)

        if before == "listens":
            listen_id = (await floor.ask(call_id="c"))["listen_id"]
            await floor.live(listen_id)
            monkeypatch.setattr(keeper, "change", change_late)
            await floor.call("PATCH", f"/listens/{listen_id}", 409, json={"mode": "whisper"})
            assert (await floor.get(listen_id))["agent_name"] == "Bo", "the board was ahead of what was asked"
        else:
            monkeypatch.setattr(keeper, "change", change_late)
            await floor.ask(409, call_id="c", mode="whisper")
        assert not [one for one in floor.commands(commands.ListenStart) if one.speaks]


async def test_nobody_speaks_to_an_agent_of_whom_it_was_not_asked(monitor_db: Database) -> None:
    only_blue = Policy(rules=(ListenRule(teams=("Blue",)), ListenRule(modes=("listen",))))
    async with listening(monitor_db, config=sites(only_blue)) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        path = f"/listens/{asked['listen_id']}"
        floor.bench(  # and nobody has looked since
            60,
            LegCleared(call_id="c", leg_id="l", cause="transferred"),
            LegStarted(call_id="c", leg_id="m", agent_id="2"),
            LegAnswered(call_id="c", leg_id="m"),
        )
        await floor.call("PATCH", path, 409, json={"mode": "barge"})
        assert not [one for one in floor.commands(commands.ListenStart) if one.speaks]
        await floor.happens(61)
        assert (await floor.call("PATCH", path, 403, json={"mode": "barge"}))["policy"] == "mode"
        assert (await floor.get(asked["listen_id"]))["agent_name"] == "Bo"


async def test_a_mode_that_the_switch_does_not_take_leaves_nobody_speaking(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        await floor.call("PATCH", f"/listens/{asked['listen_id']}", json={"mode": "whisper"})
        start = floor.commands(commands.ListenStart)[-1]
        await floor.taken(start, "taken", "failed", reason="Permission denied")
        found = await floor.get(asked["listen_id"])
        assert (found["mode"], found["state"], found["reason"], found["detail"]) == (
            "listen",
            "live",
            "mode_failed",
            "Permission denied",
        )


@pytest.mark.parametrize("answers", [True, False])
async def test_a_whisper_is_not_left_where_the_customer_hears_it(monitor_db: Database, answers: bool) -> None:
    async with listening(monitor_db) as floor:
        listen_id, start = await barging(floor)
        path = f"/listens/{listen_id}"
        await floor.taken(start, "taken", "done")
        await floor.report(contract.ForkUp(fork_id=start.fork_id, rate_hz=8000, channels=1, **RELAY))
        await floor.call("PATCH", path, json={"mode": "whisper"})
        if answers:
            await floor.answer(
                CommandAnswered(command_id=newest(floor), action="listen_mode", outcome="done", fork_id=start.fork_id)
            )
        await floor.pass_time(6)
        found = await floor.get(listen_id)
        assert (found["mode"], found["reason"]) == (("whisper", "") if answers else ("listen", "mode_failed"))
        over = [one.fork_id for one in floor.orders(contract.ForkEnded)]
        assert over == ([] if answers else [start.fork_id]), "the relay hangs up, whatever the connector does"


async def barging(floor: ListenFloor) -> tuple[str, commands.ListenStart]:
    """A listen whose inspector barges in: its id, and the order of its speaking leg."""
    listen_id = (await floor.ask(call_id="c"))["listen_id"]
    await floor.live(listen_id)
    await floor.call("PATCH", f"/listens/{listen_id}", json={"mode": "barge"})
    return listen_id, floor.commands(commands.ListenStart)[-1]


def newest(floor: ListenFloor) -> str:
    """The id of the last change of mode."""
    return [one.id for one in floor.envelopes() if isinstance(one.data, commands.ListenMode)][-1]


@pytest.mark.parametrize(
    ("first", "second", "mode"),
    [("done", "", "listen"), ("done", "done", "barge"), ("failed", "done", "barge"), ("done", "failed", "listen")],
)
@pytest.mark.parametrize("up", [True, False])
async def test_each_change_of_mode_has_an_answer_of_its_own(
    monitor_db: Database, first: str, second: str, mode: str, up: bool
) -> None:
    """Also when the next one is asked for before, or before the leg sounds."""
    async with listening(monitor_db) as floor:
        listen_id, start = await barging(floor)
        path = f"/listens/{listen_id}"
        sounds = contract.ForkUp(fork_id=start.fork_id, rate_hz=8000, channels=1, **RELAY)
        if up:
            await floor.taken(start, "taken", "done")
            await floor.report(sounds)
        ids = []
        for wanted in ("whisper", "barge"):
            await floor.call("PATCH", path, json={"mode": wanted})
            ids.append(newest(floor))
        if not up:
            await floor.taken(start, "taken", "done")
            await floor.report(sounds)
        for command_id, outcome in zip(ids, (first, second), strict=True):
            if outcome:
                for said in ("taken", outcome):
                    answer = {"command_id": command_id, "outcome": said, "fork_id": start.fork_id}
                    await floor.answer(CommandAnswered(action="listen_mode", **answer))
        await floor.pass_time(6)
        found = await floor.get(listen_id)
        assert (found["mode"], found["reason"]) == (mode, "" if mode == "barge" else "mode_failed")
        assert (start.fork_id in [one.fork_id for one in floor.orders(contract.ForkEnded)]) == (mode == "listen")


async def test_a_page_that_is_closed_while_it_speaks_has_lost_nothing(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        fork = await floor.live(asked["listen_id"])
        await floor.call("PATCH", f"/listens/{asked['listen_id']}", json={"mode": "barge"})
        down = {"frames": 1, "discarded": 0, "seconds": 0.02}
        await floor.report(
            contract.ListenerLeft(listen_id=asked["listen_id"], how="closed", **RELAY),
            contract.ForkDown(fork_id=fork.fork_id, how="closed", detail="the last listener left", **RELAY, **down),
        )
        assert await floor.kinds(asked["listen_id"]) == ["asked", "fork", "started", "mode", "ended"]
        ended = await floor.detail(asked["listen_id"], "ended")
        assert (ended["reason"], ended["was"]) == ("closed", "live")
        assert len(floor.commands(commands.ListenStop)) == 2
