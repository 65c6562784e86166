"""Listens on a running monitor: what is ordered, what is written down, and how it ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.monitor.listen import contract
from services.monitor.listen.spots import Board
from shared import commands
from shared.codec import encode
from shared.db import Database
from shared.events import (
    AgentLoggedOff,
    CallCleared,
    CallQueued,
    CallStarted,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegRetrieved,
    LegStarted,
)
from shared.identity import Principal
from shared.siteconfig import Listening as Policy
from shared.topics import LISTEN_REPORTS, SWITCH_DEAD_LETTER
from tests.floorkit import SITE
from tests.listenkit import RELAY, listening, sites
from tests.monitordb import empty_monitor_db, monitor_db

__all__ = ["empty_monitor_db", "monitor_db"]

WANG = Principal("wang", "Wang Fang", frozenset({"supervisor"}))


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


async def test_an_agent_is_followed_from_call_to_call_and_a_listen_ends_when_they_log_off(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(agent_id="1")
        first = await floor.live(asked["listen_id"])
        assert (first.side, first.agent_id) == ("agent", "1")
        await floor.happens(60, CallCleared(call_id="c"))
        order = floor.order(asked["listen_id"])
        assert (order.state, order.reason, order.fork_id) == ("waiting", "between_calls", "")
        await floor.happens(
            70,
            CallStarted(call_id="d"),
            LegStarted(call_id="d", leg_id="m", agent_id="1"),
            LegAnswered(call_id="d", leg_id="m"),
        )
        second = await floor.live(asked["listen_id"])
        assert (second.call_id, second.fork_id != first.fork_id) == ("d", True)
        await floor.happens(80, CallCleared(call_id="d"), AgentLoggedOff(agent_id="1"))
        assert (await floor.get(asked["listen_id"]))["reason"] == "agent_offline"


async def test_a_call_is_followed_through_a_transfer_by_the_same_fork(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        fork = await floor.live(asked["listen_id"])
        await floor.happens(60, LegCleared(call_id="c", leg_id="l", cause="transferred"))
        assert (floor.order(asked["listen_id"]).muted, floor.order(asked["listen_id"]).fork_id) == (
            "hold",
            fork.fork_id,
        )
        await floor.happens(63, LegStarted(call_id="c", leg_id="m", agent_id="2"), LegAnswered(call_id="c", leg_id="m"))
        order = floor.order(asked["listen_id"])
        assert (order.state, order.agent_id, order.muted, order.fork_id) == ("live", "2", "", fork.fork_id)
        kinds = await floor.kinds(asked["listen_id"])
        assert kinds == ["asked", "fork", "started", "muted", "moved", "unmuted"]
        assert len(floor.orders(contract.ForkOrdered)) == 1


async def test_nothing_is_heard_on_hold_unless_the_policy_lets_it(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        await floor.happens(60, LegHeld(call_id="c", leg_id="l"))
        assert floor.order(asked["listen_id"]).muted == "hold"
        await floor.happens(65, LegRetrieved(call_id="c", leg_id="l"))
        assert floor.order(asked["listen_id"]).muted == ""
        await floor.call("DELETE", f"/listens/{asked['listen_id']}")
    async with listening(monitor_db, config=sites(Policy(mute_on_hold=False))) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        await floor.happens(60, LegHeld(call_id="c", leg_id="l"))
        assert floor.order(asked["listen_id"]).muted == ""


class Behind:
    """A board as it was."""

    def __init__(self, of: Board, call_id: str) -> None:
        self._call, self._now = of.call(SITE, call_id), of.time(SITE)
        self._of = of

    def call(self, site: str, call_id: str) -> Any:
        return self._call if self._call is not None and call_id == self._call.call_id else None

    def agent(self, site: str, agent_id: str) -> Any:
        return self._of.agent(site, agent_id)

    def legs(self, site: str, agent_id: str) -> Any:
        return ()

    def time(self, site: str) -> Any:
        return self._now

    def knows(self, site: str) -> bool:
        return True


async def test_a_replica_whose_board_is_behind_neither_lifts_a_hold_nor_ends_a_new_call(monitor_db: Database) -> None:
    async with listening(monitor_db, replicas=2) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        await floor.happens(63, LegHeld(call_id="c", leg_id="l"))
        await floor.happens(64, LegRetrieved(call_id="c", leg_id="l"))
        ahead = floor.replicas[1].world.board
        floor.replicas[1].world.board = Behind(ahead, "c")
        await floor.happens(65, LegHeld(call_id="c", leg_id="l"))
        await floor.pass_time(3)
        assert floor.order(asked["listen_id"]).muted == "hold"
        assert (await floor.kinds(asked["listen_id"])).count("muted") == 2
        await floor.happens(66, CallStarted(call_id="d", direction="inbound"))
        await floor.happens(66, LegStarted(call_id="d", leg_id="n", agent_id="2"), LegAnswered(call_id="d", leg_id="n"))
        other = await floor.ask(call_id="d")
        await floor.pass_time(3)
        assert floor.order(other["listen_id"]).state != "ended", "it has not begun there yet"
        floor.replicas[1].world.board = ahead
        floor.asleep.add(0)
        await floor.happens(67, LegRetrieved(call_id="c", leg_id="l"))
        assert floor.order(asked["listen_id"]).muted == "", "one that has caught up acts again"


@pytest.mark.parametrize(
    ("outcome", "words", "reason"),
    [("refused", "this switch has no AudioSocket", "refused"), ("expired", "too late", "no_answer")],
)
async def test_a_connector_that_says_no_ends_it_with_its_words(
    monitor_db: Database, outcome: str, words: str, reason: str
) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.taken(floor.commands(commands.ListenStart)[0], outcome, reason=words)
        found = await floor.get(asked["listen_id"])
        assert (found["state"], found["reason"], found["detail"]) == ("ended", reason, words)


async def test_a_connector_that_does_not_answer_ends_it_after_five_seconds(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.pass_time(4)
        assert (await floor.get(asked["listen_id"]))["state"] == "starting"
        await floor.pass_time(2)
        assert (await floor.get(asked["listen_id"]))["reason"] == "no_answer"


async def test_sound_that_does_not_come_is_asked_for_again_a_few_times(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.report(contract.ListenerJoined(listen_id=asked["listen_id"], **RELAY))
        for number in range(5):
            fork = floor.orders(contract.ForkOrdered)[-1]
            assert len(floor.orders(contract.ForkOrdered)) == number + 1
            await floor.taken(fork, "taken", "failed", reason="Reason 8")
            await floor.pass_time(5)
        found = await floor.get(asked["listen_id"])
        assert (found["reason"], found["detail"]) == ("fork_failed", "Reason 8")
        assert len(floor.orders(contract.ForkOrdered)) == 5


async def test_a_fork_without_sound_is_given_up_after_ten_seconds(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        fork = floor.orders(contract.ForkOrdered)[0]
        await floor.report(contract.ListenerJoined(listen_id=asked["listen_id"], **RELAY))
        await floor.taken(fork, "taken", "done")
        await floor.pass_time(12)
        assert fork.fork_id in [one.fork_id for one in floor.orders(contract.ForkEnded)]
        assert len(floor.orders(contract.ForkOrdered)) == 2


async def test_a_page_that_was_lost_comes_back_to_a_new_fork_or_its_listen_ends(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        first = await floor.live(asked["listen_id"])
        left = contract.ListenerLeft(listen_id=asked["listen_id"], how="lost", **RELAY)
        await floor.report(left)
        order = floor.order(asked["listen_id"])
        assert (order.state, order.reason, order.fork_id) == ("waiting", "connection_lost", "")
        assert first.fork_id in [one.fork_id for one in floor.orders(contract.ForkEnded)]
        await floor.pass_time(10)
        await floor.report(contract.ListenerJoined(listen_id=asked["listen_id"], **RELAY))
        second = await floor.live(asked["listen_id"])
        assert (floor.order(asked["listen_id"]).fork_id, second.fork_id != first.fork_id) == (second.fork_id, True)
        await floor.report(left)
        await floor.pass_time(16)
        assert (await floor.get(asked["listen_id"]))["reason"] == "connection_lost"


async def test_a_connection_that_nobody_ordered_and_of_no_site_changes_nothing(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        refused = contract.ForkRefused(fork_id="9c6d8a0e-7f0c-4f9f-a7a5-0c6b8a7f6b11", relay="relay", peer="10.0.0.7:1")
        made = contract.report(refused, id="x", source="/relay", site="", time=floor.clock.now())
        await floor.bus.publish(LISTEN_REPORTS, encode(made), key="")
        await floor.live(asked["listen_id"])
        assert (await floor.get(asked["listen_id"]))["state"] == "live"
        assert not list(floor.bus.records(SWITCH_DEAD_LETTER))


async def test_a_relay_that_began_anew_is_told_of_a_new_fork_when_the_page_is_back(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        first = await floor.live(asked["listen_id"])
        await floor.report(contract.RelayStarted(relay="relay", run="run-2"))
        assert floor.order(asked["listen_id"]).fork_id == ""
        await floor.report(contract.ListenerJoined(listen_id=asked["listen_id"], relay="relay", run="run-2"))
        order = floor.order(asked["listen_id"])
        assert (order.state, order.fork_id not in ("", first.fork_id)) == ("starting", True)


async def test_two_replicas_make_one_fork_one_command_and_one_row_of_each_fact(monitor_db: Database) -> None:
    async with listening(monitor_db, replicas=2) as floor:
        asked = await floor.ask(call_id="c", replica=1)
        fork = await floor.live(asked["listen_id"])
        await floor.happens(60, LegHeld(call_id="c", leg_id="l"))
        looks = [one.keeper.look() for one in floor.replicas if one.keeper is not None]
        await asyncio.gather(*looks)
        await floor.happens(65, LegRetrieved(call_id="c", leg_id="l"))
        await floor.heard(asked["listen_id"], fork.fork_id, 4.0)
        await floor.happens(70, CallCleared(call_id="c"))
        await floor.report(contract.ListenerLeft(listen_id=asked["listen_id"], how="ended", **RELAY))
        kinds = await floor.kinds(asked["listen_id"])
        assert kinds == ["asked", "fork", "started", "muted", "unmuted", "ended", "heard"]
        assert len(floor.orders(contract.ForkOrdered)) == 1
        ids = [one.id for one in floor.envelopes()]
        assert ids == [f"{fork.fork_id}:start", f"{fork.fork_id}:stop"]
        assert (await floor.detail(asked["listen_id"], "heard"))["seconds"] == 4.0


async def test_a_replica_that_is_behind_takes_no_report_for_news(monitor_db: Database) -> None:
    async with listening(monitor_db, replicas=2) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        floor.asleep = {1}
        await floor.report(contract.ListenerLeft(listen_id=asked["listen_id"], how="lost", **RELAY))
        await floor.report(contract.ListenerJoined(listen_id=asked["listen_id"], **RELAY))
        forks, order = len(floor.orders(contract.ForkOrdered)), floor.order(asked["listen_id"])
        assert (forks, order.fork_id != "") == (2, True)
        floor.asleep, floor.at_once = {0}, 1
        await floor.pass_time(2)
        assert (len(floor.orders(contract.ForkOrdered)), floor.order(asked["listen_id"])) == (forks, order)


async def test_two_replicas_that_are_asked_at_once_share_the_fork(monitor_db: Database) -> None:
    async with listening(monitor_db, replicas=2) as floor:
        floor.auth.now["wang"] = WANG
        one = asyncio.ensure_future(floor.ask(call_id="c", replica=0))
        floor.auth.who = WANG
        other = await floor.ask(call_id="c", replica=1)
        await one
        assert len(floor.orders(contract.ForkOrdered)) == 1
        assert len(await floor.audit()) == 4
        assert {floor.order(each).fork_id for each in (one.result()["listen_id"], other["listen_id"])} == {
            floor.orders(contract.ForkOrdered)[0].fork_id
        }


async def test_a_monitor_that_began_anew_takes_its_listens_over(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        until = floor.order(asked["listen_id"]).until
    async with listening(monitor_db, floor.bench, clock=floor.clock, bus=floor.bus) as again:
        await again.pass_time(20)
        assert again.order(asked["listen_id"]).until > until, "it is renewed"
        await again.happens(60, CallCleared(call_id="c"))
        assert (await again.get(asked["listen_id"]))["reason"] == "call_ended"


async def test_what_nobody_could_write_down_for_half_a_minute_is_over(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        assert floor.order(asked["listen_id"]).until - floor.clock.now() <= timedelta(seconds=30)
        floor.clock.pause(40)  # the database is away, or every monitor: the relay has ended it by itself
        await floor.settle()
        assert (await floor.get(asked["listen_id"]))["reason"] == "lapsed"


async def test_an_order_that_the_broker_did_not_take_is_sent_later(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        floor.bus.break_down()
        await floor.ask(call_id="c")
        floor.bus.recover()
        assert floor.orders(contract.ForkOrdered) == []
        await floor.clock.advance(3)
        courier = floor.listening._courier
        assert courier is not None
        await courier.sweep()
        assert len(floor.orders(contract.ForkOrdered)) == len(floor.commands(commands.ListenStart)) == 1
        await courier.sweep()
        assert len(floor.orders(contract.ForkOrdered)) == 1


async def test_a_call_that_waits_is_heard_as_soon_as_somebody_answers(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        await floor.happens(30, CallStarted(call_id="d"), CallQueued(call_id="d", queue="sales"))
        asked = await floor.ask(call_id="d")
        assert (asked["state"], asked["reason"], floor.orders(contract.ForkOrdered)) == ("waiting", "not_answered", [])
        await floor.report(contract.ListenerJoined(listen_id=asked["listen_id"], **RELAY))
        await floor.happens(40, LegStarted(call_id="d", leg_id="m", agent_id="2"), LegAnswered(call_id="d", leg_id="m"))
        (fork,) = floor.orders(contract.ForkOrdered)
        assert (fork.call_id, fork.agent_id, fork.side) == ("d", "2", "customer")
        refused = await floor.call("PATCH", f"/listens/{asked['listen_id']}", json={"mode": "whisper"})
        assert refused["mode"] == "whisper"


async def test_colleagues_are_heard_on_a_phone_of_theirs_and_nobody_speaks_where_nobody_is(
    monitor_db: Database,
) -> None:
    async with listening(monitor_db) as floor:
        await floor.happens(
            30,
            CallStarted(call_id="i", direction="internal"),
            LegStarted(call_id="i", leg_id="m", agent_id="2", role="internal", state="talking"),
        )
        asked = await floor.ask(call_id="i")
        fork = floor.orders(contract.ForkOrdered)[-1]
        assert (fork.side, floor.commands(commands.ListenStart)[-1].leg_id) == ("agent", "m")
        await floor.happens(40, CallStarted(call_id="d"), CallQueued(call_id="d", queue="sales"))
        assert "nobody is on the phone" in (await floor.ask(409, call_id="d", mode="whisper"))["detail"]
        await floor.call("DELETE", f"/listens/{asked['listen_id']}")
