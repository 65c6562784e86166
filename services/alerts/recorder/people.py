"""Who agents are: as the sites file says, else as their newest flags call them. Records name agents by id alone."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.periodic.period import Period
from services.alerts.tables import FlagRow
from shared.siteconfig import SiteConfig


class People(Struct, frozen=True):
    """The agents of a site; `told`: name and team by id, of those whom flags of the period were about."""

    config: SiteConfig
    told: Mapping[str, tuple[str, str]] = {}

    def name(self, agent_id: str) -> str:
        """For people; the id of who has no name."""
        return self.config.agent(agent_id).name or self.told.get(agent_id, ("", ""))[0] or agent_id

    def team(self, agent_id: str) -> str:
        return self.config.agent(agent_id).team or self.told.get(agent_id, ("", ""))[1]


async def known(session: AsyncSession, site: str, config: SiteConfig, period: Period) -> People:
    """The agents of `site` as they are known from this period. Where a flag had no name for the agent, its label is the id."""
    labels = col(FlagRow.labels)
    agent, name, team = (labels[key].as_string() for key in ("agent", "agent_name", "team"))
    newest = (
        select(agent.label("agent"), func.max(col(FlagRow.raised)).label("raised"))
        .where(col(FlagRow.site) == site, col(FlagRow.raised) >= period.start, col(FlagRow.raised) < period.end)
        .where(agent.is_not(None), name.is_not(None))
        .group_by(agent)
        .subquery()
    )
    rows = await session.execute(
        select(newest.c.agent, func.max(name), func.max(func.coalesce(team, "")))
        .join(
            FlagRow, (col(FlagRow.site) == site) & (col(FlagRow.raised) == newest.c.raised) & (agent == newest.c.agent)
        )
        .group_by(newest.c.agent)
    )
    return People(config, {agent_id: (name or "", team or "") for agent_id, name, team in rows})
