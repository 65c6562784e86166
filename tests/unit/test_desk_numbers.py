"""Numbers in full: for who may, on the board alone, written down before they are shown, and never unwritten."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.db import Database
from shared.events import AgentLoggedOn, CallCleared, CallQueued, CallStarted, TransferRequested
from tests.deskkit import principal, serving_desk
from tests.floorkit import SITE, Bench

pytest_plugins = ("tests.monitordb",)

INSPECTOR = principal("ins", "inspector")
ADMIN = principal("adm", "admin")


def floor() -> Bench:
    bench = Bench()
    bench(
        0,
        AgentLoggedOn(agent_id="1", team="blue", queues=("sales",)),
        CallStarted(call_id="c1", from_number="+4530123456", to_number="+4570100100"),
        CallQueued(call_id="c1", queue="sales"),
        TransferRequested(transfer_id="t1", call_id="c1", kind="blind", from_agent="1", to_number="+4599887766"),
    )
    return bench


async def test_numbers_are_shown_and_who_saw_them_is_written_down(monitor_db: Database) -> None:
    bench = floor()
    async with serving_desk(monitor_db, bench) as desk:
        desk.as_(INSPECTOR)
        call = {"site": SITE, "call_id": "c1", "purpose": "call back"}
        assert await desk.post("/numbers", call, 200) == {"from_number": "+4530123456", "to_number": "+4570100100"}
        transfer = {"site": SITE, "transfer_id": "t1", "purpose": "who was asked"}
        assert (await desk.post("/numbers", transfer, 200))["to_number"] == "+4599887766"
        await desk.get("/audit/numbers", 403)
        found = (await desk.as_(ADMIN).get("/audit/numbers"))["reveals"]
        assert [(one["by"], one["by_name"], one["call_id"], one["transfer_id"], one["purpose"]) for one in found] == [
            ("ins", "Ins", "c1", "t1", "who was asked"),
            ("ins", "Ins", "c1", "", "call back"),
        ]
        assert found[0]["to_number"] == "+••••••7766"
        page = await desk.get("/audit/numbers", limit=1)
        assert [one["id"] for one in page["reveals"]] == [found[0]["id"]]
        assert [one["id"] for one in (await desk.get("/audit/numbers", cursor=page["next"]))["reveals"]] == [
            found[1]["id"]
        ]
        assert (await desk.get("/audit/numbers", user="somebody"))["reveals"] == []
        await desk.get("/audit/numbers", 400, cursor="x")
        async with desk.desk.store.reading() as session:
            kept = str((await session.execute(text("SELECT * FROM number_reveals"))).all())
        assert "30123" not in kept
        assert desk.metric("monitor_number_reveals_total") == 2
        bench(5, CallCleared(call_id="c1"))
        await desk.as_(INSPECTOR).post("/numbers", call, 404)
        assert len((await desk.as_(ADMIN).get("/audit/numbers"))["reveals"]) == 2


async def test_who_may_not_sees_none_and_nothing_is_written_down(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        call = {"site": SITE, "call_id": "c1", "purpose": "call back"}
        await desk.as_(principal("li", "supervisor")).post("/numbers", call, 403)
        await desk.as_(principal("li", "inspector", queues=frozenset({"support"}))).post("/numbers", call, 404)
        desk.as_(INSPECTOR)
        for wrong in ({"purpose": "  "}, {"transfer_id": "t1"}, {"call_id": ""}):
            await desk.post("/numbers", call | wrong, 422)
        await desk.post("/numbers", call | {"call_id": "c9"}, 404)
        assert (await desk.as_(ADMIN).get("/audit/numbers"))["reveals"] == []


async def test_what_cannot_be_written_down_is_not_shown() -> None:
    async with serving_desk(None, floor(), migrated=False) as desk:
        answer = await desk.as_(INSPECTOR).post(
            "/numbers", {"site": SITE, "call_id": "c1", "purpose": "call back"}, 503
        )
        assert "30123456" not in str(answer)


async def test_the_database_itself_keeps_the_trace(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        await desk.as_(INSPECTOR).post("/numbers", {"site": SITE, "call_id": "c1", "purpose": "call back"}, 200)
        for statement in ("DELETE FROM number_reveals", "UPDATE number_reveals SET purpose = ''"):
            with pytest.raises(DBAPIError, match="append-only"):
                async with monitor_db.unit_of_work() as session:
                    await session.execute(text(statement))
        assert [one["purpose"] for one in (await desk.as_(ADMIN).get("/audit/numbers"))["reveals"]] == ["call back"]
