"""Tasks beside the board that must not end with it, nor end it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from shared.clock import Clock

_AGAIN_S: Final = 10.0

log = structlog.get_logger()


async def lasting(clock: Clock, part: str, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """`run` again and again until cancelled. A fault in it is logged and must not end the process: the board lives in it."""
    while True:
        try:
            await run()
        except Exception:
            log.exception(f"a task of {part} broke and is begun again", task=name, retry_in_s=_AGAIN_S)
        await clock.sleep(_AGAIN_S)
