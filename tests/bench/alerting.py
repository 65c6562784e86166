"""P10: from the moment at which a transfer has taken too long until somebody outside has been told.

The whole chain as services of their own: what a switch says goes to `switch.raw`, ingest makes events of it, the monitor
flags, alerts opens an incident and posts it to a webhook. Late is from the deadline, seven seconds after the request, to the
moment at which the webhook's server has read the request. A receiver's limit would bundle so many, so there is none here.

Where the time went is read in the database of alerts afterwards (`Stages`): it keeps a stamp of each stage anyway.
"""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from msgspec import Struct, field

from shared import topics
from shared.kafka import KafkaBus
from tests.bench import brokers
from tests.bench.figures import Figure, Scale, Yardstick, percentile
from tests.bench.webhook import Sink, alert_file, scratch
from tests.fault.kit import Service, services
from tests.fault.load import FromTheSwitch, Plan, pouring

SITES: Final = [f"site-{number:02}" for number in range(10)]
_EVENTS_A_SECOND: Final = 300.0
_TRANSFERS_A_SECOND: Final = 4.0  # every other one is slow
_WARMS_UP_S: Final = 15.0
_AFTER_S: Final = 5.0  # a notification that is later than this is lost
# by subject: when the broker had the flag, when its incident was opened, when its message was claimed for sending
_STAMPS: Final = """
    SELECT incidents.subject_id, notices.created_at, notices.late_s, message_attempts.at
    FROM notices
    JOIN incidents ON incidents.id = notices.incident_id
    JOIN message_attempts ON message_attempts.message_id = notices.message_id
    WHERE notices.reason = 'opened' AND incidents.rule = 'slow_transfer'
"""


class Stages(Struct, frozen=True):
    """Seconds that each stage took: from the deadline until the broker had the flag, until alerts had its turn to write the
    incident, until a worker asked for the message, until the request was read outside.
    """

    flagged: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    claimed: list[float] = field(default_factory=list)
    posted: list[float] = field(default_factory=list)


class Late(Struct, frozen=True):
    """Seconds from the deadline to the request."""

    found: list[float]
    missing: int
    stages: Stages


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P10: from breach to notification."""
    lasts_s, warms_up_s = (12.0, 0.0) if scale == "quick" else (90.0, _WARMS_UP_S)
    sink = Sink()
    with brokers.broker(kind) as at, scratch() as folder:
        async with sink.listening():
            late = await _chain(at, folder, sink, lasts_s, warms_up_s)
            bare = await _bare(at, sink, 30 if scale == "quick" else 200)
    p99 = percentile(late.found, 0.99)
    return Figure(
        id="P10",
        figure="breach to notification, p99",
        unit="ms",
        value=1000 * p99,
        must=1000,
        aim=250,
        better="lower",
        broken=(f"{late.missing} slow transfers were told to nobody",) if late.missing else (),
        yardstick=Yardstick(
            what="a record through the broker, posted at once, p99", unit="ms", value=1000 * bare, ours=1000 * p99
        ),
        detail={
            "slow_transfers": len(late.found),
            "p50_ms": 1000 * percentile(late.found, 0.5),
            "max_ms": 1000 * max(late.found),
            "events_a_second": _EVENTS_A_SECOND,
            **_by_stage(late.stages),
        },
    )


def _by_stage(stages: Stages) -> dict[str, float]:
    found = {name: getattr(stages, name) for name in Stages.__struct_fields__}
    return {
        f"{name}_{share}_ms": 1000 * percentile(seconds, number)
        for name, seconds in found.items()
        if seconds
        for share, number in (("p50", 0.5), ("p99", 0.99))
    }


async def _chain(at: brokers.At, folder: Path, sink: Sink, lasts_s: float, warms_up_s: float) -> Late:
    file = alert_file(folder, sink, "at_most: {burst: 100000, every: 1ms}")
    database = f"sqlite+aiosqlite:///{folder / 'alerts.db'}"
    plan = Plan(SITES, rate=_EVENTS_A_SECOND, lasts_s=lasts_s, transfers_a_second=_TRANSFERS_A_SECOND)
    bus = KafkaBus(at.bootstrap, idempotent=at.idempotent)
    await bus.create(topics.ALL, partitions=brokers.PARTITIONS)
    running = [
        Service("ingest", at, folder),
        Service("monitor", at, folder),
        Service("alerts", at, folder, db_url=database, file=file),
    ]
    async with services(*running), pouring(plan, FromTheSwitch(bus, SITES)) as load:
        await load.until(plan.ends_s + _AFTER_S)
        began = load.began.timestamp()
    await bus.close()
    told: dict[str, float] = {}
    for at_s, body in sink.received:
        told.setdefault(_subject(body), at_s)
    due = {one: began + at_s for one, at_s in plan.slow.items() if at_s >= warms_up_s}
    stages = _stages(folder / "alerts.db", due, told)
    return Late(
        [told[one] - at_s for one, at_s in due.items() if one in told], sum(one not in told for one in due), stages
    )


def _stages(database: Path, due: dict[str, float], told: dict[str, float]) -> Stages:
    stages = Stages()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for subject, opened, late_s, claimed in connection.execute(_STAMPS):
            if subject not in due or subject not in told:
                continue
            opened_s, claimed_s = _seconds(opened), _seconds(claimed)
            stages.flagged.append(opened_s - late_s - due[subject])
            stages.taken.append(late_s)
            stages.claimed.append(claimed_s - opened_s)
            stages.posted.append(told[subject] - claimed_s)
    return stages


def _seconds(written: str) -> float:
    """A time as SQLite keeps it, in seconds since 1970."""
    return datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()


def _subject(body: Any) -> str:
    """What the first incident in a webhook's body is about."""
    return str((body.get("incidents") or [{}])[0].get("subject_id", ""))


async def _bare(at: brokers.At, sink: Sink, times: int) -> float:
    """The least that could be: one record, read, one request."""
    bus = KafkaBus(at.bootstrap, idempotent=at.idempotent)
    reader = await bus.read([topics.INCIDENTS])
    late: list[float] = []
    async with httpx.AsyncClient() as client:
        for number in range(times):
            before = len(sink.received)
            began = sink.now()
            await bus.publish(topics.INCIDENTS, b'{"n": %d}' % number, key="site-00")
            await bus.flush()
            while not (records := await reader.getmany(timeout_s=1.0)):
                continue
            await client.post(sink.url, content=records[-1].value)
            late.append(sink.received[before][0] - began)
    await reader.close()
    await bus.close()
    return percentile(late, 0.99)
