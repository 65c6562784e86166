"""Dear work by turns: one piece at a time, and as much time for everything else in between as it took.

A filter that nobody has yet is looked through for every entity of the floor, tens of milliseconds on a large one. Two hundred
pages that come back at once, each with its own, would otherwise keep the loop from everybody for seconds. Users come by turns,
so that who wants one thing waits for one of each other user, however many those want.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Turns:
    """One user after the other; of one user's, first come, first served."""

    def __init__(self) -> None:
        self._busy = False
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # by user; whose turn is next is the first

    @asynccontextmanager
    async def one(self, user: str, dear: Callable[[], bool]) -> AsyncIterator[None]:
        """Do the work inside. `dear` is asked before: others may have done most of it meanwhile, then nobody waits."""
        if not dear():
            yield
            return
        await self._wait(user)
        try:
            if not dear():
                yield
                return
            loop = asyncio.get_running_loop()
            began = loop.time()
            yield
            await asyncio.sleep(loop.time() - began)
        finally:
            self._pass_on()

    async def _wait(self, user: str) -> None:
        if not self._busy:
            self._busy = True
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was just given the turn
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            user = next(iter(self._waiting))
            theirs = self._waiting.pop(user)
            found = theirs.popleft()
            if theirs:
                self._waiting[user] = theirs  # behind all others
            if not found.done():  # who gave up is passed over
                found.set_result(None)
                return
        self._busy = False
