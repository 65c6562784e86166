"""How a process is asked to end, and how long that may take.

The first SIGTERM or SIGINT asks. A second one ends the process at once, for somebody is in a hurry. And whatever hangs meanwhile,
such as a thread of a library, for which Python waits at its end without a bound: after a time the process is ended by a thread
that waits for nobody, and says what hung. A supervisor that has to kill it could not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Final

import structlog

WITHIN_S: Final = 13.0  # what `time_to_end` gives for the settings as they come
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_ONE_S: Final = 0.5  # signals no further apart are one: a terminal and a supervisor both pass on the same Ctrl-C
_REST_S: Final = 3.0  # for what is left when requests and the last checkpoint had their time: connections to part with
_TOO_LATE: Final = 1

log = structlog.get_logger()


def time_to_end(drain_s: float, shutdown_s: float) -> float:
    """Seconds from the first signal until the process is gone, whatever happens: it is asked less and less, requests end,
    the pump takes its last checkpoint, connections are closed. What ends processes by force must wait for longer than that.
    """
    return drain_s + 2 * shutdown_s + _REST_S


class Ending:
    """Of one process, which is gone `within_s` seconds after it was asked; None: it takes the time that it takes."""

    def __init__(self, within_s: float | None = None, end: Callable[[int], None] = os._exit) -> None:
        self._within_s = within_s
        self._end = end
        self._stop: Callable[[], None] = lambda: None
        self._asked_at: float | None = None
        self._limit: threading.Timer | None = None

    @contextlib.contextmanager
    def signals(self) -> Iterator[Ending]:
        """Signals of this process are ours from now on. Elsewhere than in the main thread there are none."""
        loop = asyncio.get_running_loop()
        caught: list[signal.Signals] = []
        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread: whoever runs the loop stops it
            for number in _SIGNALS:
                loop.add_signal_handler(number, self.ask, number)
                caught.append(number)
        token = _CURRENT.set(self)
        try:
            yield self
        finally:
            _CURRENT.reset(token)
            for number in caught:
                loop.remove_signal_handler(number)

    @contextlib.contextmanager
    def calls(self, stop: Callable[[], None]) -> Iterator[None]:
        """In here the first signal calls `stop`; nothing else does, if it came before."""
        before, self._stop = self._stop, stop
        try:
            yield
        finally:
            self._stop = before

    def ask(self, number: signal.Signals) -> None:
        """A signal came."""
        now = asyncio.get_running_loop().time()
        if self._asked_at is None:
            self._asked_at = now
            log.info("asked to end", signal=number.name, within_s=self._within_s)
            self.limit()
            self._stop()
        elif now - self._asked_at > _ONE_S:
            log.warning("asked to end a second time: ends at once", signal=number.name)
            self._end_now(128 + number)

    def limit(self) -> None:
        """From now on it has its time to end, and no more."""
        if self._limit is None and self._within_s is not None:
            self._limit = threading.Timer(self._within_s, self._too_late, [asyncio.get_running_loop()])
            self._limit.daemon = True  # so that it keeps nobody
            self._limit.start()

    def _too_late(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # of a loop that goes on meanwhile
            names = sorted(task.get_name() for task in asyncio.all_tasks(loop))
            threads = sorted(one.name for one in threading.enumerate() if not one.daemon and one.is_alive())
            log.error("did not end in time: ended by force", within_s=self._within_s, tasks=names, threads=threads)
        self._end_now(_TOO_LATE)

    def _end_now(self, code: int) -> None:
        with contextlib.suppress(Exception):  # nothing may keep it now
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        self._end(code)


_CURRENT: ContextVar[Ending] = ContextVar("ending")


@contextlib.contextmanager
def current() -> Iterator[Ending]:
    """The process's ending; for what `run` did not start, one of its own."""
    found = _CURRENT.get(None)
    if found is not None:
        yield found
        return
    with Ending().signals() as own:
        yield own
