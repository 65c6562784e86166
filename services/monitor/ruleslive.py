"""The rules in force, read anew whenever their file changes. A file with an error leaves the old ones running and says why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rulefile import load_rulebook
from shared.clock import Clock
from shared.errors import SettingsError
from shared.filemetrics import FileHealth, FileMetrics
from shared.filewatch import changes

log = structlog.get_logger()


class LiveRules:
    """The rule book in force, since when, and what is wrong with the file if it could not be taken over.

    `use` is told of each new book; it takes effect between two batches.
    """

    def __init__(
        self, book: RuleBook, clock: Clock, registry: CollectorRegistry, use: Callable[[RuleBook], None]
    ) -> None:
        self.book = book
        self.loaded_at: datetime = clock.now()
        self.file_error = ""
        self._clock = clock
        self._use = use
        self._count = Gauge("monitor_rules_loaded", "Rules in force", registry=registry)
        self._stamp = Gauge("monitor_rules_loaded_timestamp_seconds", "When they were read", registry=registry)
        self._failures = Counter(
            "monitor_rules_reload_failures", "Changes of the rules file that could not be used", registry=registry
        )
        self._health = FileHealth("rules", clock)
        FileMetrics.on(registry).follow("rules", lambda: self._health)
        self._note()

    async def watch(self, path: Path, *, setting: str = "") -> None:
        """Follow `path` for ever."""
        async for asked in changes(path):
            self.reload(path, setting=setting, asked=asked)

    def reload(self, path: Path, *, setting: str = "", asked: bool = False) -> None:
        """Read `path` and use what is in it; `asked`: somebody waits for an answer in the log."""
        try:
            book = load_rulebook(path, setting=setting)
        except SettingsError as exc:
            self.file_error = str(exc)
            self._failures.inc()
            self._health.refused()
            log.error("rules not reloaded", why=str(exc), consequence=f"{len(self.book.rules)} old rules stay in force")
            return
        self._health.read()
        changed = _changes(self.book, book)
        if not changed and not self.file_error:
            if asked:
                log.info("rules read anew: nothing changed", file=path.name, rules=len(book.rules))
            return
        self.book, self.loaded_at, self.file_error = book, self._clock.now(), ""
        self._note()
        self._use(book)
        log.info("rules reloaded", file=path.name, rules=len(book.rules), changed=changed)

    def _note(self) -> None:
        self._count.set(len(self.book.rules))
        self._stamp.set(self.loaded_at.timestamp())


def _changes(old: RuleBook, new: RuleBook) -> list[str]:
    """Names of rules that are new, gone, or not as they were."""
    names = dict.fromkeys((*old.by_name, *new.by_name))
    found = [name for name in names if old.by_name.get(name) != new.by_name.get(name)]
    return found or (["their order"] if old.rules != new.rules else [])
