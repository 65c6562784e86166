"""Blocking calls of one channel: one at a time, in a thread of its own, and not waited for without end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from services.alerts.reach.outgoing import Answer

PATIENCE_S: Final = 60.0  # less than a lease, so that nobody else takes up what is still tried here


class OwnThread:
    """A slow channel holds up nothing but itself, neither another channel nor the end of the process."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._busy = False

    async def run(self, call: Callable[[], Answer]) -> Answer:
        """What `call` answers, or that it does not; while an old call still hangs, no new one is begun."""
        if self._busy:
            return Answer(False, "the attempt before has not come to an end yet")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        self._busy = True

        def work() -> None:
            try:
                answer = call()
            except Exception as exc:  # noqa: BLE001  (a hundred plugins; whatever one raises is its answer)
                answer = Answer(False, type(exc).__name__)
            self._busy = False
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, answered, answer)

        threading.Thread(target=work, name="notification", daemon=True).start()
        done, _ = await asyncio.wait([answered], timeout=self._patience_s)
        if not done:
            return Answer(False, f"no answer within {self._patience_s:g} s: it may have been sent", maybe=True)
        return answered.result()


def _settle(answered: asyncio.Future[Answer], answer: Answer) -> None:
    if not answered.done():
        answered.set_result(answer)
