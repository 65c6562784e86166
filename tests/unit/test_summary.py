"""Figures of a whole recording: exact arithmetic, SUMMARY.json, and the comparison with expected figures."""

from __future__ import annotations

import json
import re
import statistics
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from floorwatch.cli import app
from floorwatch.compare import compare
from floorwatch.summary.exact import MICROS, Durations, micros, seconds
from floorwatch.summary.peaks import Peak
from tests import bankkit
from tests.bankkit import HEADER, ROOT, row, tabbed, write

RECORDING = ROOT / "tests" / "recorded" / "asterisk" / "ami.jsonl.gz"
NOON = datetime(1999, 1, 5, 12)


def durations(values: list[float]) -> Durations:
    found = Durations()
    for value in values:
        found.add(micros(value))
    return found


# ---------------------------------------------------------------- arithmetic


@given(st.lists(st.integers(0, 5000), min_size=2))
def test_mean_deviation_and_median_are_those_of_the_statistics_module(values: list[int]) -> None:
    found = durations(list(map(float, values)))
    assert found.mean == round(statistics.mean(map(float, values)), 6)
    assert found.deviation == pytest.approx(statistics.stdev(values), abs=1e-6)
    assert found.median == statistics.median(values)
    assert seconds(found.total) == sum(values)


@given(st.lists(st.integers(0, 50), min_size=1), st.sampled_from([1, 50, 90, 95, 100]))
def test_a_percentile_is_the_smallest_that_enough_do_not_exceed(values: list[int], percent: int) -> None:
    found = seconds(durations(list(map(float, values))).percentile(percent))
    reached = [value for value in values if sum(one <= value for one in values) * 100 >= percent * len(values)]
    assert found == min(reached)


def test_a_sum_does_not_depend_on_its_order() -> None:
    values = [0.1] * 10 + [1e6] + [0.2] * 7
    assert durations(values).mean == durations(values[::-1]).mean
    assert sum(values) != sum(values[::-1])  # what floats would have made of it


def test_nothing_has_no_mean() -> None:
    nothing = Durations()
    assert (nothing.mean, nothing.deviation, nothing.median, nothing.percentile(50), nothing.longest) == (None,) * 5
    assert durations([7.0]).deviation is None


def test_a_whole_number_of_seconds_is_whole() -> None:
    assert [seconds(3 * MICROS), seconds(1), seconds(None)] == [3, 1e-06, None]
    assert isinstance(seconds(3 * MICROS), int)


def test_one_that_ends_when_another_begins_is_not_beside_it() -> None:
    peak = Peak()
    peak.add(NOON, timedelta(seconds=10))
    peak.add(NOON + timedelta(seconds=10), timedelta(seconds=10))
    assert peak.highest() == (1, NOON)
    peak.add(NOON + timedelta(seconds=9), timedelta(seconds=5))
    assert peak.highest() == (2, NOON + timedelta(seconds=9))


def test_an_empty_stretch_is_nowhere() -> None:
    peak = Peak()
    peak.add(NOON, timedelta())
    assert peak.highest() == (0, None)


# ---------------------------------------------------------------- comparing


def test_equal_figures_are_counted_one_by_one() -> None:
    found = compare({"a": 1, "b": {"c": 2.0, "d": [1, None]}}, {"a": 1, "b": {"c": 2, "d": [1, None]}})
    assert str(found) == "4 figures equal, 0 differ"


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        ({"a": {"b": 2}}, "a/b: ours 2, expected 1"),
        ({"a": {}}, "a/b: ours (missing), expected 1"),
        ({"a": {"b": 1, "c": None}}, "a/c: ours null, expected (missing)"),
        ({"a": {"b": None}}, "a/b: ours null, expected 1"),
        ({"a": {"b": True}}, "a/b: ours true, expected 1"),
        ({"a": {"b": 1.000001}}, "a/b: ours 1.000001, expected 1"),
    ],
)
def test_what_differs_is_named_with_both_values(ours: object, told: str) -> None:
    assert told in [str(one) for one in compare(ours, {"a": {"b": 1}}).differences]


