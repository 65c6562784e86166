"""Trace files: two kinds, plain or gzipped, damaged or not."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from floorwatch.traces import Damage, Trace
from shared.errors import SettingsError
from shared.raw import Raw

T = 1795316884.5


def read(path: Path) -> tuple[list[Raw], list[Damage]]:
    found: list[Damage] = []
    with Trace(path, found.append) as trace:
        raws = list(trace.raws(site="hq"))
        assert trace.read_bytes == trace.total_bytes
        assert trace.damages == len(found)
    return raws, found


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def zipped(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def write(path: Path, content: bytes, zipped: bool) -> Path:
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


def test_json_lines(tmp_path: Path, zipped: bool) -> None:
    first = b'{"t": 1795316884.5, "off": 7, "event": {"Event": "Hold", "X": ["a", "b"]}}'
    content = first + b'\n\n{"t": 1795316885, "event": {"Event": "Unhold"}}'
    raws, damages = read(write(tmp_path / "trace", content, zipped))
    assert not damages
    assert [raw.value for raw in raws] == [b'{"Event":"Hold","X":["a","b"]}', b'{"Event":"Unhold"}']
    assert raws[0].received == datetime.fromtimestamp(T, UTC)
    assert [(raw.partition, raw.offset, raw.seq, raw.session) for raw in raws] == [
        (0, 0, 0, "trace"),
        (0, 1, 1, "trace"),
    ]
    assert (raws[0].site, raws[0].vendor) == ("hq", "asterisk")


def test_cloud_events_of_any_vendor_stand_as_they_are(tmp_path: Path) -> None:
    line = b'{"specversion": "1.0", "time": "2026-11-22T09:00:00Z", "type": "x"}'
    raws, damages = read(write(tmp_path / "t", line + b'\n{"specversion": "1.0"}\n', False))
    assert [raw.value for raw in raws] == [line]
    assert damages == [Damage(2, "no `time` with a time zone")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"t": 1795316884, "event": {"Ev', "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"t": 1795316884}', "no object `event`"),
        (b'{"event": {"Event": "Hold"}}', "no time `t`"),
        (b'{"t": true, "event": {}}', "no time `t`"),
        (b'{"t": 1e300, "event": {}}', "no time `t`"),
        (b'{"t": "\xff", "event": {}}', "not JSON"),
        (b"\x00\x01\x02", "not JSON"),
    ],
)
def test_a_damaged_line_is_told_by_number_and_reason_and_passed_over(
    tmp_path: Path, zipped: bool, line: bytes, reason: str
) -> None:
    good = b'{"t": 1795316884, "event": {"Event": "Hold"}}\n'
    raws, damages = read(write(tmp_path / "t", good + line + b"\n" + good, zipped))
    assert [raw.offset for raw in raws] == [0, 1]
    assert len(damages) == 1
    assert damages[0].line == 2
    assert reason in damages[0].reason


AMI = (
    b"Asterisk Call Manager/13.0.0\r\n"
    b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n"
    b"Event: Hold\r\nTimestamp: 1795316884.500000\r\nChannel: PJSIP/1001-1\r\n\r\n"
    b"Event: QueueMember\r\nQueue: sales\r\n\r\n"
    b"Event: Unhold\r\nTimestamp: 1795316886.000000\r\nthis line is broken\r\nChannel: PJSIP/1001-1\r\n\r\n"
    b"Response: Follows\r\nanything\r\n--END COMMAND--\r\n\r\n"
    b"Event: Hangup\r\nTimestamp: 1795316887.0"
)


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_ami_text_takes_its_times_from_the_stamps(tmp_path: Path, zipped: bool, ends: bytes) -> None:
    raws, damages = read(write(tmp_path / "t", AMI.replace(b"\r\n", ends), zipped))
    seconds = [raw.received.timestamp() - 1795316880 for raw in raws]
    assert seconds == [4.5, 4.5, 4.5, 6.0, 6.0, 7.0]
    assert raws[1].value == b"Event: Hold\r\nTimestamp: 1795316884.500000\r\nChannel: PJSIP/1001-1"
    assert b"broken" not in raws[3].value
    assert damages == [Damage(14, "not a `Key: value` line: 'this line is broken'")]


def test_ami_text_without_any_stamp_takes_the_time_the_file_was_written(tmp_path: Path) -> None:
    path = write(tmp_path / "t", b"Event: Hold\n\nEvent: Unhold\n\n", False)
    raws, _ = read(path)
    written = pytest.approx(path.stat().st_mtime, abs=1e-3)
    assert [raw.received.timestamp() for raw in raws] == [written, written]


def test_a_gzip_file_that_ends_early_gives_what_it_has(tmp_path: Path) -> None:
    lines = b"".join(b'{"t": 1795316884, "event": {"Event": "Hold", "N": %d}}\n' % n for n in range(3000))
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(lines)[:-4000])
    raws, damages = read(path)
    assert 0 < len(raws) < 3000
    assert "compressed file" in damages[-1].reason


def test_an_endless_line_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("floorwatch.traces.LONGEST_LINE", 64)
    good = b'{"t": 1795316884, "event": {"Event": "Hold"}}\n'
    raws, damages = read(write(tmp_path / "t", good + b"x" * 1000 + b"\n" + good, False))
    assert len(raws) == 2
    assert damages == [Damage(2, "longer than 64 bytes")]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere: cannot be read: No such file"):
        Trace(tmp_path / "nowhere")


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert read(write(tmp_path / "t", b"", False)) == ([], [])
