"""The pump: drives a pure machine from the bus, and brings it back after whatever happened.

There is one way back. After a start, a lost broker, a failed send or a record on which the machine broke, the pump loads the
last checkpoint, reads on from the offsets that it covers and applies what comes through the same code as ever. Outputs are
acknowledged before a checkpoint covers the input that caused them (`shared.saving`). So nothing is lost, and what is published
twice carries the same ids and positions, which its readers drop (`shared.dedup`). Where parts of the state are ahead of the
checkpoint's offsets, what is in them is not applied again (`shared.restoring`).

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
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Generic, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from shared import topics as known
from shared.backoff import Backoff
from shared.bus import Bus, Outgoing, Partition, Reader, Record
from shared.checkpoint import Checkpoints
from shared.clock import Clock, SystemClock
from shared.deadletter import DeadLetters
from shared.errors import BusError, InvalidInput
from shared.fewlines import FewLines
from shared.machine import Machine
from shared.pumpstatus import STUCK_S, PumpMetrics, PumpStatus, State
from shared.restoring import Ahead, Restorer
from shared.saving import OnPart, Pace, Saver
from shared.topics import Topic

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")

__all__ = ["Outgoing", "Pace", "Pump"]

log = structlog.get_logger()

_LOOK_AT_CLOCK: Final = 32  # records between two looks; one takes some 2 µs to apply
_IDLE_S: Final = 1.0
_QUICK_S: Final = 0.1  # a look at the broker's ends; what takes longer is old when it is there
_PRESENT_S: Final = 0.5  # no further behind than that it is live, at once
_SHRINKS: Final = 0.7  # of what was left: it catches up
_PARTS_APART_S: Final = 0.002  # between parts of a checkpoint when there is nothing to do
_INTERNAL_ERROR: Final = "internal_error"


class _Broken(Exception):
    """The machine raised while applying a record."""


class Pump(Generic[In, Out]):
    """Feeds `machine` what `decode` makes of each record of `topics` and publishes what `route` makes of its outputs.

    - `bus`: a connection of its own (see `Bus`).
    - `on_batch`: called after each batch with its outputs, possibly none, before they are published; also while
      replaying.
    - `on_restored`: the machine's state was replaced; what was derived from it (a feed, an index) must start anew.
    - `on_invalid`: told of each record that goes to the dead-letter topic.
    - `on_part`: told of each part of the state that is taken for a checkpoint (`shared.saving.Saver`).
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
        on_part: OnPart | None = None,
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
        checkpoints = Checkpoints(bus, name + share, self._clock, writer=writer)
        self._log = log.bind(pump=name)
        self._dead = DeadLetters(name)
        self._broke = FewLines(self._clock, "more records broke the machine or its decoder")
        self._dropped = FewLines(self._clock, "more outputs were dropped")
        self._restorer = Restorer(machine, checkpoints, self._metrics, self._log)
        self._saver = Saver(
            bus,
            machine,
            checkpoints,
            self._clock,
            self._pace,
            status=self.status,
            metrics=self._metrics,
            on_saved=self._dead.forget_before,
            on_part=on_part,
        )
        self._next: dict[Partition, int] = {}
        self._goal: dict[Partition, int] = {}
        self._left = 0  # records, when the goal was set
        self._lives: dict[Partition, int] = {}
        self._ahead: Ahead[In] | None = None  # until what is in the restored state is passed
        self._reader: Reader | None = None  # while it is live
        self._lag_at = 0.0
        self._look_s = 0.0  # what the last look at the broker's ends took
        self._known_at = self._clock.monotonic()  # when something came last, or nothing was left
        self._stopping = asyncio.Event()
        self._backoff = Backoff(self._pace.backoff_s, self._pace.backoff_max_s)
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
            self._reader = reader = await self._restore()
            try:
                await self._follow(reader)
            except _Broken:  # told where it happened; next time it goes on without that record
                await self._saver.settled()  # what is being saved is from before, and shortens the replay
            else:
                await self._finish()
        except BusError as exc:
            self._saver.give_up()  # before anything else is sent: what it waits for may be lost
            self._bus.forget_unsent()  # it is made again; heard of later, its failure would pass for another loss
            self._dead.start_over()
            await self._wait_for_broker(exc)
        finally:
            self._reader = None
            self._saver.give_up()
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

    def unheard_s(self) -> float:
        """For how long, seconds, nothing is known of what the broker has, beyond what a healthy one makes it."""
        return 0.0 if self._reader is None else self._reader.overdue_s() + max(0.0, self._look_s - _QUICK_S)

    def cut_off_s(self) -> float:
        """For how long, seconds, a broker that is asked all the time has not answered; 0 for one that is asked seldom."""
        return 0.0 if self._reader is None or self._reader.eases else self._reader.overdue_s()

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
        checkpoint = await self._restorer.load()
        reader = await self._bus.read(self._topics, partitions=self._partitions)
        try:
            bounds = await reader.bounds()
            start = self._restorer.start(checkpoint, bounds, self._next, self._lives)
            self._next, self._lives, self._ahead = start.offsets, start.lives, start.ahead
            await reader.seek(self._next)
        except BaseException:
            await reader.close()
            raise
        self._goal = {place: end for place, (_, end) in bounds.items()}
        self.status.lag = self._left = sum(self._goal.values()) - sum(self._next.values())
        self.status.last_checkpoint = None if checkpoint is None or start.fresh else checkpoint.saved
        self._saver.start_over()
        if start.anew:
            self._saver.soon()  # until then only the old offset tells that it was, and the new ones soon pass it
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

    async def _wait_for_broker(self, exc: BusError) -> None:
        delay = self._backoff.next_s()
        if self._backoff.failed == 1:
            self._metrics.broker_losses.inc()
        self.status.detail = str(exc)
        self._be("waiting_for_broker")
        self._log.warning(
            "pump_waiting_for_broker", why=str(exc), attempt=self._backoff.failed, retry_in_s=round(delay, 2)
        )
        await self._unless_stopped(self._clock.sleep(delay))

    # Being there

    async def _follow(self, reader: Reader) -> None:
        await self._watch_lag(reader, idle=True)  # there may be nothing to replay
        while not self._stopping.is_set():
            asked = self._clock.monotonic()
            records = await self._unless_stopped(
                reader.getmany(timeout_s=self._patience(), max_records=self._pace.batch_records)
            )
            self._saver.waited(self._clock.monotonic() - asked)
            await self._work(records or [])
            if not records and math.isinf(self._bus.unsent_s()):
                await self._bus.flush()  # nothing more is published, so nothing else would tell that it failed
            await self._watch_lag(reader, idle=not records)
            if self._ahead is not None and (self.status.ready or self._ahead.passed(self._next)):
                self._ahead = None
            if self._errand is not None:
                work, self._errand = self._errand, None
                await self._made(list(work()))
            if self._wall_clock and self.status.ready:
                await self._tick()
            if records and self._saver.has_a_turn:
                await asyncio.sleep(0)  # the others' turn
            if self._ahead is None:  # until then the state is of other offsets than `_next`
                self._saver.begin_when_due(self._next, self._lives)

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
                if self._saver.midway and not self._saver.rests_s:
                    self._saver.carry_on(self._next)
                    await asyncio.sleep(0)
        if records:
            self.status.last_batch = self._clock.now()
            self.status.last_written = records[-1].written
            self.status.behind_s = max(0.0, (self.status.last_batch - records[-1].written).total_seconds())
            self._saver.applied(len(records))

    def _apply(
        self, records: list[Record], start: int, until: float, outputs: list[Out], outgoing: list[Outgoing]
    ) -> int:
        """Apply records from `start` on, one after the other, for as long as time allows; where to go on."""
        decode, apply, route, passed = self._decode, self._machine.apply, self._route, self._next
        broken_on = self._dead.broken if self._dead.has_broken else None
        ahead = self._ahead
        applied = known = 0
        index = start
        for index in range(start, len(records)):
            record = records[index]
            reached = False
            try:
                if broken_on is not None and (broken := broken_on(record)) is not None:
                    raise broken
                event = decode(record)
                if ahead is not None and ahead.holds(event, record):
                    known += 1
                else:
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
        if known:
            self._metrics.records["known"].inc(known)
        return index + 1

    async def _publish(self, outgoing: Iterable[Outgoing]) -> None:
        sent = 0
        for record in (*self._dead.take(), *outgoing):
            try:
                await self._bus.publish(record.topic, record.value, key=record.key, headers=record.headers)
                sent += 1
            except InvalidInput as exc:
                self._metrics.outputs_too_large.inc()
                if self._dropped.may(record.topic.name):
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
        self._saver.applied(1)

    def _patience(self) -> float:
        if self._saver.midway:
            return max(_PARTS_APART_S, self._saver.rests_s)
        if self._wall_clock and self.status.ready:
            deadline = self._machine.next_deadline()
            if deadline is not None:
                return min(_IDLE_S, max(0.0, (deadline - self._clock.now()).total_seconds()))
        return _IDLE_S

    async def _watch_lag(self, reader: Reader, *, idle: bool) -> None:
        replayed = all(self._next[place] >= end for place, end in self._goal.items())
        now = self._clock.monotonic()
        if now >= self._lag_at or ((idle or replayed) and not self.status.ready):
            left = await reader.lag()
            self._look_s = self._clock.monotonic() - now
            self.status.lag = sum(left.values())
            self._lag_at = now + _IDLE_S
            if replayed and not self.status.ready and self._catches_up():
                self._goal = {place: self._next[place] + more for place, more in left.items()}
                replayed = False
        if not self.status.lag:
            self.status.behind_s = 0.0
            replayed = True  # compaction leaves holes, also before the end
        elif idle:  # there is more, and it has not come: nothing is known of what was written since something last came
            self.status.behind_s = max(self.status.behind_s, now - self._known_at)
        if not (idle and self.status.lag):
            self._known_at = now
        self.status.turned = now
        if replayed and not self.status.ready:
            if self._backoff.failed:
                self.status.broker_back = self._clock.now()
            self._backoff.worked()
            self._be("live")
            self._log.info("pump_live", lag=self.status.lag)
        self._metrics.lag.set(self.status.lag)
        self._metrics.behind.set(self.status.behind_s)

    def _catches_up(self) -> bool:
        """Whether what came while it replayed is worth waiting for: live then means the present, and not a while ago.

        Not where more comes than it can work: that it is behind is for `trouble` to say.
        """
        before, self._left = self._left, self.status.lag
        return self.status.behind_s > _PRESENT_S and self.status.lag < before * _SHRINKS

    # Records that cannot be applied

    def _reject(self, record: Record, why: InvalidInput) -> None:
        if self._dead.add(record, why):
            self._metrics.records["failed" if why.reason == _INTERNAL_ERROR else "invalid"].inc()
            if self._on_invalid is not None:
                self._on_invalid(record, why)

    def _blame(self, record: Record, exc: Exception, *, reached_machine: bool) -> None:
        if self._broke.may(type(exc).__name__):
            self._log.exception(
                "record_broke_the_machine" if reached_machine else "record_broke_the_decoder",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                key=record.key[:200].decode(errors="replace"),
                consequence="dead-lettered" + ("; the state is rebuilt without it" if reached_machine else ""),
            )
        why = InvalidInput(_INTERNAL_ERROR, f"{type(exc).__name__}: {exc}")
        why.__cause__ = exc
        if not reached_machine:
            self._reject(record, why)
            return
        self._dead.remember(record, why)
        self._saver.soon()  # so that the next such record costs less of a replay
        raise _Broken from exc

    async def _finish(self) -> None:
        """The last checkpoint. Raises BusError; the one before holds then."""
        if self._ahead is None:  # else the one that was loaded is as good
            await self._saver.finish(self._next, self._lives)

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
