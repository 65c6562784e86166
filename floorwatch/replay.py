"""`floorwatch replay`: a recorded trace through adapter and engine, without Kafka, as fast as it goes, in switch time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from floorwatch.replayreport import Complaints, table_of
from floorwatch.rowlogs import for_log, is_log
from floorwatch.sitename import check_site, unknown_site
from floorwatch.summary.file import SummaryFile, writable
from floorwatch.traces import Trace
from services.ingest.adapters.anonymous_bank import END, AnonymousBankAdapter
from services.ingest.adapters.base import Adapter, Clocked
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.marks import SiteClock
from services.ingest.restamp import DOES_NOT_FIT
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rulefile import load_rulebook
from shared import events, facts
from shared.clock import SystemClock
from shared.errors import FloorwatchError, InvalidInput, SettingsError
from shared.events import Event
from shared.facts import Fact
from shared.raw import Raw
from shared.sites import Sites, load_sites

RECORD_NAMES = {
    facts.AgentInterval: "agent_interval",
    facts.CallEnded: "call",
    facts.TransferEnded: "transfer",
    facts.FlagRaised: "flag",
    facts.FlagCleared: "flag_cleared",
    facts.QueueInterval: "queue_interval",
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
    irregular: dict[str, int] = field(default_factory=dict)  # of a log's rows, by name
    first: datetime | None = None
    last: datetime | None = None


class Replay:
    """One trace through one adapter and one engine."""

    def __init__(self, site: str, adapter: Adapter, sites: Sites, rules: RuleBook, *, is_log: bool = False) -> None:
        """`is_log`: the adapter holds events back until a later row makes them certain, so no mark may run ahead of it."""
        self._site = site
        self._adapter = adapter
        self._clocked = adapter if isinstance(adapter, Clocked) and not is_log else None
        self._engine = Engine(sites, rules)
        self._clock = SiteClock(site)
        self._is_log = is_log
        self.summary = Summary()

    def run(self, raws: Iterable[Raw], on_rejected: Callable[[Raw, InvalidInput], None]) -> Iterator[Fact]:
        """Yield every fact. A packet that the adapter rejects is counted, told to `on_rejected` and passed over."""
        for raw in raws:
            self.summary.packets += raw.value != END
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
            if not self._is_log:
                # Ingest writes many marks between two packets; timers carry their own times, so the last is enough.
                mark = self._clock.mark(raw.received)
                if mark is not None:
                    yield from self._apply(mark)
            if self._clocked is not None:
                found = self._clock.place(raw, found, self._clocked.stamp, self._clocked.clock_jumped)
            for event in found:
                self.summary.events += 1
                yield from self._apply(event)
        yield from self._count(self._engine.finish())
        self.summary.anomalies = self._engine.anomalies(self._site)
        if self._clock.restamped:
            self.summary.anomalies[DOES_NOT_FIT] = self._clock.restamped

    def _link_up(self, raw: Raw) -> Event:
        return events.make(
            events.LinkUp(connector="replay", replay=True),
            id="",
            source=f"/sites/{self._site}/replay",
            site=self._site,
            time=raw.received + timedelta(seconds=raw.shift_s),
            receivedtime=None if self._is_log else raw.received,  # a row is received when its call is long over
        )

    def _apply(self, event: Event) -> list[Fact]:
        if not self._is_log and not isinstance(event.data, events.Clock):
            self._clock.observe(event)
        return self._count(self._engine.apply(event))

    def _count(self, found: list[Fact]) -> list[Fact]:
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
        return found


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


def main(
    file: Path,
    *,
    adapter: str,
    site: str,
    config: Path,
    rules: Path,
    out: Path | None = None,
    summary: Path | None = None,
) -> None:
    """The command: FILE into OUT and SUMMARY, a progress bar meanwhile, a table after. Raises SettingsError, FloorwatchError."""
    check_site(site)
    if out is None and summary is None:
        raise SettingsError("give --out, --summary or both: where the records go, where their figures go")
    _check_apart(file, out, summary)
    sites, rulebook = load_sites(config), load_rulebook(rules)
    console = Console(stderr=True)
    if line := unknown_site(site, sites, config):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if is_log(adapter):
        sites = for_log(sites, site)
    machine = ADAPTERS[adapter](site, sites.site(site))
    replay = Replay(site, machine, sites, rulebook, is_log=is_log(adapter))
    began = SystemClock().monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    complaints = Complaints(console, file)
    figures = SummaryFile(summary, machine, sites.site(site))
    with (
        Trace(file, complaints.damaged) as trace,
        _Lines(out) as lines,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        complaints.line_of = trace.line_of
        task = progress.add_task(f"{file.name} → {(out or summary or file).name}", total=trace.total_bytes)
        raws = trace.raws(site=site, vendor=adapter, time_zone=sites.site(site).time_zone)
        for fact in replay.run(raws, complaints.rejected):
            lines.write(fact)
            figures.add(fact)
            progress.update(task, completed=trace.read_bytes)
        damages = trace.damages
    complaints.close(damages)
    usable = replay.summary.packets - sum(replay.summary.rejected.values())
    if not (machine.counts.rows if isinstance(machine, AnonymousBankAdapter) else usable):
        why = f"; the first was refused because: {complaints.first_refusal}" if complaints.first_refusal else ""
        raise FloorwatchError(f"{file} holds no packet that can be read as {adapter}{why}")
    replay.summary.irregular = figures.irregular()
    figures.write(replay.summary, complaints, file)
    console.print(table_of(replay.summary, SystemClock().monotonic() - began))
    for name, path in (("records", out), ("summary", summary)):
        if path is not None:
            console.print(f"{name} written to {path}", highlight=False, markup=False)


def _check_apart(file: Path, out: Path | None, summary: Path | None) -> None:
    """Raises SettingsError when a file would be written over the recording, or over the other."""
    for option, path in (("--out", out), ("--summary", summary)):
        if path is not None and path.exists() and path.samefile(file):
            raise SettingsError(f"{option}: {path} is the recording itself; name another file")
    if out is not None and summary is not None and out.resolve() == summary.resolve():
        raise SettingsError(f"--summary: {summary} is where --out goes; name another file")


class _Lines:
    """Where the records go, a JSON object a line; nowhere without a path."""

    def __init__(self, out: Path | None) -> None:
        """Raises SettingsError when `out` cannot be written."""
        self._file = None if out is None else writable(out, "--out")

    def write(self, fact: Fact) -> None:
        if self._file is not None:
            self._file.write(json.dumps(record_of(fact), ensure_ascii=False) + "\n")

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
