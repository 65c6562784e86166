"""Looks at incidents when their time has come. Sleeps until then; each second it asks, in one small query, whether another
instance changed a silence or left something behind that is due.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from services.alerts.desk import Desk
from shared.backoff import Backoff
from shared.clock import Clock
from shared.errors import StoreError
from shared.waiting import wait

log = structlog.get_logger(__name__)

RETRY_S: Final = 5.0
ASK: Final = timedelta(seconds=1)


async def keep(desk: Desk, clock: Clock) -> None:
    """Until cancelled."""
    backoff = Backoff(RETRY_S)
    while True:
        desk.changed.clear()
        try:
            due = await desk.attend()
        except StoreError as exc:
            log.warning("cannot look after incidents", reason=str(exc))
            await clock.sleep(backoff.next_s())
            continue
        at = clock.now() + ASK
        await wait(desk.changed, clock, at if due is None else min(due, at))
