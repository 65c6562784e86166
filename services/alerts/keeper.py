"""Resolves incidents that have been quiet for long enough. Sleeps until the next one is due, never polls."""

from __future__ import annotations

import structlog

from services.alerts.core.incident import Policy
from services.alerts.desk import Desk
from services.alerts.repositories import Incidents
from shared.clock import Clock
from shared.db import Database
from shared.errors import StoreError
from shared.waiting import wait

log = structlog.get_logger(__name__)

RETRY_S = 5.0


async def keep(desk: Desk, database: Database, clock: Clock, policy: Policy) -> None:
    """Until cancelled."""
    while True:
        desk.quiet_changed.clear()
        try:
            if await desk.resolve_quiet():
                continue
            async with database.reading() as session:
                deadline = await Incidents(session).next_quiet(policy)
        except StoreError as exc:
            log.warning("cannot look for quiet incidents", reason=str(exc))
            await clock.sleep(RETRY_S)
            continue
        await wait(desk.quiet_changed, clock, deadline)
