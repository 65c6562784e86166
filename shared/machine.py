"""The one pattern of Floorwatch: a pure machine, driven by a pump (`shared.pump`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class Machine(Protocol[In_contra, Out_co]):
    """Events in, what they made true out. No await, clock, logger, metric or database inside."""

    def apply(self, event: In_contra) -> Iterable[Out_co]:
        """What this event made true."""
        ...

    def tick(self, now: datetime) -> Iterable[Out_co]:
        """What became true only because time passed."""
        ...

    def next_deadline(self) -> datetime | None:
        """When `tick` next has something to do; None for never."""
        ...

    def dump(self) -> bytes:
        """The whole state, for the checkpoint."""
        ...

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave."""
        ...
