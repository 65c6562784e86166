"""`floorwatch replay`: a recorded trace through adapter and engine, without Kafka, as fast as it goes, in switch time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from floorwatch.sitename import check_site, unknown_site
from floorwatch.traces import Damage, Trace
from services.ingest.adapters.base import Adapter
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.marks import SiteClock
from services.monitor.core.engine import Engine
from services.monitor.core.rulebook import RuleBook
from services.monitor.rulefile import load_rulebook
from shared import events, facts
from shared.clock import SystemClock
from shared.errors import FloorwatchError, InvalidInput, SettingsError
from shared.events import Event
from shared.facts import Fact
from shared.raw import Raw
from shared.sites import Sites, load_sites

SHOWN_COMPLAINTS = 20

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


def main(file: Path, *, adapter: str, site: str, config: Path, rules: Path, out: Path) -> None:
    """The command: FILE into OUT, a progress bar meanwhile, a summary after. Raises SettingsError and FloorwatchError."""
    check_site(site)
    sites, rulebook = load_sites(config), load_rulebook(rules)
    console = Console(stderr=True)
    if line := unknown_site(site, sites, config):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    complaints = Complaints(console, file)
    began = SystemClock().monotonic()
    replay = Replay(site, ADAPTERS[adapter](site, sites.site(site)), sites, rulebook)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with (
        Trace(file, complaints.damaged) as trace,
        _writable(out) as lines,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        task = progress.add_task(f"{file.name} → {out.name}", total=trace.total_bytes)
        for fact in replay.run(trace.raws(site=site, vendor=adapter), complaints.rejected):
            lines.write(json.dumps(record_of(fact), ensure_ascii=False) + "\n")
            progress.update(task, completed=trace.read_bytes)
    complaints.close(trace.damages)
    if not replay.summary.packets:
        raise FloorwatchError(f"{file} holds no packet that can be read as {adapter}")
    if complaints.first_refusal and sum(replay.summary.rejected.values()) == replay.summary.packets:
        raise FloorwatchError(
            f"{file} holds no packet that can be read as {adapter}; "
            f"the first was refused because: {complaints.first_refusal}"
        )
    console.print(table_of(replay.summary, SystemClock().monotonic() - began))
    console.print(f"records written to {out}", highlight=False, markup=False)


def _writable(out: Path) -> TextIO:
    """`out`, open and empty. Raises SettingsError."""
    try:
        return out.open("w", encoding="utf-8")
    except OSError as exc:
        raise SettingsError(f"--out: {out} cannot be written: {exc.strerror}") from exc


class Complaints:
    """Damaged lines and refused packets: the first few in full, all of them counted."""

    def __init__(self, console: Console, file: Path) -> None:
        self._console = console
        self._file = file
        self._said = 0
        self.first_refusal = ""

    def damaged(self, damage: Damage) -> None:
        """A line that holds no packet."""
        self._say(f"{self._file}:{damage.line}: passed over: {damage.reason}")

    def rejected(self, raw: Raw, why: InvalidInput) -> None:
        """A packet that the adapter refused."""
        self.first_refusal = self.first_refusal or str(why)
        self._say(f"{self._file}: packet {raw.offset + 1}: {why.reason}: {why}")

    def _say(self, text: str) -> None:
        self._said += 1
        if self._said <= SHOWN_COMPLAINTS:
            self._console.print(text, markup=False, highlight=False)

    def close(self, damages: int) -> None:
        """How many more there were."""
        if self._said > SHOWN_COMPLAINTS:
            self._console.print(f"... and {self._said - SHOWN_COMPLAINTS} more, {damages} damaged lines in all")


def table_of(summary: Summary, seconds: float) -> Table:
    """The summary as a table."""
    table = Table(title="What the recording holds", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    if summary.first and summary.last:
        length = (summary.last - summary.first).total_seconds()
        table.add_row("recording", f"{summary.first:%Y-%m-%d %H:%M:%S} UTC, {length:.1f} s")
    table.add_row("read", f"{summary.packets} packets, {summary.events} events, in {seconds:.1f} s")
    if summary.rejected:
        table.add_row("refused", _counts(summary.rejected))
    table.add_row("agents' time", _shares(summary.state_seconds))
    for kind in ("call", "transfer"):
        found = {key.split()[1]: count for key, count in summary.outcomes.items() if key.startswith(kind)}
        table.add_row(f"{kind}s", _counts(found) if found else "none")
    table.add_row("flags", _counts(summary.flags) if summary.flags else "none")
    if summary.anomalies:
        table.add_row("anomalies", _counts(summary.anomalies))
    return table


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items(), key=lambda item: -item[1]))


def _shares(seconds: dict[str, float]) -> str:
    whole = sum(seconds.values())
    if not whole:
        return "none"
    return ", ".join(f"{state} {100 * s / whole:.1f} %" for state, s in sorted(seconds.items(), key=lambda i: -i[1]))
