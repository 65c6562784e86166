"""Rewinding, put together for one monitor: what keeps the past, and what shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fastapi import APIRouter
from prometheus_client import CollectorRegistry

from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.core.views import SiteView
from services.monitor.rewind import api
from services.monitor.rewind.process import RewindProcess
from services.monitor.rewind.writer import HistoryWriter
from shared.bus import Bus, Partition
from shared.clock import Clock
from shared.service import Background
from shared.settings import MonitorSettings
from shared.siteconfig import Sites

STRUCTS: Final = api.STRUCTS


class Rewind:
    """Without a `bus` (a connection of its own) nothing is kept by this monitor; what others keep is shown all the same."""

    def __init__(
        self,
        settings: MonitorSettings,
        engine: Engine,
        sites: Sites,
        rules: Callable[[], RuleBook],
        clock: Clock,
        registry: CollectorRegistry,
        *,
        bus: Bus | None = None,
    ) -> None:
        self._engine = engine
        self.writer = bus and HistoryWriter(
            bus, clock, self._site, registry, every_s=settings.history_s, records=settings.history_records
        )
        self.process = RewindProcess(
            settings.kafka_bootstrap, sites, rules, limit_s=settings.rewind_limit_s, idle_s=settings.rewind_idle_s
        )
        self.worker: api.Worker = self.process

    def on_part(
        self, site: str, state: bytes | None, offsets: Mapping[Partition, int], lives: Mapping[Partition, int]
    ) -> None:
        """Told of each part of the engine's state that was taken for a checkpoint."""
        if self.writer:
            self.writer.take(site, state, offsets, lives)

    def start(self, background: Background) -> None:
        """Keep the past from now on."""
        if self.writer:
            background.start("history", self.writer.run())

    def router(self) -> APIRouter:
        return api.router_for(self._engine, self.worker)

    async def close(self) -> None:
        """End the worker."""
        await self.process.close()

    def _site(self, site: str) -> SiteView | None:
        view = self._engine.view("site", site, site)
        return view if isinstance(view, SiteView) else None
