"""A large floor for a long time: what the engine needs does not grow with time, only with the floor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.scalerun import Sample

ROOT = Path(__file__).resolve().parents[2]
FULL_AFTER = (
    7  # minutes: ended transfers stay on the board for five of them, and calls that are over are remembered as long
)


def run(sites: int, agents: int, minutes: int, *, limit_s: float) -> list[Sample]:
    """In a process of its own, whose memory is the engine's and the simulated floors'."""
    command = [sys.executable, "-m", "tests.scalerun"]
    for name, value in (("sites", sites), ("agents", agents), ("minutes", minutes)):
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [msgspec.json.decode(line, type=Sample) for line in done.stdout.splitlines()]
    assert [one.minute for one in found] == list(range(1, minutes + 1))
    assert found[-1].agents >= sites * agents
    return found


def check_flat(found: list[Sample], sites: int) -> None:
    first, later = found[FULL_AFTER - 1], found[FULL_AFTER:]
    for one in later:
        assert one.rss_mb < 1.08 * first.rss_mb + 2, "memory grows"
        assert one.dump_kb < 1.25 * first.dump_kb, "the checkpoint grows"
        assert one.kept < 1.25 * first.kept + 200 * sites, "something is remembered for ever"
        assert one.timers < sites * (4096 + 4 * one.agents / sites), "timers that count no longer are not let go"
        assert set(one.anomalies) <= {"flapping"}, "the simulated floors are possible ones"


def test_a_large_floor_needs_no_more_after_a_while() -> None:
    check_flat(run(sites=2, agents=500, minutes=14, limit_s=180), sites=2)


@pytest.mark.long
def test_ten_thousand_agents_on_twenty_sites_need_no_more_after_an_hour(request: pytest.FixtureRequest) -> None:
    """Some four million events; run it with `pytest -m long`."""
    if "long" not in request.config.option.markexpr:
        pytest.skip("takes minutes: pytest -m long")
    check_flat(run(sites=20, agents=500, minutes=60, limit_s=3600), sites=20)
