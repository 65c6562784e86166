"""The pump: drives a pure machine from the bus, and brings it back after whatever happened.

There is one way back. After a start, a lost broker, a failed send or a record on which the machine broke, the pump loads the
last checkpoint, reads on from the offsets that it covers and applies what comes through the same code as ever. Outputs are
acknowledged before a checkpoint covers the input that caused them. So nothing is lost, and what is published twice carries
the same ids and positions, which its readers drop (`shared.dedup`).

A record on which the machine raises anything but InvalidInput may have been applied by half. The pump cannot know, so it
gives the machine up, rebuilds it without that record, and writes the record to the dead-letter topic as `internal_error`.
InvalidInput, and anything raised while decoding, says that the machine is unchanged: no rebuilding then.
What `tick` or a hook raises has no record to blame: it ends `run`, and with it the process.

Two pumps of one machine on the same topics (replicas) need to know nothing of each other: both apply the whole log, publish the
same, and start from whichever checkpoint is newest, under which `writer` it was written.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry

from shared import topics as known
from shared.bus import Bus, Outgoing, Partition, Reader, Record
from shared.checkpoint import Checkpoint, Checkpoints
from shared.clock import Clock, SystemClock
from shared.deadletter import DeadLetters
from shared.errors import BusError, InvalidInput
from shared.machine import Machine
from shared.pumpstatus import STUCK_S, PumpMetrics, PumpStatus, State
from shared.topics import Topic

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")

__all__ = ["Outgoing", "Pace", "Pump"]

log = structlog.get_logger()

_LOOK_AT_CLOCK: Final = 32  # records between two looks; one takes some 2 µs to apply
_IDLE_S: Final = 1.0
_INTERNAL_ERROR: Final = "internal_error"


class Pace(Struct, frozen=True, kw_only=True):
    """How often and how much."""

    checkpoint_s: float = 5.0
    checkpoint_records: int = 100_000
    batch_records: int = 2000
    stretch_s: float = 0.010  # of work before others get the event loop
    backoff_s: float = 0.1  # before the first retry; doubles up to the next
    backoff_max_s: float = 2.0


class _Broken(Exception):
    """The machine raised while applying a record."""


class Pump(Generic[In, Out]):
    """Feeds `machine` what `decode` makes of each record of `topics` and publishes what `route` makes of its outputs.

    - `bus`: a connection of its own (see `Bus`).
    - `on_batch`: called after each batch with its outputs, possibly none, before they are published; also while
      replaying.
    - `on_restored`: the machine's state was replaced; what was derived from it (a feed, an index) must start anew.
    - `on_invalid`: told of each record that goes to the dead-letter topic.
    - `wall_clock`: call `tick` with the clock's time when `next_deadline` has come, while live. Without it time passes only
      in the events.
    - `partitions`: those to read, all by default; `create_partitions`: how many a missing topic gets.
    - `writer`: the stable name of this replica where several run the same machine on the same partitions.

    `life_of` tells `decode` how often a partition was made anew: offsets alone do not say which of two records came first.

    Machines that read several partitions must not depend on the order between them: a replay has another.
    """

    def __init__(
        self,
        name: str,
        bus: Bus,
        machine: Machine[In, Out],
        *,
        topics: Sequence[Topic],
        decode: Callable[[Record], In],
        route: Callable[[Out], Outgoing | None],
        on_batch: Callable[[list[Out]], None] | None = None,
        on_restored: Callable[[], None] | None = None,
        on_invalid: Callable[[Record, InvalidInput], None] | None = None,
        wall_clock: bool = False,
        partitions: Sequence[int] | None = None,
        create_partitions: int = 1,
        writer: str = "0",
        clock: Clock | None = None,
        registry: CollectorRegistry | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.status = PumpStatus(name)
        self._bus = bus
        self._machine = machine
        self._topics = tuple(topics)
        self._decode = decode
        self._route = route
        self._on_batch = on_batch
        self._on_restored = on_restored
        self._on_invalid = on_invalid
        self._wall_clock = wall_clock
        self._partitions = partitions
        self._create_partitions = create_partitions
        self._clock = clock or SystemClock()
        self._pace = pace or Pace()
        self._metrics = PumpMetrics.on(registry or CollectorRegistry(), name)
        self._metrics.since_turn.set_function(lambda: self.status.since_turn(self._clock.monotonic()))
        share = "" if partitions is None else "[" + ",".join(map(str, sorted(partitions))) + "]"
        self._checkpoints = Checkpoints(bus, name + share, self._clock, writer=writer)
        self._log = log.bind(pump=name)

        self._blank = machine.dump()
        self._next: dict[Partition, int] = {}
        self._goal: dict[Partition, int] = {}
        self._lives: dict[Partition, int] = {}
        self._dead = DeadLetters(name)
        self._since_checkpoint = 0
        self._checkpoint_at = 0.0
        self._save_soon = False
        self._lag_at = 0.0
        self._saving: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._failures = 0
        self._errand: Callable[[], Iterable[Out]] | None = None

    async def run(self) -> None:
        """Run until `stop`. Retries a lost broker for ever."""
        self._stop = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                await self._run_once()
        finally:
            self._stop.cancel()
            self._be("stopped")

    async def _run_once(self) -> None:
        """From a checkpoint until something happens."""
        reader: Reader | None = None
        try:
            reader = await self._restore()
            try:
                await self._follow(reader)
            except _Broken:  # told where it happened; next time it goes on without that record
                await self._saved()  # what is being saved is from before, and shortens the replay
            else:
                await self._finish()
        except BusError as exc:
            self._give_up_saving()  # before anything else is sent: what it waits for may be lost
            self._dead.start_over()
            await self._wait_for_broker(exc)
        finally:
            self._give_up_saving()
            if reader is not None:
                await reader.close()

    def life_of(self, topic: str, partition: int) -> int:
        """How often this partition's topic was made anew since it was first read: 0 for all but the unlucky."""
        return self._lives.get((topic, partition), 0) if self._lives else 0

    def trouble(self) -> str | None:
        """For readiness: why what the machine shows is not the present; None when it is."""
        return self.status.trouble(self._clock.monotonic()) or self._unsent()

    def _unsent(self) -> str | None:
        waits = self._bus.unsent_s()
        if waits <= STUCK_S:
            return None
        how_long = f"for {waits:.0f} s" if math.isfinite(waits) else "and was refused"
        return f"{self.status.name}: what it made waits to be written {how_long}; the broker takes nothing"

    def between(self, work: Callable[[], Iterable[Out]]) -> None:
        """Have `work` change the machine between two batches, as a new setting does, and publish what that made true.

        Work that is asked for before the last was done takes its place. Whatever it changes must be part of the machine's own
        settings: a restored machine has them and finds the rest out by itself.
        """
        self._errand = work

    def stop(self) -> None:
        """Have `run` apply and publish what it has read, take a last checkpoint and return."""
        self._stopping.set()

    # Getting there

    async def _restore(self) -> Reader:
        self._be("restoring")
        needed = dict.fromkeys((*known.ALL, *self._topics))
        await self._bus.create(needed, partitions=self._create_partitions)
        checkpoint = await self._checkpoints.load(self._load)
        reader = await self._bus.read(self._topics, partitions=self._partitions)
        try:
            bounds = await reader.bounds()
            self._next = self._adopt(checkpoint, bounds)
            await reader.seek(self._next)
        except BaseException:
            await reader.close()
            raise
        self._goal = {place: end for place, (_, end) in bounds.items()}
        self.status.lag = sum(self._goal.values()) - sum(self._next.values())
        self._since_checkpoint = 0
        self._checkpoint_at = self._clock.monotonic() + self._pace.checkpoint_s
        self.status.turned = self._clock.monotonic()
        self._metrics.restores.inc()
        self._log.info(
            "pump_restored",
            checkpoint=checkpoint.saved.isoformat() if checkpoint else "none",
            records_to_replay=self.status.lag,
        )
        self._be("replaying")
        if self._on_restored is not None:
            self._on_restored()
        return reader

    def _adopt(
        self, checkpoint: Checkpoint | None, bounds: Mapping[Partition, tuple[int, int]]
    ) -> dict[Partition, int]:
        """Where to read on from `checkpoint`, which the machine has loaded; it is emptied where that is of no use."""
        if checkpoint is not None:
            self._lives = dict(checkpoint.lives)
        known_to = self._next if checkpoint is None else checkpoint.offsets
        anew = [place for place, offset in known_to.items() if place in bounds and offset > bounds[place][1]]
        for place in anew:
            self._was_made_anew(place, known_to[place], bounds[place][1])
        if checkpoint is None or anew:
            self.status.last_checkpoint = None
            self._machine.load(self._blank)
            return {place: first for place, (first, _) in bounds.items()}
        self.status.last_checkpoint = checkpoint.saved
        offsets = {}
        for place, (first, _) in bounds.items():
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
            offsets[place] = max(offset, first)
        return offsets

    def _was_made_anew(self, place: Partition, offset: int, end: int) -> None:
        self._lives[place] = self._lives.get(place, 0) + 1
        self._save_soon = True  # until then only the old offset tells that it was, and the new ones soon pass it
        self._metrics.offsets_lost["made_anew"].inc()
        self._log.error(
            "topic_made_anew",
            topic=place[0],
            partition=place[1],
            offset=offset,
            end=end,
            consequence="its records are gone; starting with an empty state from the first record there is",
        )

    def _load(self, checkpoint: Checkpoint) -> bool:
        try:
            self._machine.load(checkpoint.state)
        except Exception:  # noqa: BLE001  (a state that does not fit can fail anywhere, and the log can rebuild it)
            self._log.exception(
                "checkpoint_not_readable",
                saved=checkpoint.saved.isoformat(),
                consequence="it is of another version; trying the one before, else replaying from the first record there is",
            )
            return False
        return True

    async def _wait_for_broker(self, exc: BusError) -> None:
        self._failures += 1
        if self._failures == 1:
            self._metrics.broker_losses.inc()
        self.status.detail = str(exc)
        self._be("waiting_for_broker")
        limit = min(self._pace.backoff_s * 2 ** min(self._failures - 1, 16), self._pace.backoff_max_s)
        delay = limit * random.uniform(0.5, 1.0)
        self._log.warning("pump_waiting_for_broker", why=str(exc), attempt=self._failures, retry_in_s=round(delay, 2))
        await self._unless_stopped(self._clock.sleep(delay))

    # Being there

    async def _follow(self, reader: Reader) -> None:
        await self._watch_lag(reader, idle=True)  # there may be nothing to replay
        while not self._stopping.is_set():
            records = await self._unless_stopped(
                reader.getmany(timeout_s=self._patience(), max_records=self._pace.batch_records)
            )
            await self._work(records or [])
            if not records and math.isinf(self._bus.unsent_s()):
                await self._bus.flush()  # nothing more is published, so nothing else would tell that it failed
            await self._watch_lag(reader, idle=not records)
            if self._errand is not None:
                work, self._errand = self._errand, None
                await self._made(list(work()))
            if self._wall_clock and self.status.ready:
                await self._tick()
            self._save_when_due()

    async def _work(self, records: list[Record]) -> None:
        start = 0
        while start < len(records):
            began = self._clock.monotonic()
            outputs: list[Out] = []
            outgoing: list[Outgoing] = []
            start = self._apply(records, start, began + self._pace.stretch_s, outputs, outgoing)
            if self._on_batch is not None:
                self._on_batch(outputs)
            self._metrics.stretch.observe(self._clock.monotonic() - began)
            await self._publish(outgoing)
            if start < len(records):
                await asyncio.sleep(0)  # the others' turn
        if records:
            self.status.last_batch = self._clock.now()
            self.status.last_written = records[-1].written
            self.status.behind_s = max(0.0, (self.status.last_batch - records[-1].written).total_seconds())
            self._since_checkpoint += len(records)

    def _apply(
        self, records: list[Record], start: int, until: float, outputs: list[Out], outgoing: list[Outgoing]
    ) -> int:
        """Apply records from `start` on, one after the other, for as long as time allows; where to go on."""
        decode, apply, route, passed = self._decode, self._machine.apply, self._route, self._next
        broken_on = self._dead.broken if self._dead.has_broken else None
        applied = 0
        index = start
        for index in range(start, len(records)):
            record = records[index]
            reached = False
            try:
                if broken_on is not None and (broken := broken_on(record)) is not None:
                    raise broken
                event = decode(record)
                reached = True
                for output in apply(event):
                    outputs.append(output)
                    sent = route(output)
                    if sent is not None:
                        outgoing.append(sent)
                applied += 1
            except InvalidInput as exc:
                self._reject(record, exc)
            except Exception as exc:  # noqa: BLE001  (a bug, of which one record must not become the end of the floor)
                self._blame(record, exc, reached_machine=reached)
            passed[record.topic, record.partition] = record.offset + 1
            if index % _LOOK_AT_CLOCK == 0 and self._clock.monotonic() > until:
                break
        self._metrics.records["applied"].inc(applied)
        return index + 1

    async def _publish(self, outgoing: Iterable[Outgoing]) -> None:
        sent = 0
        for record in (*self._dead.take(), *outgoing):
            try:
                await self._bus.publish(record.topic, record.value, key=record.key, headers=record.headers)
                sent += 1
            except InvalidInput as exc:
                self._metrics.outputs_too_large.inc()
                self._log.error("output_dropped", topic=record.topic.name, key=record.key, why=str(exc))
        self._metrics.outputs_sent.inc(sent)

    async def _tick(self) -> None:
        now = self._clock.now()
        deadline = self._machine.next_deadline()
        if deadline is None or deadline > now:
            return
        await self._made(list(self._machine.tick(now)))

    async def _made(self, outputs: list[Out]) -> None:
        """Publish what the machine made of no record."""
        if outputs and self._on_batch is not None:
            self._on_batch(outputs)
        await self._publish(sent for output in outputs if (sent := self._route(output)) is not None)
        self._since_checkpoint += 1

    def _patience(self) -> float:
        if self._wall_clock and self.status.ready:
            deadline = self._machine.next_deadline()
            if deadline is not None:
                return min(_IDLE_S, max(0.0, (deadline - self._clock.now()).total_seconds()))
        return _IDLE_S

    async def _watch_lag(self, reader: Reader, *, idle: bool) -> None:
        replayed = all(self._next[place] >= end for place, end in self._goal.items())
        now = self._clock.monotonic()
        if now >= self._lag_at or ((idle or replayed) and not self.status.ready):
            self.status.lag = sum((await reader.lag()).values())
            self._lag_at = now + _IDLE_S
        if not self.status.lag:
            self.status.behind_s = 0.0
            replayed = True  # compaction leaves holes, also before the end
        elif idle:  # there is more, and it has not come: nothing is known of what was written since the last look
            self.status.behind_s = max(self.status.behind_s, now - self.status.turned)
        self.status.turned = now
        if replayed and not self.status.ready:
            if self._failures:
                self.status.broker_back = self._clock.now()
            self._failures = 0
            self._be("live")
            self._log.info("pump_live", lag=self.status.lag)
        self._metrics.lag.set(self.status.lag)
        self._metrics.behind.set(self.status.behind_s)

    # Records that cannot be applied

    def _reject(self, record: Record, why: InvalidInput) -> None:
        if self._dead.add(record, why):
            self._metrics.records["failed" if why.reason == _INTERNAL_ERROR else "invalid"].inc()
            if self._on_invalid is not None:
                self._on_invalid(record, why)

    def _blame(self, record: Record, exc: Exception, *, reached_machine: bool) -> None:
        self._log.exception(
            "record_broke_the_machine" if reached_machine else "record_broke_the_decoder",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key.decode(errors="replace"),
            consequence="dead-lettered" + ("; the state is rebuilt without it" if reached_machine else ""),
        )
        why = InvalidInput(_INTERNAL_ERROR, f"{type(exc).__name__}: {exc}")
        why.__cause__ = exc
        if not reached_machine:
            self._reject(record, why)
            return
        self._dead.remember(record, why)
        self._save_soon = True  # so that the next such record costs less of a replay
        raise _Broken from exc

    # Checkpoints

    def _save_when_due(self) -> None:
        if self._saving is not None:
            if not self._saving.done():
                return
            saving, self._saving = self._saving, None
            saving.result()
        now = self._clock.monotonic()
        due = now >= self._checkpoint_at or self._since_checkpoint >= self._pace.checkpoint_records or self._save_soon
        if due and self._since_checkpoint:
            self._save_soon = False
            self._saving = asyncio.create_task(self._save(self._machine.dump(), dict(self._next)))
            self._since_checkpoint = 0
            self._checkpoint_at = now + self._pace.checkpoint_s

    async def _save(self, state: bytes, offsets: dict[Partition, int]) -> None:
        began = self._clock.monotonic()
        await self._bus.flush()
        size = await self._checkpoints.save(state, offsets, self._lives)
        self.status.last_checkpoint = self._clock.now()
        self._metrics.checkpoint.observe(self._clock.monotonic() - began)
        self._metrics.checkpoint_bytes.set(size)
        self._dead.forget_before(offsets)

    def _give_up_saving(self) -> None:
        """Half of a checkpoint is never loaded."""
        saving, self._saving = self._saving, None
        if saving is not None and not saving.cancel() and not saving.cancelled():
            saving.exception()  # it failed of the same as the rest, or there is no more need to know

    async def _saved(self) -> None:
        """Return when no checkpoint is being written. Raises BusError."""
        if self._saving is not None:
            await self._saving
            self._saving = None

    async def _finish(self) -> None:
        """The last checkpoint. Raises BusError; the one before holds then."""
        await self._saved()
        if self._since_checkpoint:
            await self._save(self._machine.dump(), dict(self._next))

    def _be(self, state: State) -> None:
        self.status.state = state
        if state != "waiting_for_broker":
            self.status.detail = ""
        self._metrics.ready.set(self.status.ready)

    async def _unless_stopped(self, doing: Awaitable[T]) -> T | None:
        """What `doing` gives, or None as soon as `stop` was called."""
        task = asyncio.ensure_future(doing)
        try:
            await asyncio.wait((task, self._stop), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
