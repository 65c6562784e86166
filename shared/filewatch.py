"""Files that people change while a service runs: looked at every second and at SIGHUP.

A file may be replaced by another (as editors and Kubernetes do), so what is looked at is what the path leads to now.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

POLL_S: Final = 1.0

Signature = tuple[int, int, int] | None


def signature(path: Path) -> Signature:
    """What changes when the file does; None when it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def changes(path: Path) -> AsyncIterator[bool]:
    """Something at once, and for ever after whenever `path` is another file or SIGHUP comes; True: somebody asked by SIGHUP."""
    seen: Signature = None
    hung_up = asyncio.Event()
    with _at_hangup(hung_up.set):
        while True:
            now, asked = signature(path), hung_up.is_set()
            if now != seen or asked:
                seen = now
                hung_up.clear()
                yield asked
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hung_up.wait(), POLL_S)


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
