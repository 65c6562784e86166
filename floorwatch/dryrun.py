"""`floorwatch rules dry-run`: what rules would have raised over a recorded trace, or over what the broker still holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from floorwatch.publish import of_kafka
from floorwatch.replay import Replay
from floorwatch.rowlogs import for_log, is_log
from floorwatch.sitename import check_site, unknown_site
from floorwatch.traces import Damage, Trace
from services.ingest.adapters.registry import ADAPTERS
from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rulefile import load_rulebook
from shared import events, facts, topics
from shared.codec import decode_event
from shared.errors import FloorwatchError, InvalidInput, SettingsError
from shared.facts import Fact
from shared.kafka import KafkaBus
from shared.settings import CommonSettings, load, variable
from shared.sites import Sites, load_sites

EXAMPLES: Final = 3
_DAY_S: Final = 86_400.0
_IDLE_S: Final = 3.0


@dataclass
class Found:
    """What one rule raised: each flag with its seconds, None while it was still raised at the end."""

    flags: dict[str, facts.FlagRaised] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def longest(self) -> float | None:
        return max(self.seconds.values(), default=None)


class Tally:
    """Counts flags by rule. `counts` says whether a flag of that moment counts."""

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self.rules: dict[str, Found] = {name: Found() for name in book.by_name}
        self.first: datetime | None = None
        self.last: datetime | None = None

    def saw(self, at: datetime) -> None:
        """Time went on to `at`."""
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)

    def note(self, fact: Fact) -> None:
        """Count a flag, or the end of one that counts."""
        data = fact.data
        if isinstance(data, facts.FlagRaised):
            self.rules.setdefault(data.rule, Found()).flags[data.flag_id] = data
        elif isinstance(data, facts.FlagCleared) and data.flag_id in self.rules[data.rule].flags:
            self.rules[data.rule].seconds[data.flag_id] = data.duration_s

    @property
    def days(self) -> float:
        """How long it was, in days; at least a minute."""
        if self.first is None or self.last is None:
            return 60 / _DAY_S
        return max(60.0, (self.last - self.first).total_seconds()) / _DAY_S


# ---------------------------------------------------------------- over a trace


def over_trace(
    trace: Trace,
    adapter: str,
    site: str,
    sites: Sites,
    book: RuleBook,
    on_rejected: Callable[[InvalidInput], None],
    progress: Callable[[], None],
) -> Tally:
    """Work the whole trace through one adapter and one engine."""
    tally = Tally(book)
    if is_log(adapter):
        sites = for_log(sites, site)
    config = sites.site(site)
    replay = Replay(site, ADAPTERS[adapter](site, config), sites, book, is_log=is_log(adapter))
    raws = trace.raws(site=site, vendor=adapter, time_zone=config.time_zone)
    for fact in replay.run(raws, lambda raw, why: on_rejected(why)):
        tally.note(fact)
        progress()
    if replay.summary.first and replay.summary.last:
        tally.saw(replay.summary.first)
        tally.saw(replay.summary.last)
    return tally


# ---------------------------------------------------------------- over what the broker holds


async def over_topic(
    bus: KafkaBus,
    sites: Sites,
    books: list[RuleBook],
    since: datetime | None,
    until: datetime | None,
    progress: Callable[[int, int], None],
) -> list[Tally]:
    """Read `floor.events` from its first record, so that the floor is known, and count what is raised in the stretch.

    The stretch is by the broker's stamps, which is when a record was written. Raises BusError.
    """
    tallies = [Tally(book) for book in books]
    engines = [Engine(sites, book) for book in books]
    async for counts, event in _events(bus, since, until, progress):
        for tally, engine in zip(tallies, engines, strict=True):
            if counts:
                tally.saw(event.time)
            for fact in engine.apply(event):
                if counts or isinstance(fact.data, facts.FlagCleared):
                    tally.note(fact)
    return tallies


async def _events(
    bus: KafkaBus, since: datetime | None, until: datetime | None, progress: Callable[[int, int], None]
) -> AsyncIterator[tuple[bool, events.Event]]:
    """Each event up to `until`, and whether it was written since `since`."""
    reader = await bus.read([topics.FLOOR_EVENTS])
    try:
        bounds = await reader.bounds()
        whole = sum(end - first for first, end in bounds.values())
        ends = {place: end for place, (first, end) in bounds.items() if end > first}
        read = 0
        while ends:
            records = await reader.getmany(timeout_s=_IDLE_S)
            if not records:
                break  # compaction and transactions leave holes, also before the end
            for record in records:
                place = record.topic, record.partition
                if place not in ends:
                    continue
                read += 1
                if record.offset + 1 >= ends[place] or (until is not None and record.written > until):
                    del ends[place]
                if until is not None and record.written > until:
                    continue
                try:
                    event = decode_event(record.value)
                except InvalidInput:
                    continue  # the monitor dead-letters it
                yield since is None or record.written >= since, event
            progress(read, whole)
    finally:
        await reader.close()


# ---------------------------------------------------------------- what it says


def table_of(tally: Tally, against: Tally | None) -> Table:
    """A line for each rule: how often, how often a day, how long."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rule")
    table.add_column("flags", justify="right")
    if against is not None:
        table.add_column("other", justify="right")
    table.add_column("a day", justify="right")
    table.add_column("longest", justify="right")
    names = dict.fromkeys((*tally.rules, *(against.rules if against else ())))
    for name in names:
        found = tally.rules.get(name, Found())
        row = [name, str(len(found.flags)) if name in tally.book.by_name else "-"]
        if against is not None:
            row.append(str(len(against.rules[name].flags)) if name in against.book.by_name else "-")
        rate = len(found.flags) / tally.days
        row += [f"{rate:.0f}" if rate >= 10 or not rate else f"{rate:.1f}", _length(found)]
        table.add_row(*row, style="" if found.flags else "dim")
    return table


