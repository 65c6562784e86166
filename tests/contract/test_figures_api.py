"""A queue's intervals and a site's totals over the monitor's real port."""

from __future__ import annotations

from shared.events import AgentLoggedOn, CallDequeued, CallQueued, Clock, LegAnswered, LegCleared, LegStarted
from shared.memorybus import MemoryBus
from tests.contract.test_monitor import running
from tests.floorkit import SITE


async def test_a_queues_day_by_intervals_and_the_sites_totals() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(
            0, AgentLoggedOn(agent_id="1", queues=("sales", "support")), CallQueued(call_id="a", queue="sales")
        )
        await floor.happens(
            10,
            LegStarted(call_id="a", leg_id="l", agent_id="1", queue="sales"),
            CallDequeued(call_id="a", queue="sales", reason="answered", agent_id="1"),
            LegAnswered(call_id="a", leg_id="l"),
        )
        await floor.happens(70, LegCleared(call_id="a", leg_id="l"))
        await floor.happens(901, CallQueued(call_id="b", queue="sales"))
        await floor.happens(961, Clock())
        day = (await floor.http.get(f"/api/v1/queues/{SITE}/sales/intervals")).json()
        (first,) = day["intervals"]
        assert (first["started_at"], first["ended_at"]) == ("2026-11-22T09:00:00Z", "2026-11-22T09:15:00Z")
        assert (first["offered"], first["answered"], first["asa_s"], first["talk_s"]) == (1, 1, 10, 60)
        assert (first["handling_s"], first["ready_s"]) == (60, 840)
        assert first["service_levels"]["F3s"] == 1
        assert (day["running"]["offered"], day["running"]["ended_at"], day["running"]["asa_s"]) == (1, None, None)
        assert (day["running"]["ready_s"], day["running"]["occupancy"]) == (61, 0)
        assert (day["total"]["offered"], day["total"]["ready_s"]) == (2, 901)
        assert (day["day"], day["time_zone"], day["service_level"]["formula"]) == ("2026-11-22", "UTC", "F3s")
        total = (await floor.http.get(f"/api/v1/sites/{SITE}/figures")).json()
        assert (total["waiting"], total["calls"], total["staffed"], total["agents"]) == (1, 2, 1, {"ready": 1})
        assert (total["offered"], total["answered"], total["day"]) == (2, 1, "2026-11-22")
        assert round(total["occupancy"], 4) == round(60 / 961, 4)


async def test_what_nobody_heard_of_is_a_problem_that_says_so() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, AgentLoggedOn(agent_id="1"))
        for url, said in (
            (f"/api/v1/queues/{SITE}/nobody/intervals", "of a queue nobody at site hq nothing was counted yet"),
            ("/api/v1/queues/nowhere/sales/intervals", "of a queue sales at site nowhere nothing was counted yet"),
            ("/api/v1/sites/nowhere/figures", "no site nowhere was heard of"),
        ):
            answer = await floor.http.get(url)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
            assert answer.json()["detail"] == said
