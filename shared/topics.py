"""Names, keys and retention of every topic. Nothing else knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is created. `keep` None with `compacted` keeps the last record of each key for ever. A record may wait for
    `linger_s` before it is sent, so that more go together."""

    name: str
    keyed_by: str
    keep: timedelta | None
    compacted: bool = False
    linger_s: float = 0.0


SWITCH_RAW = Topic("switch.raw", "site", timedelta(days=7))
SWITCH_COMMANDS = Topic("switch.commands", "site", timedelta(days=1))
SWITCH_DEAD_LETTER = Topic("switch.dead-letter", "site", timedelta(days=30))
LISTEN_ORDERS = Topic("listen.orders", "site", timedelta(days=1))
LISTEN_REPORTS = Topic("listen.reports", "site", timedelta(days=1))
FLOOR_EVENTS = Topic("floor.events", "site", timedelta(days=7))
FLOOR_FLAGS = Topic("floor.flags", "site", timedelta(days=30))
FLOOR_RECORDS = Topic("floor.records", "site", timedelta(days=30), linger_s=0.05)
FLOOR_HISTORY = Topic("floor.history", "site", timedelta(hours=24))
INCIDENTS = Topic("incidents", "site", timedelta(days=365))
FLOOR_CHECKPOINTS = Topic("floor.checkpoints", "machine and partition", None, compacted=True)

ALL: tuple[Topic, ...] = (
    SWITCH_RAW,
    SWITCH_COMMANDS,
    LISTEN_ORDERS,
    LISTEN_REPORTS,
    SWITCH_DEAD_LETTER,
    FLOOR_EVENTS,
    FLOOR_FLAGS,
    FLOOR_RECORDS,
    FLOOR_HISTORY,
    INCIDENTS,
    FLOOR_CHECKPOINTS,
)
