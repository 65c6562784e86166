"""Of which agents' calls how much was heard on a day.

A finished call of an agent counts as heard when one person was sent at least 10 s of it, or half of the conversation where that
is shorter. What was sent is what the relay reported (`listen_heard`); seconds of several listens of one person add up, those of
different people do not, and more than the conversation lasted is not heard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.desk.tables import CallRow
from services.monitor.listen.tables import HeardRow

ENOUGH_S: Final = 10.0
ENOUGH_SHARE: Final = 0.5
BEFORE: Final = timedelta(hours=12)  # a call that ended today may have been heard from yesterday on


class Talk(Struct, frozen=True):
    """A finished call of an agent: how long they spoke, the customer's time on hold included, and how much one person heard."""

    call_id: str
    agent_id: str
    talk_s: float
    heard_s: float

    @property
    def heard(self) -> bool:
        """Whether enough of it was heard to say so."""
        return self.heard_s > 0 and self.heard_s >= min(ENOUGH_S, ENOUGH_SHARE * self.talk_s)


class AgentCoverage(Struct, frozen=True, kw_only=True):
    """An agent's day. `calls_share`, `seconds_share`: of what was heard, 0 to 1; null without a call."""

    agent_id: str
    name: str
    team: str
    new_agent: bool
    calls: int
    heard: int
    talk_s: float
    heard_s: float
    calls_share: float | None
    seconds_share: float | None


def of_agent(agent_id: str, name: str, team: str, new_agent: bool, talks: Iterable[Talk]) -> AgentCoverage:
    """The sum of an agent's calls. Pure."""
    calls = list(talks)
    heard, talk_s, heard_s = sum(one.heard for one in calls), _sum(calls, "talk_s"), _sum(calls, "heard_s")
    return AgentCoverage(
        agent_id=agent_id,
        name=name,
        team=team,
        new_agent=new_agent,
        calls=len(calls),
        heard=heard,
        talk_s=round(talk_s, 1),
        heard_s=round(heard_s, 1),
        calls_share=heard / len(calls) if calls else None,
        seconds_share=heard_s / talk_s if talk_s else None,
    )


def _sum(talks: list[Talk], name: str) -> float:
    return sum(float(getattr(one, name)) for one in talks)


async def talks(session: AsyncSession, site: str, begin: datetime, end: datetime, direction: str = "") -> list[Talk]:
    """Every answered call of an agent at `site` that ended in [begin, end); `direction` "": all."""
    query = select(CallRow).where(
        col(CallRow.site) == site,
        col(CallRow.ended) >= begin,
        col(CallRow.ended) < end,
        col(CallRow.agent_id) != "",
        col(CallRow.answered).is_not(None),
    )
    if direction:
        query = query.where(col(CallRow.direction) == direction)
    spoken: dict[tuple[str, str], float] = defaultdict(float)  # a call that came back to an agent is one call of theirs
    for row in await session.scalars(query):
        spoken[row.call_id, row.agent_id] += (row.talk_s or 0.0) + (row.hold_s or 0.0)
    heard = await _heard(session, site, begin - BEFORE, end + BEFORE)
    return [
        Talk(call_id, agent_id, talk_s, min(talk_s, heard.get((call_id, agent_id), 0.0)))
        for (call_id, agent_id), talk_s in spoken.items()
    ]


async def _heard(session: AsyncSession, site: str, begin: datetime, end: datetime) -> dict[tuple[str, str], float]:
    """By call and agent: the most that one person heard, in seconds."""
    columns = (col(HeardRow.call_id), col(HeardRow.agent_id), col(HeardRow.user), col(HeardRow.seconds))
    of_site = (col(HeardRow.site) == site, col(HeardRow.from_at) >= begin, col(HeardRow.from_at) < end)
    by_person: dict[tuple[str, str, str], float] = defaultdict(float)
    for call_id, agent_id, user, seconds in await session.execute(select(*columns).where(*of_site)):
        by_person[call_id, agent_id, user] += seconds
    most: dict[tuple[str, str], float] = {}
    for (call_id, agent_id, _), seconds in by_person.items():
        most[call_id, agent_id] = max(seconds, most.get((call_id, agent_id), 0.0))
    return most
