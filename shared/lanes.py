"""The sending half of `shared.kafka`: records gathered into batches, and the batches of each partition sent one by one.

Handing whole batches to the client costs a sixth of handing it records, each with a future of its own. And only so is it
certain that nothing behind a failed batch is written: its reader, which drops positions that it has passed, would
otherwise drop the failed records when they are published again.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from shared.bus import Headers, Partition

Partitioner = Callable[[bytes, list[int], list[int]], int]


class Batch:
    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.size = 0
        self.begun = asyncio.get_running_loop().time()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Lane:
    """What waits for one partition: full batches, then the one that is being filled.

    A patient lane's open batch goes only when it is due; that of any other whenever the one before has gone.
    """

    def __init__(self, linger_s: float, *, patient: bool) -> None:
        self.linger_s = linger_s
        self.patient = patient
        self.due = False
        self.full: deque[Batch] = deque()
        self.open: Batch | None = None
        self.sending: Batch | None = None
        self.task: asyncio.Task[None] | None = None

    def take(self) -> Batch | None:
        if self.full:
            self.sending = self.full.popleft()
        elif self.due or not self.patient:
            self.sending, self.open, self.due = self.open, None, False
        else:
            self.sending = None
        return self.sending

    def waiting(self) -> list[Batch]:
        return [batch for batch in (self.sending, *self.full, self.open) if batch is not None]


class Sender:
    """Sends through `producer` (an AIOKafkaProducer that lingers not at all). After its first `failure` it sends no more.

    A batch that is not acknowledged within `timeout_s` has failed. An idempotent producer would try for ever, and its
    writer would never hear that the broker is gone.
    """

    def __init__(
        self, producer: Any, partitioner: Partitioner, linger_s: float, buffer_bytes: int, timeout_s: float
    ) -> None:
        self._producer = producer
        self._timeout_s = timeout_s
        self._partitioner = partitioner
        self._linger_s = linger_s
        self._buffer_bytes = buffer_bytes
        self._lanes: dict[Partition, Lane] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}  # by how long the lanes linger
        self._changed = asyncio.Event()
        self._unsent_bytes = 0
        self.places: dict[tuple[str, bytes], Partition] = {}
        self.failure: BaseException | None = None
        self.failed_at = ""  # the topic

    async def place(self, topic: str, key: bytes) -> Partition:
        """The partition of `key`, by the hash that every Kafka client uses."""
        numbers = sorted(await self._producer.partitions_for(topic))
        if len(self.places) > 10_000:  # keys are sites and machines; a stream of others must not fill the memory
            self.places.clear()
        place = (topic, self._partitioner(key, numbers, numbers))
        self.places[topic, key] = place
        return place

    def append(
        self, place: Partition, key: bytes, value: bytes, headers: Headers, size: int, linger_s: float = 0.0
    ) -> None:
        """Add a record, which may wait `linger_s` so that more go together."""
        if self.failure is not None:
            return
        lane = self._lanes.get(place)
        if lane is None:
            patient = linger_s > self._linger_s
            lane = self._lanes[place] = Lane(max(linger_s, self._linger_s), patient=patient)
        named = list(headers)
        if lane.open is None or lane.open.builder.append(timestamp=None, key=key, value=value, headers=named) is None:
            if lane.open is not None:
                lane.full.append(lane.open)
                self._drain(place, lane)
            lane.open = Batch(self._producer.create_batch())
            lane.open.builder.append(timestamp=None, key=key, value=value, headers=named)
        lane.open.size += size
        self._unsent_bytes += size
        if lane.linger_s not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[lane.linger_s] = loop.call_later(lane.linger_s, self._drain_due, lane.linger_s)

    def unsent_s(self) -> float:
        """Age of the oldest record not acknowledged; infinite after a failure."""
        if self.failure is not None:
            return math.inf
        if not self._unsent_bytes:
            return 0.0
        begun = min(batch.begun for lane in self._lanes.values() for batch in lane.waiting()[:1])
        return asyncio.get_running_loop().time() - begun

    def is_full(self) -> bool:
        return self._unsent_bytes > self._buffer_bytes

    async def room(self) -> None:
        """Wait until the buffer is below its bound, or sending failed."""
        self._drain_all()
        while self.is_full() and self.failure is None:
            self._changed.clear()
            await self._changed.wait()

    async def flush(self) -> None:
        """Wait until what is unsent now was sent or failed; not for what is added meanwhile."""
        waiting = [batch.done for lane in self._lanes.values() for batch in lane.waiting()]
        self._drain_all()
        if waiting:
            await asyncio.wait(waiting)

    async def stop(self) -> None:
        """Let go of the broker; what is unsent is lost."""
        self._cancel_timers()
        for lane in self._lanes.values():
            if lane.task is not None:
                lane.task.cancel()
        # It would first see its last batch through, and one that came late would be written behind what replaces it.
        self._producer._message_accumulator.fail_all(TimeoutError())
        with contextlib.suppress(Exception):  # whatever it says on its way out, nothing of it is used any more
            await self._producer.stop()

    def _drain_all(self) -> None:
        self._cancel_timers()
        for place, lane in self._lanes.items():
            lane.due = lane.open is not None
            self._drain(place, lane)

    def _drain_due(self, linger_s: float) -> None:
        del self._timers[linger_s]
        for place, lane in self._lanes.items():
            if lane.linger_s == linger_s:
                lane.due = lane.open is not None
                self._drain(place, lane)

    def _cancel_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _drain(self, place: Partition, lane: Lane) -> None:
        # A lane that is sending looks again when it comes back: never more than one batch on the way.
        if lane.task is None and self.failure is None and (lane.full or lane.open):
            lane.task = asyncio.create_task(self._send(place, lane))

    async def _send(self, place: Partition, lane: Lane) -> None:
        while self.failure is None and (batch := lane.take()) is not None:
            try:
                sent = await self._producer.send_batch(batch.builder, place[0], partition=place[1])
                sent.add_done_callback(_hear)
                await asyncio.wait((sent,), timeout=self._timeout_s)
                if not sent.done():
                    raise TimeoutError
                sent.result()
            except asyncio.CancelledError as exc:
                self._fail(exc, place[0])
                raise
            except Exception as exc:  # noqa: BLE001  (whatever it was, the batch was not sent, and the writer must hear of it)
                self._fail(exc, place[0])
            finally:
                self._finish(batch)
        lane.sending = lane.task = None

    def _finish(self, batch: Batch) -> None:
        self._unsent_bytes -= batch.size
        batch.done.set_result(None)
        self._changed.set()

    def _fail(self, exc: BaseException, topic: str) -> None:
        if self.failure is None:
            self.failure, self.failed_at = exc, topic
        for lane in self._lanes.values():
            behind = [*lane.full, *([lane.open] if lane.open else [])]
            lane.full.clear()
            lane.open = None
            for batch in behind:
                self._finish(batch)


def _hear(sent: asyncio.Future[Any]) -> None:
    """Take note of a failure that nobody waits for any more, which asyncio would otherwise complain of."""
    if not sent.cancelled():
        sent.exception()
