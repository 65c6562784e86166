"""Writes finished transfers and calls from `floor.records` into the database; each once, however often they are published.

The last word counts: late events put a transfer right, and it is published again under its id. Replicas publish everything,
each in its own time, so what is older than what the row has, by its position in the log of raw records, changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import and_, case, or_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from services.monitor.desk import judging
from services.monitor.desk.metrics import DeskMetrics
from services.monitor.desk.store import Store
from services.monitor.desk.tables import CallRow, PositionRow, TransferRow
from shared.bus import Bus, Partition, Record
from shared.clock import Clock
from shared.codec import decode
from shared.db import insert_into
from shared.errors import InvalidInput
from shared.facts import ENVELOPES, CallEnded, Fact, TransferEnded
from shared.intake import Intake, Item, after, fresh
from shared.masking import masked
from shared.positions import Position, Positions
from shared.recording import Recording
from shared.topics import FLOOR_RECORDS

# The loop is the board's as well: a batch is written in some ten milliseconds, and few of them a second.
BATCH: Final = 200
REST_S: Final = 0.2

_WANTED: Final = re.compile(rb'"type":\s*"floorwatch\.(?:transfer|call)_ended\.v1"')
_NUL, _REPLACEMENT = rb"\u0000", rb"\ufffd"  # PostgreSQL stores any character but NUL
_ENDED: Final[Any] = ENVELOPES[TransferEnded] | ENVELOPES[CallEnded]
_decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(_ENDED)

Person = Callable[[str, str], tuple[str, str]]  # site and agent id -> name and team, "" as far as they are not known
Limit = Callable[[str], float | None]  # site -> seconds that a transfer may take; None without such a rule


class Ended(Struct, frozen=True):
    """A finished transfer or call as a row, the columns by their names."""

    kind: str
    values: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        values = self.values
        return (values["site"], values["transfer_id"]) if self.kind == "transfer" else ("", values["fact_id"])

    @property
    def place(self) -> tuple[int, int, int]:
        values = self.values
        return values["raw_partition"], values["raw_offset"], values["raw_index"]


class Recorder:
    """The records' way into the database, as `shared.intake` sees both of its ends."""

    def __init__(
        self,
        *,
        bus: Bus,
        store: Store,
        clock: Clock,
        metrics: DeskMetrics,
        keep: timedelta,
        person: Person,
        limit: Limit,
    ) -> None:
        """`keep`: what was written to the log longer ago is not worth a row."""
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._keep = keep
        self._person = person
        self._limit = limit
        self._intake: Intake[Ended] = Intake(
            "monitor",
            FLOOR_RECORDS,
            bus=bus,
            clock=clock,
            read=self.read,
            sink=self,
            watch=Recording(
                FLOOR_RECORDS,
                metrics,
                works="recording finished transfers and calls",
                waits="finished transfers and calls are not recorded; they wait in their topic",
            ),
            batch=BATCH,
            rest_s=REST_S,
        )

    async def run(self) -> None:
        """Until cancelled, from when the database has its tables on."""
        await self._store.migrated.wait()
        await self._intake.run()

    def read(self, record: Record) -> Ended | None:
        """The row that `record` makes; None for other kinds, and for what is too old or not over.

        Raises InvalidInput: `not_json`, `invalid_event`, `no_time_zone`.
        """
        if _WANTED.search(record.value) is None or record.written < self._clock.now() - self._keep:
            return None
        fact = decode(_decoder, record.value.replace(_NUL, _REPLACEMENT))
        place = {"raw_partition": fact.rawpartition, "raw_offset": fact.rawoffset, "raw_index": fact.rawindex}
        more = {"site": fact.site, "recorded_at": record.written, **place}
        if isinstance(fact.data, TransferEnded):
            return None if fact.data.outcome == "running" else Ended("transfer", self._transfer(fact.data, more))
        assert isinstance(fact.data, CallEnded)
        return Ended("call", _call(fact.data, more | {"fact_id": fact.id}))

    def _transfer(self, data: TransferEnded, more: dict[str, Any]) -> dict[str, Any]:
        site = more["site"]
        verdict = judging.slow(data, self._limit(site))
        from_name, from_team = self._person(site, data.from_agent)
        to_name, to_team = self._person(site, data.to_agent)
        same = ("transfer_id", "call_id", "kind", "from_agent", "to_agent", "to_queue", "seek_s", "ring_s", "brief_s",
                "customer_gap_s", "total_s", "outcome", "reason", "precision_ms")  # fmt: skip
        stamps = ("requested", "ringing", "answered", "bridged", "released", "ended")
        return more | {
            **{name: getattr(data, name) for name in same},
            **{name: _aware(getattr(data, f"{name}_at"), name) for name in stamps},
            "to_number": masked(data.to_number),
            "from_name": from_name,
            "from_team": from_team,
            "to_name": to_name,
            "to_team": to_team,
            "slow": verdict,
            "tier": judging.tier(data, verdict),
            "took_us": judging.took_us(data),
        }

    # ------------------------------------------------------------ the sink

    async def positions(self) -> Mapping[Partition, Position]:
        async with self._store.reading() as session:
            return await Positions(session, PositionRow).all(FLOOR_RECORDS.name)

    async def take(self, items: Sequence[Item[Ended]]) -> None:
        counts: dict[str, int] = {}
        async with self._store.unit_of_work() as session:
            positions = Positions(session, PositionRow)
            new = fresh(items, await positions.all(FLOOR_RECORDS.name, for_change=True))
            rows = newest(item.fact for item in new if item.fact is not None)
            for kind, table, unique in (
                ("transfer", TransferRow, ("site", "transfer_id")),
                ("call", CallRow, ("fact_id",)),
            ):
                values = [row.values for row in rows if row.kind == kind]
                if values:
                    await session.execute(_upsert(session, table, unique, list(values[0])), values)
                counts[kind] = len(values)
            await positions.save(after(new), self._clock.now())
        for kind, count in counts.items():
            self._metrics.recorded.labels(kind).inc(count)

    async def start_anew(self) -> None:
        """Positions of the new log begin anew, so those in the rows are no longer to be compared with."""
        async with self._store.unit_of_work() as session:
            await Positions(session, PositionRow).forget(FLOOR_RECORDS.name)
            for table in (TransferRow, CallRow):
                known = col(table.raw_offset) >= 0
                await session.execute(update(table).where(known).values(raw_partition=-1, raw_offset=-1, raw_index=0))


