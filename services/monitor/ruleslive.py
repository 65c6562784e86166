"""The rules in force, read anew whenever their file changes. A file with an error leaves the old ones running and says why.

The file is looked at every second and at SIGHUP. It may be replaced by another (as editors and Kubernetes do), so what is
looked at is what the path leads to now.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rulefile import load_rulebook
from shared.clock import Clock
from shared.errors import SettingsError

POLL_S: Final = 1.0

log = structlog.get_logger()

_Signature = tuple[int, int, int] | None


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
        self._hung_up = asyncio.Event()
        self._count = Gauge("monitor_rules_loaded", "Rules in force", registry=registry)
        self._stamp = Gauge("monitor_rules_loaded_timestamp_seconds", "When they were read", registry=registry)
        self._failures = Counter(
            "monitor_rules_reload_failures", "Changes of the rules file that could not be used", registry=registry
        )
        self._note()

    async def watch(self, path: Path, *, setting: str = "") -> None:
        """Follow `path` for ever."""
        seen: _Signature = None
        with _at_hangup(self._hung_up.set):
            while True:
                now = _signature(path)
                if now != seen or self._hung_up.is_set():
                    asked, seen = self._hung_up.is_set(), now
                    self._hung_up.clear()
                    self.reload(path, setting=setting, asked=asked)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hung_up.wait(), POLL_S)

    def reload(self, path: Path, *, setting: str = "", asked: bool = False) -> None:
        """Read `path` and use what is in it; `asked`: somebody waits for an answer in the log."""
        try:
            book = load_rulebook(path, setting=setting)
        except SettingsError as exc:
            self.file_error = str(exc)
            self._failures.inc()
            log.error("rules not reloaded", why=str(exc), consequence=f"{len(self.book.rules)} old rules stay in force")
            return
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


def _signature(path: Path) -> _Signature:
    """What changes when the file does; None when it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextlib.contextmanager
def _at_hangup(do: Callable[[], object]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGHUP, do)
    except (ValueError, RuntimeError):  # not in the main thread: the file's change is enough
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
