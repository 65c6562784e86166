"""Dear work by turns: one piece at a time, and as much time for everything else in between as it took.

A filter that nobody has yet is looked through for every entity of the floor, tens of milliseconds on a large one. Two hundred
pages that come back at once, each with its own, would otherwise keep the loop from everybody for seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Turns:
    """First come, first served."""

    def __init__(self) -> None:
        self._busy = asyncio.Lock()

    @asynccontextmanager
    async def one(self, dear: Callable[[], bool]) -> AsyncIterator[None]:
        """Do the work inside. `dear` is asked before: others may have done most of it meanwhile, then nobody waits."""
        if not dear():
            yield
            return
        async with self._busy:
            if not dear():
                yield
                return
            loop = asyncio.get_running_loop()
            began = loop.time()
            yield
            await asyncio.sleep(loop.time() - began)
