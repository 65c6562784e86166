"""Figures over HTTP: a queue's day by intervals, a site's totals."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.monitor.core.counting.queueviews import QueueDayView, SiteFiguresView
from services.monitor.core.engine import Engine
from services.monitor.feed.lens import Lens, QueueTraits
from shared.apidoc import answers, problem
from shared.apiparts import json_answer
from shared.auth import Principal, authed
from shared.problems import Problem

Reader = Annotated[Principal, Depends(authed("floor.read"))]

STRUCTS = (QueueDayView, SiteFiguresView)  # for `shared.apidoc.describe`


def router_for(engine: Engine) -> APIRouter:
    """The routes, on this engine."""
    router = APIRouter(prefix="/api/v1")

    @router.get(
        "/queues/{site}/{queue}/intervals",
        tags=["figures"],
        response_class=Response,
        responses=answers(QueueDayView, "the day so far, its running interval and the finished ones")
        | problem(404, "a queue of which nothing was counted yet"),
    )
    async def intervals(who: Reader, site: str, queue: str) -> Response:
        """A queue's day at the site by intervals of 15 minutes of the site's wall clock.

        The sums of the finished intervals and the running one are those of the day. Days before are on the topic
        `floor.records` as `queue_interval`. What each figure means: docs/metrics.md.
        """
        found = (
            engine.queue_day(site, queue)
            if Lens(who.scope).sees("queue", QueueTraits(site, queue), engine.view)
            else None
        )
        if found is None:
            raise Problem(404, f"of a queue {queue} at site {site} nothing was counted yet")
        return json_answer(found)

    @router.get(
        "/sites/{site}/figures",
        tags=["figures"],
        response_class=Response,
        responses=answers(SiteFiguresView, "the totals now")
        | problem(404, "a site never heard of, or not all of it yours to see"),
    )
    async def totals(who: Reader, site: str) -> Response:
        """A site's totals over its queues; who serves several counts once."""
        found = engine.site_figures(site) if who.scope.whole(site) else None
        if found is None:
            raise Problem(404, f"no site {site} was heard of")
        return json_answer(found)

    return router
