"""A configuration file in force: looked at when somebody asks for what is in it, at most once a second. One with an error changes
nothing and is told of once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from shared.clock import Clock
from shared.errors import SettingsError
from shared.filemetrics import FileHealth
from shared.filewatch import signature

LOOK_EVERY_S: Final = 1.0

log = structlog.get_logger()
T = TypeVar("T")


class LiveFile(Generic[T]):
    """What is in the file now."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        load: Callable[[Path], T],
        *,
        what: str,
        tell: Callable[[T, T], Mapping[str, object]] = lambda before, now: {},
    ) -> None:
        """`what` the file holds, for the log ("users"); `tell`: what is said of a change. Raises SettingsError."""
        self._path = path
        self._clock = clock
        self._load = load
        self._what = what
        self._tell = tell
        self._seen = signature(path)
        self._looked = clock.monotonic()
        self._value = load(path)
        self._health = FileHealth(what, clock)

    def get(self) -> T:
        """The newest content that had no error."""
        now = self._clock.monotonic()
        if now - self._looked < LOOK_EVERY_S:
            return self._value
        self._looked = now
        seen = signature(self._path)
        if seen != self._seen:
            self._seen = seen
            try:
                before, self._value = self._value, self._load(self._path)
            except SettingsError as exc:
                self._health.refused()
                log.error(f"{self._what} not reloaded", why=str(exc), consequence=f"the {self._what} stay as they were")
            else:
                self._health.read()
                log.info(f"{self._what} reloaded", file=self._path.name, **self._tell(before, self._value))
        return self._value

    def health(self) -> FileHealth:
        """Whether it can be used as it is now, which is looked at also where nobody else asks."""
        self.get()
        return self._health
