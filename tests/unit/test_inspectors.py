"""Inspectors' work on a real database: who takes a call, notes about what was heard, and how much of whose calls was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.desk.tables import CallRow
from services.monitor.listen.tables import ForkRow, HeardRow, ListenRow
from services.monitor.listen.work import coverage
from services.monitor.listen.work.coverage import Talk
from services.monitor.listen.work.notes import Notes, read_by
from services.monitor.listen.work.workapi import install_work_routes
from shared import events
from shared.clock import FakeClock
from shared.db import Database
from shared.siteconfig import AgentConfig, QueueConfig, SiteConfig, Sites
from tests.deskkit import DeskClient, principal, serving_desk
from tests.floorkit import RULES, SITE, START, Bench, at

pytest_plugins = ("tests.monitordb",)

NEW = AgentConfig(name="New Nils", team="Blue", tags=("new_agent",))
FLOOR = Sites({SITE: SiteConfig(queues={"sales": QueueConfig()}, agents={"9": NEW}, time_zone="Europe/Copenhagen")})
LI, WU = principal("li", "inspector"), principal("wu", "inspector")


def floor() -> Bench:
    """Agents 1 and 2, and 9, who is new; call c1 is with agent 1, c9 with agent 9."""
    bench = Bench(RULES, FLOOR)
    for agent in ("1", "2", "9"):
        bench(0, events.AgentLoggedOn(agent, f"Agent {agent}", "Red", ("sales",)))
    for call, agent in (("c1", "1"), ("c9", "9")):
        bench(1, events.CallStarted(call, "outbound", "2001", "+4530123456"))
        bench(2, events.LegStarted(call, f"leg-{call}", agent, "agent", "dialing"))
        bench(3, events.LegAnswered(call, f"leg-{call}"))
    return bench


@asynccontextmanager
async def serving(database: Database, clock: FakeClock | None = None) -> AsyncIterator[DeskClient]:
    async with serving_desk(database, floor(), clock=clock or FakeClock(START)) as desk:
        install_work_routes(desk.client._transport.app, desk.desk)  # type: ignore[attr-defined]
        yield desk


def listen(listen_id: str = "l1", user: str = "li", **values: Any) -> ListenRow:
    texts = (
        "agent_name",
        "comment",
        "reason",
        "detail",
        "fork_id",
        "speak_fork_id",
        "muted",
        "tell_agent",
        "user_name",
    )
    plain: dict[str, Any] = dict.fromkeys(texts, "") | {
        "listen_id": listen_id, "version": 1, "site": SITE, "user": user, "follow": "call", "call_id": "c1", "agent_id": "1",
        "purpose": "live_qa", "mode": "listen", "state": "live", "started_at": START, "until": START + timedelta(hours=1),
        "leased_until": START + timedelta(hours=1),
    }  # fmt: skip
    return ListenRow(**plain | values)


def heard(seconds: float, listen_id: str = "l1", user: str = "li", **values: Any) -> HeardRow:
    plain: dict[str, Any] = {
        "listen_id": listen_id, "fork_id": f"fork-{listen_id}", "call_id": "c1", "agent_id": "1", "site": SITE, "user": user,
        "purpose": "live_qa", "seconds": seconds, "from_at": START, "to_at": START + timedelta(seconds=seconds),
    }  # fmt: skip
    return HeardRow(**plain | values)


def call(call_id: str, agent_id: str, second: float, talk_s: float, **values: Any) -> CallRow:
    plain: dict[str, Any] = {
        "fact_id": f"f-{call_id}-{agent_id}", "site": SITE, "call_id": call_id, "direction": "outbound", "queue": "",
        "outcome": "answered",
        "agent_id": agent_id, "from_number": "", "started": at(second), "answered": at(second), "ended": at(second + talk_s),
        "waited_s": 0.0, "talk_s": talk_s, "hold_s": 0.0, "recorded_at": START,
    }  # fmt: skip
    return CallRow(**plain | values)


async def add(database: Database, *rows: Any) -> None:
    async with database.unit_of_work() as session:
        session.add_all(rows)


# ---------------------------------------------------------------- claims

CLAIM = {"site": SITE, "call_id": "c1"}
CALL: dict[str, Any] = CLAIM


async def test_a_call_is_taken_by_one_and_free_again_after_a_minute(monitor_db: Database) -> None:
    clock = FakeClock(START)
    async with serving(monitor_db, clock) as desk:
        mine = await desk.as_(LI).post("/claims", CLAIM)
        assert (mine["user"], mine["user_name"]) == ("li", "Li")
        assert mine["until"] == "2026-11-22T09:01:00Z"
        refused = await desk.as_(WU).post("/claims", CLAIM, 409)
        assert refused["claim"]["user"] == "li"
        assert [one["user"] for one in (await desk.get("/claims", site=SITE))["claims"]] == ["li"]
        await clock.advance(59)
        await desk.post("/claims", CLAIM, 409)
        await clock.advance(1)
        assert (await desk.get("/claims"))["claims"] == []
        assert (await desk.post("/claims", CLAIM))["user"] == "wu"
        await desk.as_(LI).post("/claims", CLAIM, 409)


async def test_whoever_hears_the_call_holds_it_and_for_a_minute_after(monitor_db: Database) -> None:
    clock = FakeClock(START)
    async with serving(monitor_db, clock) as desk:
        await desk.as_(LI).post("/claims", CLAIM)
        await add(monitor_db, listen())
        await clock.advance(600)
        assert (await desk.get("/claims"))["claims"][0]["until"] is None
        await desk.as_(WU).post("/claims", CLAIM, 409)
        async with monitor_db.unit_of_work() as session:
            row = await session.get(ListenRow, 1)
            assert row is not None
            row.ended_at, row.state = START + timedelta(seconds=590), "ended"
            session.add_all([row, heard(590)])
        assert (await desk.get("/claims"))["claims"][0]["until"] == "2026-11-22T09:10:50Z"
        await clock.advance(51)
        assert (await desk.as_(WU).post("/claims", CLAIM))["user"] == "wu"


async def test_a_claim_is_given_back_by_its_holder_alone(monitor_db: Database) -> None:
    async with serving(monitor_db) as desk:
        await desk.as_(LI).post("/claims", CLAIM)
        for who, left in ((WU, 1), (LI, 0), (LI, 0)):
            response = await desk.as_(who).client.delete("/api/v1/claims", params=CLAIM)
            assert response.status_code == 204
            assert len((await desk.get("/claims"))["claims"]) == left


async def test_two_replicas_that_are_asked_at_once_give_the_call_to_one(monitor_db: Database) -> None:
    async with serving(monitor_db) as one, serving(monitor_db) as other:
        one.as_(LI), other.as_(WU)
        for round_ in range(6):
            body = {"site": SITE, "call_id": "c1" if round_ % 2 else "c9"}
            given = await asyncio.gather(*(desk.client.post("/api/v1/claims", json=body) for desk in (one, other)))
            assert sorted(answer.status_code for answer in given) == [201, 409]
            winner = next(answer.json()["user"] for answer in given if answer.status_code == 201)
            loser = next(answer.json()["claim"]["user"] for answer in given if answer.status_code == 409)
            assert winner == loser
            for desk in (one, other):
                held = (await desk.get("/claims"))["claims"]
                assert [claim["user"] for claim in held if claim["call_id"] == body["call_id"]] == [winner]
            for desk in (one, other):
                await desk.client.delete("/api/v1/claims", params=body)


async def test_nobody_takes_a_call_that_they_may_not_see(monitor_db: Database) -> None:
    async with serving(monitor_db) as desk:
        await desk.as_(LI).post("/claims", CLAIM)
        blue = principal("bo", "inspector", teams=frozenset({"Blue"}))
        await desk.as_(blue).post("/claims", CLAIM, 404)
        await desk.post("/claims", {"site": SITE, "call_id": "no such"}, 404)
        assert (await desk.get("/claims"))["claims"] == []
        await desk.as_(principal("va", "viewer")).post("/claims", CLAIM, 403)


# ---------------------------------------------------------------- notes


async def test_notes_are_pinned_to_the_second_and_read_by_others(monitor_db: Database) -> None:
    clock = FakeClock(START + timedelta(seconds=120))
    await add(monitor_db, listen())
    async with serving(monitor_db, clock) as desk:
        second = await desk.as_(LI).post("/listens/l1/notes", {"at_s": 83.5, "text": "  asks for 30123456 again  "})
        assert (second["at_s"], second["said_at"]) == (83.5, "2026-11-22T09:01:23.500000Z")
        assert (second["text"], second["call_id"], second["agent_id"]) == ("asks for 30123456 again", "c1", "1")
        await desk.post("/listens/l1/notes", {"at_s": 4, "text": "greets well"})
        for path, query in (("/listens/l1/notes", {}), ("/notes", CALL)):
            found = (await desk.as_(WU).get(path, **query))["notes"]
            assert [note["text"] for note in found] == ["greets well", "asks for 30123456 again"]
        blue = principal("bo", "inspector", teams=frozenset({"Blue"}))
        await desk.as_(blue).get("/listens/l1/notes", 404)
        assert (await desk.get("/notes", **CALL))["notes"] == []


async def test_a_note_is_of_a_moment_of_ones_own_listen(monitor_db: Database) -> None:
    clock = FakeClock(START + timedelta(seconds=60))
    await add(monitor_db, listen(), listen("old", ended_at=START - timedelta(hours=12)))
    async with serving(monitor_db, clock) as desk:
        note = {"at_s": 3, "text": "x"}
        await desk.as_(WU).post("/listens/l1/notes", note, 404)
        await desk.as_(LI).post("/listens/l2/notes", note, 404)
        await desk.post("/listens/l1/notes", note | {"at_s": 66}, 409)
        await desk.post("/listens/l1/notes", note | {"at_s": 64})
        await desk.post("/listens/old/notes", note, 409)
        for wrong in ({"at_s": -1}, {"text": "  "}, {"text": "x" * 2001}, {"text": "\x00"}, {"at_s": "x"}, {"more": 1}):
            await desk.post("/listens/l1/notes", note | wrong, 422)


HEARD = (("c7", "one"), ("c8", "two"))


def fork(fork_id: str, up_at: datetime, ended_at: datetime) -> ForkRow:
    names = ("target", "call_id", "leg_id", "agent_id", "side", "audio", "owner", "mode", "state")
    stamps = {"ordered_at": up_at, "up_at": up_at, "ended_at": ended_at}
    values: dict[str, Any] = {"fork_id": fork_id, "site": SITE, "speaks": False} | dict.fromkeys(names, "") | stamps
    return ForkRow(**values)


async def test_a_note_names_the_call_that_was_heard_then(monitor_db: Database) -> None:
    """A listen that follows an agent hears one call after the other."""
    clock = FakeClock(START + timedelta(seconds=300))
    first, second = (heard(60, call_id=call_id, agent_id="9", fork_id=fork_id) for call_id, fork_id in HEARD)
    await add(monitor_db, listen(follow="agent", call_id="c5", agent_id="9"), first, second)
    await add(monitor_db, fork("one", at(0), at(60)), fork("two", at(90), at(190)))
    async with serving(monitor_db, clock) as desk:
        made = [await desk.as_(LI).post("/listens/l1/notes", {"at_s": at_s, "text": "x"}) for at_s in (30, 100, 250)]
        assert [note["call_id"] for note in made] == ["c7", "c8", "c5"], "the last one is heard now"


async def test_numbers_in_notes_are_masked_for_who_may_not_see_them(monitor_db: Database) -> None:
    await add(monitor_db, listen())
    async with serving(monitor_db, FakeClock(START + timedelta(seconds=9))) as desk:
        await desk.as_(LI).post("/listens/l1/notes", {"at_s": 1, "text": "call back +4530123456"})
        assert (await desk.get("/notes", **CALL))["notes"][0]["text"] == "call back +4530123456"
        reader = principal("va", "viewer")
        assert not reader.reads_notes
        async with monitor_db.reading() as session:
            note = (await Notes(session).of_listen("l1"))[0]
        assert read_by(reader, note).text == "call back +••••••3456"


# ---------------------------------------------------------------- coverage


async def test_coverage_tells_of_each_agent_how_much_was_heard(monitor_db: Database) -> None:
    await add(
        monitor_db,
        call("a", "9", 0, 100),
        call("b", "9", 200, 8),
        call("c", "9", 300, 50),
        call("d", "1", 400, 40, direction="inbound"),
        call("missed", "9", 500, 0, answered=None),
        call("yesterday", "9", -40_000, 60),
        heard(6, "l1", call_id="a", agent_id="9"),
        heard(7, "l2", call_id="a", agent_id="9"),  # li again: 13 s in all
        heard(9, "l3", user="wu", call_id="a", agent_id="9"),
        heard(4, "l4", call_id="b", agent_id="9"),  # half of a short one
        heard(9, "l5", call_id="c", agent_id="9"),  # neither 10 s nor half
        heard(500, "l6", call_id="d", agent_id="1"),
    )
    async with serving(monitor_db) as desk:
        found = await desk.as_(LI).get("/coverage", site=SITE)
        assert (found["day"], found["begin"], found["enough_s"]) == ("2026-11-22", "2026-11-21T23:00:00Z", 10.0)
        new, other = found["agents"]
        assert (new["agent_id"], new["new_agent"], new["name"]) == ("9", True, "New Nils")
        assert (new["calls"], new["heard"], new["talk_s"], new["heard_s"]) == (3, 2, 158.0, 26.0)
        assert new["calls_share"] == pytest.approx(2 / 3)
        assert new["seconds_share"] == pytest.approx(26 / 158)
        assert (other["agent_id"], other["heard"], other["heard_s"]) == ("1", 1, 40.0)
        outbound = await desk.get("/coverage", site=SITE, direction="outbound")
        assert [one["agent_id"] for one in outbound["agents"]] == ["9"]
        before = await desk.get("/coverage", site=SITE, day="2026-11-21")
        assert [(one["agent_id"], one["calls"]) for one in before["agents"]] == [("9", 1)]
        blue = principal("bo", "inspector", teams=frozenset({"Red"}))
        assert [one["agent_id"] for one in (await desk.as_(blue).get("/coverage", site=SITE))["agents"]] == ["1"]


async def test_new_agents_without_a_call_are_told_too_and_odd_days_refused(monitor_db: Database) -> None:
    async with serving(monitor_db) as desk:
        (only,) = (await desk.as_(LI).get("/coverage", site=SITE))["agents"]
        assert (only["agent_id"], only["calls"], only["calls_share"], only["seconds_share"]) == ("9", 0, None, None)
        for day in ("2026-13-01", "2026-2-1", "today", "0001-01-01", "9999-12-31"):
            response = await desk.client.get("/api/v1/coverage", params={"site": SITE, "day": day})
            assert response.status_code in (200, 422), response.text
        await desk.get("/coverage", 404, site="nowhere")


seconds = st.floats(0, 5000, allow_nan=False)


@given(st.lists(st.tuples(seconds, seconds), max_size=20))
def test_shares_are_shares(calls: list[tuple[float, float]]) -> None:
    talks = [Talk(str(n), "9", talk, min(talk, heard_s)) for n, (talk, heard_s) in enumerate(calls)]
    found = coverage.of_agent("9", "", "", True, talks)
    assert 0 <= found.heard <= found.calls == len(calls)
    for share in (found.calls_share, found.seconds_share):
        assert share is None or 0 <= share <= 1.000001
    assert sum(one.heard for one in talks) == found.heard
    assert all(one.heard_s >= 10 or one.heard_s >= one.talk_s / 2 for one in talks if one.heard)
