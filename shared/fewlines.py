"""A bounded log of what may happen a million times: so many lines, then counts."""

from __future__ import annotations

from collections import Counter
from typing import Final

import structlog

from shared.clock import Clock

MOST: Final = 20  # lines in `SPAN_S`
SPAN_S: Final = 60.0

log = structlog.get_logger(__name__)


class FewLines:
    """Whether one more line may be written. Those that were not are counted, and told as `more` with the first one that may be
    again. `what` below is of few, such as a reason."""

    def __init__(self, clock: Clock, more: str) -> None:
        self._clock = clock
        self._more = more
        self._since = -SPAN_S
        self._said = 0
        self._unsaid: Counter[str] = Counter()

    def may(self, what: str) -> bool:
        """Ask before each line."""
        now = self._clock.monotonic()
        if now - self._since >= SPAN_S:
            if self._unsaid:
                log.warning(self._more, reasons=dict(self._unsaid), within_s=SPAN_S)
            self._since, self._said = now, 0
            self._unsaid.clear()
        if self._said >= MOST:
            self._unsaid[what] += 1
            return False
        self._said += 1
        return True
