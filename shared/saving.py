"""When a pump writes a checkpoint, and how: all at once, or part by part so that nobody has to wait for all of it.

Writing down a large machine takes longer than anything else may hold the event loop. One with parts (`PartedMachine`) is
written a few parts at a time, between two stretches of the pump's work: the checkpoint's offsets are those at which it was begun,
and each part carries the offsets at which it was taken. A part that comes into being meanwhile need not be in it, as all of its
records lie behind the checkpoint's offsets. One that is gone when its turn comes is noted as gone, at the offsets of that moment.

What was published until the last part was taken is acknowledged before the checkpoint is written. So is, therefore, everything
that a replay leaves out because a part was taken behind it (`shared.restoring`).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeVar

from msgspec import Struct

from shared.bus import Bus, Partition
from shared.checkpoint import Checkpoints, PackedPart, packed
from shared.clock import Clock
from shared.machine import Machine, PartedMachine
from shared.pumpstatus import PumpMetrics, PumpStatus

In = TypeVar("In")
Out = TypeVar("Out")

Offsets = Mapping[Partition, int]
OnPart = Callable[[str, bytes | None, Offsets, Offsets], None]  # name, state, offsets, lives

_SPARE: Final = 2.0  # of the time that a part takes
_MOST_UNPACKED: Final = 8_000_000  # bytes of parts that wait to be compressed; the next one waits for them


class Pace(Struct, frozen=True, kw_only=True):
    """How often and how much."""

    checkpoint_s: float = 5.0
    checkpoint_records: int = 100_000
    # of a checkpoint before others get the event loop; one part is taken whole, however long it takes
    parts_s: float = 0.003
    parts_share: float = 0.1  # of the time, at most, where there is none to spare
    batch_records: int = 2000
    stretch_s: float = 0.010  # of work before others get the event loop
    backoff_s: float = 0.1  # before the first retry; doubles up to the next
    backoff_max_s: float = 2.0


class _Taken(NamedTuple):
    """A part as it was taken, not compressed yet."""

    name: str
    state: bytes | None
    ahead: dict[Partition, int]


class _Draft:
    """A checkpoint some parts of which are to be taken yet."""

    def __init__(self, names: list[str], offsets: Offsets, lives: Offsets, now: datetime) -> None:
        self.left = deque(names)
        self.offsets = dict(offsets)
        self.lives = dict(lives)
        self.begun = now
        self.unpacked = 0  # bytes
        self._taken: list[_Taken] = []
        self._more = asyncio.Event()

    def take(self, name: str, state: bytes | None, offsets: Offsets) -> None:
        """Note a part as it is now, at `offsets`."""
        ahead = {place: offset for place, offset in offsets.items() if offset != self.offsets.get(place)}
        self._taken.append(_Taken(name, state, ahead))
        self.unpacked += len(state or b"")
        self._more.set()

    async def pack(self) -> list[PackedPart]:
        """All parts compressed, as soon as the last was taken."""
        done: list[PackedPart] = []
        while self.left or self._taken:
            await self._more.wait()
            self._more.clear()
            taken, self._taken = self._taken, []
            done += await asyncio.to_thread(_pack, taken)
            self.unpacked -= sum(len(part.state or b"") for part in taken)
            del taken  # what comes next may take a while to come
        return done


class Saver(Generic[In, Out]):
    """The checkpoints of one pump's machine. What it is told of offsets: the next record to apply, by partition.

    `on_saved` is told of the offsets of each checkpoint that is acknowledged, `on_part` of each part when it is taken: its name
    and state, the offsets at which that was, and how often their topics were made anew.
    """

    def __init__(
        self,
        bus: Bus,
        machine: Machine[In, Out],
        checkpoints: Checkpoints,
        clock: Clock,
        pace: Pace,
        *,
        status: PumpStatus,
        metrics: PumpMetrics,
        on_saved: Callable[[Offsets], None],
        on_part: OnPart | None = None,
    ) -> None:
        self._bus = bus
        self._machine = machine
        self._parted = machine if isinstance(machine, PartedMachine) else None
        self._checkpoints = checkpoints
        self._clock = clock
        self._pace = pace
        self._status = status
        self._metrics = metrics
        self._on_saved = on_saved
        self._on_part = on_part
        self._applied = 0
        self._due_at = 0.0
        self._soon = False
        self._draft: _Draft | None = None
        self._longest = 0.0
        self._next_part_at = 0.0
        self._spare_s = 0.0  # that the next part waits for
        self._writing: asyncio.Task[None] | None = None

    def start_over(self) -> None:
        """The machine was restored from a checkpoint: the next is due in a while.

        Not in the same while for all: replicas that start together shall not save together, since each can start from what
        another saved last.
        """
        self._applied = 0
        self._due_at = self._clock.monotonic() + self._pace.checkpoint_s * random.uniform(0.3, 1.0)

    def applied(self, records: int) -> None:
        """Note that the machine is not what was saved last."""
        self._applied += records

    def soon(self) -> None:
        """Have the next checkpoint begin as soon as it can."""
        self._soon = True

    @property
    def midway(self) -> bool:
        """Whether parts of a checkpoint are left to be taken: `carry_on`."""
        return self._draft is not None

    def waited(self, seconds: float) -> None:
        """Note that the pump had nothing to do for so long."""
        self._spare_s -= seconds

    @property
    def rests_s(self) -> float:
        """How long until the next part may be taken, while there are any: after each it rests until there was time to spare for
        it, on a busy pump in proportion."""
        return max(0.0, min(self._spare_s, self._next_part_at - self._clock.monotonic()))

    @property
    def has_a_turn(self) -> bool:
        """Whether `begin_when_due` is about to take something."""
        if self.midway:
            return not self.rests_s
        return (self._writing is None or self._writing.done()) and self._is_due()

    def begin_when_due(self, offsets: Offsets, lives: Offsets) -> None:
        """Begin the next checkpoint, or go on with it. To be called when what the machine made is published.

        Raises what the last one failed of, BusError as a rule.
        """
        if self._writing is not None and self._writing.done():
            writing, self._writing = self._writing, None
            writing.result()
        if self._writing is None and self._is_due():
            self._begin(offsets, lives)
        self.carry_on(offsets)

    def carry_on(self, offsets: Offsets) -> None:
        """Take parts of the checkpoint that was begun for as long as the pace allows. To be called like `begin_when_due`."""
        draft, parted = self._draft, self._parted
        if draft is None or parted is None or self.rests_s:
            return
        began = self._clock.monotonic()
        took = 0.0
        while draft.left and draft.unpacked <= _MOST_UNPACKED:
            name = draft.left.popleft()
            state = parted.dump_part(name)
            draft.take(name, state, offsets)
            if self._on_part is not None:
                self._on_part(name, state, offsets, draft.lives)
            took = self._clock.monotonic() - began
            if took >= self._pace.parts_s:
                break
        self._longest = max(self._longest, took)
        self._next_part_at, self._spare_s = began + took / self._pace.parts_share, _SPARE * took
        if not draft.left:
            self._draft = None

    def give_up(self) -> None:
        """Let go of the checkpoint that is being taken or written. Half of one is never loaded."""
        if self._draft is not None:
            self._draft = None
            self._applied += 1  # the next is not of nothing
        writing, self._writing = self._writing, None
        if writing is not None and not writing.cancel() and not writing.cancelled():
            writing.exception()  # it failed of the same as the rest, or there is no more need to know

    async def settled(self) -> None:
        """Return when no checkpoint is being written; one of which parts are left is given up. Raises BusError."""
        if self._draft is not None:
            self.give_up()
        if self._writing is not None:
            await self._writing
            self._writing = None

    async def finish(self, offsets: Offsets, lives: Offsets) -> None:
        """The last checkpoint, all at once. Raises BusError; the one before holds then."""
        await self.settled()
        if self._applied:
            await self._write(self._dump(), offsets, lives, self._clock.monotonic())

    def _is_due(self) -> bool:
        if not self._applied:
            return False
        late = self._clock.monotonic() >= self._due_at
        return late or self._soon or self._applied >= self._pace.checkpoint_records

    def _begin(self, offsets: Offsets, lives: Offsets) -> None:
        began = self._clock.monotonic()
        self._soon, self._applied, self._due_at = False, 0, began + self._pace.checkpoint_s
        self._longest = 0.0
        if self._parted is None:
            self._writing = asyncio.create_task(self._write(self._dump(), dict(offsets), dict(lives), began))
            return
        self._draft = _Draft(self._parted.parts(), offsets, lives, self._clock.now())
        self._writing = asyncio.create_task(self._write_parts(self._draft, began))

    def _dump(self) -> bytes:
        began = self._clock.monotonic()
        state = self._machine.dump()
        self._longest = self._clock.monotonic() - began
        return state

    async def _write(self, state: bytes, offsets: Offsets, lives: Offsets, began: float) -> None:
        await self._bus.flush()
        size = await self._checkpoints.save(state, offsets, lives)
        self._written(size, offsets, began)

    async def _write_parts(self, draft: _Draft, began: float) -> None:
        parts = await draft.pack()
        await self._bus.flush()
        size = await self._checkpoints.save_parts(parts, draft.offsets, draft.lives, begun=draft.begun)
        self._written(size, draft.offsets, began)

    def _written(self, size: int, offsets: Offsets, began: float) -> None:
        self._status.last_checkpoint = self._clock.now()
        self._metrics.checkpoint.observe(self._clock.monotonic() - began)
        self._metrics.checkpoint_stop.observe(self._longest)
        self._metrics.checkpoint_bytes.set(size)
        self._on_saved(offsets)


def _pack(taken: list[_Taken]) -> list[PackedPart]:
    return [PackedPart(name, None if state is None else packed(state), ahead) for name, state, ahead in taken]