def newest(rows: Any) -> list[Ended]:
    """Of several rows with one key the last word: the one with the highest position; without positions the last."""
    found: dict[tuple[str, tuple[str, str]], Ended] = {}
    for row in rows:
        before = found.get((row.kind, row.key))
        if before is None or not _older(row.place, before.place):
            found[row.kind, row.key] = row
    return list(found.values())


def _older(place: tuple[int, int, int], than: tuple[int, int, int]) -> bool:
    """A site's raw records are on one partition; were it moved to another, nothing could be said, and the last counts."""
    return place[0] == than[0] and place[1:] < than[1:]


def _call(data: CallEnded, more: dict[str, Any]) -> dict[str, Any]:
    same = ("call_id", "direction", "queue", "outcome", "agent_id", "waited_s", "talk_s", "hold_s")
    return more | {
        **{name: getattr(data, name) for name in same},
        **{name: _aware(getattr(data, f"{name}_at"), name) for name in ("started", "answered", "ended")},
        "from_number": masked(data.from_number),
    }


def _aware(value: Any, name: str) -> Any:
    if value is not None and value.tzinfo is None:
        raise InvalidInput("no_time_zone", f"{name} {value.isoformat()} has no time zone")
    return value


def _upsert(session: AsyncSession, table: Any, unique: Sequence[str], columns: Sequence[str]) -> Any:
    """Insert, or put right what is older. Many rows are one statement, prepared once; the driver's thread does the work."""
    target = table.__table__
    statement = insert_into(session, target)
    given, row = statement.excluded, target.c
    later = or_(
        given.raw_partition < 0,  # of no position: the last counts
        given.raw_partition != row.raw_partition,
        given.raw_offset > row.raw_offset,
        and_(given.raw_offset == row.raw_offset, given.raw_index > row.raw_index),
    )
    changed: dict[str, Any] = {name: given[name] for name in columns if name not in unique}
    for side in ("from", "to"):
        if (
            f"{side}_agent" in changed
        ):  # who was known by name stays so when a replica that does not know them records again
            known = or_(given[f"{side}_name"] != "", given[f"{side}_agent"] != row[f"{side}_agent"])
            for name in (f"{side}_name", f"{side}_team"):
                changed[name] = case((known, given[name]), else_=row[name])
    return statement.on_conflict_do_update(index_elements=list(unique), set_=changed, where=later)
