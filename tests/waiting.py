"""Waiting for what is to become true, in one way and with one patience for all tests."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final

PATIENCE_S: Final = (
    90.0  # until a test fails: what is true sooner does not wait, and a machine may have other things to do
)


async def until(
    condition: Callable[[], Any],
    what: str = "",
    timeout_s: float = PATIENCE_S,
    *,
    every_s: float = 0.01,
    eager: int = 0,
) -> Any:
    """What `condition` gives, or what that gives when it is waited for, once it is true.

    It is asked again every `every_s`, before that `eager` times whenever the loop has turned. Fails naming `what`.
    """
    try:
        async with asyncio.timeout(timeout_s):
            for turn in itertools.count():
                found = condition()
                if isinstance(found, Awaitable):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0 if turn < eager else every_s)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s:g} s: {what or condition}") from None


@contextlib.asynccontextmanager
async def beside(*work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """`work` goes on while the block does, and is cancelled at its end. Raises what ended it before."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()
