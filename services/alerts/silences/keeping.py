"""Making silences and ending them: one unit of work each, with everybody who is held or released looked at next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from services.alerts.core.silences import Silence, ended
from services.alerts.desk import Desk
from services.alerts.silences.repository import Silences
from shared.errors import FloorwatchError


class NoSuchSilence(FloorwatchError):
    """There is no silence with this number."""


async def make(desk: Desk, build: Callable[[datetime], Silence]) -> Silence:
    """Put a new silence in force or plan it. `build` is given the time. Raises WrongSilence and StoreError."""
    async with desk.unit() as (session, hold, now):
        silences = Silences(session)
        silence = await silences.add(build(now))
        await silences.changed()
        await desk.holds.pull(session, msgspec.structs.replace(hold, silences=(*hold.silences, silence)), now)
    desk.changed.set()
    return silence


async def end(desk: Desk, number: int, by: str, allowed: Callable[[Silence], None]) -> Silence:
    """Cut a silence short. `allowed` raises when they may not. Raises NoSuchSilence, WrongSilence, StoreError."""
    async with desk.unit() as (session, hold, now):
        silences = Silences(session)
        before = await silences.get(number)
        if before is None:
            raise NoSuchSilence(f"there is no silence {number}")
        allowed(before)
        silence = ended(before, by, now)
        await silences.end(silence, before)
        await silences.changed()
        others = tuple(silence if one.id == number else one for one in hold.silences)
        await desk.holds.pull(session, msgspec.structs.replace(hold, silences=others), now)
    desk.changed.set()
    return silence
