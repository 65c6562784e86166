"""`floorwatch replay`: a recorded trace through adapter and engine, without Kafka, as fast as it goes, in switch time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TextIO

import msgspec

from services.ingest.adapters.base import Adapter
from services.ingest.marks import SiteClock
from services.monitor.core.engine import Engine
from services.monitor.core.rulebook import RuleBook
from shared import events, facts
from shared.errors import InvalidInput
from shared.events import Event
from shared.facts import Fact
from shared.raw import Raw
from shared.sites import Sites

RECORD_NAMES = {
    facts.AgentInterval: "agent_interval",
    facts.CallEnded: "call",
    facts.TransferEnded: "transfer",
    facts.FlagRaised: "flag",
    facts.FlagCleared: "flag_cleared",
}


@dataclass
class Summary:
    """What a replay saw and made."""

    packets: int = 0
    events: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    state_seconds: dict[str, float] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    anomalies: dict[str, int] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None


class Replay:
    """One trace through one adapter and one engine."""

    def __init__(self, site: str, adapter: Adapter, sites: Sites, rules: RuleBook) -> None:
        self._site = site
        self._adapter = adapter
        self._engine = Engine(sites, rules)
        self._clock = SiteClock(site)
        self.summary = Summary()

    def run(self, raws: Iterable[Raw], on_rejected: Callable[[Raw, InvalidInput], None]) -> Iterator[Fact]:
        """Yield every fact. A packet that the adapter rejects is counted, told to `on_rejected` and passed over."""
        for raw in raws:
            self.summary.packets += 1
            if self.summary.first is None:
                self.summary.first = raw.received
                yield from self._apply(self._link_up(raw))
            self.summary.last = raw.received
            try:
                found = self._adapter.feed(raw)
            except InvalidInput as exc:
                self.summary.rejected[exc.reason] = self.summary.rejected.get(exc.reason, 0) + 1
                on_rejected(raw, exc)
                continue
            # Ingest writes many marks between two packets; timers carry their own times, so the last is enough.
            mark = self._clock.mark(raw.received)
            if mark is not None:
                yield from self._apply(mark)
            for event in found:
                self.summary.events += 1
                yield from self._apply(event)
        yield from self._count(self._engine.finish())
        self.summary.anomalies = self._engine.anomalies(self._site)

    def _link_up(self, raw: Raw) -> Event:
        return events.make(
            events.LinkUp(connector="replay", replay=True),
            id="",
            source=f"/sites/{self._site}/replay",
            site=self._site,
            time=raw.received + timedelta(seconds=raw.shift_s),
            receivedtime=raw.received,
        )

    def _apply(self, event: Event) -> Iterator[Fact]:
        if not isinstance(event.data, events.Clock):
            self._clock.observe(event)
        return self._count(self._engine.apply(event))

    def _count(self, found: list[Fact]) -> Iterator[Fact]:
        summary = self.summary
        for fact in found:
            name = RECORD_NAMES[type(fact.data)]
            summary.records[name] = summary.records.get(name, 0) + 1
            data = fact.data
            if isinstance(data, facts.AgentInterval):
                summary.state_seconds[data.state] = summary.state_seconds.get(data.state, 0.0) + data.duration_s
            elif isinstance(data, facts.FlagRaised):
                summary.flags[data.rule] = summary.flags.get(data.rule, 0) + 1
            elif isinstance(data, facts.CallEnded | facts.TransferEnded):
                key = f"{name} {data.outcome}"
                summary.outcomes[key] = summary.outcomes.get(key, 0) + 1
            yield fact


def record_of(fact: Fact) -> dict[str, Any]:
    """A fact as one line of RECORDS: the fact's own fields, `record` naming its kind, and aliases that scoring expects."""
    line: dict[str, Any] = {"record": RECORD_NAMES[type(fact.data)], **msgspec.to_builtins(fact.data)}
    if isinstance(fact.data, facts.TransferEnded):
        line["mode"] = "attended" if fact.data.kind == "attended" else "blind"
        for stamp in ("ringing_at", "answered_at", "bridged_at", "released_at", "total_s"):
            line.setdefault(stamp, None)
    elif isinstance(fact.data, facts.FlagRaised):
        line["subject_kind"], line["subject"] = line["subject"], line["subject_id"]
    return line


def write(found: Iterable[Fact], out: TextIO) -> None:
    """Write each fact as a JSON line."""
    for fact in found:
        out.write(json.dumps(record_of(fact), ensure_ascii=False) + "\n")
