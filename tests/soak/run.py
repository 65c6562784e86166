"""One soak from beginning to end."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from msgspec import Struct

from shared.bus import Bus
from shared.raw import Raw
from tests.brokers import Broker, broker_of_its_own
from tests.fault.disks import may_mount
from tests.fault.load import FromTheSwitch, Happening, Load, pouring
from tests.soak import catchup
from tests.soak import drill as drilling
from tests.soak.catchup import replays
from tests.soak.drill import Struck
from tests.soak.faults import Fault, possible
from tests.soak.ledger import Ledger
from tests.soak.model import Model
from tests.soak.report import Report, words
from tests.soak.setclock import SetClock
from tests.soak.stage import CONNECTOR, SITES, Stage, connected, stage
from tests.soak.story import Story, Unreadable
from tests.soak.verdict import LEASE_S, Verdict, judged, settled
from tests.waiting import PATIENCE_S, until

RATE: Final = 150.0  # events a second, if not asked for otherwise
WITHIN_S: Final = 120.0
GROWN_MB: Final = 150.0  # what a service may have grown by since it was first ready
CATCHING_UP: Final = ("ingest", "monitor-a", "monitor-b")
_LAST_S: Final = 9.0  # of a soak without a fault, so that what is slow then is flagged in peace


Tell = Callable[[str], None]


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be done. `faults`: by name; none: all that the broker can bear. They come shuffled, again and again until the
    time is over; `in_order`: as they stand, each once, however long that takes."""

    seed: int
    lasts_s: float
    broker: str = "embedded"  # or kafka
    database: str = "sqlite"  # or postgres
    rate: float = RATE  # events a second
    faults: tuple[str, ...] = ()
    in_order: bool = False
    within_s: float = WITHIN_S  # after which what is not right again has failed

    @property
    def command(self) -> str:
        """What does the same again."""
        minutes, seed, where = f"{self.lasts_s / 60:g}", str(self.seed), (self.broker, self.database)
        if (self.rate, self.within_s) == (RATE, WITHIN_S):
            chosen = f' FAULTS="{" ".join(self.faults)}"' if self.faults else ""
            return "make soak MINUTES={} SEED={} BROKER={} DATABASE={}{}".format(minutes, seed, *where, chosen)
        more = ["--rate", f"{self.rate:g}", "--within", f"{self.within_s:g}", *self.faults]
        asked = "--minutes {} --seed {} --broker {} --database {}".format(minutes, seed, *where)
        return f".venv/bin/python -m tests.soak {asked} {' '.join(more)}"

    @property
    def short(self) -> bool:
        """Whether the two minutes are not waited for after which a killed process's message is sent again."""
        return self.lasts_s < 2 * LEASE_S

    @property
    def having(self) -> list[str]:
        """What a fault may need, as `Fault.only` names it."""
        return [self.broker, self.database, *(["small disk"] if may_mount() else [])]


class Switch(FromTheSwitch):
    """A switch that now and then says what nobody can read. Its connector stamps what it hears by `ours`, which may be set."""

    def __init__(self, bus: Bus, sites: list[str], ours: SetClock) -> None:
        super().__init__(bus, sites)
        self._ours = ours

    async def happens(self, what: Happening, time: datetime) -> None:
        if isinstance(what.data, Unreadable):
            self._say(what, what.data.text, time)
        else:
            await super().happens(what, time)
        received = time + timedelta(seconds=self._ours.ahead_s)
        self._unflushed[-1] = msgspec.structs.replace(self._unflushed[-1], received=received)

    def _say(self, what: Happening, text: str, time: datetime) -> None:
        seq = self._seq[what.site]
        self._seq[what.site] = seq + 1
        self._unflushed.append(
            Raw(
                value=text.encode(),
                vendor="generic",
                site=what.site,
                connector="load",
                received=time,
                session="one",
                seq=seq,
            )
        )


def chosen(asked: Asked, chance: Random) -> Iterator[Fault]:
    """The faults in their order. Raises KeyError for one that there is not, or that the broker cannot bear."""
    known = possible(asked.having)
    them = [known[name] for name in asked.faults] or list(known.values())
    return iter(them) if asked.in_order else drilling.order(them, chance)


