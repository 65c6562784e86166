"""Many agents for a long time at full speed, and what the engine needs meanwhile: one JSON line for each simulated minute.

python -m tests.scalerun --sites 20 --agents 500 --minutes 60
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from services.monitor.core.engine import Engine
from services.monitor.core.state import SiteState
from services.monitor.rulefile import load_rulebook
from shared.events import Clock
from shared.siteconfig import Sites
from tests.largefloor import START, large_floor

RULES = Path(__file__).parents[1] / "deploy" / "rules.yaml"
_FEED_EVERY = 4096  # events; a monitor asks much more often


class Sample(Struct, frozen=True):
    """After so many simulated minutes. `rss_mb` is of the whole process, the simulated floors included."""

    minute: int
    events: int
    rss_mb: float
    dump_kb: int
    agents: int
    calls: int
    legs: int
    transfers: int
    timers: int
    flags: int
    kept: int  # entries of whatever is remembered for a while: flags told, what is over, what came early, anomalies
    anomalies: dict[str, int]  # by kind


def samples(sites: int, agents: int, minutes: int, seed: int) -> Iterator[Sample]:
    """Run the floors through an engine with the rules that ship."""
    engine = Engine(Sites({}), load_rulebook(RULES))
    minute = 0
    for heard, event in enumerate(large_floor(sites, agents, timedelta(minutes=minutes), seed=seed), 1):
        engine.apply(event)
        if heard % _FEED_EVERY == 0:
            engine.changes()
        if type(event.data) is Clock and event.time >= START + timedelta(minutes=minute + 1):
            minute += 1
            engine.changes()
            yield _sample(engine, minute, heard)


def _sample(engine: Engine, minute: int, heard: int) -> Sample:
    states = [floor.state for floor in engine._floors.values()]

    def every(what: str) -> int:
        return sum(len(getattr(state, what)) for state in states)

    dump = len(engine.dump())
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Sample(
        minute=minute,
        events=heard,
        rss_mb=round(pages * resource.getpagesize() / 1e6, 1),
        dump_kb=dump // 1000,
        agents=every("agents"),
        calls=every("calls"),
        legs=every("legs"),
        transfers=every("transfers"),
        timers=every("timers"),
        flags=every("flags"),
        kept=sum(_kept(state) for state in states),
        anomalies=dict(sum((Counter(state.anomalies) for state in states), Counter())),
    )


def _kept(state: SiteState) -> int:
    told = sum(len(one) for one in state.told.values())
    return told + len(state.over) + len(state.over_legs) + len(state.early) + len(state.anomaly_log)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the samples as they come."""
    parser = argparse.ArgumentParser(prog="python -m tests.scalerun", description=__doc__)
    for name, usual in (("sites", 20), ("agents", 500), ("minutes", 60), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    given = parser.parse_args(arguments)
    for sample in samples(given.sites, given.agents, given.minutes, given.seed):
        sys.stdout.write(msgspec.json.encode(sample).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
