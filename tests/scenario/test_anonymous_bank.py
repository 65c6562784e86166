"""A month of a real bank's calls, replayed: every figure that others computed of it, and the engine's own beside them.

The data is not part of this repository: "Anonymous Bank" call-center data, I. Guedj and A. Mandelbaum, Technion. Its folder
`anonymous_bank` is looked for in FLOORWATCH_DATA, or in `shared/data` beside the repository; without it these tests are skipped.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from floorwatch.cli import app
from services.ingest.adapters.anonymous_bank import entry_of

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("FLOORWATCH_DATA", ROOT.parent / "shared" / "data")) / "anonymous_bank"
MONTH, EXPECTED = FOLDER / "january.txt.gz", FOLDER / "expected.json"

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not MONTH.is_file(), reason=f"{MONTH} is not there"),
]


class Replayed(NamedTuple):
    summary: Path
    records: list[dict[str, Any]]


def floorwatch(*arguments: object) -> tuple[int, str]:
    """Exit code and output of the command."""
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    folder = tmp_path_factory.mktemp("bank")
    summary, out = folder / "summary.json", folder / "records.jsonl"
    where = ("--config", ROOT / "deploy" / "sites.yaml", "--rules", ROOT / "deploy" / "rules.yaml")
    what = ("--adapter", "anonymous_bank", "--site", "bank", "--summary", summary, "--out", out)
    code, said = floorwatch("replay", MONTH, *what, *where)
    assert code == 0, said
    return Replayed(summary, [json.loads(line) for line in out.read_text().splitlines()])


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXPECTED.read_text())["files"][MONTH.name]
    return found


def test_every_figure_of_the_month_is_exactly_the_expected_one(month: Replayed, expected: dict[str, Any]) -> None:
    assert json.loads(month.summary.read_text()) == expected


def test_the_command_says_so(month: Replayed) -> None:
    assert floorwatch("compare", month.summary, EXPECTED, "--key", f"files/{MONTH.name}") == (
        0,
        "685 figures equal, 0 differ\n",
    )


def test_rows_by_6_minutes_are_as_others_counted_them() -> None:
    """Their bins do not hold the instant at which they begin, but that at which they end; midnight is of its own day."""
    counted: Counter[tuple[str, str]] = Counter()
    for line in gzip.decompress(MONTH.read_bytes()).splitlines():
        entered = entry_of(line)
        if entered is not None:
            minutes = max(0, (entered.hour * 3600 + entered.minute * 60 + entered.second - 1) // 60)
            counted[entered.date().isoformat(), f"{minutes // 60:02}:{minutes % 60 // 6 * 6:02}"] += 1
    with (FOLDER / "rows_per_6min_january_rfssa.csv").open() as file:
        table = {one.pop("date"): one for one in csv.DictReader(file)}
    others = {(day, begin): int(count) for day, one in table.items() for begin, count in one.items() if int(count)}
    assert counted == others


def test_the_engines_own_queue_figures_add_up_to_the_same(month: Replayed, expected: dict[str, Any]) -> None:
    """Offered, answered, abandoned, waits and conversations of every 15-minute interval of every queue."""
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in month.records:
        if one["record"] == "queue_interval":
            sums[one["queue"]].update({name: one[name] for name in SUMMED})
    assert set(sums) == set(expected["by_type"])
    for name, figures in expected["by_type"].items():
        own = sums[name]
        within = figures["answered_within_20"]
        assert own["offered"] == figures["offered"]
        assert own["answered"] == own["handled"] == figures["answered"]
        assert own["abandoned"] == figures["abandoned"]
        assert own["answered_within"] == within
        assert own["talk_s"] == figures["talk_seconds"]
        assert own["wait_answered_s"] == pytest.approx((figures["asa"] or 0) * figures["answered"], abs=0.1)
        assert own["wait_abandoned_s"] == pytest.approx(figures["mean_wait_abandoned"] * figures["abandoned"], abs=0.1)


SUMMED = (
    "offered",
    "answered",
    "abandoned",
    "answered_within",
    "handled",
    "talk_s",
    "wait_answered_s",
    "wait_abandoned_s",
)
