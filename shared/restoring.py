"""From a checkpoint back to a machine that can go on: where to read on from, and what is in its state already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from structlog.typing import FilteringBoundLogger

from shared.bus import Partition, Record
from shared.checkpoint import Checkpoint, Checkpoints
from shared.collector import resting
from shared.machine import Machine, PartedMachine
from shared.pumpstatus import PumpMetrics

In = TypeVar("In")
Out = TypeVar("Out")

Bounds = Mapping[Partition, tuple[int, int]]


class Ahead(Generic[In]):
    """Parts of a restored state that are ahead of the offsets from which its log is read on (`shared.saving`).

    What they made of the records in between was acknowledged before the checkpoint was written, by whichever replica.
    """

    def __init__(self, part_of: Callable[[In], str], positions: Mapping[str, Mapping[Partition, int]]) -> None:
        """`positions`: by part, the next record that is not in it."""
        self._part_of = part_of
        self._positions = positions
        self._until: dict[Partition, int] = {}
        for places in positions.values():
            for place, offset in places.items():
                self._until[place] = max(offset, self._until.get(place, 0))

    def holds(self, event: In, record: Record) -> bool:
        """Whether `event`, which `record` told, is in the state already."""
        places = self._positions.get(self._part_of(event))
        return places is not None and record.offset < places.get((record.topic, record.partition), 0)

    def passed(self, offsets: Mapping[Partition, int]) -> bool:
        """Whether no record from `offsets` on is in the state. Partitions that are not read do not matter."""
        return all(offsets.get(place, until) >= until for place, until in self._until.items())


class Start(NamedTuple, Generic[In]):
    """Where to read on from. `lives`: see `Checkpoint`. `fresh`: the state is empty, as a topic was made anew or no
    checkpoint was found; `anew`: for the first of these reasons."""

    offsets: dict[Partition, int]
    lives: dict[Partition, int]
    ahead: Ahead[In] | None = None
    fresh: bool = False
    anew: bool = False


class Restorer(Generic[In, Out]):
    """Brings one pump's machine back, with its state as it is now for an empty one."""

    def __init__(
        self, machine: Machine[In, Out], checkpoints: Checkpoints, metrics: PumpMetrics, log: FilteringBoundLogger
    ) -> None:
        self._machine = machine
        self._parted = machine if isinstance(machine, PartedMachine) else None
        self._blank = machine.dump()
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._log = log

    async def load(self) -> Checkpoint | None:
        """Load the newest checkpoint that fits into the machine; None if there is none. Raises BusError."""
        return await self._checkpoints.load(self._fits)

    def start(
        self,
        checkpoint: Checkpoint | None,
        bounds: Bounds,
        before: Mapping[Partition, int],
        lives: Mapping[Partition, int],
    ) -> Start[In]:
        """Where to read on from `checkpoint`, which the machine has loaded; it is emptied where that is of no use.

        `bounds`: what there is to be read. Without a checkpoint `before` and `lives` are what is known of the topics.
        """
        known, lives = dict(before), dict(lives)
        if checkpoint is not None:
            known, lives = _furthest(checkpoint), dict(checkpoint.lives)
        anew = [place for place, offset in known.items() if place in bounds and offset > bounds[place][1]]
        for place in anew:
            lives[place] = lives.get(place, 0) + 1
            self._was_made_anew(place, known[place], bounds[place][1])
        if checkpoint is None or anew:
            self._machine.load(self._blank)
            return Start({place: first for place, (first, _) in bounds.items()}, lives, fresh=True, anew=bool(anew))
        offsets = {place: self._kept(place, checkpoint, first) for place, (first, _) in bounds.items()}
        return Start(offsets, lives, self._ahead(checkpoint, offsets))

    def _ahead(self, checkpoint: Checkpoint, offsets: Mapping[Partition, int]) -> Ahead[In] | None:
        if self._parted is None or not checkpoint.ahead:
            return None
        ahead = Ahead(self._parted.part_of, checkpoint.ahead)
        return None if ahead.passed(offsets) else ahead

    def _kept(self, place: Partition, checkpoint: Checkpoint, first: int) -> int:
        offset = checkpoint.offsets.get(place, first)
        if offset < first:
            self._metrics.offsets_lost["not_kept"].inc()
            self._log.error(
                "records_not_kept",
                topic=place[0],
                partition=place[1],
                offset=offset,
                first=first,
                lost=first - offset,
                consequence="the checkpoint is older than what the topic keeps; going on without these records",
            )
        return max(offset, first)

    def _was_made_anew(self, place: Partition, offset: int, end: int) -> None:
        self._metrics.offsets_lost["made_anew"].inc()
        self._log.error(
            "topic_made_anew",
            topic=place[0],
            partition=place[1],
            offset=offset,
            end=end,
            consequence="its records are gone; starting with an empty state from the first record there is",
        )

    def _fits(self, checkpoint: Checkpoint) -> bool:
        try:
            if checkpoint.ahead and self._parted is None:
                raise ValueError("its parts are of different moments, and this machine knows no parts")
            with resting():
                self._machine.load(checkpoint.state)
        except Exception:  # noqa: BLE001  (a state that does not fit can fail anywhere, and the log can rebuild it)
            self._log.exception(
                "checkpoint_not_readable",
                saved=checkpoint.saved.isoformat(),
                consequence="it is of another version; trying the one before, else replaying from the first record there is",
            )
            return False
        return True


def _furthest(checkpoint: Checkpoint) -> dict[Partition, int]:
    """How far each partition had been read when the last part of `checkpoint` was taken."""
    found = dict(checkpoint.offsets)
    for places in checkpoint.ahead.values():
        for place, offset in places.items():
            found[place] = max(offset, found.get(place, 0))
    return found
