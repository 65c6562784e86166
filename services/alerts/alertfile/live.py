"""The alert file in force, read anew whenever it changes. A file with an error leaves the old one in force and says why.

Incidents that are open keep the plan that they opened with; channels are those of the newest file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.alerts.alertfile.reading import Alerts, load_alerts
from services.alerts.links import public_url
from services.alerts.reach.channels import Channels
from shared.clock import Clock
from shared.errors import SettingsError
from shared.filemetrics import FileHealth, FileMetrics
from shared.filewatch import changes
from shared.settings import AlertsSettings, variable

log = structlog.get_logger(__name__)


class InForce:
    """What the file says (`alerts`) and the channels that follow from it, replaced together; `file_error` "" when all is well.

    `changed` is told after each replacement and each failure.
    """

    def __init__(
        self, settings: AlertsSettings, clock: Clock, registry: CollectorRegistry, changed: Callable[[], None]
    ) -> None:
        """Raises SettingsError that names file, line and key."""
        self._path: Path | None = settings.file
        self._public_url = public_url(settings)
        self._urls = tuple(url.get_secret_value() for url in settings.notify_urls)
        self._clock = clock
        self._changed = changed
        self._stamp = Gauge("alerts_file_loaded_timestamp_seconds", "When the alert file was read", registry=registry)
        self._failures = Counter(
            "alerts_file_reload_failures", "Changes of the alert file that could not be used", registry=registry
        )
        self._health = FileHealth("alerts", clock)
        if self._path is not None:
            FileMetrics.on(registry).follow("alerts", lambda: self._health)
        self.file_error = ""
        self.loaded_at: datetime | None = None
        self.alerts, self.channels = self._read()
        self._note()

    @property
    def file(self) -> str:
        """The file's name, for people; "" without one."""
        return self._path.name if self._path else ""

    async def watch(self) -> None:
        """Follow the file for ever."""
        if self._path is None:
            await asyncio.Event().wait()
            return
        async for asked in changes(self._path):
            await self.reload(asked=asked)

    async def reload(self, *, asked: bool = False) -> None:
        """Read the file and use what is in it; `asked`: somebody waits for an answer in the log."""
        try:
            alerts, channels = await asyncio.to_thread(self._read)
        except SettingsError as exc:
            self.file_error = str(exc)
            self._failures.inc()
            self._health.refused()
            log.error("the alert file was not reloaded", why=str(exc), consequence="the old one stays in force")
        else:
            self._health.read()
            if alerts == self.alerts and not self.file_error:
                if asked:
                    log.info("the alert file was read anew: nothing changed", file=self.file)
                return
            self.alerts, self.channels, self.file_error = alerts, channels, ""
            self._note()
            log.info("the alert file was reloaded", file=self.file, receivers=len(alerts.receivers))
        self._changed()

    def _read(self) -> tuple[Alerts, Channels]:
        alerts = load_alerts(self._path, self._urls, setting=variable(AlertsSettings, "file"))
        return alerts, Channels(alerts.receivers.values(), self._public_url)

    def _note(self) -> None:
        self.loaded_at = self._clock.now()
        self._stamp.set(self.loaded_at.timestamp())
        for warning in self.alerts.warnings:
            log.warning("something in the alert file is hardly meant", what=warning)
