"""The figures of a month of the Anonymous Bank log, under the names that its reference figures have.

Waits, services, arrivals, agents and days are those of the engine's facts; what the rows themselves were like (PHANTOM rows,
irregular ones) is the adapter's count, because no call was made of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from floorwatch.summary.calls import CallFigures
from floorwatch.summary.exact import micros
from floorwatch.summary.peaks import Peak
from services.ingest.adapters.anonymous_bank import RowCounts
from shared.facts import CallEnded, Fact

NO_SERVER: Final = "NO_SERVER"


class BankSummary:
    """Reads facts one after the other; `result` when the recording is over."""

    def __init__(self, zone: ZoneInfo) -> None:
        """`zone`: of the log's clock."""
        self._zone = zone
        self._all = CallFigures()
        self._by_type: defaultdict[str, CallFigures] = defaultdict(CallFigures)
        self._by_priority: defaultdict[str, CallFigures] = defaultdict(CallFigures)
        self._by_date: defaultdict[str, CallFigures] = defaultdict(CallFigures)
        self._by_hour: defaultdict[str, CallFigures] = defaultdict(CallFigures)
        self._by_server: defaultdict[str, CallFigures] = defaultdict(CallFigures)
        self._serving, self._waiting = Peak(), Peak()

    def add(self, fact: Fact) -> None:
        """Count a call that is over; other facts have no part in these figures."""
        call = fact.data
        if not isinstance(call, CallEnded):
            return
        said = call.attributes
        waited = micros(float(said.get("q_time", call.waited_s)))
        talked = None if call.talk_s is None else micros(float(said.get("ser_time", call.talk_s)))
        for figures in (
            self._all,
            self._by_type[call.queue],
            self._by_priority[said.get("priority", "")],
            self._by_date[said.get("date", "")],
            self._by_hour[self._hour(call)],
        ):
            figures.add(call, waited, talked)
        if call.outcome == "answered":
            self._by_server[call.agent_id or NO_SERVER].add(call, waited, talked)
            if call.talk_started_at is not None and talked is not None:
                self._serving.add(self._wall(call, call.talk_started_at), timedelta(microseconds=talked))
        self._waiting.add(self._wall(call, call.started_at), timedelta(microseconds=waited))

    def _wall(self, call: CallEnded, at: datetime) -> datetime:
        """What the log's clock showed, which was not always what the time zone says."""
        offset = call.attributes.get("utc_offset")
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").tzinfo if offset else self._zone
        return at.astimezone(zone).replace(tzinfo=None)

    def _hour(self, call: CallEnded) -> str:
        """Of leaving the VRU, which is where the queue begins but for a few rows."""
        exited = call.attributes.get("vru_exit")
        return exited[:2] if exited else f"{self._wall(call, call.started_at).hour:02}"

    def result(self, counts: RowCounts, unparsable: Iterable[Mapping[str, Any]], sha256: str | None) -> dict[str, Any]:
        """Everything, in the shape of the reference figures; `unparsable` are line number and reason of refused lines."""
        return {
            "sha256_uncompressed": sha256,
            "unparsable_lines": [dict(one) for one in sorted(unparsable, key=lambda one: one["line"])],
            "lines_repaired_by_whitespace_split": counts.lines_repaired_by_whitespace_split,
            "rows": counts.rows,
            **_with_phantoms(self._all, counts.phantom),
            "by_type": {
                name: _with_phantoms(self._by_type[name], counts.phantom_by_type.get(name, 0))
                for name in sorted({*self._by_type, *counts.phantom_by_type})
            },
            "by_priority": {name: _of_priority(one) for name, one in sorted(self._by_priority.items())},
            "handled_by_server": {name: _of_server(one) for name, one in sorted(self._by_server.items())},
            "by_date": {
                name: _of_date(self._by_date[name], counts.phantom_by_date.get(name, 0))
                for name in sorted({*self._by_date, *counts.phantom_by_date})
            },
            "by_hour": {name: _of_hour(one) for name, one in sorted(self._by_hour.items())},
            "busy_period": {
                "peak_concurrent_service": _peak(self._serving),
                "peak_queue": _peak(self._waiting),
            },
            "quirks": quirks_of(counts),
        }


def _with_phantoms(figures: CallFigures, phantom: int) -> dict[str, Any]:
    found = figures.in_full()
    rest = {name: found.pop(name) for name in tuple(found) if name not in _BEFORE_PHANTOM}
    return {**found, "phantom": phantom, **rest}


_BEFORE_PHANTOM: Final = ("offered", "answered", "abandoned", "abandoned_in_queue", "abandoned_before_queue")


def _of_priority(figures: CallFigures) -> dict[str, Any]:
    return {
        "offered": figures.offered,
        "answered": figures.answered,
        "abandoned": figures.abandoned,
        "abandon_rate": figures.abandon_rate(),
        "asa": figures.asa(),
        "mean_wait_abandoned": figures.waits_abandoned.mean,
        "aht": figures.aht(),
        "sl20_offered": figures.service_level(20),
    }


def _of_server(figures: CallFigures) -> dict[str, Any]:
    return {"handled": figures.answered, "talk_seconds": figures.talk_seconds(), "aht": figures.aht()}


def _of_date(figures: CallFigures, phantom: int) -> dict[str, Any]:
    return {
        "offered": figures.offered,
        "answered": figures.answered,
        "abandoned": figures.abandoned,
        "phantom": phantom,
        "asa": figures.asa(),
        "aht": figures.aht(),
        "sl20_offered": figures.service_level(20),
    }


def _of_hour(figures: CallFigures) -> dict[str, Any]:
    return {"offered": figures.offered, "answered": figures.answered, "abandoned": figures.abandoned}


def _peak(peak: Peak) -> dict[str, Any]:
    value, when = peak.highest()
    return {"value": value, "at": when.isoformat() if when else None}


def quirks_of(counts: RowCounts) -> dict[str, Any]:
    """The irregularities that the reference figures name."""
    return {
        "agent_with_NO_SERVER": counts.agent_with_no_server,
        "agent_ser_time_zero": counts.agent_ser_time_zero,
        "agent_ser_time_gt_3600": counts.agent_ser_time_gt_3600,
        "agent_ser_time_max": counts.agent_ser_time_max,
        "hang_with_ser_time": counts.hang_with_ser_time,
        "hang_with_server": counts.hang_with_server,
        "phantom_with_ser_time": counts.phantom_with_ser_time,
        "vru_time_negative": counts.vru_time_negative,
        "q_time_negative": counts.q_time_negative,
        "ser_time_negative": counts.ser_time_negative,
        "service_ends_after_midnight": counts.service_ends_after_midnight,
        "queue_spans_midnight": counts.queue_spans_midnight,
        "q_time_ne_exit_minus_start_mod_day": counts.q_time_ne_exit_minus_start_mod_day,
        "ser_time_ne_exit_minus_start_mod_day": counts.ser_time_ne_exit_minus_start_mod_day,
        "vru_time_ne_exit_minus_entry": counts.vru_time_ne_exit_minus_entry,
        "ser_start_before_q_exit": counts.ser_start_before_q_exit,
        "distinct_servers_incl_NO_SERVER": len(counts.servers),
        "distinct_dates": len(counts.dates),
        "server_names_with_embedded_NO_SERVER": counts.embedded_no_server(),
    }
