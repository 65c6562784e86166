"""Actions on the floor: figures before and, five minutes later, after; one effect, whoever looks; no data is said and not 0."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.monitor.desk import figures
from services.monitor.desk.figures import About
from shared.clock import FakeClock
from shared.db import Database
from shared.events import (
    AgentLoggedOn,
    AgentReady,
    CallCleared,
    CallDequeued,
    CallQueued,
    CallStarted,
    LegAnswered,
    LegCleared,
    LegStarted,
    LinkDown,
    LinkUp,
    TransferEnded,
    TransferRequested,
    WrapStarted,
)
from shared.identity import Principal
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_RECORDS, SWITCH_DEAD_LETTER
from tests.deskkit import DeskClient, principal, record, serving_desk, transfer_ended
from tests.floorkit import SITE, START, Bench, at
from tests.waiting import until

pytest_plugins = ("tests.monitordb",)

MINUTES = 60.0
EFFECT_S = 5 * MINUTES


def floor() -> Bench:
    """At second 100: one caller waits in sales for 48 s; Anna, who serves it, wraps since 5 s; Bo is ready for support."""
    bench = Bench()
    bench(
        0,
        LinkUp(connector="test"),
        AgentLoggedOn(agent_id="1", name="Anna", team="blue", queues=("sales",)),
        AgentLoggedOn(agent_id="2", name="Bo", team="red", queues=("support",)),
        AgentReady(agent_id="2"),
    )
    bench(10, CallStarted(call_id="c0"), CallQueued(call_id="c0", queue="sales"))
    bench(12, CallDequeued(call_id="c0", queue="sales", reason="answered", agent_id="1"))
    bench(
        12, LegStarted(call_id="c0", leg_id="l0", agent_id="1", queue="sales"), LegAnswered(call_id="c0", leg_id="l0")
    )
    bench(52, CallStarted(call_id="c1", from_number="+4530123456"), CallQueued(call_id="c1", queue="sales"))
    bench(95, LegCleared(call_id="c0", leg_id="l0"), CallCleared(call_id="c0"))
    bench(95, WrapStarted(agent_id="1", call_id="c0", queue="sales", until=at(155)))
    bench.mark(100)
    return bench


def body(**more: Any) -> dict[str, Any]:
    return {
        "site": SITE,
        "kind": "queue_waiting",
        "queue": "sales",
        "text_en": "asked Anna",
        "text_zh": "已提醒",
    } | more


async def first(desk: DeskClient) -> Any:
    return (await desk.get("/actions"))["actions"][0]


def looked_at(desk: DeskClient) -> Any:
    async def done() -> Any:
        found = await first(desk)
        return found if found["effect"] else None

    return until(done)


async def test_the_server_takes_the_figures_itself_before_and_exactly_five_minutes_after(monitor_db: Database) -> None:
    bench, clock = floor(), FakeClock(START)
    async with serving_desk(monitor_db, bench, clock=clock) as desk:
        done = await desk.as_(principal("li")).post("/actions", body(agents=["1", "2", "1"], call_id="c1"))
        assert (done["by"], done["by_name"], done["effect"], done["after"]) == ("li", "Li", None, None)
        before = done["before"]
        assert (before["known"], before["queue"], before["waiting"], before["longest_wait_s"]) == (
            True,
            "sales",
            1,
            48.0,
        )
        assert before["agents"] == {"wrap": 1}
        assert (before["service_level_formula"], before["service_level"]) == ("F3s", 1.0)
        assert [(one["name"], one["state"], one["for_s"]) for one in before["of"]] == [
            ("Anna", "wrap", 5.0),
            ("Bo", "ready", 100.0),
        ]
        assert before["call"] == {"state": "queued", "for_s": 48.0}
        bench(110, CallDequeued(call_id="c1", queue="sales", reason="abandoned"), CallCleared(call_id="c1"))
        bench.mark(400)
        await clock.advance(EFFECT_S - 1)
        await desk.desk.effects.look()
        assert (await first(desk))["effect"] is None
        await clock.advance(1)
        found = await looked_at(desk)
        assert (found["effect"], found["effect_at"]) == ("measured", found["effect_due_at"])
        after = found["after"]
        assert (after["waiting"], after["longest_wait_s"], after["call"]) == (0, None, {"state": "over", "for_s": None})
        assert after["agents"] == {"ready": 1}
        assert after["service_level"] == 0.5
        assert found["before"] == before
        await until(lambda: desk.metric("monitor_action_effects_total", effect="measured") == 1)


async def test_an_effect_survives_a_restart_and_two_replicas_write_it_once(monitor_db: Database) -> None:
    clock = FakeClock(START)
    async with serving_desk(monitor_db, floor(), clock=clock) as desk:
        await desk.post("/actions", body())
    async with (
        serving_desk(monitor_db, floor(), clock=clock) as one,
        serving_desk(monitor_db, floor(), clock=clock) as other,
    ):
        await clock.advance(EFFECT_S)
        await asyncio.gather(*(desk.desk.effects.look() for desk in (one, other) * 3))
        assert (await looked_at(one))["effect"] == "measured"

        def measured() -> float:
            return sum(desk.metric("monitor_action_effects_total", effect="measured") for desk in (one, other))

        await until(measured)
        assert measured() == 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_link_that_is_down_is_no_data(monitor_db: Database, when: str) -> None:
    bench, clock = floor(), FakeClock(START)
    async with serving_desk(monitor_db, bench, clock=clock) as desk:
        if when == "before":
            bench(101, LinkDown(connector="test"))
        done = await desk.post("/actions", body())
        assert done["before"]["known"] is (when == "after")
        if when == "after":
            bench(101, LinkDown(connector="test"))
        else:
            bench(102, LinkUp(connector="test"))
        await clock.advance(EFFECT_S)
        found = await looked_at(desk)
        assert found["effect"] == "no_data"
        missing = found[when]
        assert (missing["why"], missing["waiting"], missing["agents"], missing["at"]) == ("link_down", None, None, None)


async def test_who_is_behind_leaves_it_to_others_for_a_minute_and_then_nobody_knows(monitor_db: Database) -> None:
    clock, present = FakeClock(START), {"now": True}
    async with serving_desk(monitor_db, floor(), clock=clock, present=lambda: present["now"]) as desk:
        await desk.post("/actions", body())
        present["now"] = False
        await clock.advance(EFFECT_S + 59)
        assert await desk.desk.effects.look() == 1
        present["now"] = True
        assert await desk.desk.effects.look() == 0
        assert (await looked_at(desk))["effect"] == "measured"
        await desk.post("/actions", body())
        present["now"] = False
        await clock.advance(EFFECT_S + 61)
        found = await looked_at(desk)
        assert (found["effect"], found["after"]["why"]) == ("no_data", "behind")


async def test_an_action_without_a_queue_has_the_site_s_figures(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        before = (await desk.post("/actions", body(queue="", agents=["2"])))["before"]
        assert (before["queue"], before["waiting"], before["agents"]) == ("", 1, {"ready": 1, "wrap": 1})
        assert (before["longest_wait_s"], before["service_level"]) == (None, None)


@pytest.mark.parametrize(
    "about",
    [{"site": "x"}, {"queue": "x"}, {"agents": ["1", "x"]}],
)
async def test_what_is_not_on_the_board_cannot_be_acted_on(monitor_db: Database, about: dict[str, Any]) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        await desk.post("/actions", body(**about), 404)
        assert (await desk.get("/actions"))["actions"] == []


async def test_what_ended_a_moment_ago_is_no_reason_to_refuse(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        before = (await desk.post("/actions", body(call_id="c0", transfer_id="x")))["before"]
        assert (before["call"]["state"], before["transfer"]["outcome"]) == ("over", "over")
        stranger = desk.as_(principal("li", teams=frozenset({"blue"})))
        await stranger.post("/actions", body(agents=["1"]))
        await stranger.post("/actions", body(agents=["2"]), 404)


async def test_actions_are_shown_newest_first_to_those_who_see_what_they_are_about(monitor_db: Database) -> None:
    bench = floor()
    bench(101, TransferRequested(transfer_id="t1", call_id="c1", kind="blind", from_agent="1", to_agent="2"))
    async with serving_desk(monitor_db, bench) as desk:
        await desk.post("/actions", body(kind="first"))
        await desk.post("/actions", body(kind="second", queue="", agents=["2"], transfer_id="t1"))
        await desk.post("/actions", body(kind="third", queue=""))

        async def kinds(**scope: frozenset[str]) -> list[str]:
            return [
                one["kind"] for one in (await desk.as_(principal("li", **scope)).get("/actions", site=SITE))["actions"]
            ]

        assert await kinds() == ["third", "second", "first"]
        assert await kinds(queues=frozenset({"sales"})) == ["first"]
        assert await kinds(teams=frozenset({"red"})) == ["second", "first"]
        assert await kinds(sites=frozenset({"x"})) == []
        assert [one["kind"] for one in (await desk.as_(principal("li")).get("/actions", limit=1))["actions"]] == [
            "third"
        ]
        await desk.as_(principal("li", queues=frozenset({"support"}))).post("/actions", body(), 404)
        await desk.as_(principal("li", "viewer")).post("/actions", body(), 403)
        await desk.as_(principal("li", "viewer")).get("/actions")
        assert "30123" not in str(await desk.get("/actions"))


def test_figures_are_a_function_of_the_board() -> None:
    bench = floor()
    about = About(site=SITE, queue="sales", agents=("1", "x"), transfer_id="gone")
    taken = figures.take(bench.engine, about, present=True)
    assert taken == figures.take(bench.engine, about, present=True)
    assert [one.state for one in taken.of] == ["wrap", "unknown"]
    assert taken.transfer == figures.TransferFigures(outcome="over", took_s=None)
    assert figures.take(bench.engine, about, present=False).why == "behind"
    assert figures.take(bench.engine, About(site="x"), present=True).why == "no_site"


async def test_agents_whom_somebody_does_not_see_are_not_told_with_those_they_see(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        await desk.post("/actions", body(queue="support", agents=["1", "2"]))
        for scope, seen in ((None, ["1", "2"]), ("blue", ["1"]), ("green", [])):
            teams = {} if scope is None else {"teams": frozenset({scope})}
            (shown,) = (await desk.as_(principal("li", **teams)).get("/actions"))["actions"]
            assert shown["agents"] == seen
            assert [one["agent_id"] for one in shown["before"]["of"]] == seen


async def test_words_that_may_name_anybody_are_for_who_sees_all_of_the_site(monitor_db: Database) -> None:
    """A client writes what it likes, also names of agents whom it does not list."""
    async with serving_desk(monitor_db, floor()) as desk:
        words = {"text_en": "Asked Anna and Bo", "text_zh": "已提醒 Anna 和 Bo"}
        red, blue = (principal(name, teams=frozenset({name})) for name in ("red", "blue"))
        await desk.as_(principal("li")).post("/actions", body(agents=["1"], **words))
        await desk.as_(red).post("/actions", body(agents=["2"], queue="support", **words))

        async def told(who: Principal) -> list[tuple[str, str, str]]:
            found = (await desk.as_(who).get("/actions"))["actions"]
            return [(one["by"], one["text_en"], one["text_zh"]) for one in found]

        everything = [("red", *words.values()), ("li", *words.values())]
        assert await told(principal("li")) == everything
        assert await told(principal("other", "viewer", sites=frozenset({SITE}))) == everything
        assert await told(red) == [everything[0], ("li", "", "")], "their own words they know"
        assert await told(blue) == [("red", "", ""), ("li", "", "")]
        assert "Bo" not in str(await desk.get("/actions"))


async def test_who_sees_one_agent_reads_no_figures_of_more(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        support = principal("li", queues=frozenset({"support"}))
        await desk.as_(principal("wang")).post("/actions", body(agents=["2"]))  # about sales, too
        done = await desk.as_(support).post("/actions", body(agents=["2"], queue=""))
        assert [one["name"] for one in done["before"]["of"]] == ["Bo"]
        found = (await desk.get("/actions"))["actions"]
        assert [one["by"] for one in found] == ["li", "wang"]
        for shown in found:
            before = shown["before"]
            told = (shown["queue"], before["known"], before["queue"], before["waiting"], before["agents"])
            assert told == ("", True, "", None, None)


async def test_the_five_minutes_are_the_floor_s_where_it_runs_faster(monitor_db: Database) -> None:
    bench, clock, present = floor(), FakeClock(START), {"now": True}
    bench(100, LinkUp(connector="test", simulated=True, speed=10.0))
    async with serving_desk(monitor_db, bench, clock=clock, present=lambda: present["now"]) as desk:
        done = await desk.post("/actions", body())
        bench.mark(390)
        await clock.advance(EFFECT_S / 10 - 1)
        await desk.desk.effects.look()
        assert (await first(desk))["effect"] is None
        bench.mark(400)
        await clock.advance(1)
        found = await looked_at(desk)
        assert found["effect"] == "measured"
        assert datetime.fromisoformat(found["after"]["at"]) - datetime.fromisoformat(done["before"]["at"]) == timedelta(
            seconds=EFFECT_S
        )
        await desk.post("/actions", body())
        present["now"] = False
        await clock.advance((EFFECT_S + 61) / 10)
        assert (await looked_at(desk))["effect"] == "no_data", "a minute of the floor later nobody knows how it was"


async def test_a_transfer_that_the_board_forgot_is_told_from_its_record(monitor_db: Database) -> None:
    """The board shows one for five minutes after its end, about as long as its effect waits."""
    bench, clock, bus = floor(), FakeClock(START), MemoryBus()
    await bus.create((FLOOR_RECORDS, SWITCH_DEAD_LETTER))
    bench(95, TransferRequested(transfer_id="t1", call_id="c1", kind="blind", from_agent="1", to_agent="2"))
    bench.mark(100)
    async with serving_desk(monitor_db, bench, clock=clock, records=bus) as desk:
        done = await desk.post("/actions", body(queue="", transfer_id="t1"))
        assert done["before"]["transfer"] == {"outcome": "running", "took_s": 5.0}
        await desk.post("/actions", body(queue="", transfer_id="never heard of"))
        bench(102, TransferEnded(transfer_id="t1", outcome="failed"))
        bench.mark(500)
        await record(bus, transfer_ended("t1", 95, 7.5, outcome="failed"))

        async def recorded() -> bool:
            return bool((await desk.get("/transfers"))["transfers"])

        await until(recorded)
        await clock.advance(EFFECT_S)
        await looked_at(desk)
        unknown, known = (one["after"]["transfer"] for one in (await desk.get("/actions"))["actions"])
        assert known == {"outcome": "failed", "took_s": 7.5}
        assert unknown == {"outcome": "over", "took_s": None}
