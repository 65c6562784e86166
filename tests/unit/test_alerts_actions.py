"""Actions, re-checks, lists and acting on many: as a client of the API sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core.followup import morning
from services.alerts.core.incident import Incident
from services.alerts.core.plan import SEVERITIES, rank
from services.alerts.core.urgency import FIRST_RESOLVED, urgency
from services.alerts.repositories import Incidents, Query
from shared.clock import FakeClock
from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, Alerts, publish, running
from tests.flagkit import T0, flag, opened
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # in Shanghai, where the site is


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
async def alerts(alerts_db: Database, clock: FakeClock) -> AsyncIterator[Alerts]:
    bus = MemoryBus()
    await bus.create(TOPICS)
    async with running(bus, alerts_db, clock=clock) as found:
        await publish(bus, *(flag(f"f{n}", subject_id=f"t{n}", severity=s) for n, s in enumerate(SEVERITIES, 1)))

        async def there() -> bool:
            return len(await found.incidents()) == 3

        await until(there)
        yield found


async def pass_(clock: FakeClock, time: timedelta) -> None:
    """At one go: nothing wakes each second on the way."""
    clock.pause(time.total_seconds())
    await clock.advance(1)


async def told(alerts: Alerts, number: int) -> list[Any]:
    timeline = (await alerts.get(f"/incidents/{number}"))["timeline"]
    return [one["data"] for one in timeline if one["kind"] == "told"]


async def test_an_action_is_told_in_the_morning_of_its_day_at_the_site_and_not_when_done(
    alerts: Alerts, clock: FakeClock
) -> None:
    for text, day in (("call back", "2026-11-23"), ("change trunk", "2026-11-23"), ("training", "2026-12-24")):
        made = await alerts.post("/incidents/1/actions", {"text": text, "owner": "Wu", "due_on": day, "by": "Li"}, 201)
    assert (made["id"], made["created_by"], made["overdue"], made["done_at"]) == (3, "Li", False, None)
    patched = await alerts.client.patch("/api/v1/incidents/1/actions/1", json={"done": True, "by": "Wu"})
    assert (patched.status_code, patched.json()["done_by"]) == (200, "Wu")
    detail = await alerts.get("/incidents/1")
    assert (detail["incident"]["actions_open"], len(detail["actions"])) == (2, 3)
    assert [one["kind"] for one in detail["timeline"]][-4:] == [*["action_added"] * 3, "action_done"]
    before = len(await told(alerts, 1))
    await pass_(clock, timedelta(hours=19, minutes=59))  # 7:59 the next morning
    await alerts.service.desk.attend()
    assert len(await told(alerts, 1)) == before
    await pass_(clock, timedelta(minutes=1))

    async def reminded() -> Any:
        return [one for one in await told(alerts, 1) if one["reason"] == "action_due"]

    (reminder,) = await until(reminded)
    assert reminder["actions"] == [2]
    await pass_(clock, timedelta(days=1))
    await alerts.service.desk.attend()
    assert len(await reminded()) == 1
    assert [one["overdue"] for one in (await alerts.get("/incidents/1"))["actions"]] == [False, True, False]


async def test_what_cannot_be_changed_of_an_action_says_why(alerts: Alerts) -> None:
    await alerts.post("/incidents/9/actions", {"text": "x", "owner": "Wu"}, 404)
    missing = await alerts.client.patch("/api/v1/incidents/1/actions/1", json={"done": True})
    assert (missing.status_code, missing.json()["detail"]) == (404, "incident 1 has no action 1")
    made = await alerts.post("/incidents/1/actions", {"text": "x", "owner": "Wu", "due_on": "2026-12-01"}, 201)
    kept = await alerts.client.patch(f"/api/v1/incidents/1/actions/{made['id']}", json={"owner": "Li"})
    assert (kept.json()["owner"], kept.json()["due_on"]) == ("Li", "2026-12-01")
    gone = await alerts.client.patch(f"/api/v1/incidents/1/actions/{made['id']}", json={"due_on": None})
    assert gone.json()["due_on"] is None
    same = await alerts.client.patch(f"/api/v1/incidents/1/actions/{made['id']}", json={"owner": "Li"})
    assert same.status_code == 200
    kinds = [one["kind"] for one in (await alerts.get("/incidents/1"))["timeline"]]
    assert kinds.count("action_changed") == 2


async def test_a_recheck_is_told_on_its_day_and_closed_or_opens_the_incident_again(
    alerts: Alerts, clock: FakeClock
) -> None:
    for number in (1, 2):
        await alerts.post(f"/incidents/{number}/resolve", {"by": "Wu", "recheck_on": "2026-11-23"})
    await alerts.post("/incidents/3/recheck", {"by": "Wu", "ok": True}, 409)
    assert (await alerts.get("/incidents/1"))["incident"]["recheck_due"] is False
    await pass_(clock, timedelta(hours=20))

    async def reminded() -> bool:
        found = [await told(alerts, 1), await told(alerts, 2)]
        return all("recheck" in [one["reason"] for one in data] for data in found)

    await until(reminded)
    due = (await alerts.get("/incidents/1"))["incident"]
    assert (due["recheck_due"], due["allowed"]) == (True, ["reopen", "recheck"])
    fine = await alerts.post("/incidents/1/recheck", {"by": "Li", "ok": True, "note": "quiet since"})
    assert (fine["state"], fine["recheck_due"], fine["recheck_on"]) == ("resolved", False, "2026-11-23")
    again = await alerts.post("/incidents/1/recheck", {"by": "Li", "ok": True}, 409)
    assert again["allowed"] == ["reopen"]
    bad = await alerts.post("/incidents/2/recheck", {"by": "Li", "ok": False, "note": "it is back"})
    assert (bad["state"], bad["recheck_on"]) == ("open", None)
    last = [one for one in (await alerts.get("/incidents/2"))["timeline"] if one["kind"] == "reopened"][-1]
    assert (last["note"], last["data"]) == ("it is back", {"ok": False, "recheck_on": "2026-11-23"})


async def test_many_are_taken_and_those_that_cannot_be_say_why(alerts: Alerts) -> None:
    await alerts.post("/incidents/2/acknowledge", {"by": "Wu"})
    found = await alerts.post("/incidents/acknowledge", {"numbers": [1, 2, 3, 3, 77], "by": "Li", "note": "mine"})
    assert [(one["id"], one["owner"]) for one in found["done"]] == [(1, "Li"), (3, "Li")]
    assert [(one["number"], one["status"]) for one in found["refused"]] == [(2, 409), (77, 404)]
    assert "acknowledged by Wu" in found["refused"][0]["why"]
    await alerts.post("/incidents/acknowledge", {"numbers": [], "by": "Li"}, 422)
    await alerts.post("/incidents/acknowledge", {"numbers": [1] * 201, "by": "Li"}, 422)


async def test_lists_by_urgency_page_by_page_and_by_what_they_are_narrowed_by(alerts: Alerts) -> None:
    found = await alerts.get("/incidents?order=urgency")
    assert [one["severity"] for one in found["incidents"]] == ["critical", "warning", "info"]
    pages, cursor = [], ""
    while True:
        page = await alerts.get(f"/incidents?order=urgency&limit=1&cursor={cursor}")
        pages += [one["id"] for one in page["incidents"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == [one["id"] for one in found["incidents"]] == [3, 2, 1]
    await alerts.get("/incidents?order=urgency&cursor=before-3", 400)
    await alerts.get("/incidents?cursor=behind-3-3", 400)
    await alerts.post("/incidents/3/acknowledge", {"by": "Wu"})
    await alerts.post("/incidents/2/resolve", {"by": "Wu"})
    assert [one["id"] for one in (await alerts.get("/incidents?order=urgency"))["incidents"]] == [3, 1, 2]
    for query, numbers in (
        ("owner=Wu", [3]),
        ("q=sales 1001", [3, 2, 1]),  # of labels
        ("q=t2", [2]),
        ("q=WU", [3]),
        ("q=没有", []),
        ("from=2026-11-22T04:00:00Z&to=2026-11-22T04:00:01Z", [3, 2, 1]),
        ("from=2026-11-22T04:00:01Z", []),
        ("to=2026-11-22T04:00:00Z", []),
        ("state=open&state=acknowledged", [3, 1]),
        ("state=resolved&order=urgency", [2]),
        ("state=open&order=urgency", [1]),
    ):
        page = await alerts.get(f"/incidents?{query}")
        assert [one["id"] for one in page["incidents"]] == numbers, query
    assert (await alerts.get("/incidents"))["counts"] == {"open": 1, "acknowledged": 1, "resolved": 1}


times = st.integers(0, 10**6).map(lambda n: T0 + timedelta(milliseconds=n))
incidents = st.builds(
    lambda state, severity, held, at, number: msgspec.structs.replace(
        opened(flag(), T0).incident,
        state=state,
        severity=severity,
        held=held,
        open_since=at,
        resolved_at=at if state == "resolved" else None,
        id=number,
    ),
    st.sampled_from(["open", "acknowledged", "resolved"]),
    st.sampled_from(SEVERITIES),
    st.sampled_from(["", "silence 1"]),
    times,
    st.integers(1, 99),
)


@given(incidents, incidents)
def test_urgency_is_the_order_that_is_promised(one: Incident, other: Incident) -> None:
    def plainly(found: Incident) -> tuple[Any, ...]:
        if found.state == "resolved":
            assert found.resolved_at is not None
            return (True, -found.resolved_at.timestamp())
        taken = found.state == "acknowledged"
        return (False, -rank(found.severity), taken, bool(found.held), found.open_since.timestamp())

    if plainly(one)[0] == plainly(other)[0]:
        assert (urgency(one) < urgency(other)) == (plainly(one) < plainly(other))
    assert (urgency(one) >= FIRST_RESOLVED) == (one.state == "resolved")
    assert urgency(one) < 2**53  # exact in a page


@given(
    st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
)
def test_a_day_is_told_in_a_morning_that_is_still_to_come(day: date, zone: str, moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    at = morning(day, zone, now)
    here = at.astimezone(ZoneInfo(zone))
    assert (here.hour, here.minute) == (8, 0)
    assert at > now
    assert here.date() == day or at - now <= timedelta(hours=25)


async def test_the_words_of_a_search_may_be_longer_than_its_index(alerts_db: Database) -> None:
    long = opened(flag(summary_zh="陈" * 3000), T0)
    async with alerts_db.unit_of_work() as session:
        await Incidents(session).save([long], T0, lambda _: None)
    async with alerts_db.reading() as session:
        assert len(await Incidents(session).find(Query(text="陈" * 150))) == 1