async def soak(asked: Asked, folder: Path, tell: Tell) -> tuple[Report, Sequence[Ledger]]:
    """Start all of it, pour and break until the time is over, and count."""
    story = Story(asked.seed, sites=SITES, rate=asked.rate, lasts_s=asked.lasts_s)
    chance = Random(f"{asked.seed}/faults")
    report = Report(
        seed=asked.seed,
        broker=asked.broker,
        database=asked.database,
        lasts_s=asked.lasts_s,
        rate=asked.rate,
        happened=story.events,
        again=asked.command,
    )
    verdict = Verdict()
    with broker_of_its_own("apache" if asked.broker == "kafka" else "embedded", folder) as broker:
        async with _stage(asked, broker, folder) as staged:
            before = _weights(staged)
            async with (
                connected(broker) as connector,
                pouring(story, Switch(connector, story.sites, staged.clocks[CONNECTOR])) as load,
            ):
                staged.load = load
                tell("everything is ready; the load pours")
                report.struck = await _drilled(asked, staged, load, chance, tell)
                verdict.wrong += [
                    f"{one.fault} at {one.at_s:.1f} s: {one.failed}" for one in report.struck if one.failed
                ]
                verdict.must(bool(report.struck), "nothing was broken: the load was over before all was right")
                if why := await staged.not_ready():
                    verdict.wrong.append(f"not counted: {'; '.join(why)}")
                else:
                    await _counted(asked, staged, story, load, verdict, tell)
            _grown(before, staged, verdict)
            report.boards = {
                "boards": len(staged.boards),
                "connections": sum(board.connections for board in staged.boards),
                "resumed": sum(board.resumed for board in staged.boards),
            }
    _write_down(report, verdict, staged)
    return report, verdict.ledgers


def _stage(asked: Asked, broker: Broker, folder: Path) -> AbstractAsyncContextManager[Stage]:
    full = "full_disk" in (asked.faults or possible(asked.having))
    return stage(broker, folder, seed=asked.seed, lease_passes=asked.short, database=asked.database, small_disk=full)


async def _drilled(asked: Asked, staged: Stage, load: Load, chance: Random, tell: Tell) -> list[Struck]:
    return await drilling.drill(
        staged,
        load,
        chosen(asked, chance),
        chance,
        ends_s=math.inf if asked.in_order else asked.lasts_s - _LAST_S,
        within_s=asked.within_s,
        tell=lambda one: tell(words(one)),
    )


async def _counted(asked: Asked, staged: Stage, story: Story, load: Load, verdict: Verdict, tell: Tell) -> None:
    left_s = story.lasts_s - load.now_s()
    await until(load.done.is_set, "everything is poured", left_s + PATIENCE_S, every_s=0.1)
    model = Model(story, load.at)
    tell("everything is poured; waiting until people were told and databases have it")
    await settled(staged, model, verdict, patience_s=PATIENCE_S + LEASE_S)
    tell("counting")
    await judged(staged, model, verdict)


def _weights(staged: Stage) -> dict[str, float]:
    return {name: one.resident_mb() for name, one in staged.services.items()}


def _grown(before: dict[str, float], staged: Stage, verdict: Verdict) -> None:
    for name, peak in staged.peak_mb.items():
        verdict.must(peak < before[name] + GROWN_MB, f"{name} grew from {before[name]:.0f} to {peak:.0f} MB")


def _write_down(report: Report, verdict: Verdict, staged: Stage) -> None:
    load_late_s = staged.load.latest_s if staged.load is not None else 0.0
    report.counts = {one.name: one.words() for one in verdict.ledgers}
    caught_up = [one for name in CATCHING_UP for one in replays(staged.services[name].log)]
    late = (
        f"the load was {load_late_s:.1f} s late at most, the process that pours it {staged.late_s:.1f} s for its turn"
    )
    report.notes = [*verdict.notes, catchup.words(caught_up), late]
    report.peak_mb = staged.peak_mb
    report.load_average = os.getloadavg()[0]
    report.wrong = verdict.wrong + [f"{one.name}: {one.words()}" for one in verdict.ledgers if not one.exact]
