"""How fast a user may change what the desk keeps: a minute's worth at once, then as it flows in; nobody pays for another."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.monitor.desk.pacing import Changes, TooManyChanges
from shared.clock import FakeClock
from shared.db import Database
from tests.deskkit import DeskClient, principal, serving_desk
from tests.floorkit import SITE, START, Bench
from tests.unit.test_desk_actions import body, floor

pytest_plugins = ("tests.monitordb",)


@given(
    st.integers(1, 30),
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 40)), max_size=200),
)
def test_no_minute_has_more_than_two_minutes_worth_and_whoever_waits_is_taken(
    per_minute: int, asked: list[tuple[str, float]]
) -> None:
    pacing, now = Changes(per_minute), 1000.0
    taken: dict[str, list[float]] = {"a": [], "b": []}
    for user, later in asked:
        now += later
        if wait_s := refusal(pacing, user, now):
            assert any(at > now - 60 for at in taken[user]), "who rested for a minute is taken"
            assert wait_s <= 60 / per_minute + 1
            now += wait_s
            assert not refusal(pacing, user, now)
        taken[user].append(now)
    for times in taken.values():
        for start in times:
            within = [at for at in times if start <= at < start + 60]
            assert len(within) <= 2 * per_minute
            assert len([at for at in within if at == start]) <= per_minute


def refusal(pacing: Changes, user: str, now: float) -> int:
    """Seconds to wait, 0 when the change is taken."""
    try:
        pacing.take(user, now)
    except TooManyChanges as exc:
        return exc.wait_s
    return 0


def test_who_has_rested_is_forgotten() -> None:
    pacing = Changes(2)
    for number in range(1000):
        pacing.take(f"user {number}", float(number))
        assert len(pacing) <= 31
    pacing.take("late", 10_000.0)
    assert len(pacing) == 1


async def refused(desk: DeskClient, method: str, path: str, value: Any) -> tuple[str, dict[str, Any]]:
    """`Retry-After` and the problem document."""
    answer = await desk.client.request(method, f"/api/v1{path}", json=value)
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.headers["retry-after"], answer.json()


async def test_who_changes_too_much_is_told_when_to_come_back_and_nothing_is_changed(monitor_db: Database) -> None:
    clock, bench = FakeClock(START), floor()
    async with serving_desk(monitor_db, bench, clock=clock, changes_per_minute=3) as desk:
        li, wang = principal("li"), principal("wang")
        case = {"note": "one", "version": 0}
        await desk.as_(li).post("/actions", body())
        await desk.put("/preferences/columns", ["name"])
        await desk.put("/transfers/x/t1/case", case, 404)  # an attempt counts as well
        for method, path, value in (
            ("POST", "/actions", body()),
            ("PUT", "/preferences/columns", ["state"]),
            ("DELETE", "/preferences/columns", None),
            ("PUT", f"/transfers/{SITE}/t1/case", case),
        ):
            after, told = await refused(desk, method, path, value)
            assert after == "20"
            assert (told["title"], told["status"]) == ("Too many changes", 429)
            assert (
                told["detail"] == "li made more than 3 changes within a minute; nothing was changed, try again in 20 s"
            )
        assert await desk.get("/preferences") == {"columns": ["name"]}
        assert len((await desk.get("/actions"))["actions"]) == 1, "reading is free"
        await desk.as_(wang).put("/preferences/columns", [])
        await clock.advance(20)
        await desk.as_(li).put("/preferences/columns", ["state"])
        await refused(desk, "PUT", "/preferences/columns", [])


async def test_what_cannot_be_read_costs_nothing(monitor_db: Database) -> None:
    async with serving_desk(monitor_db, Bench(), clock=FakeClock(START), changes_per_minute=1) as desk:
        await desk.post("/actions", {"site": SITE}, 422)
        await desk.put("/preferences/columns", ["name"])
