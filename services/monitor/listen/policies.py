"""The sites' policies of listening, read anew whenever the sites file changes. One with an error leaves the old ones in force.

Only `listening:` of each site, and the time zone of its hours, is taken over. Everything else of that file is part of what was
counted so far, and of what other services began with: it takes effect with their next start.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Counter

from shared.clock import Clock, SystemClock
from shared.errors import SettingsError
from shared.filemetrics import FileHealth, FileMetrics
from shared.siteconfig import SiteConfig, Sites
from shared.sites import load_sites

LOOK_EVERY_S: Final = 1.0

log = structlog.get_logger()


class LivePolicies:
    """The policies in force."""

    def __init__(self, sites: Sites, registry: CollectorRegistry) -> None:
        self._sites = sites
        self._text: bytes | None = None
        self._failures = Counter(
            "monitor_listen_policy_reload_failures",
            "Changes of the sites file that could not be used",
            registry=registry,
        )
        self._health = FileHealth("sites", SystemClock())
        FileMetrics.on(registry).follow("sites", lambda: self._health)

    def site(self, name: str) -> SiteConfig:
        """Policy and time zone of site `name`, or of the sites that the file does not name."""
        return self._sites.site(name)

    def names(self, site: str) -> bool:
        """Whether the file names it."""
        return site in self._sites.sites

    async def watch(self, path: Path, clock: Clock) -> None:
        """Follow `path` for ever. It may be replaced by another file: what is read is what it leads to now.

        In a thread: a file of ten thousand agents is read for seconds, and the board goes on meanwhile.
        """
        while True:
            await asyncio.to_thread(self.look, path)
            await clock.sleep(LOOK_EVERY_S)

    def look(self, path: Path) -> None:
        """Take the policies over if the file's text is another than when it was last looked at."""
        try:
            text = path.read_bytes()
        except OSError:
            text = b""
        if text == self._text:
            return
        self._text = text
        try:
            found = load_sites(path)
        except SettingsError as exc:
            self._failures.inc()
            self._health.refused()
            log.error("policies of listening not reloaded", why=str(exc), consequence="the old ones stay in force")
            return
        self._health.read()
        self._use(path, found)

    def _use(self, path: Path, found: Sites) -> None:
        before, self._sites = self._sites, found
        pairs = {name: (before.site(name), found.site(name)) for name in (*before.sites, *found.sites)}
        pairs["defaults"] = (before.defaults, found.defaults)
        changed = [name for name, (old, new) in pairs.items() if old.listening != new.listening]
        if changed:
            log.info("policies of listening reloaded", file=path.name, changed=changed)
        rest = [name for name, (old, new) in pairs.items() if replace(old, listening=new.listening) != new]
        if rest:
            log.warning("sites file changed: what is not about listening is used from the next start on", sites=rest)
