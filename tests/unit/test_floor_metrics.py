"""The floor's figures for Prometheus: right, silent about a floor that is not heard, and for whoever may see it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from services.monitor.core.engine import Engine
from services.monitor.floormetrics import FloorMetrics
from shared import events
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
