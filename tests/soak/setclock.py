"""`python -m tests.soak.setclock FILE MODULE`: a service whose wall clock somebody else sets, while it runs and when it starts.

FILE holds by how many seconds that clock is ahead, as 8 bytes. Floorwatch asks for the wall clock in `shared/clock.py` alone, and
libraries, such as the Kafka client for its stamps, through `time`; what measures durations goes on as ever, as on any machine.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from shared.clock import SystemClock

_FORMAT: Final = "d"


class SetClock:
    """The clock of one machine, which may be set. A new one is right."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set_to(0.0)

    def set_to(self, ahead_s: float) -> None:
        """So far ahead of what is right, behind where negative."""
        if not self.file.exists():
            self.file.write_bytes(bytes(struct.calcsize(_FORMAT)))
        with self.file.open("r+b") as file:
            file.write(struct.pack(_FORMAT, ahead_s))
        self.ahead_s = ahead_s


def _main() -> None:
    file, module = sys.argv[1:3]
    with open(file, "rb") as opened:
        shown = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)

    def ahead_s() -> float:
        return float(struct.unpack(_FORMAT, shown)[0])

    really, really_ns = time.time, time.time_ns
    time.time = lambda: really() + ahead_s()
    time.time_ns = lambda: really_ns() + round(ahead_s() * 1e9)
    SystemClock.now = lambda self: datetime.now(UTC) + timedelta(seconds=ahead_s())  # type: ignore[method-assign]
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
