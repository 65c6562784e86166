"""The one pattern of Floorwatch: a pure machine, driven by a pump (`shared.pump`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar, runtime_checkable

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


@runtime_checkable
class PartedMachine(Machine[In_contra, Out_co], Protocol[In_contra, Out_co]):
    """A machine whose state falls into parts that know nothing of each other, so that a checkpoint can be written part by part.

    - An event changes the part that `part_of` names, or makes it, and no other; what it makes true depends on that part alone.
    - `tick` and new settings may change every part, each by what is in it.
    - `dump` gives a MessagePack map of the parts by name, and `load` takes one whose parts are of different moments: it brings
      each in line with the settings by itself.
    """

    def parts(self) -> list[str]:
        """The names of the parts that there are."""
        ...

    def dump_part(self, name: str) -> bytes | None:
        """One part as MessagePack; None when it is gone."""
        ...

    def part_of(self, event: In_contra) -> str:
        """The name of the part that this event changes, whether or not it is there yet."""
        ...
