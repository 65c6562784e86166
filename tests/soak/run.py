"""One soak from beginning to end."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final

from msgspec import Struct

from shared.raw import Raw
from tests.brokers import broker_of_its_own
from tests.fault.load import FromTheSwitch, Happening, Load, pouring
from tests.soak import drill as drilling
from tests.soak.faults import Fault, possible
from tests.soak.ledger import Ledger
from tests.soak.model import Model
from tests.soak.report import Report, words
from tests.soak.stage import SITES, Stage, connected, stage
from tests.soak.story import Story, Unreadable
from tests.soak.verdict import LEASE_S, Verdict, judged, settled
from tests.waiting import PATIENCE_S, until

GROWN_MB: Final = 150.0  # what a service may have grown by since it was first ready
_LAST_S: Final = 9.0  # of a soak without a fault, so that what is slow then is flagged in peace


Tell = Callable[[str], None]


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be done. `faults`: by name; none: all that the broker can bear. They come shuffled, again and again until the
    time is over; `in_order`: as they stand, each once, however long that takes."""

    seed: int
    lasts_s: float
    broker: str = "embedded"  # or kafka
    rate: float = 150.0  # events a second
    faults: tuple[str, ...] = ()
    in_order: bool = False
    within_s: float = 120.0  # after which what is not right again has failed

    @property
    def command(self) -> str:
        """What does the same again."""
        chosen = f' FAULTS="{" ".join(self.faults)}"' if self.faults else ""
        return f"make soak MINUTES={self.lasts_s / 60:g} SEED={self.seed} BROKER={self.broker}{chosen}"


class Switch(FromTheSwitch):
    """A switch that now and then says what nobody can read."""

    async def happens(self, what: Happening, time: datetime) -> None:
        if not isinstance(what.data, Unreadable):
            await super().happens(what, time)
            return
        seq = self._seq[what.site]
        self._seq[what.site] = seq + 1
        self._unflushed.append(
            Raw(
                value=what.data.text.encode(),
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
    known = possible(asked.broker)
    them = [known[name] for name in asked.faults] or list(known.values())
    return iter(them) if asked.in_order else drilling.order(them, chance)


async def soak(asked: Asked, folder: Path, tell: Tell) -> tuple[Report, Sequence[Ledger]]:
    """Start all of it, pour and break until the time is over, and count."""
    story = Story(asked.seed, sites=SITES, rate=asked.rate, lasts_s=asked.lasts_s)
    chance = Random(f"{asked.seed}/faults")
    report = Report(
        seed=asked.seed,
        broker=asked.broker,
        lasts_s=asked.lasts_s,
        rate=asked.rate,
        happened=story.events,
        again=asked.command,
    )
    verdict = Verdict()
    short = asked.lasts_s < 2 * LEASE_S
    with broker_of_its_own("apache" if asked.broker == "kafka" else "embedded", folder) as broker:
        async with stage(broker, folder, seed=asked.seed, lease_passes=short) as staged:
            before = _weights(staged)
            async with connected(broker) as bus, pouring(story, Switch(bus, story.sites)) as load:
                ends_s = math.inf if asked.in_order else asked.lasts_s - _LAST_S
                tell("everything is ready; the load pours")
                report.struck = await drilling.drill(
                    staged,
                    load,
                    chosen(asked, chance),
                    chance,
                    ends_s=ends_s,
                    within_s=asked.within_s,
                    tell=lambda one: tell(words(one)),
                )
                verdict.wrong += [
                    f"{one.fault} at {one.at_s:.1f} s: {one.failed}" for one in report.struck if one.failed
                ]
                if not verdict.wrong:
                    await _counted(
                        staged, story, load, verdict, tell, patience_s=PATIENCE_S if short else LEASE_S + PATIENCE_S
                    )
            _grown(before, staged, verdict)
            report.boards = {
                "boards": len(staged.boards),
                "connections": sum(board.connections for board in staged.boards),
                "resumed": sum(board.resumed for board in staged.boards),
            }
    _write_down(report, verdict, staged)
    return report, verdict.ledgers


async def _counted(staged: Stage, story: Story, load: Load, verdict: Verdict, tell: Tell, *, patience_s: float) -> None:
    left_s = story.lasts_s - load.now_s()
    await until(load.done.is_set, "everything is poured", left_s + PATIENCE_S, every_s=0.1)
    model = Model(story, load.at)
    tell("everything is poured; waiting until people were told and databases have it")
    await settled(staged, model, verdict, patience_s=patience_s)
    tell("counting")
    await judged(staged, model, verdict)


def _weights(staged: Stage) -> dict[str, float]:
    return {name: one.resident_mb() for name, one in staged.services.items()}


def _grown(before: dict[str, float], staged: Stage, verdict: Verdict) -> None:
    for name, peak in staged.peak_mb.items():
        verdict.must(peak < before[name] + GROWN_MB, f"{name} grew from {before[name]:.0f} to {peak:.0f} MB")


def _write_down(report: Report, verdict: Verdict, staged: Stage) -> None:
    report.counts = {one.name: one.words() for one in verdict.ledgers}
    report.notes = verdict.notes
    report.peak_mb = staged.peak_mb
    report.load_average = os.getloadavg()[0]
    report.wrong = verdict.wrong + [f"{one.name}: {one.words()}" for one in verdict.ledgers if not one.exact]
