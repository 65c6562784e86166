from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, Alerts, publish, running
from tests.flagkit import clearing, flag
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(TOPICS)
    return bus


@pytest.fixture
async def database(alerts_db: Database) -> Database:
    return alerts_db


@pytest.fixture
async def alerts(bus: MemoryBus, database: Database) -> AsyncIterator[Alerts]:
    """A service with three incidents: 1 and 2 critical, 3 a warning of another site."""
    async with running(bus, database) as alerts:
        third = flag("f3", "1007", site="s2", rule="long_wrap", subject="agent", severity="warning", evidence={})
        await publish(bus, flag("f1", "t1"), clearing("f1"), flag("f2", "t2"), third)

        async def there() -> bool:
            return len(await alerts.incidents()) == 3

        await until(there)
        yield alerts


async def test_a_list_is_narrowed_and_counted(alerts: Alerts) -> None:
    await alerts.post("/incidents/2/acknowledge", {"by": "Li"})
    for query, numbers in [
        ("", [3, 2, 1]),
        ("state=open", [3, 1]),
        ("state=open&state=acknowledged&severity=critical", [2, 1]),
        ("severity=warning&severity=info", [3]),
        ("rule=long_wrap", [3]),
        ("site=s1", [2, 1]),
        ("q=li", [2]),
        ("state=resolved", []),
    ]:
        page = await alerts.get(f"/incidents?{query}")
        assert [one["id"] for one in page["incidents"]] == numbers, query
    assert (await alerts.get("/incidents?state=open&site=s1"))["counts"] == {
        "open": 1,
        "acknowledged": 1,
        "resolved": 0,
    }


async def test_pages_follow_each_other_without_gap_or_repetition(alerts: Alerts) -> None:
    found, cursor = [], ""
    while cursor is not None:
        page = await alerts.get(f"/incidents?limit=1&cursor={cursor}")
        found += [one["id"] for one in page["incidents"]]
        cursor = page["next_cursor"]
    assert found == [3, 2, 1]


@pytest.mark.parametrize(
    ("query", "status"), [("cursor=7", 400), ("limit=0", 422), ("limit=501", 422), ("state=closed", 422)]
)
async def test_a_question_that_cannot_be_answered_is_refused(alerts: Alerts, query: str, status: int) -> None:
    problem = await alerts.get(f"/incidents?{query}", status)
    assert problem["status"] == status
    assert problem["detail"]


async def test_one_incident_has_its_history_evidence_and_notifications(alerts: Alerts) -> None:
    detail = await alerts.get("/incidents/1")
    assert detail["time_zone"] == "Asia/Shanghai"
    assert {entry["kind"] for entry in detail["timeline"]} == {"opened", "told", "flag_cleared"}
    (found,) = detail["flags"]
    transfer = found["transfer"]
    assert {leg["name"]: leg["seconds"] for leg in transfer["legs"]} == {"seek": 1.2, "ring": 3.7, "brief": 4.4}
    assert (transfer["total_s"], transfer["limit_s"], transfer["customer_gap_s"]) == (9.3, 7.0, 4.4)
    assert list(transfer["stamps"]) == ["requested", "ringing", "answered", "bridged", "ended"]
    assert (found["duration_s"], found["evidence"]["kind"]) == (9.3, "attended")
    assert [row["state"] for row in detail["notifications"]] == ["no_channel"]
    assert (await alerts.get("/incidents/3"))["flags"][0]["transfer"] is None


async def test_an_incident_that_is_not_there(alerts: Alerts) -> None:
    for path in ("/incidents/99", "/incidents/99/report"):
        assert (await alerts.get(path, 404))["detail"] == "there is no incident 99"
    assert (await alerts.post("/incidents/99/acknowledge", {"by": "Li"}, 404))["status"] == 404


