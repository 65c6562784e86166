"""The floor as Prometheus sees it: read from the engine when it asks, so that an event costs nothing.

On a path of its own, for whoever may see floors: `/metrics` is for everybody who reaches the port, and tells nothing of one.
Every replica shows the same figures of the sites that it reads. What is of the present is left out while a site's switch is not
heard: no data and nobody on the phone must not look the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, get_args

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from services.monitor.core.counting.gauges import SiteGauges
from services.monitor.core.engine import Engine
from shared.auth import Principal, authed
from shared.facts import AgentState

Reader = Annotated[Principal, Depends(authed("floor.read"))]

STATES: Final = get_args(AgentState)
SEVERITIES: Final = ("info", "warning", "critical")


class FloorMetrics(Collector):
    """By site and queue; both are bounded, by the sites of the log and by the queues that the engine keeps of one."""

    def __init__(self, sites: Sequence[SiteGauges]) -> None:
        self._sites = sites

    def collect(self) -> Iterator[Metric]:
        """The figures of these sites."""
        yield _gauge("floor_link_up", "1 while the site's switch is heard", [(s.site, s.link_up) for s in self._sites])
        present = [one for one in self._sites if one.link_up]
        yield from _present(present)
        yield from _queues_now(present)
        yield from _queues_today(self._sites)


def router_for(engine: Engine) -> APIRouter:
    """`/metrics/floor`, on this engine."""
    router = APIRouter()

    @router.get("/metrics/floor", tags=["figures"], response_class=PlainTextResponse)
    async def floor(who: Reader) -> Response:
        """The figures of the sites that are wholly yours to see, in Prometheus text format: docs/prometheus.md."""
        wanted = [site for site in engine.sites() if who.scope.whole(site)]
        found = FloorMetrics([gauges for site in wanted if (gauges := engine.gauges(site)) is not None])
        text = await asyncio.to_thread(_text, found)  # of many sites it takes longer than the boards should wait
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

    return router


def _text(found: FloorMetrics) -> bytes:
    registry = CollectorRegistry()
    registry.register(found)
    return generate_latest(registry)


def _present(sites: Sequence[SiteGauges]) -> Iterator[Metric]:
    agents = GaugeMetricFamily("floor_agents", "Agents by the state that the board shows", labels=["site", "state"])
    flags = GaugeMetricFamily("floor_flags", "Flags that stand now", labels=["site", "severity"])
    for one in sites:
        for state in STATES:
            agents.add_metric([one.site, state], one.agents.get(state, 0))
        for severity in SEVERITIES:
            flags.add_metric([one.site, severity], one.flags[severity])
    yield agents
    yield flags
    yield _gauge("floor_calls", "Calls that exist now", [(one.site, one.calls) for one in sites])


def _gauge(name: str, text: str, values: list[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["site"])
    for site, value in values:
        family.add_metric([site], float(value))
    return family


def _queues_now(sites: Sequence[SiteGauges]) -> Iterator[Metric]:
    labels = ["site", "queue"]
    waiting = GaugeMetricFamily("floor_queue_waiting_calls", "Calls that wait now", labels=labels)
    longest = GaugeMetricFamily(
        "floor_queue_longest_wait_seconds", "How long the first of them waits; 0 without one", labels=labels
    )
    staffed = GaugeMetricFamily("floor_queue_staffed_agents", "Agents logged on, breaks included", labels=labels)
    for one in sites:
        for queue in one.queues:
            waiting.add_metric([one.site, queue.queue], queue.waiting)
            longest.add_metric([one.site, queue.queue], queue.longest_wait_s)
            staffed.add_metric([one.site, queue.queue], queue.staffed)
    yield waiting
    yield longest
    yield staffed


def _queues_today(sites: Sequence[SiteGauges]) -> Iterator[Metric]:
    families = {
        "offered": "Calls that came in",
        "answered": "Calls that an agent took",
        "abandoned": "Calls whose customer left while waiting",
        "answered_within": "Calls that an agent took within the time of the queue's service level",
    }
    for field, text in families.items():
        family = CounterMetricFamily(
            f"floor_queue_{field}_calls", f"{text}; begins at zero with the site's day", labels=["site", "queue"]
        )
        for one in sites:
            for queue in one.queues:
                family.add_metric([one.site, queue.queue], getattr(queue, field))
        yield family
