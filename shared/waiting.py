"""Waiting for a moment of the wall clock or for a change, whichever is first."""

from __future__ import annotations

import asyncio
from datetime import datetime

from shared.clock import Clock


async def wait(changed: asyncio.Event, clock: Clock, until: datetime | None) -> None:
    """Return when `changed` is set or the wall clock reaches `until`."""
    if until is None:
        await changed.wait()
        return
    if until <= clock.now():
        await asyncio.sleep(0)  # the others' turn
        return
    timer = asyncio.ensure_future(clock.sleep((until - clock.now()).total_seconds()))
    event = asyncio.ensure_future(changed.wait())
    try:
        await asyncio.wait((timer, event), return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        event.cancel()
        await asyncio.gather(timer, event, return_exceptions=True)  # whoever cancels us meanwhile is heard
