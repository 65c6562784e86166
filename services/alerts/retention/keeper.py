"""Purges once a day, at the quiet hour of the alert file. Of two instances the one does it that writes the day's row first."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

import structlog

from services.alerts.alertfile.live import InForce
from services.alerts.core.incident import SYSTEM
from services.alerts.retention.keeping import Retention
from services.alerts.retention.purging import Purges
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError
from shared.siteconfig import Sites

log = structlog.get_logger(__name__)

LOOK_S: Final = 3600.0  # asleep at most so long: the file may name another hour meanwhile
RETRY_S: Final = 60.0


async def keep(database: Database, in_force: InForce, sites: Sites, clock: Clock) -> None:
    """Until cancelled."""
    purges, began = Purges(database, clock), clock.now()
    while True:
        retention, zone = in_force.alerts.retention, sites.defaults.time_zone
        try:
            now = clock.now()
            due = next_due(retention, zone, await purges.last_day(), began, now)
            if due <= now:
                done = await purges.purge(retention, by=SYSTEM, day=retention.day(now, zone))
                if done is not None:
                    log.info("old rows were removed", rows=done.rows)
                continue
        except StoreError as exc:
            log.warning("old rows cannot be removed now", reason=str(exc), again_after_s=RETRY_S)
            await clock.sleep(RETRY_S)
            continue
        await clock.sleep(min(LOOK_S, (due - now).total_seconds()))


def next_due(retention: Retention, zone: str, last: str | None, began: datetime, now: datetime) -> datetime:
    """When the next purge is due, `now` or before when it is. `last`: the day of the last one; `began`: since when we are here.

    Who was away at the quiet hour waits for the next one, unless a whole day went by without a purge.
    """
    today = date.fromisoformat(retention.day(now, zone))
    done = date.fromisoformat(last) if last is not None else None
    if done is not None and done >= today:
        return retention.next_purge(now, zone)
    quiet = _last_quiet(retention, zone, now)
    if began <= quiet:
        return quiet
    missed = done is not None and done < today - timedelta(days=1)
    return now if missed else retention.next_purge(now, zone)


def _last_quiet(retention: Retention, zone: str, now: datetime) -> datetime:
    """The quiet hour with which the day of `now` began."""
    found = retention.next_purge(now - timedelta(hours=26), zone)  # a day may have 25 hours
    later = retention.next_purge(found, zone)
    return later if later <= now else found