async def test_the_way_of_an_incident_and_what_is_refused_on_it(alerts: Alerts) -> None:
    taken = await alerts.post("/incidents/1/acknowledge", {"by": " Li Wei ", "note": "looking"})
    assert (taken["state"], taken["owner"], taken["allowed"]) == ("acknowledged", "Li Wei", ["assign", "resolve"])
    problem = await alerts.post("/incidents/1/acknowledge", {"by": "Wu"}, 409)
    assert (problem["state"], problem["allowed"], problem["title"]) == (
        "acknowledged",
        ["assign", "resolve"],
        "Not possible in this state",
    )
    assert "Li Wei" in problem["detail"]
    body = {"by": "Wu", "note": "called back", "cause": "trunk", "recheck_on": "2026-12-01"}
    resolved = await alerts.post("/incidents/1/resolve", body)
    assert (resolved["state"], resolved["resolver"], resolved["recheck_on"]) == ("resolved", "Wu", "2026-12-01")
    assert (await alerts.post("/incidents/1/resolve", {"by": "Wu"}, 409))["allowed"] == ["reopen", "recheck"]
    assert (await alerts.post("/incidents/1/notes", {"by": "Wu", "note": "later"}, 201))["state"] == "resolved"
    assert (await alerts.post("/incidents/1/reopen", {"by": "Li"}))["state"] == "open"
    history = (await alerts.get("/incidents/1"))["timeline"]
    assert [(entry["kind"], entry["by"], entry["note"]) for entry in history[3:]] == [
        ("acknowledged", "Li Wei", "looking"),
        ("resolved", "Wu", "called back"),
        ("note", "Wu", "later"),
        ("reopened", "Li", ""),
    ]


async def test_two_who_take_it_at_once_are_not_both_told_yes(alerts: Alerts) -> None:
    answers = await asyncio.gather(
        *(alerts.client.post("/api/v1/incidents/1/acknowledge", json={"by": f"P{n}"}) for n in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


async def test_a_resolution_is_not_taken_back_while_a_newer_incident_is_open(
    bus: MemoryBus, database: Database
) -> None:
    async with running(bus, database, reopen_s=0.001) as alerts:
        for number, name in enumerate(("f1", "f2"), start=1):
            await publish(bus, flag(name))

            async def opened(number: int = number) -> bool:
                return (await alerts.client.get(f"/api/v1/incidents/{number}")).status_code == 200

            await until(opened)
            if number == 1:
                await alerts.post("/incidents/1/resolve", {"by": "Li"})
        problem = await alerts.post("/incidents/1/reopen", {"by": "Li"}, 409)
    assert problem["other"] == 2


@pytest.mark.parametrize(
    "body", [{}, {"by": ""}, {"by": "  "}, {"by": "x" * 81}, {"by": "a\x00b"}, {"by": "Li", "else": 1}, {"by": 7}]
)
async def test_who_acts_must_say_who(alerts: Alerts, body: dict[str, Any]) -> None:
    problem = await alerts.post("/incidents/1/acknowledge", body, 422)
    assert problem["errors"]
    assert (await alerts.get("/incidents/1"))["incident"]["state"] == "open"


async def test_a_note_must_say_something(alerts: Alerts) -> None:
    assert (await alerts.post("/incidents/1/notes", {"by": "Li", "note": " "}, 422))["errors"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/incidents/2147483647", 404),
        ("/api/v1/incidents/2147483648", 422),
        ("/api/v1/incidents/-1", 422),
        (f"/api/v1/incidents/{10**30}/report", 422),
        ("/api/v1/incidents?q=%00", 422),
        (f"/api/v1/incidents?q={'x' * 201}", 422),
        ("/api/v1/incidents?site=%00", 422),
        ("/api/v1/incidents?cursor=before-99999999999", 400),
    ],
)
async def test_what_no_database_can_hold_is_refused_before_it_is_asked(alerts: Alerts, path: str, status: int) -> None:
    answer = await alerts.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_the_description_of_the_api_names_its_answers(alerts: Alerts) -> None:
    found = (await alerts.client.get("/api/openapi.json")).json()
    assert {path for path in found["paths"] if "incidents" in path} == {
        "/api/v1/incidents",
        "/api/v1/incidents/acknowledge",
        "/api/v1/incidents/{number}",
        "/api/v1/incidents/{number}/actions/{action}",
        *(
            f"/api/v1/incidents/{{number}}/{step}"
            for step in ("acknowledge", "assign", "resolve", "reopen", "notes", "recheck", "actions", "report")
        ),
    }
    assert set(found["paths"]["/api/v1/incidents/{number}/acknowledge"]["post"]["responses"]) == {
        *("200", "400", "401", "403", "404", "409", "413", "422", "429", "503")
    }


async def test_metrics_are_there_at_zero(bus: MemoryBus, database: Database) -> None:
    async with running(bus, database) as alerts:
        found = (await alerts.client.get("/metrics")).text
    for line in (
        'alerts_incidents_total{severity="critical"} 0.0',
        'alerts_flags_total{outcome="duplicate"} 0.0',
        'alerts_notifications_total{outcome="failed"} 0.0',
        'alerts_incidents_unresolved{severity="warning"} 0.0',
    ):
        assert line in found
