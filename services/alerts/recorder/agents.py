"""Agents over a period: the partition of their time, and their calls, from the sums of their days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.periodic.period import Period
from services.alerts.recorder.figures import AgentFigures, CallFigures
from services.alerts.recorder.people import People
from services.alerts.recorder.reading import micros_between
from services.alerts.recorder.tables import AgentDayRow, CallDayRow, TransferRow
from shared.servicelevels import share

HANDLING: Final = ("talk", "hold", "consult", "wrap")
NOT_STAFFED: Final = ("offline", "unknown")
_SECOND: Final = 1_000_000


class _Work(Struct):
    """What is known of an agent, or of all; microseconds."""

    first: datetime | None = None
    last: datetime | None = None
    state_us: dict[str, int] = field(default_factory=dict)
    breaks_us: dict[str, int] = field(default_factory=dict)
    stale_us: int = 0
    span_us: int = 0
    calls: int = 0
    talk_us: int = 0
    hold_us: int = 0
    transfers: int = 0
    agents: int = 1


async def figures(
    session: AsyncSession, site: str, who: People, period: Period
) -> tuple[AgentFigures | None, tuple[AgentFigures, ...]]:
    """All agents together, and each, by id."""
    found: dict[str, _Work] = {}
    await _time(session, site, period, found)
    known = set(found)
    await _calls(session, site, period, found)
    await _transfers(session, site, period, found)
    for one in found.values():
        if one.first is not None and one.last is not None:
            one.span_us = micros_between(one.first, one.last)
    if not known:
        return None, ()
    agents = tuple(
        _figures(agent_id, found[agent_id], who.name(agent_id), who.team(agent_id)) for agent_id in sorted(known)
    )
    return _figures("", _together(found.values(), len(known)), "", ""), agents


async def _time(session: AsyncSession, site: str, period: Period, found: dict[str, _Work]) -> None:
    row = AgentDayRow
    by = (col(row.agent_id), col(row.state), col(row.reason))
    statement = (
        select(*by, func.sum(row.lasted_us), func.sum(row.stale_us), func.min(row.first_at), func.max(row.last_at))
        .where(col(row.site) == site, col(row.day) >= period.first, col(row.day) <= period.last, col(row.pieces) > 0)
        .group_by(*by)
        .order_by(*by)
    )
    for agent_id, state, reason, lasted, stale, first, last in await session.execute(statement):
        one = found.setdefault(agent_id, _Work())
        one.state_us[state] = one.state_us.get(state, 0) + int(lasted)
        one.stale_us += int(stale)
        if state == "break":
            one.breaks_us[reason] = one.breaks_us.get(reason, 0) + int(lasted)
        one.first = first if one.first is None else min(one.first, first)
        one.last = last if one.last is None else max(one.last, last)


async def _calls(session: AsyncSession, site: str, period: Period, found: dict[str, _Work]) -> None:
    row = CallDayRow
    statement = (
        select(col(row.agent_id), func.sum(row.calls), func.sum(row.talk_us), func.sum(row.hold_us))
        .where(
            col(row.site) == site,
            col(row.day) >= period.first,
            col(row.day) <= period.last,
            col(row.outcome) == "answered",
            col(row.agent_id) != "",
        )
        .group_by(col(row.agent_id))
    )
    for agent_id, calls, talk, hold in await session.execute(statement):
        one = found.setdefault(agent_id, _Work())
        one.calls, one.talk_us, one.hold_us = int(calls), int(talk), int(hold)


async def _transfers(session: AsyncSession, site: str, period: Period, found: dict[str, _Work]) -> None:
    row = TransferRow
    statement = (
        select(col(row.from_agent), func.count())
        .where(
            col(row.site) == site,
            col(row.ended_at) >= period.start,
            col(row.ended_at) < period.end,
            col(row.from_agent) != "",
        )
        .group_by(col(row.from_agent))
    )
    for agent_id, count in await session.execute(statement):
        found.setdefault(agent_id, _Work()).transfers = count


def _together(each: Iterable[_Work], agents: int) -> _Work:
    total = _Work(agents=agents)
    for one in each:
        for mine, theirs in ((total.state_us, one.state_us), (total.breaks_us, one.breaks_us)):
            for name, lasted in theirs.items():
                mine[name] = mine.get(name, 0) + lasted
        for name in ("stale_us", "span_us", "calls", "talk_us", "hold_us", "transfers"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        if one.first is not None and one.last is not None:
            total.first = one.first if total.first is None else min(total.first, one.first)
            total.last = one.last if total.last is None else max(total.last, one.last)
    return total


def _figures(agent_id: str, one: _Work, name: str, team: str) -> AgentFigures:
    assert one.first is not None
    assert one.last is not None
    total = sum(one.state_us.values())
    handling = sum(one.state_us.get(state, 0) for state in HANDLING)
    return AgentFigures(
        agent_id=agent_id,
        name=name,
        team=team,
        agents=one.agents,
        known_from=one.first,
        known_to=one.last,
        state_s={state: lasted / _SECOND for state, lasted in sorted(one.state_us.items())},
        total_s=total / _SECOND,
        uncovered_s=(one.span_us - total) / _SECOND,
        unknown_s=one.state_us.get("unknown", 0) / _SECOND,
        stale_s=one.stale_us / _SECOND,
        breaks_s={reason: lasted / _SECOND for reason, lasted in sorted(one.breaks_us.items())},
        staffed_s=(total - sum(one.state_us.get(state, 0) for state in NOT_STAFFED)) / _SECOND,
        occupancy=share(handling, handling + one.state_us.get("ready", 0)),
        calls=one.calls,
        talk_s=one.talk_us / _SECOND,
        hold_s=one.hold_us / _SECOND,
        transfers=one.transfers,
    )


async def calls(session: AsyncSession, site: str, period: Period) -> CallFigures:
    """Calls with customers that ended in the period."""
    row = CallDayRow
    by = (col(row.queue) == "", col(row.direction), col(row.outcome))
    statement = (
        select(*by, func.sum(row.calls), func.sum(row.talk_us), func.sum(row.hold_us))
        .where(col(row.site) == site, col(row.day) >= period.first, col(row.day) <= period.last, col(row.calls) > 0)
        .group_by(*by)
    )
    directions: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    count = unqueued = unqueued_answered = talk_us = hold_us = 0
    for alone, direction, outcome, number, talk, hold in await session.execute(statement):
        number = int(number)
        directions[direction] = directions.get(direction, 0) + number
        outcomes[outcome] = outcomes.get(outcome, 0) + number
        count, talk_us, hold_us = count + number, talk_us + int(talk), hold_us + int(hold)
        if alone:
            unqueued += number
            unqueued_answered += number if outcome == "answered" else 0
    return CallFigures(
        count=count,
        by_direction=dict(sorted(directions.items())),
        by_outcome=dict(sorted(outcomes.items())),
        unqueued=unqueued,
        unqueued_answered=unqueued_answered,
        talk_s=talk_us / _SECOND,
        hold_s=hold_us / _SECOND,
    )
