"""When changes go out: a window after the first of them, and on a busy floor one delta a window, however long each takes."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from services.monitor.core.engine import Engine
from services.monitor.feed.hub import Hub
from services.monitor.metrics import FeedMetrics
from shared.clock import FakeClock
from tests.floorkit import CONFIG, RULES

WINDOW_S = 0.05


async def test_a_busy_floor_has_one_delta_a_window_and_a_quiet_one_waits_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    hub = Hub(Engine(CONFIG, RULES), FakeClock(), FeedMetrics.on(CollectorRegistry()), flush_s=WINDOW_S)

    def goes_out_at(changed: float) -> float:
        now[0] = changed
        hub.on_batch([])
        assert hub._pending is not None
        return hub._pending.when()

    def went_out(until: float) -> None:
        hub.flush()
        now[0] = until  # so long it took

    assert goes_out_at(100.0) == pytest.approx(100.05), "a window after the first change"
    assert goes_out_at(100.02) == pytest.approx(100.05), "which the next ones share"
    went_out(until=100.08)
    assert goes_out_at(100.081) == pytest.approx(100.10), (
        "a window after the last, though that took longer than half of it"
    )
    went_out(until=100.16)
    assert goes_out_at(100.17) == pytest.approx(100.17), "the window is over already"
    went_out(until=100.18)
    assert goes_out_at(101.0) == pytest.approx(101.05), "nothing happened for a while"
    hub.flush()
