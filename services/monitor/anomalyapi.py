"""The anomalies of a site over HTTP: what surprised us, how often, and the evidence of the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from services.monitor.core.engine import Engine
from services.monitor.core.state import Anomaly
from services.monitor.core.trust.anomalies import DUPLICATE, KINDS
from shared.apidoc import answers, problem
from shared.auth import Principal, authed
from shared.problems import Problem

_MOST = 1000

Operator = Annotated[Principal, Depends(authed("operations.read"))]

_KINDS = {"enum": sorted(KINDS)}


class AnomalyCount(Struct, frozen=True, kw_only=True):
    """How often a kind was met since the site is watched, what it is and what was done."""

    kind: str
    count: int
    meaning: str


class AnomalyView(Struct, frozen=True, kw_only=True):
    """One of them. `time` is the switch's clock. What time alone found has no event: `event_type` is empty then."""

    number: int  # of this site, from 1
    kind: str
    time: datetime
    times: int  # how many it stands for, where one event told of several
    event_type: str  # as in docs/events.md, without `floorwatch.` and version
    event_id: str
    raw_partition: int  # of the record of `switch.raw` that caused the event; -1 when there is none
    raw_offset: int
    raw_index: int
    data: str  # the event's data as JSON; callers' numbers masked, cut to 400 characters
    subject: str  # agent, call, leg, transfer, listen, queue, site; empty when the event names none
    subject_id: str
    before: str  # the subject until then


class AnomaliesView(Struct, frozen=True, kw_only=True):
    """Every kind that was met, the most frequent first, and the evidence that is kept, the newest first."""

    site: str
    total: int  # as on the board: without duplicates, of which every restart makes some
    counts: tuple[AnomalyCount, ...]
    kept: tuple[AnomalyView, ...]
    before: int | None  # ask with this as `before` for what is older; null when there is none


STRUCTS = (AnomaliesView,)  # for `shared.apidoc.describe`


def router_for(engine: Engine) -> APIRouter:
    """The route, on this engine."""
    router = APIRouter(prefix="/api/v1")

    @router.get(
        "/sites/{site}/anomalies",
        tags=["floor"],
        response_class=Response,
        responses=answers(AnomaliesView, "counts by kind, and the newest with their evidence")
        | problem(404, "a site never heard of, or not all of it yours to see"),
    )
    async def anomalies(
        who: Operator,
        site: str,
        kind: Annotated[str | None, Query(description="only of this kind", json_schema_extra=_KINDS)] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST, description="so many at most")] = 100,
        before: Annotated[int | None, Query(ge=1, description="only those with a smaller number")] = None,
    ) -> Response:
        """What should not be: events that could not follow the last one, ghosts, jumps of the clock, counted by kind.

        The switch is the authority, so mostly the event was adopted all the same; `meaning` says what was done. Evidence is
        kept of the last 1000 of a site, of fewer when they are long. Of duplicates there is only a count.
        """
        if not who.scope.whole(site) or engine.view("site", site, site) is None:
            raise Problem(404, f"no site {site} was heard of")
        if kind is not None and kind not in KINDS:
            raise Problem(422, f"no anomaly is called {kind}; there are {', '.join(sorted(KINDS))}")
        shown = answer(site, engine.anomalies(site), engine.anomaly_log(site), kind, limit, before)
        return Response(msgspec.json.encode(shown), media_type="application/json")

    return router


def answer(
    site: str, counts: dict[str, int], log: list[Anomaly], kind: str | None, limit: int, before: int | None
) -> AnomaliesView:
    """What is answered; `log` has the newest last. `total` and `counts` do not depend on what is asked for."""
    wanted = [
        one for one in reversed(log) if (kind is None or one.kind == kind) and (before is None or one.number < before)
    ]
    shown = tuple(_view(one) for one in wanted[:limit])
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return AnomaliesView(
        site=site,
        total=sum(n for name, n in counts.items() if name != DUPLICATE),
        counts=tuple(AnomalyCount(kind=name, count=n, meaning=KINDS.get(name, "")) for name, n in by_count),
        kept=shown,
        before=shown[-1].number if len(wanted) > limit else None,
    )


def _view(one: Anomaly) -> AnomalyView:
    partition, offset, index = one.position
    return AnomalyView(
        number=one.number,
        kind=one.kind,
        time=one.time,
        times=one.times,
        event_type=one.event_type,
        event_id=one.event_id,
        raw_partition=partition,
        raw_offset=offset,
        raw_index=index,
        data=one.data,
        subject=one.subject,
        subject_id=one.subject_id,
        before=one.before,
    )


class AnomalyCounter(Collector):
    """`monitor_anomalies_total{kind}` over all sites, read from the engine when it is asked for; every kind is there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def on(cls, registry: CollectorRegistry, engine: Engine) -> None:
        """Registered."""
        registry.register(cls(engine))

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counts now. They are part of the engine's state, so a restart does not reset them."""
        counts = dict.fromkeys(KINDS, 0)
        for site in self._engine.sites():
            for kind, count in self._engine.anomalies(site).items():
                counts[kind] = counts.get(kind, 0) + count
        family = CounterMetricFamily(
            "monitor_anomalies", "What should not be, by kind, since it is counted", labels=["kind"]
        )
        for kind, count in counts.items():
            family.add_metric([kind], count)
        yield family
