"""From rows to canonical events, in the order of time.

A row tells a whole call at once, so its events wait in a heap until a later row proves that nothing earlier can come: rows
are expected in the order of `vru_entry`. A row that comes late all the same is released at once and counted. Two records that
are no rows say what rows cannot: `until(t)` that no row before t comes any more, `END` that the log is over.
"""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

import msgspec
from msgspec import Struct

from services.ingest.adapters.anonymous_bank.counts import MOST_NAMES, RowCounts
from services.ingest.adapters.anonymous_bank.moments import OLDER_THAN_ENTRY_S, TIME_ZONE, Moments, Walls
from services.ingest.adapters.anonymous_bank.rows import NO_SERVER, Row, fields_of, is_header, parse
from services.ingest.adapters.base import Emitter
from shared import events
from shared.envelope import Data
from shared.errors import InvalidInput
from shared.events import Event
from shared.raw import Raw
from shared.siteconfig import SiteConfig

END: Final = b"#end"  # no row begins with #
_UNTIL: Final = b"#until "
PRECISION_MS: Final = 1000

OLDER_THAN_ENTRY: Final = timedelta(seconds=OLDER_THAN_ENTRY_S)  # what a row tells at most


def until(wall: datetime) -> bytes:
    """The record that says: no row with an earlier `vru_entry` comes any more. `wall` is a naive time of the log's clock."""
    return _UNTIL + wall.isoformat(timespec="seconds").encode()


class _Step(IntEnum):
    """What happens in a call, in the order that holds when the clock cannot tell."""

    STARTED = 0
    QUEUED = 1
    SERVED = 2
    DEQUEUED = 3
    DONE = 4
    CLEARED = 5


_STEPS: Final = len(_Step)


class _Held(Struct, order=True, frozen=True, array_like=True, gc=False):
    """An event to come. It is released at `due`, which is later than its `time` where another must come first."""

    due: datetime
    order: int  # row after row, step after step
    time: datetime
    call_id: str
    queue: str
    agent_id: str = ""
    reason: str = ""
    attributes: dict[str, str] = {}
    until: datetime | None = None  # the end of the service that begins


class _State(Struct):
    """What the checkpoint holds."""

    held: list[_Held] = []  # a heap
    open: dict[str, None] = {}  # calls of which something is held
    header: bool = False  # the column names have come
    ordinal: int = 0  # of the newest row
    newest: datetime | None = None  # vru_entry
    released: datetime | None = None  # everything before this is out
    busy_until: dict[str, datetime] = {}  # agent -> end of the newest service
    counts: RowCounts = msgspec.field(default_factory=RowCounts)


