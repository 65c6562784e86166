"""Waiting for what is to become true, in tests that watch the loop turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def until(condition: Callable[[], Any], *, timeout_s: float = 15.0) -> Any:
    """What `condition` gives once it is true; it is asked again whenever the loop has turned."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.005)
