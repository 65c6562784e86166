"""Reads from the database what a report is written from."""

from __future__ import annotations

import hashlib
from datetime import date, datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.alerts.actions.tables import ActionRow
from services.alerts.periodic.material import FollowUp, Material
from services.alerts.periodic.period import Period, day_at
from services.alerts.recorder.figures import PeriodFigures
from services.alerts.recorder.gather import figures
from services.alerts.recorder.tables import OriginDayRow, SiteRow
from services.alerts.tables import IncidentRow
from shared.masking import masked_text
from shared.siteconfig import SiteConfig

MOST_FOLLOWUPS = 200


async def material(session: AsyncSession, site: str, config: SiteConfig, period: Period, now: datetime) -> Material:
    """Figures of a period and of the one before it, and what is to be done by the end of the one after it."""
    return Material(
        await figures(session, site, config, period, now),
        await figures(session, site, config, period.before(), now),
        await followups(session, site, period, now),
    )


async def recorded_sites(session: AsyncSession) -> dict[str, datetime]:
    """Every site with records, and the time of its newest one."""
    rows = await session.execute(select(col(SiteRow.site), col(SiteRow.until)).order_by(col(SiteRow.site)))
    return dict(rows.all())


async def first_day(session: AsyncSession, site: str) -> date | None:
    """The first day of which anything of this site is recorded; None without one."""
    found: date | None = await session.scalar(select(func.min(OriginDayRow.day)).where(col(OriginDayRow.site) == site))
    return found


async def followups(session: AsyncSession, site: str, period: Period, now: datetime) -> tuple[FollowUp, ...]:
    """Open actions and dates to look again that are due by the end of the next period, and open actions without a date."""
    until, today = period.after().last, day_at(now, period.time_zone)
    found = [*await _actions(session, site, until, today), *await _rechecks(session, site, until, today)]
    found.sort(key=lambda one: (one.due_on is None, one.due_on or until, one.number))
    return tuple(found[:MOST_FOLLOWUPS])


async def _actions(session: AsyncSession, site: str, until: date, today: date) -> list[FollowUp]:
    rows = await session.execute(
        select(ActionRow, IncidentRow)
        .join(IncidentRow, col(IncidentRow.id) == col(ActionRow.incident_id))
        .where(col(IncidentRow.site) == site, col(ActionRow.done_at).is_(None))
        .where((col(ActionRow.due_on) <= until) | col(ActionRow.due_on).is_(None))
        .order_by(col(ActionRow.due_on), col(ActionRow.incident_id), col(ActionRow.number))
        .limit(MOST_FOLLOWUPS)
    )
    return [
        FollowUp(
            number=incident.id or 0,
            kind="action",
            text=masked_text(action.text),
            owner=action.owner,
            due_on=action.due_on,
            overdue=action.due_on is not None and action.due_on < today,
            about_en=incident.summary_en,
            about_zh=incident.summary_zh,
        )
        for action, incident in rows.all()
    ]


async def _rechecks(session: AsyncSession, site: str, until: date, today: date) -> list[FollowUp]:
    """Of resolved incidents, until somebody said how it went."""
    row = IncidentRow
    rows = await session.scalars(
        select(row)
        .where(col(row.site) == site, col(row.recheck_at).is_not(None), col(row.recheck_on) <= until)
        .order_by(col(row.recheck_on), col(row.id))
        .limit(MOST_FOLLOWUPS)
    )
    return [
        FollowUp(
            number=one.id or 0,
            kind="recheck",
            text=masked_text(one.cause),
            owner=one.resolver or one.owner,
            due_on=one.recheck_on,
            overdue=one.recheck_on is not None and one.recheck_on < today,
            about_en=one.summary_en,
            about_zh=one.summary_zh,
        )
        for one in rows
    ]


def fingerprint(found: Material, *more: str) -> str:
    """The same for the same figures, whenever they were asked for; another when a late record or a follow-up came."""
    parts = (_timeless(found.figures), found.before and _timeless(found.before), found.followups, more)
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def _timeless(found: PeriodFigures) -> PeriodFigures:
    return msgspec.structs.replace(found, as_of=found.end) if found.over else found
