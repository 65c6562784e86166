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
    timer = asyncio.ensure_future(_reach(clock, until))
    event = asyncio.ensure_future(changed.wait())
    try:
        await asyncio.wait((timer, event), return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        event.cancel()
        await asyncio.gather(timer, event, return_exceptions=True)  # whoever cancels us meanwhile is heard


async def _reach(clock: Clock, until: datetime) -> None:
    """How long that is counts from when this has its turn, not from when it was asked for."""
    if (left_s := (until - clock.now()).total_seconds()) > 0:
        await clock.sleep(left_s)
