"""Every benchmark runs in its quick form, and says what it found. No figure is judged here: this machine may be busy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.__main__ import FIGURES
from tests.bench.figures import Figure, Yardstick, table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All of them side by side: what they do most is wait."""
    command = [sys.executable, "-m", "tests.bench", "--quick", "--broker", "embedded"]
    started = {
        name: subprocess.Popen([*command, name], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in FIGURES
    }
    yield started
    for process in started.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", FIGURES)
def test_a_benchmark_says_what_it_found(name: str, running: dict[str, subprocess.Popen[str]]) -> None:
    out, errors = running[name].communicate(timeout=180)
    assert running[name].returncode == 0, errors[-4000:]
    found = json.loads(out.splitlines()[0])
    assert found["id"] == name
    assert isinstance(found["broken"], list)  # on a crowded machine a record may come later than any hold-back waits
    assert found["value"] > 0
    assert found["yardstick"]["value"] > 0
    assert found["ratio"] == pytest.approx(found["yardstick"]["ours"] / found["yardstick"]["value"], rel=0.01)
    assert found["must_reached"] in (True, False)
    assert any(line.startswith(name) for line in out.splitlines()[1:]), "the table has it too"


def figure(value: float, **more: object) -> Figure:
    fields: dict[str, object] = {
        "id": "P0",
        "figure": "a test",
        "unit": "ms",
        "value": value,
        "must": 100.0,
        "aim": 50.0,
        "better": "lower",
        "yardstick": Yardstick(what="nothing", unit="ms", value=10.0, ours=value),
    }
    return Figure(**(fields | more))  # type: ignore[arg-type]


def test_a_figure_is_judged_by_its_limits() -> None:
    assert [figure(value).reaches(100.0) for value in (99.0, 100.0, 101.0)] == [True, True, False]
    assert figure(60.0).ratio == 6.0
    assert figure(6.0, judged="ratio", better="higher", must=0.6).reaches(0.6)
    assert not figure(5.0, judged="ratio", better="higher", must=0.6).reaches(0.6)


def test_what_is_broken_reaches_nothing() -> None:
    broken = figure(1.0, broken=("three records were lost",))
    assert not broken.reaches(broken.must)
    assert "three records were lost" in table([broken])
    assert "MISSED" in table([broken])
