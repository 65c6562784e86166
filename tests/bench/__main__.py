"""`python -m tests.bench [P1 P9 ...] [--quick|--long] [--broker embedded|kafka]`: one JSON object a figure, then a table.

The exit code is 1 when a figure misses what it must reach, 0 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from tests.bench import (
    alerting,
    alertstorm,
    audio,
    brokers,
    burst,
    fanout,
    memory,
    onscreen,
    reconnect,
    recovery,
    throughput,
    timers,
)
from tests.bench.figures import Figure, Scale, table
from tests.bench.machine import busy, machine

Measure = Callable[..., Awaitable[Figure]]

FIGURES: Final[dict[str, Measure]] = {
    "P1": throughput.measure,
    "P1L": throughput.measure_large,
    "P3": burst.measure,
    "P4": onscreen.measure,
    "P6": fanout.measure,
    "P7": audio.measure_stall,
    "P8": audio.measure,
    "P9": timers.measure,
    "P10": alerting.measure,
    "P10S": alertstorm.measure,
    "P10D": alertstorm.measure_pair,
    "P11": recovery.measure,
    "P12": reconnect.measure,
    "P14": memory.measure,
}


async def _run(wanted: Sequence[str], kind: brokers.Kind, scale: Scale) -> list[Figure]:
    found = []
    for name in wanted:
        began = time.monotonic()
        figure = await FIGURES[name](kind, scale)
        found.append(figure)
        sys.stdout.write(figure.line() + "\n")
        sys.stdout.flush()
        sys.stderr.write(f"{name} took {time.monotonic() - began:.0f} s; {busy()}\n")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}; all without one")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_const", dest="scale", const="quick", help="to see that everything runs")
    scale.add_argument("--long", action="store_const", dest="scale", const="long", help="with the whole hour of P14")
    parser.set_defaults(scale="usual")
    parser.add_argument(
        "--broker", choices=("embedded", "kafka"), default=brokers.best(), help="Apache Kafka where its jars are"
    )
    asked = parser.parse_args(arguments)
    wanted = [name for one in asked.figures for name in one.upper().split(",") if name] or list(FIGURES)
    unknown = [name for name in wanted if name not in FIGURES]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    sys.stderr.write(f"{machine()}; broker: {asked.broker}; {busy()}\n")
    found = asyncio.run(_run(wanted, asked.broker, asked.scale))
    sys.stdout.write(table(found) + "\n")
    return 0 if asked.scale == "quick" or all(one.skipped or one.reaches(one.must) for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
