"""What the desk answers has the documented form, and every route says who may ask."""

from __future__ import annotations

from shared.db import Database
from shared.events import (
    AgentLoggedOn,
    CallQueued,
    CallStarted,
    LegStarted,
    LinkUp,
    TransferRequested,
)
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_RECORDS, SWITCH_DEAD_LETTER
from tests.contract.test_openapi import fits
from tests.deskkit import call_ended, principal, record, serving_desk, transfer_ended
from tests.floorkit import SITE, Bench
from tests.waiting import until

pytest_plugins = ("tests.monitordb",)


async def test_what_the_desk_answers_has_the_documented_form(monitor_db: Database) -> None:
    bench = Bench()
    bench(
        0,
        LinkUp(connector="test"),
        AgentLoggedOn(agent_id="1", name="Anna", queues=("sales",)),
        CallStarted(call_id="c", from_number="+4530123456"),
        CallQueued(call_id="c", queue="sales"),
        LegStarted(call_id="c", leg_id="l", agent_id="1"),
        TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"),
    )
    bench.mark(9)
    bus = MemoryBus()
    await bus.create((FLOOR_RECORDS, SWITCH_DEAD_LETTER))
    async with serving_desk(monitor_db, bench, records=bus) as desk:
        desk.as_(principal("adm", "admin"))
        await record(bus, transfer_ended("t1", outcome="failed"), transfer_ended("t2"), call_ended("c1"))

        async def recorded() -> bool:
            return len((await desk.get("/transfers"))["transfers"]) == 2

        await until(recorded)
        document = (await desk.client.get("/api/openapi.json")).json()
        case = {"reason": "other", "note": "x", "follow_up_on": "2026-12-01", "status": "open", "version": 0}
        about = {"site": SITE, "kind": "a", "queue": "sales", "agents": ["1"], "call_id": "c", "transfer_id": "t"}
        for method, path, url, body in (
            ("put", "/transfers/{site}/{transfer_id}/case", f"/transfers/{SITE}/t1/case", case),
            ("get", "/transfers", "/transfers?sort=worst", None),
            ("get", "/transfers/{site}/{transfer_id}", f"/transfers/{SITE}/t1", None),
            ("get", "/transfers/{site}/{transfer_id}", f"/transfers/{SITE}/t", None),
            ("get", "/transfer-reasons", "/transfer-reasons", None),
            ("get", "/agents/{site}/{agent_id}/calls", f"/agents/{SITE}/1/calls", None),
            ("put", "/preferences/{key}", "/preferences/view", {"a": 1}),
            ("get", "/preferences", "/preferences", None),
            ("delete", "/preferences/{key}", "/preferences/view", None),
            ("post", "/actions", "/actions", about | {"text_en": "done", "text_zh": "完成"}),
            ("get", "/actions", "/actions", None),
            ("post", "/numbers", "/numbers", {"site": SITE, "call_id": "c", "purpose": "call back"}),
            ("get", "/audit/numbers", "/audit/numbers", None),
        ):
            response = await desk.client.request(method, f"/api/v1{url}", **({"json": body} if body else {}))
            assert response.is_success, response.text
            documented = document["paths"][f"/api/v1{path}"][method]["responses"][str(response.status_code)]
            schema = documented["content"]["application/json"]["schema"]
            assert fits(response.json(), schema, document["components"]["schemas"]), f"{url}: {response.text}"
