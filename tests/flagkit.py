"""Flags as the alerts service's core knows them, and incidents of them that are told to one receiver."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from services.alerts.core import lifecycle as steps
from services.alerts.core.grouping import Book
from services.alerts.core.handling import Handling
from services.alerts.core.incident import Change, Clearing, Flag, Incident, Policy
from services.alerts.core.routes import to

T0 = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
CALLER = "+8613912345678"

TRANSFER = {
    "transfer_id": "t1",
    "call_id": "c1",
    "kind": "attended",
    "from_agent": "1001",
    "to_agent": "1002",
    "to_queue": "",
    "to_number": "",
    "requested": (T0).isoformat(),
    "ringing": (T0 + timedelta(seconds=1.2)).isoformat(),
    "answered": None,
    "bridged": None,
    "released": None,
    "ended": None,
    "outcome": "running",
}
BRIDGED = TRANSFER | {
    "answered": (T0 + timedelta(seconds=4.9)).isoformat(),
    "bridged": (T0 + timedelta(seconds=9.3)).isoformat(),
    "ended": (T0 + timedelta(seconds=9.3)).isoformat(),
    "outcome": "completed",
    "total_s": 9.3,
    "customer_gap_s": 4.4,
}


def flag(flag_id: str = "f1", subject_id: str = "t1", **more: Any) -> Flag:
    """A flag as the core knows it."""
    values: dict[str, Any] = {
        "flag_id": flag_id,
        "site": "s1",
        "rule": "slow_transfer",
        "severity": "critical",
        "subject": "transfer",
        "subject_id": subject_id,
        "started": T0,
        "raised": T0 + timedelta(seconds=7),
        "summary_en": "Chen Jing's transfer has taken more than 7 s",
        "summary_zh": "陈静 转接已超过 7 秒",
        "labels": {"agent": "1001", "agent_name": "Chen Jing", "queue": "sales"},
        "evidence": TRANSFER,
    }
    return Flag(**values | more)


def clearing(flag_id: str = "f1", **more: Any) -> Clearing:
    values: dict[str, Any] = {"cleared": T0 + timedelta(seconds=9.3), "duration_s": 9.3, "evidence": BRIDGED}
    return Clearing(flag_id=flag_id, **values | more)


HANDLING = Handling(to("ops"))  # at once


def zone_of(_site: str) -> str:
    return "Asia/Shanghai"


def opened(one: Flag, now: datetime, handling: Handling = HANDLING) -> Change:
    """The incident that this flag opens."""
    return steps.opened(one, handling.group(one), handling.plan(one, zone_of(one.site)), now)


def joined(incident: Incident, one: Flag, now: datetime) -> Change:
    """The incident with a further flag."""
    return steps.joined(incident, one, HANDLING.plan(one, zone_of(one.site)), now)


def book(policy: Policy, incidents: Iterable[Incident] = (), flags: Iterable[tuple[str, str]] = ()) -> Book:
    """A book as the pipeline would fill it."""
    return Book(policy, HANDLING, zone_of, incidents, flags)