def command(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    return done.exit_code, done.output


def test_the_command_ends_with_1_when_something_differs(tmp_path: Path) -> None:
    ours, expected = tmp_path / "ours.json", tmp_path / "expected.json"
    ours.write_text('{"a": 1, "b": 2}')
    expected.write_text('{"files": {"january.txt.gz": {"a": 1, "b": 3}}}')
    key = ("--key", "files/january.txt.gz")
    assert command("compare", ours, expected, *key) == (1, "b: ours 2, expected 3\n1 figures equal, 1 differ\n")
    assert command("compare", ours, ours) == (0, "2 figures equal, 0 differ\n")
    done = CliRunner().invoke(app, ["compare", str(ours), str(expected), "--key", "files/may"])
    assert "there is no 'may'; there are january.txt.gz" in str(done.exception)


# ---------------------------------------------------------------- the command


def replay(file: Path, *more: object, adapter: str = "anonymous_bank", site: str = "bank") -> tuple[int, str]:
    where = ("--config", ROOT / "deploy" / "sites.yaml", "--rules", ROOT / "deploy" / "rules.yaml")
    return command("replay", file, "--adapter", adapter, "--site", site, *where, *more)


def test_unreadable_lines_are_told_by_their_line_in_the_file_and_listed(tmp_path: Path) -> None:
    lines = [*tabbed(row(50_000)), "AA0101\t33116", *tabbed(row(40_000)), *tabbed(row(100, date="990231"))]
    file, out = write(tmp_path / "log.txt", lines), tmp_path / "summary.json"
    code, said = replay(file, "--summary", out)
    assert code == 0
    assert "log.txt:3: passed over: wrong_field_count: 2 fields instead of 17: 'AA0101 33116'" in said
    assert "log.txt:5: passed over: bad_date: date: '990231' is no day as YYMMDD" in said
    assert "refused       1 wrong_field_count, 1 bad_date" in said.replace(
        "1 bad_date, 1 wrong_field_count", "1 wrong_field_count, 1 bad_date"
    )
    summary = json.loads(out.read_text())
    assert summary["rows"] == 2
    assert summary["unparsable_lines"] == [
        {"line": 3, "reason": "wrong_field_count"},
        {"line": 5, "reason": "bad_date"},
    ]
    assert summary["sha256_uncompressed"] == bankkit.sha256([HEADER, *lines])


def test_of_many_unreadable_lines_twenty_are_told_and_all_are_counted(tmp_path: Path) -> None:
    file, out = write(tmp_path / "log.txt", [*tabbed(row(100)), *["x"] * 50]), tmp_path / "summary.json"
    code, said = replay(file, "--summary", out)
    assert code == 0
    assert said.count("passed over") == 20
    assert "and 30 more; in all 0 lines are damaged and 50 were refused" in said
    assert len(json.loads(out.read_text())["unparsable_lines"]) == 50


def test_what_was_refused_is_quoted_as_it_stands(tmp_path: Path) -> None:
    file = write(tmp_path / "log.txt", [*tabbed(row(100)), "root:x:0:0"])
    _, said = replay(file, "--summary", tmp_path / "summary.json")
    assert "1 field instead of 17: 'root:x:0:0'" in said, "no colon and letter became a picture"


def test_records_and_summary_do_not_go_to_one_file(tmp_path: Path) -> None:
    file, out = write(tmp_path / "log.txt", tabbed(row(100))), str(tmp_path / "both")
    where = ["--adapter", "anonymous_bank", "--site", "bank"]
    done = CliRunner().invoke(app, ["replay", str(file), *where, "--out", out, "--summary", out])
    assert "both is where --out goes; name another file" in str(done.exception)


def test_a_dry_run_over_a_log_of_calls_raises_what_its_replay_does(tmp_path: Path) -> None:
    """In both the log is read in the order of time, by the wall clock of its site, and nothing is given up before its end."""
    rows = [row(30_000 + 700 * n, wait=90 + n, talk=950, call_id=str(n), server=f"A{n % 3}") for n in range(20)]
    file, out = write(tmp_path / "log.txt", tabbed(*reversed(rows))), tmp_path / "records.jsonl"
    replay(file, "--out", out)
    flags = [one["rule"] for one in map(json.loads, out.read_text().splitlines()) if one["record"] == "flag"]
    assert (flags.count("long_wait"), flags.count("long_talk")) == (20, 20)
    where = ("--config", ROOT / "deploy" / "sites.yaml", "--trace", file, "--adapter", "anonymous_bank")
    code, said = command("rules", "dry-run", ROOT / "deploy" / "rules.yaml", *where, "--site", "bank")
    assert code == 0
    assert re.search(rf": {len(flags)} flags", " ".join(said.split()))
    assert re.search(r"^long_wait +20 ", said, re.MULTILINE)


def test_a_file_without_a_single_row_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "log.txt", ["x", "y"])
    done = CliRunner().invoke(
        app,
        ["replay", str(file), "--adapter", "anonymous_bank", "--site", "bank", "--summary", str(tmp_path / "s.json")],
    )
    assert "holds no" in str(done.exception)


def test_records_and_summary_are_told_apart_and_one_is_needed(tmp_path: Path) -> None:
    file = write(tmp_path / "log.txt.gz", tabbed(row(100)))
    done = CliRunner().invoke(app, ["replay", str(file), "--adapter", "anonymous_bank", "--site", "bank"])
    assert "give --out, --summary or both" in str(done.exception)
    code, _ = replay(file, "--out", tmp_path / "records.jsonl")
    assert code == 0
    [call] = [
        one for one in map(json.loads, (tmp_path / "records.jsonl").read_text().splitlines()) if one["record"] == "call"
    ]
    assert call["attributes"] == {"type": "PS", "priority": "0", "date": "1999-01-05"}
    assert (call["waited_s"], call["talk_s"], call["agent_id"]) == (0.0, 60.0, "ANAT")


def test_a_site_of_another_time_zone_and_with_leases_gives_the_same_figures(tmp_path: Path) -> None:
    lines = tabbed(
        row(100), row(40_000, talk=30_000, call_id="4"), row(86_000, call_id="2"), row(7300, day="990402", call_id="3")
    )
    found = [bankkit.summary_of(write(tmp_path / "log.txt", lines), site=site) for site in ("bank", "hq", "unknown")]
    assert found[0] == found[1] == found[2]


def test_other_recordings_have_a_summary_by_queue_agent_and_day(tmp_path: Path) -> None:
    out = tmp_path / "summary.json"
    code, _ = replay(RECORDING, "--summary", out, adapter="asterisk", site="hq")
    assert code == 0
    found = json.loads(out.read_text())
    for part in ("by_queue", "by_date"):
        for name in ("offered", "answered", "abandoned", "other_ended", "talk_seconds"):
            assert sum(one[name] for one in found[part].values()) == pytest.approx(found[name], abs=1e-5)
    assert found["answered"] == sum(one["handled"] for one in found["by_agent"].values())
    assert found["read"]["packets"] > 1000
    assert found["read"]["records"]["transfer"] == sum(found["transfers"]["outcomes"].values()) == 11
