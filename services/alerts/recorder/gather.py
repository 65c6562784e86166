"""Works out the figures of a site's period from what is recorded of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts.periodic.period import Period
from services.alerts.recorder import agents, coverage, flags, incidents, people, queues, transfers
from services.alerts.recorder.figures import PeriodFigures
from shared.siteconfig import SiteConfig


async def figures(session: AsyncSession, site: str, config: SiteConfig, period: Period, now: datetime) -> PeriodFigures:
    """The figures of `site` over `period` as they are recorded at `now`, our clock. A period that runs is as far as it has come.

    Days and intervals are added up by the database; of a year of a large floor no single interval is fetched.
    """
    until = await coverage.known_until(session, site, now)
    total, each = await queues.figures(session, site, config, period)
    who = await people.known(session, site, config, period)
    crew, each_agent = await agents.figures(session, site, who, period)
    return PeriodFigures(
        site=site,
        label=config.label or site,
        time_zone=period.time_zone,
        kind=period.kind,
        first=period.first,
        last=period.last,
        start=period.start,
        end=period.end,
        as_of=now,
        over=until >= period.end,
        origin=await coverage.origin(session, site, period),
        step=queues.STEPS[period.kind],
        coverage=await coverage.figures(session, site, period, until),
        total=total,
        queues=each,
        calls=await agents.calls(session, site, period),
        crew=crew,
        agents=each_agent,
        transfers=await transfers.figures(session, site, who, period),
        flags=await flags.figures(session, site, who, period),
        incidents=await incidents.figures(session, site, period, now),
    )