class AnonymousBankAdapter:
    """One site's adapter. A site in UTC, the default, is read in the time zone of the data set."""

    duplicates = gaps = lost = 0  # rows have no numbers by which they could be told

    def __init__(self, site: str, config: SiteConfig) -> None:
        self.site = site
        zone = config if config.time_zone != "UTC" else SiteConfig(time_zone=TIME_ZONE)
        self._walls = Walls(zone.zone)
        self._state = _State()

    @property
    def counts(self) -> RowCounts:
        """What the rows were like so far."""
        return self._state.counts

    def feed(self, raw: Raw) -> list[Event]:
        """The events that are certain now that this line is known. Column names and empty lines make none, nor do PHANTOM rows.

        Raises InvalidInput: `wrong_field_count`, `bad_date`, `bad_time`, `bad_number`, `unknown_outcome`.
        """
        emitter = Emitter(raw)
        if raw.value == END:
            self._release(emitter, None)
            return emitter.events
        if raw.value.startswith(_UNTIL):
            self._no_row_before(raw.value[len(_UNTIL) :], timedelta(seconds=raw.shift_s), emitter)
            return emitter.events
        fields, repaired = fields_of(raw.value)
        if not fields:
            self.counts.count("empty_line")
        elif is_header(fields):
            if self._state.header:
                self.counts.count("header_repeated")
            self._state.header = True
        else:
            self._take(parse(fields, repaired=repaired), timedelta(seconds=raw.shift_s), emitter)
        return emitter.events

    def dump(self) -> bytes:
        """The whole state, for the checkpoint."""
        return msgspec.msgpack.encode(self._state)

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave."""
        self._state = msgspec.msgpack.decode(state, type=_State)

    # ------------------------------------------------------------ rows in

    def _no_row_before(self, text: bytes, shift: timedelta, emitter: Emitter) -> None:
        try:
            wall = datetime.fromisoformat(text.decode())
        except ValueError as exc:
            raise InvalidInput("bad_time", f"#until: {text[:40]!r} is no time as YYYY-MM-DDTHH:MM:SS") from exc
        if wall.tzinfo is not None:
            raise InvalidInput("bad_time", f"#until: {text[:40]!r} has an offset; expected a time of the log's clock")
        state, now = self._state, self._walls.utc(wall) + shift
        state.newest = now if state.newest is None else max(state.newest, now)
        self._release(emitter, state.newest - OLDER_THAN_ENTRY)

    def _take(self, row: Row, shift: timedelta, emitter: Emitter) -> None:
        state = self._state
        moments = self._walls.moments(row)
        state.ordinal += 1
        state.counts.add(row)
        for name in dict.fromkeys(moments.odd):
            state.counts.count(name)
        entered = moments.entered + shift
        if state.newest is not None and entered < state.newest:
            state.counts.count("row_out_of_order")
        state.newest = entered if state.newest is None else max(state.newest, entered)
        if row.outcome != "PHANTOM":
            self._hold(row, moments, shift)
        self._release(emitter, state.newest - OLDER_THAN_ENTRY)

    def _hold(self, row: Row, moments: Moments, shift: timedelta) -> None:
        """Put what the row tells on the heap.

        An agent's line may be over, by its machine's clock, before the queue's clock says that the call was answered: its end
        is released after the answer, with its own time.
        """
        call_id = self._call_id(row)
        agent = row.server if row.server != NO_SERVER else ""
        entered, queued, left = moments.entered + shift, moments.queued + shift, moments.left + shift
        started = min(entered, queued)  # where vru_exit lies before vru_entry
        self._push(_Step.STARTED, started, call_id, row.service, attributes=_attributes(row, moments))
        self._push(_Step.QUEUED, queued, call_id, row.service)
        if row.outcome == "HANG":
            self._push(_Step.DEQUEUED, left, call_id, row.service, reason="abandoned")
            self._push(_Step.CLEARED, left, call_id, row.service, reason="customer")
            return
        served, done = moments.served + shift, moments.done + shift
        over = max(left, done)
        self._push(_Step.SERVED, served, call_id, row.service, agent, until=done)
        self._push(_Step.DEQUEUED, left, call_id, row.service, agent, reason="answered")
        self._push(_Step.DONE, done, call_id, row.service, agent, due=over)
        self._push(_Step.CLEARED, over, call_id, row.service)

    def _call_id(self, row: Row) -> str:
        """Line, number and date are unique in the source; a second copy of a row is a call of its own, as it is a row."""
        state = self._state
        seconds = row.vru_entry
        clock = f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"
        call_id = f"{row.day:%y%m%d}-{clock}-{row.line}-{row.call_id}"
        if call_id in state.open:
            state.counts.count("row_twice")
            call_id = f"{call_id}~{state.ordinal}"
        state.open[call_id] = None
        return call_id

    def _push(
        self,
        step: _Step,
        time: datetime,
        call_id: str,
        queue: str,
        agent_id: str = "",
        *,
        due: datetime | None = None,
        reason: str = "",
        attributes: dict[str, str] | None = None,
        until: datetime | None = None,
    ) -> None:
        state = self._state
        order = state.ordinal * _STEPS + step
        if state.released is not None and time < state.released:
            state.counts.count("event_released_late")
        held = _Held(due or time, order, time, call_id, queue, agent_id, reason, attributes or {}, until)
        heapq.heappush(state.held, held)

    # ------------------------------------------------------------ events out

    def _release(self, emitter: Emitter, until: datetime | None) -> None:
        """Emit what is due before `until`, in order; everything for None."""
        state = self._state
        held = state.held
        while held and (until is None or held[0].due < until):
            one = heapq.heappop(held)
            step = _Step(one.order % _STEPS)
            if step is _Step.SERVED and one.until is not None:
                self._count_overlap(one.agent_id, one.time, one.until)
            elif step is _Step.CLEARED:
                state.open.pop(one.call_id, None)
            emitter.emit(one.time, _data(step, one), precision_ms=PRECISION_MS)
            state.released = one.due if state.released is None else max(state.released, one.due)
        if until is not None:
            state.released = until if state.released is None else max(state.released, until)

    def _count_overlap(self, agent_id: str, served: datetime, done: datetime) -> None:
        """Two services of one agent at a time, both of some length."""
        if not agent_id or done <= served:
            return
        state = self._state
        before = state.busy_until.pop(agent_id, None)
        if before is not None and served < before:
            state.counts.count("services_of_one_agent_overlap")
        while len(state.busy_until) >= MOST_NAMES:
            del state.busy_until[next(iter(state.busy_until))]
        state.busy_until[agent_id] = done


def _attributes(row: Row, moments: Moments) -> dict[str, str]:
    """What the row says of its call, and what times and durations of events cannot say of an irregular one."""
    found = {"type": row.service, "priority": row.priority, "date": row.day.isoformat()}
    if moments.vru_exit:
        found["vru_exit"] = moments.vru_exit
    if moments.offset:
        found["utc_offset"] = moments.offset
    if row.q_time < 0:
        found["q_time"] = str(row.q_time)
    if row.ser_time < 0:
        found["ser_time"] = str(row.ser_time)
    return found


def _data(step: _Step, one: _Held) -> Data:
    leg_id = f"{one.call_id}/agent"
    match step:
        case _Step.STARTED:
            return events.CallStarted(call_id=one.call_id, attributes=one.attributes)
        case _Step.QUEUED:
            return events.CallQueued(call_id=one.call_id, queue=one.queue)
        case _Step.SERVED:
            return events.LegStarted(
                call_id=one.call_id, leg_id=leg_id, agent_id=one.agent_id, state="talking", queue=one.queue
            )
        case _Step.DEQUEUED:
            return events.CallDequeued(
                call_id=one.call_id,
                queue=one.queue,
                reason=one.reason,  # type: ignore[arg-type]  # answered or abandoned
                agent_id=one.agent_id,
            )
        case _Step.DONE:
            return events.LegCleared(call_id=one.call_id, leg_id=leg_id)
        case _Step.CLEARED:
            return events.CallCleared(call_id=one.call_id, cleared_by=one.reason)  # type: ignore[arg-type]
