"""Floors, days and answers for the tests of the drawers: made of the monitor's own structs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from playwright.async_api import Route

from services.monitor.core.counting.queueviews import QueueDayView, StretchView
from services.monitor.core.views import AgentFiguresView, CallView, FloorView, LegView, ServiceLevelView
from services.monitor.desk.views import AgentCalls, TransfersPage
from tests.browser.floors import NOON, agent, ago, call, changed, small_floor

LEVEL = ServiceLevelView(formula="F3s", within_s=20.0, short_abandon_s=5.0, target=0.8, value=0.75)


def figures(since: datetime, **state_s: float) -> AgentFiguresView:
    return AgentFiguresView(
        day="2026-11-22",
        since=since,
        state_s=state_s,
        handled=4,
        talk_s=400.0,
        hold_s=20.0,
        wrap_s=60.0,
        missed=3,
        missed_in_row=2,
        transfers=1,
        occupancy=0.625,
    )


def talking(**values: Any) -> FloorView:
    """Ana talks to a caller who is masked; of her day 15 minutes were counted before."""
    ana = agent("1001", "Ana Silva", "talk", since=ago(100), call=call(since=ago(90)), lease_until=ago(-600))
    ana = changed(ana, today=figures(ago(1000), ready=600.0, talk=300.0), **values)
    caller = CallView(
        site="hq",
        call_id="c1",
        direction="inbound",
        state="answered",
        since=ago(90),
        started=ago(110),
        queue="sales",
        queued_since=None,
        from_number="+45••••4821",
        legs=(LegView(leg_id="l1", agent_id="1001", role="agent", state="talking", since=ago(90)),),
        transfer_id="",
    )
    floor = small_floor()
    return changed(floor, agents=(ana, *floor.agents[1:]), calls=(caller,))  # type: ignore[no-any-return]


def waiting(call_id: str, seconds: float, number: str) -> CallView:
    return CallView(
        site="hq",
        call_id=call_id,
        direction="inbound",
        state="queued",
        since=ago(seconds),
        started=ago(seconds),
        queue="sales",
        queued_since=ago(seconds),
        from_number=number,
        legs=(),
        transfer_id="",
    )


def stretch(began: float, offered: int, level: float | None, *, running: bool = False, **values: Any) -> StretchView:
    """An interval that began so many minutes before the site's noon."""
    started = ago(began * 60)
    plain = StretchView(
        started_at=started,
        ended_at=None if running else started + timedelta(minutes=15),
        counted_from=started,
        offered=offered,
        answered=max(0, offered - 1),
        abandoned=min(offered, 1),
        short_abandoned=0,
        other_ended=0,
        asa_s=9.0,
        longest_waited_s=31.0,
        handled=offered,
        aht_s=120.0,
        talk_s=100.0,
        hold_s=5.0,
        wrap_s=15.0,
        handling_s=600.0,
        ready_s=300.0,
        occupancy=0.66,
        abandonment_rate=0.1,
        transfer_rate=0.0,
        service_levels={"F1": 0.9, "F2": 0.9, "F3": 0.7, "F3s": level, "F4": 0.8, "F5": 0.8},
    )
    return changed(plain, **values)  # type: ignore[no-any-return]


def day() -> QueueDayView:
    """Four intervals and the running one; between the second and the third nobody was there for half an hour."""
    return QueueDayView(
        site="hq",
        queue="sales",
        label="Sales",
        day="2026-11-22",
        time_zone="Asia/Shanghai",
        now=NOON,
        service_level=LEVEL,
        total=stretch(120, 40, 0.75, running=True, counted_from=ago(118 * 60)),
        running=stretch(0, 2, None, running=True),
        intervals=(
            stretch(120, 12, 0.9, counted_from=ago(118 * 60)),
            stretch(105, 8, 0.7),
            stretch(60, 10, 0.85),
            stretch(45, 8, 0.6),
            stretch(30, 0, None, answered=0, abandoned=0, handled=0, handling_s=0.0, ready_s=0.0),
        ),
    )


class Answers:
    """What the server says besides the feed, by the end of the path; a test changes it before it opens a page."""

    def __init__(self) -> None:
        self.by_path: dict[str, tuple[int, Any]] = {
            "intervals": (200, day()),
            "calls": (200, AgentCalls(calls=())),
            "transfers": (200, TransfersPage(transfers=(), next=None)),
        }
        self.asked: list[tuple[str, str]] = []

    async def answer(self, route: Route) -> None:
        request = route.request
        name = request.url.split("?")[0].rsplit("/", 1)[1]
        self.asked.append((request.method, request.url))
        if name not in self.by_path:
            await route.fallback()
            return
        status, body = self.by_path[name]
        await route.fulfill(status=status, content_type="application/json", body=msgspec.json.encode(body))
