"""`python -m tests.soak`: faults one after another under load, and an exact count. `make soak` calls it.

The exit code is 0 when nothing is lost, doubled or not right again, 1 when something is, 2 for a wrong question, 3 when this
machine cannot do it, 130 when it was interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from tests.fault.disks import may_mount
from tests.soak.faults import FAULTS, possible
from tests.soak.report import by_peak, summary, table
from tools.real_kafka import find_jars, find_java
from tools.real_postgres import find_programs, unprivileged
from tools.servers import ROOT, UNAVAILABLE, Failed, Unavailable


def _asked() -> argparse.Namespace:
    known = "\n".join(
        f"  {name:20} {one.what}{f' (only {one.only})' if one.only else ''}" for name, one in FAULTS.items()
    )
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Break everything, one thing after another, while a known load pours; then count exactly.",
        epilog=f"faults:\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the load pours (default 10)")
    parser.add_argument("--seed", type=int, help="load and order of the faults; drawn when left out")
    parser.add_argument("--broker", choices=["embedded", "kafka"], default="embedded")
    parser.add_argument(
        "--database", choices=["sqlite", "postgres"], default="sqlite", help="of alerts and of the monitors"
    )
    parser.add_argument("--rate", type=float, default=150.0, help="events a second (default 150)")
    parser.add_argument(
        "--within", type=float, default=120.0, help="s after which what is not right again has failed (120)"
    )
    parser.add_argument("--keep", action="store_true", help="leave logs and databases where they are")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="only these; without any: all")
    asked = parser.parse_args()
    known = possible([asked.broker, asked.database, *(["small disk"] if may_mount() else [])])
    wrong = [
        f"{name} (only {FAULTS[name].only})" if name in FAULTS else name for name in asked.faults if name not in known
    ]
    if wrong:
        parser.error(f"here and so there is no fault {', '.join(wrong)}; there are {', '.join(known)}")
    if asked.minutes * 60 < 15:
        parser.error("--minutes: a quarter of a minute at least")
    return asked


def main() -> int:
    asked = _asked()
    if asked.broker == "kafka":
        try:
            find_java()
            os.environ["KAFKA_REAL_JARS"] = str(find_jars())  # as tests.brokers looks for them
        except (Unavailable, Failed) as exc:
            print(f"a soak on Apache Kafka cannot run here: {exc}", file=sys.stderr)
            return UNAVAILABLE
    if asked.database == "postgres":
        try:
            find_programs()
            unprivileged()
        except Unavailable as exc:
            print(f"a soak on PostgreSQL cannot run here: {exc}", file=sys.stderr)
            return UNAVAILABLE
    from tests.soak.run import Asked, soak

    seed = asked.seed if asked.seed is not None else SystemRandom().randrange(10_000)
    todo = Asked(
        seed=seed,
        lasts_s=asked.minutes * 60,
        broker=asked.broker,
        database=asked.database,
        rate=asked.rate,
        faults=tuple(asked.faults),
        within_s=asked.within,
    )
    folder = Path(tempfile.mkdtemp(prefix="floorwatch-soak-"))
    print(
        f"soak of {asked.minutes:g} min with seed {seed}, broker {asked.broker}, database {asked.database}; logs in {folder}",
        flush=True,
    )
    began = time.monotonic()
    keep = asked.keep
    try:
        report, ledgers = asyncio.run(soak(todo, folder, lambda said: print(f"  {said}", flush=True)))
        keep = keep or not report.good
    except KeyboardInterrupt:
        print("\ninterrupted: everything that was started is ended, nothing was counted", file=sys.stderr)
        return 130
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{table(report, ledgers)}\n")
    print("\n".join(report.notes))
    print(f"memory at most: {by_peak(report.peak_mb)}")
    found = summary(report)
    print(
        f"{found['faults']} faults in {time.monotonic() - began:.0f} s; boards later than 5 s: {found['boards_later_than_5_s']}; "
        f"load average {found['load_average']:.1f}; written to {report.write(ROOT / '.run')}"
    )
    if report.good:
        print("all exact: nothing lost, nothing doubled")
        return 0
    print("\nNOT AS IT MUST BE:", file=sys.stderr)
    for why in report.wrong:
        print(f"  {why}", file=sys.stderr)
    print(f"logs and databases are in {folder}; to see it again: {report.again}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
