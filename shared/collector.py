"""Keeping the garbage collector from walking through what stays: each walk over it stops the loop, and finds nothing."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


def set_aside() -> None:
    """Take all that is alive now, libraries and a state just loaded, out of the collector's sight.

    It would stop the loop for some 25 ms each time, though most stay until the end. What of it ends is freed all the same,
    unless it is part of a cycle.
    """
    gc.freeze()


@contextlib.contextmanager
def resting() -> Iterator[None]:
    """No collection meanwhile: for making very many objects at once that all stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