def _length(found: Found) -> str:
    if not found.flags:
        return ""
    if found.longest is None:
        return "until the end"
    return _said(found.longest)


def _said(seconds: float) -> str:
    """`12 s`, `1:30 min`, `2:05 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02} h"


def examples_of(tally: Tally) -> Iterator[str]:
    """The first few flags of each rule that raised any."""
    for name, found in tally.rules.items():
        for flag in list(found.flags.values())[:EXAMPLES]:
            lasted = found.seconds.get(flag.flag_id)
            length = "still raised at the end" if lasted is None else f"for {_said(lasted)}"
            yield f"{flag.raised_at:%Y-%m-%d %H:%M:%S}  {name}  {flag.summary_en}, {length}"


def differences(tally: Tally, against: Tally) -> Iterator[str]:
    """What only one of two rule books raised: same rule, subject and start are the same flag."""
    mine = {flag: one for found in tally.rules.values() for flag, one in found.flags.items()}
    theirs = {flag: one for found in against.rules.values() for flag, one in found.flags.items()}
    for sign, these, others in (("+", mine, theirs), ("-", theirs, mine)):
        for flag_id, flag in these.items():
            if flag_id not in others:
                yield f"{sign} {flag.raised_at:%Y-%m-%d %H:%M:%S}  {flag.rule}  {flag.summary_en}"


def show(tallies: list[Tally]) -> None:
    """Print the report of the first, and how the second differs from it, if there is one."""
    tally, against = tallies[0], tallies[1] if len(tallies) > 1 else None
    console = Console()
    if tally.first is None or tally.last is None:
        raise FloorwatchError("there is nothing in that stretch: no event, so nothing could be raised")
    length = _said(tally.days * _DAY_S)
    total = sum(len(found.flags) for found in tally.rules.values())
    console.print(
        f"{tally.first:%Y-%m-%d %H:%M:%S} to {tally.last:%Y-%m-%d %H:%M:%S} UTC by the switch, {length}: {total} flags",
        highlight=False,
    )
    console.print(table_of(tally, against))
    if tally.days < 1:
        console.print("a day: if all of it were like this", highlight=False, style="dim")
    lines = list(differences(tally, against)) if against is not None else list(examples_of(tally))
    if lines:
        console.print("\nonly in one (+ these rules, - the others):" if against else "\nfor example:", highlight=False)
        limit = 40
        for line in lines[:limit]:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        if len(lines) > limit:
            console.print(f"... and {len(lines) - limit} more", highlight=False)
    elif against is not None:
        console.print("\nboth rule books raise the same flags", highlight=False)


# ---------------------------------------------------------------- the command


def main(
    rules: Path,
    *,
    against: Path | None,
    trace: Path | None,
    adapter: str | None,
    site: str | None,
    since: str | None,
    until: str | None,
    config: Path | None,
) -> None:
    """The command. Raises SettingsError, BusError, and FloorwatchError when there is nothing to work through."""
    settings = load(CommonSettings)
    books = [load_rulebook(path) for path in (rules, against) if path is not None]
    sites = load_sites(config or settings.sites_file, setting="" if config else variable(CommonSettings, "sites_file"))
    if trace is not None:
        if adapter is None or site is None:
            raise SettingsError(
                "--trace wants --adapter and --site too: whose events the file holds, and of which site"
            )
        if since or until:
            raise SettingsError("--from and --to are for what the broker holds; a trace is worked through as a whole")
        check_site(site)
        if line := unknown_site(site, sites, config or settings.sites_file):
            typer.echo(line, err=True)
        show([_trace(trace, adapter, site, sites, book) for book in books])
        return
    if not since and not until:
        raise SettingsError("say what to work through: --trace FILE with --adapter and --site, or --from and --to")
    begin, end = _moment(since, "--from"), _moment(until, "--to")
    if begin and end and end <= begin:
        raise SettingsError(f"--to: {until} is not after {since}")
    show(asyncio.run(_topic(of_kafka(settings), sites, books, begin, end)))


def _trace(file: Path, adapter: str, site: str, sites: Sites, book: RuleBook) -> Tally:
    console, refused = Console(stderr=True), [0]

    def damaged(damage: Damage) -> None:
        refused[0] += 1

    def rejected(why: InvalidInput) -> None:
        refused[0] += 1

    with Trace(file, damaged) as trace, _progress(console) as progress:
        task = progress.add_task(file.name, total=trace.total_bytes)
        tally = over_trace(
            trace, adapter, site, sites, book, rejected, lambda: progress.update(task, completed=trace.read_bytes)
        )
    if tally.first is None:
        raise FloorwatchError(f"{file} holds no packet that can be read as {adapter}")
    if refused[0]:
        console.print(f"{refused[0]} damaged lines or refused packets were passed over; `floorwatch replay` names them")
    return tally


async def _topic(
    settings: CommonSettings, sites: Sites, books: list[RuleBook], since: datetime | None, until: datetime | None
) -> list[Tally]:
    bus = KafkaBus.of(settings)
    try:
        with _progress(Console(stderr=True)) as progress:
            task = progress.add_task(topics.FLOOR_EVENTS.name, total=None)
            return await over_topic(
                bus, sites, books, since, until, lambda read, whole: progress.update(task, completed=read, total=whole)
            )
    finally:
        await bus.close()


def _progress(console: Console) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True)


def _moment(text: str | None, option: str) -> datetime | None:
    """A time as ISO 8601; without a zone it is this machine's."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise SettingsError(f'{option}: expected a time such as "2026-03-02 09:00", got {text!r}') from None
