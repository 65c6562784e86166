"""The floor's figures for Prometheus: right, silent about a floor that is not heard, and for whoever may see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from services.monitor.app import Monitor
from services.monitor.core.engine import Engine
from services.monitor.floormetrics import FloorMetrics
from shared import events
from shared.clock import SystemClock
from shared.memorybus import MemoryBus
from shared.settings import MonitorSettings
from tests.authkit import bearer, settings
from tests.floorkit import CONFIG, RULES, SITE, event


def figures(engine: Engine) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(FloorMetrics([found for site in engine.sites() if (found := engine.gauges(site))]))
    return registry


def floor() -> Engine:
    """Two agents, one of them free; two calls wait, the first for half a minute."""
    engine = Engine(CONFIG, RULES)
    for second, data in (
        (0, events.LinkUp(connector="c1")),
        (1, events.AgentLoggedOn(agent_id="a1", queues=("sales",))),
        (1, events.AgentReady(agent_id="a1")),
        (2, events.AgentLoggedOn(agent_id="a2", queues=("sales",))),
        (2, events.AgentNotReady(agent_id="a2", reason="lunch")),
        (10, events.CallStarted(call_id="k1", direction="inbound")),
        (10, events.CallQueued(call_id="k1", queue="sales")),
        (30, events.CallStarted(call_id="k2", direction="inbound")),
        (30, events.CallQueued(call_id="k2", queue="sales")),
        (41, events.Clock(speed=1.0)),
    ):
        engine.apply(event(second, data))
    return engine


def test_agents_calls_and_queues_are_those_of_the_board() -> None:
    found = figures(floor())
    value = found.get_sample_value
    queue = {"site": SITE, "queue": "sales"}
    assert value("floor_link_up", {"site": SITE}) == 1
    assert value("floor_agents", {"site": SITE, "state": "ready"}) == 1
    assert value("floor_agents", {"site": SITE, "state": "break"}) == 1
    assert value("floor_agents", {"site": SITE, "state": "talk"}) == 0
    assert value("floor_calls", {"site": SITE}) == 2
    assert value("floor_queue_waiting_calls", queue) == 2
    assert value("floor_queue_longest_wait_seconds", queue) == 31
    assert value("floor_queue_staffed_agents", queue) == 2
    assert value("floor_queue_offered_calls_total", queue) == 2
    assert value("floor_queue_answered_calls_total", queue) == 0
    assert value("floor_flags", {"site": SITE, "severity": "warning"}) == 1  # k1 waits for 30 s


def test_of_a_floor_that_is_not_heard_only_counts_are_told() -> None:
    engine = floor()
    engine.apply(event(42, events.LinkDown(connector="c1", reason="gone")))
    value = figures(engine).get_sample_value
    assert value("floor_link_up", {"site": SITE}) == 0
    assert value("floor_agents", {"site": SITE, "state": "ready"}) is None
    assert value("floor_queue_waiting_calls", {"site": SITE, "queue": "sales"}) is None
    assert value("floor_queue_offered_calls_total", {"site": SITE, "queue": "sales"}) == 2


@pytest.fixture
def http(tmp_path: Path) -> TestClient:
    """A monitor with users, which has heard of two sites."""
    bus, clock = MemoryBus(), SystemClock()
    monitor = Monitor(MonitorSettings(**settings(tmp_path)), bus, clock, CONFIG, RULES, CollectorRegistry())
    for site in (SITE, "elsewhere"):
        monitor.engine.apply(event(0, events.LinkUp(connector="c1"), site=site))
    return TestClient(monitor.app(), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("user", "sites"), [("viewer", {SITE, "elsewhere"}), ("elsewhere", {"elsewhere"}), ("blue", set())]
)
def test_who_asks_is_told_of_sites_that_are_wholly_theirs_to_see(http: TestClient, user: str, sites: set[str]) -> None:
    answer = http.get("/metrics/floor", headers=bearer(user))
    assert answer.status_code == 200
    assert {site for site in (SITE, "elsewhere") if f'floor_link_up{{site="{site}"}} 1.0' in answer.text} == sites


def test_nobody_is_told_of_floors_without_a_token_and_metrics_of_us_tell_nothing_of_them(http: TestClient) -> None:
    assert http.get("/metrics/floor").status_code == 401
    assert "floor_" not in http.get("/metrics").text


def test_requests_are_counted_by_how_they_ended_and_probes_are_not(http: TestClient) -> None:
    for path in ("/metrics/floor", "/healthz", "/api/v1/rules"):
        http.get(path, headers=bearer("viewer"))
    http.get("/api/v1/rules")
    text = http.get("/metrics").text
    assert 'http_requests_total{code="2xx"} 2.0' in text
    assert 'http_requests_total{code="4xx"} 1.0' in text
    assert 'http_requests_total{code="5xx"} 0.0' in text
    assert 'floorwatch_build_info{service="monitor"' in text
