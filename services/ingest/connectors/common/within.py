"""Waiting for an answer for so long and no longer, by a clock that tests can move."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from shared.clock import Clock

T = TypeVar("T")


async def within(clock: Clock, seconds: float, answer: Awaitable[T]) -> T:
    """`answer`. Raises TimeoutError when it does not come within `seconds`; it is cancelled then."""
    asked = asyncio.ensure_future(answer)
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((asked, timer), return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return asked.result()
        raise TimeoutError(f"no answer within {seconds:g} s")
    finally:
        timer.cancel()
        if not asked.done():
            asked.cancel()
            await asyncio.wait((asked,))  # what it undoes on its way out is done before anybody goes on
