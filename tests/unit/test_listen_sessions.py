"""Listens on a running monitor: what is ordered, what is written down, and how it ends."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.monitor.listen import contract
from shared import commands
from shared.db import Database
from shared.events import (
    AgentLoggedOff,
    CallCleared,
    CallStarted,
    LegAnswered,
    LegCleared,
    LegHeld,
    LegRetrieved,
    LegStarted,
    LinkDown,
)
from shared.identity import Principal, Scope
from shared.siteconfig import Listening as Policy
from shared.siteconfig import ListenRule
from tests.contract.test_openapi import fits
from tests.floorkit import SITE
from tests.listenkit import RELAY, a_floor, listening, sites
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


async def test_a_relay_that_began_anew_is_told_of_a_new_fork_when_the_page_is_back(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        first = await floor.live(asked["listen_id"])
        await floor.report(contract.RelayStarted(relay="relay", run="run-2"))
        assert floor.order(asked["listen_id"]).fork_id == ""
        await floor.report(contract.ListenerJoined(listen_id=asked["listen_id"], relay="relay", run="run-2"))
        order = floor.order(asked["listen_id"])
        assert (order.state, order.fork_id not in ("", first.fork_id)) == ("starting", True)


async def test_who_may_no_longer_hears_no_longer(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        floor.auth.gone.add("li")
        await floor.pass_time(2)
        assert (await floor.kinds(asked["listen_id"]))[-1] == "ended"
        assert floor.order(asked["listen_id"]).reason == "signed_out"
        floor.auth.gone.clear()
        asked = await floor.ask(call_id="c")
        floor.auth.now["li"] = Principal("li", "Li", frozenset({"viewer"}))
        await floor.pass_time(2)
        assert floor.order(asked["listen_id"]).reason == "not_allowed"
        floor.auth.now.clear()
        asked = await floor.ask(call_id="c")
        floor.auth.now["li"] = Principal("li", "Li", frozenset({"inspector"}), Scope(teams=frozenset({"Red"})))
        await floor.pass_time(2)
        assert floor.order(asked["listen_id"]).reason == "not_allowed"
        assert (await floor.detail(asked["listen_id"], "ended"))["detail"] == "scope"


async def test_it_ends_at_the_policys_longest_and_when_its_hours_end(monitor_db: Database) -> None:
    async with listening(monitor_db, config=sites(Policy(max_s=20))) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        await floor.pass_time(21)
        assert (await floor.get(asked["listen_id"]))["reason"] == "max_length"
    hours = Policy(rules=(ListenRule(hours="08:00-09:02"),))
    async with listening(monitor_db, config=sites(hours)) as floor:
        asked = await floor.ask(call_id="c")
        assert asked["until"] == "2026-11-22T09:02:00Z"
        await floor.live(asked["listen_id"])
        await floor.pass_time(61)
        assert (await floor.get(asked["listen_id"]))["reason"] == "hours"
        refused = await floor.ask(403, call_id="c")
        assert (refused["policy"], "时段" in refused["reason_zh"]) == ("hours", True)


async def test_what_the_policy_refuses_is_written_down_too(monitor_db: Database) -> None:
    policy = Policy(rules=(ListenRule(teams=("Red",)),))
    async with listening(monitor_db, config=sites(policy)) as floor:
        assert (await floor.ask(403, call_id="c"))["policy"] == "not_them"
        floor.auth.who = Principal("eve", "Eve", frozenset({"inspector"}), Scope(teams=frozenset({"Red"})))
        await floor.ask(404, call_id="c")
        await floor.ask(404, call_id="nothing")
        found = [(one.kind, one.by, one.call_id, one.detail) for one in await floor.audit()]
        assert found == [
            ("refused", "li", "c", '{"code":"not_them","follow":"call"}'),
            ("refused", "eve", "c", '{"code":"not_visible","follow":"call"}'),
        ]
        assert floor.envelopes() == []


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


async def test_agents_see_who_listened_to_them_as_far_as_the_policy_tells(monitor_db: Database) -> None:
    path = f"/agents/{SITE}/1/listens"
    for tell, while_it_goes_on, afterwards in (("never", 0, 0), ("during", 1, 1), ("after", 0, 1)):
        bench = a_floor()
        async with listening(monitor_db, bench, sites(Policy(tell_agent=tell))) as floor:  # type: ignore[arg-type]
            before = len((await floor.call("GET", path))["listens"])
            asked = await floor.ask(call_id="c")
            fork = await floor.live(asked["listen_id"])
            await floor.heard(asked["listen_id"], fork.fork_id, 3.0)
            floor.auth.who = Principal("anna", "Anna", frozenset(), agent=f"{SITE}/1")
            own = [one["listen_id"] for one in (await floor.call("GET", path))["listens"]]
            assert (asked["listen_id"] in own) == bool(while_it_goes_on)
            await floor.call("GET", f"/agents/{SITE}/2/listens", 404)
            await floor.call("GET", "/listens", 403)
            await floor.happens(60, CallCleared(call_id="c"))
            own = [one["listen_id"] for one in (await floor.call("GET", path))["listens"]]
            assert (asked["listen_id"] in own) == bool(afterwards)
            floor.auth.who = Principal("sun", "Sun", frozenset({"auditor"}))
            found = (await floor.call("GET", path))["listens"]
            assert (len(found), found[0]["seconds"], found[0]["user_name"]) == (before + 1, 3.0, "Li Na")
            assert ("told" in await floor.kinds(asked["listen_id"])) == bool(afterwards)


async def test_auditors_read_the_rows_of_their_sites_page_by_page(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.call("DELETE", f"/listens/{asked['listen_id']}")
        await floor.call("GET", "/audit/listens", 403)
        floor.auth.who = Principal("sun", "Sun", frozenset({"auditor"}))
        rows, cursor = [], ""
        while True:
            page = await floor.call("GET", "/audit/listens", params={"limit": 2, "cursor": cursor})
            rows += page["rows"]
            if (cursor := page["next"]) is None:
                break
        assert [one["kind"] for one in rows] == ["ended", "fork", "asked"]
        assert rows[0]["prev_hash"] == rows[1]["hash"]
        lines = await floor.clients[0].get("/api/v1/audit/listens/export")
        assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [1, 2, 3]
        table = await floor.clients[0].get("/api/v1/audit/listens/export?format=csv")
        assert len(table.text.splitlines()) == 4
        floor.auth.who = Principal("far", "Far", frozenset({"auditor"}), Scope(sites=frozenset({"elsewhere"})))
        assert (await floor.call("GET", "/audit/listens"))["rows"] == []


async def test_the_database_itself_keeps_the_audit(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        await floor.ask(call_id="c")
        for change in ("UPDATE listen_audit SET \"by\" = 'nobody'", "DELETE FROM listen_audit"):
            with pytest.raises(DBAPIError, match="append-only"):
                async with monitor_db.unit_of_work() as session:
                    await session.execute(text(change))


async def test_without_a_database_or_a_heard_switch_nobody_listens(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        await floor.happens(60, LinkDown(connector="test", reason="gone"))
        assert (await floor.ask(503, call_id="c"))["title"] == "The switch is not heard"
        floor.listening.store.migrated.clear()
        await floor.call("GET", "/listens", 503)


async def test_what_the_api_answers_has_the_documented_form(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        one = f"/listens/{asked['listen_id']}"
        await floor.live(asked["listen_id"])
        document = await floor.clients[0].get("/api/openapi.json")
        paths, schemas = document.json()["paths"], document.json()["components"]["schemas"]
        floor.auth.who = Principal("li", "Li", frozenset({"admin"}))
        wish = {"site": SITE, "agent_id": "1", "purpose": "coaching"}
        for method, path, url, body in (
            ("post", "/listens", "/listens", wish),
            ("get", "/listens", f"/listens?mine=true&open=true&site={SITE}&agent=1&from=2026-01-01T00:00:00Z", None),
            ("get", "/listens/{listen_id}", one, None),
            ("get", "/listens/{listen_id}/pass", f"{one}/pass", None),
            ("patch", "/listens/{listen_id}", one, {"mode": "barge"}),
            ("delete", "/listens/{listen_id}", one, None),
            ("get", "/listen-policy/{site}", f"/listen-policy/{SITE}", None),
            ("get", "/agents/{site}/{agent_id}/listens", f"/agents/{SITE}/1/listens", None),
            ("get", "/audit/listens", "/audit/listens", None),
        ):
            response = await floor.clients[0].request(method, f"/api/v1{url}", **({"json": body} if body else {}))
            assert response.is_success, response.text
            documented = paths[f"/api/v1{path}"][method]["responses"][str(response.status_code)]
            assert fits(response.json(), documented["content"]["application/json"]["schema"], schemas), response.text
        assert (await floor.call("GET", f"{one}/pass", 409))["reason"] == "by_listener"
        for wrong in ({}, {"call_id": "c", "agent_id": "1"}, {"call_id": "c", "purpose": "fun"}):
            await floor.ask(422, **wrong)
        await floor.call("GET", "/listens", 400, params={"cursor": "x"})


async def test_lists_come_by_pages_and_hold_only_what_one_may_see(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        for _ in range(3):
            asked = await floor.ask(call_id="c")
            await floor.call("DELETE", f"/listens/{asked['listen_id']}")
        first = await floor.call("GET", "/listens", params={"limit": 2})
        second = await floor.call("GET", "/listens", params={"limit": 2, "cursor": first["next"]})
        assert (len(first["listens"]), len(second["listens"]), second["next"]) == (2, 1, None)
        assert len({one["listen_id"] for one in first["listens"] + second["listens"]}) == 3
        floor.auth.who = Principal("red", "Red", frozenset({"supervisor"}), Scope(teams=frozenset({"Red"})))
        assert (await floor.call("GET", "/listens"))["listens"] == []
        await floor.call("GET", f"/listens/{asked['listen_id']}", 404)
        await floor.call("DELETE", f"/listens/{asked['listen_id']}", 404)
        floor.auth.who = Principal("blue", "Blue", frozenset({"inspector"}), Scope(teams=frozenset({"Blue"})))
        assert len((await floor.call("GET", "/listens"))["listens"]) == 3
        await floor.call("DELETE", f"/listens/{asked['listen_id']}", 404)
        await floor.call("PATCH", f"/listens/{asked['listen_id']}", 404, json={"mode": "whisper"})
        await floor.call("GET", f"/listens/{asked['listen_id']}/pass", 404)


async def test_one_listens_to_a_thing_once_and_a_supervisor_may_end_it(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        floor.auth.users = True
        asked = await floor.ask(call_id="c")
        assert (await floor.ask(409, call_id="c"))["listen_id"] == asked["listen_id"]
        await floor.ask(agent_id="1")
        floor.auth.who = WANG
        assert (await floor.call("DELETE", f"/listens/{asked['listen_id']}"))["reason"] == "by_other"
        assert (await floor.audit(asked["listen_id"]))[-1].by == "wang"
