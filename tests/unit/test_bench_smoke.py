"""Every benchmark runs in its quick form, and says what it found. No figure is judged here: this machine may be busy."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.frames import frame_of
from tests.bench.__main__ import FIGURES
from tests.bench.figures import Figure, Yardstick, table
from tests.bench.leanclients import Client

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


@pytest.mark.timeout(900)  # they are many at once, and wait for each other where a machine has other things to do
@pytest.mark.parametrize("name", FIGURES)
def test_a_benchmark_says_what_it_found(name: str, running: dict[str, subprocess.Popen[str]]) -> None:
    out, errors = running[name].communicate(timeout=880)
    assert running[name].returncode == 0, errors[-4000:]
    found = json.loads(out.splitlines()[0])
    assert found["id"] == name
    if found["skipped"]:
        pytest.skip(found["skipped"])
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


def test_what_cannot_be_measured_here_is_neither_reached_nor_missed() -> None:
    skipped = figure(0.0, skipped="no Chromium")
    assert not skipped.reaches(skipped.must)
    assert "skipped" in table([skipped])
    assert "no Chromium" in table([skipped])
    assert "MISSED" not in table([skipped])


def test_a_lean_client_reads_frames_however_they_are_cut() -> None:
    whole: list[bool] = []
    big = b"x" * 70_000
    said = [
        b'{"type":"hello"}',
        b'{"type":"snapshot","epoch":"e-1","position":7,"part":1,"parts":2,"floor":"' + big + b'"}',
        b'{"type":"clock","sites":{},"position":7}',
        b'{"type":"snapshot","epoch":"e-1","position":7,"part":2,"parts":2,"floor":""}',
        b'{"type":"delta","position":8,"changes":["' + b"y" * 300 + b'"]}',
    ]
    stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + b"".join(frame_of(one).wire for one in said)
    for step in (1, 7, 239, 4096, len(stream)):
        transport = Heard()
        client = Client(b"upgrade", b"subscribe", lambda: whole.append(True), lambda: None)
        client.connection_made(transport)
        for place in range(0, len(stream), step):
            client.data_received(stream[place : place + step])
        assert transport.written == [b"upgrade", b"subscribe"]
        assert (client.epoch, client.position) == ("e-1", 7)
        assert (client.deltas, client.clocks, client.picture_bytes) == (1, 1, len(said[1]) + len(said[3]))
        assert client.newest.startswith(b'{"type":"delta","position":8')
    assert len(whole) == 5


class Heard(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))
