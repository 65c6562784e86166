"""How long the event loop kept a voice waiting."""

from __future__ import annotations

import asyncio
from typing import Final

from services.monitor.listen.relay.fork import Peak

_EVERY_S: Final = 0.02
_WINDOW_S: Final = 60.0


class Stalls:
    """Wakes up each 20 ms, and says by how much too late at the worst."""

    def __init__(self) -> None:
        self.peak = Peak(_WINDOW_S)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            now = loop.time()
            self.peak.take(max(0.0, now - due), now)
