"""The real monitor, put together as its service does it, without the HTTP side; boards are connections within the process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from services.monitor.app import Monitor
from services.monitor.rulefile import load_rulebook
from shared.bus import Bus
from shared.clock import SystemClock
from shared.collector import set_aside
from shared.pumpstatus import Outcome
from shared.settings import ROOT, MonitorSettings
from shared.sites import load_sites
from tests.feedkit import Sink

DEPLOY: Final = ROOT / "deploy"
RULES: Final[Path] = DEPLOY / "rules.yaml"
SITES: Final[Path] = DEPLOY / "sites.yaml"


class Bench:
    """A monitor on `bus`, and `boards` that read everything it sends."""

    def __init__(self, bus: Bus, *, boards: int) -> None:
        self.registry = CollectorRegistry()
        self.monitor = Monitor(
            MonitorSettings(), bus, SystemClock(), load_sites(SITES), load_rulebook(RULES), self.registry
        )
        self.bus = bus
        self._sink = Sink()
        self._boards = boards
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Run pump and boards; return when the monitor is live."""
        self._tasks = [
            asyncio.create_task(self.monitor.pump.run()),
            asyncio.create_task(self.monitor.hub.run_clock()),
        ]
        while not self.monitor.pump.status.ready:
            await self._turn()
        set_aside()  # as a service does once it serves
        for _ in range(self._boards):
            board = self.monitor.hub.join(self._sink)
            assert board is not None
            self.monitor.hub.subscribe(board)

    async def applied(self, records: int) -> None:
        """Return when so many records were applied in all. Raises RuntimeError when one could not be."""
        while (done := self.records("applied")) < records:
            await self._turn()
        refused = self.records("invalid") + self.records("failed")
        if refused or done > records:
            raise RuntimeError(f"{refused} records could not be applied, {done - records} were applied twice")

    def records(self, outcome: Outcome) -> int:
        """Records that the pump read, by what became of them."""
        counter = self.monitor.pump._metrics.records[outcome]  # asking the registry would collect every metric there is
        return int(counter._value.get())

    def count(self, name: str, **labels: str) -> float:
        """A metric of the monitor."""
        return self.registry.get_sample_value(name, labels) or 0.0

    @property
    def chars(self) -> int:
        """Bytes sent to boards."""
        return self._sink.bytes

    @property
    def frames(self) -> int:
        """Frames sent to boards."""
        return self._sink.frames

    def facts(self) -> int:
        """Flags and records published so far."""
        return int(self.count("pump_outputs_total", pump="monitor", outcome="sent"))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.bus.close()

    async def _turn(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.01)
