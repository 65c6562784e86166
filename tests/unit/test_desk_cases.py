"""Cases of transfers: opened, changed by one person at a time, with a history; also of transfers that still run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.monitor.desk.reasons import BUILT_IN, Reasons, load_reasons
from shared.db import Database
from shared.errors import SettingsError
from shared.events import AgentLoggedOn, CallStarted, LegAnswered, LegStarted, TransferRequested
from tests.deskkit import principal, serving_desk
from tests.floorkit import SITE, Bench

pytest_plugins = ("tests.monitordb",)

CASE = f"/transfers/{SITE}/t1/case"


def body(version: int = 0, **more: Any) -> dict[str, Any]:
    return {"reason": "wrong_queue", "note": "", "follow_up": "", "follow_up_on": None, "status": "open"} | {
        "version": version,
        **more,
    }


def floor() -> Bench:
    """Agent 1 of team blue, who serves sales, transfers a customer to agent 2 of team red."""
    bench = Bench()
    bench(
        0,
        AgentLoggedOn(agent_id="1", name="Anna", team="blue", queues=("sales",)),
        AgentLoggedOn(agent_id="2", name="Bo", team="red", queues=("support",)),
        CallStarted(call_id="c1", from_number="+4530123456"),
        LegStarted(call_id="c1", leg_id="l1", agent_id="1"),
        LegAnswered(call_id="c1", leg_id="l1"),
        TransferRequested(transfer_id="t1", call_id="c1", kind="blind", from_agent="1", to_agent="2"),
    )
    return bench


async def test_a_running_transfer_has_a_case_with_its_history(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        assert (await desk.get(f"/transfers/{SITE}/t1"))["case"] is None
        li, wu = principal("li"), principal("wu", "operations")
        opened = await desk.as_(li).put(CASE, body(note=" took long ", follow_up="ask Bo", follow_up_on="2026-12-01"))
        assert (opened["version"], opened["note"], opened["opened_by"]) == (1, "took long", "li")
        closed = await desk.as_(wu).put(CASE, body(1, status="closed", note="took long", reason="training_need"))
        assert (closed["version"], closed["status"], closed["opened_by"], closed["changed_by"]) == (
            2,
            "closed",
            "li",
            "wu",
        )
        first, second = closed["history"]
        assert first["changes"]["reason"] == [None, "wrong_queue"]
        assert (second["by"], second["by_name"]) == ("wu", "Wu")
        assert second["changes"] == {
            "status": ["open", "closed"],
            "reason": ["wrong_queue", "training_need"],
            "follow_up": ["ask Bo", ""],
            "follow_up_on": ["2026-12-01", None],
        }
        shown = await desk.get(f"/transfers/{SITE}/t1")
        assert shown["case"] == closed
        assert (shown["outcome"], shown["from_name"], shown["to_name"]) == ("running", "Anna", "Bo")


async def test_a_change_for_another_version_is_refused_and_loses_nothing(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        assert (await desk.put(CASE, body(3), 409))["case"] is None
        await desk.put(CASE, body(note="first"))
        refused = await desk.put(CASE, body(0, note="second"), 409)
        assert (refused["case"]["note"], refused["case"]["version"]) == ("first", 1)
        assert (await desk.put(CASE, body(1, note="first")))["version"] == 1  # nothing new makes no step
        assert (await desk.put(CASE, body(1, note="third")))["version"] == 2


async def test_of_many_at_once_exactly_one_opens_and_one_changes_it(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as one, serving_desk(monitor_db, floor()) as other:
        for version in range(3):
            answers = await asyncio.gather(
                *(
                    desk.client.put(f"/api/v1{CASE}", json=body(version, note=f"{version} {number}"))
                    for number in range(4)
                    for desk in (one, other)
                )
            )
            assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
        assert [step["version"] for step in (await one.get(f"/transfers/{SITE}/t1"))["case"]["history"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"reason": "weather"}, "there is no weather; there are agent_could_not_help"),
        ({"reason": "", "status": "closed"}, "a case is closed with one of"),
        ({"status": "done"}, "status"),
        ({"note": "x" * 4001}, "note"),
        ({"owner": "me"}, "owner"),
    ],
)
async def test_what_a_case_cannot_be_is_said(monitor_db: Database, wrong: dict[str, Any], says: str) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        assert says in (await desk.put(CASE, body(**wrong), 422))["detail"]


async def test_a_reason_that_is_no_longer_offered_stays_with_its_case(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor(), reasons=Reasons({"old": ("Old", "旧")})) as desk:
        await desk.put(CASE, body(reason="old"))
    async with serving_desk(monitor_db, floor()) as desk:
        assert (await desk.put(CASE, body(1, reason="old", status="closed")))["version"] == 2
        await desk.put(f"/transfers/{SITE}/t2/case", body(reason="old"), 422)


async def test_cases_of_others_transfers_are_unknown_and_of_ones_role_not_allowed(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, floor()) as desk:
        for seen in ({"teams": frozenset({"red"})}, {"queues": frozenset({"sales"})}, {"sites": frozenset({SITE})}):
            await desk.as_(principal("li", **seen)).get(f"/transfers/{SITE}/t1")
        for unseen in (
            {"teams": frozenset({"green"})},
            {"queues": frozenset({"billing"})},
            {"sites": frozenset({"x"})},
        ):
            stranger = desk.as_(principal("li", **unseen))
            await stranger.get(f"/transfers/{SITE}/t1", 404)
            await stranger.put(CASE, body(), 404)
        await desk.as_(principal("li")).put(f"/transfers/{SITE}/t2/case", body(), 404)
        await desk.as_(principal("li", "inspector")).put(CASE, body(), 403)
        await desk.as_(principal("li", "viewer")).get(f"/transfers/{SITE}/t1", 403)


async def test_the_reasons_are_those_of_the_file_that_ships(monitor_db: Database) -> None:
    shipped = load_reasons(Path(__file__).parents[2] / "deploy" / "cases.yaml", setting="MONITOR_CASES_FILE")
    assert {view.code: (view.label_en, view.label_zh) for view in shipped.views} == dict(BUILT_IN)
    async with serving_desk(monitor_db, reasons=shipped) as desk:
        assert (await desk.get("/transfer-reasons"))[0] == {
            "code": "customer_wish",
            "label_en": "Customer's wish",
            "label_zh": "客户要求",
        }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reasons: {}\n", "cases.yaml:1: reasons: from 1 to 50"),
        ("reasons:\n  Bad Code: {en: x, zh: y}\n", "cases.yaml:2: reasons.Bad Code: a code has small letters"),
        ("reasons:\n  good: {en: x}\n", "this key is missing"),
        ("reasons:\n  good: {en: x, zh: ''}\n", "reasons.good.zh: a label"),
        ("reasons:\n  good: {en: x, zh: y, de: z}\n", "reasons.good.de: there is no key"),
    ],
)
def test_a_wrong_file_of_reasons_names_the_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"cases\.yaml") as failure:
        load_reasons(path, setting="MONITOR_CASES_FILE")
    assert says in str(failure.value)
    assert load_reasons(tmp_path / "none.yaml", setting="MONITOR_CASES_FILE").codes == set(BUILT_IN)
