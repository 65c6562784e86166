"""Anomalies over HTTP, as operations and integrators read them."""

from __future__ import annotations

from shared.events import AgentLoggedOn, LegHeld, LegStarted, WrapEnded
from shared.memorybus import MemoryBus
from tests.contract.test_monitor import running
from tests.floorkit import SITE

PATH = f"/api/v1/sites/{SITE}/anomalies"


async def test_anomalies_are_counted_with_their_meaning_and_kept_with_their_evidence() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, AgentLoggedOn(agent_id="1"), LegStarted(call_id="c", leg_id="l", agent_id="1"))
        await floor.happens(1, WrapEnded(agent_id="1"))
        await floor.happens(2, LegHeld(call_id="c", leg_id="l"), WrapEnded(agent_id="1"))
        found = (await floor.http.get(PATH)).json()
        assert (found["site"], found["total"], found["before"]) == (SITE, 3, None)
        assert [(one["kind"], one["count"]) for one in found["counts"]] == [
            ("wrap_ended_without_wrap", 2),
            ("ringing_to_held", 1),
        ]
        assert all(one["meaning"] for one in found["counts"])
        newest = found["kept"][0]
        assert (newest["number"], newest["event_type"], newest["data"]) == (3, "wrap_ended", '{"agent_id":"1"}')
        assert newest["before"].startswith("hold since")
        assert 'monitor_anomalies_total{kind="ringing_to_held"} 1.0' in (await floor.http.get("/metrics")).text


async def test_they_are_asked_for_by_kind_and_page_by_page() -> None:
    async with running(MemoryBus()) as floor:
        for second in range(5):
            await floor.happens(second, WrapEnded(agent_id="1"))
        first = (await floor.http.get(PATH, params={"kind": "wrap_ended_without_wrap", "limit": 3})).json()
        assert [one["number"] for one in first["kept"]] == [5, 4, 3]
        rest = (await floor.http.get(PATH, params={"limit": 3, "before": first["before"]})).json()
        assert ([one["number"] for one in rest["kept"]], rest["before"]) == ([2, 1], None)
        assert (await floor.http.get(PATH, params={"kind": "queued_twice"})).json()["kept"] == []


async def test_what_cannot_be_asked_is_refused_in_words() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(0, AgentLoggedOn(agent_id="1"))
        wrong = await floor.http.get(PATH, params={"kind": "nonsense"})
        assert wrong.status_code == 422
        assert wrong.json()["detail"].startswith("no anomaly is called nonsense; there are call_")
        for params in ({"limit": 0}, {"limit": 1001}, {"before": 0}):
            assert (await floor.http.get(PATH, params=params)).status_code == 422
        nobody = await floor.http.get("/api/v1/sites/nowhere/anomalies")
        assert (nobody.status_code, nobody.json()["detail"]) == (404, "no site nowhere was heard of")
