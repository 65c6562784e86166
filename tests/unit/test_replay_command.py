"""`floorwatch replay` and the site of `publish`: what a wrong file, folder or name is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from floorwatch import publish, replay
from shared.errors import FloorwatchError, SettingsError

RULES = Path(__file__).parents[2] / "deploy" / "rules.yaml"
SITES = "sites: {hq: {}}\ndefaults: {queues: {sales: {wrap_up_s: 6}, support: {wrap_up_s: 10}}}\n"
ASTERISK = '{"t": 1772442000.0, "event": {"Event": "FullyBooted"}}\n'


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    (tmp_path / "sites.yaml").write_text(SITES)
    file = tmp_path / "trace.jsonl"
    file.write_text(ASTERISK * 2)
    return file


def run(trace: Path, *, adapter: str = "asterisk", site: str = "hq", out: str = "records.jsonl") -> None:
    config = trace.with_name("sites.yaml")
    replay.main(trace, adapter=adapter, site=site, config=config, rules=RULES, out=trace.parent / out)


def test_records_that_cannot_be_written_are_named_with_the_reason(trace: Path) -> None:
    with pytest.raises(SettingsError, match=r"^--out: .*/nowhere/x cannot be written: No such file or directory$"):
        run(trace, out="nowhere/x")


def test_the_recording_itself_is_never_written_over(trace: Path) -> None:
    before = trace.read_bytes()
    with pytest.raises(SettingsError, match=r"^--out: .*trace.jsonl is the recording itself; name another file$"):
        run(trace, out=trace.name)
    assert trace.read_bytes() == before


def test_a_file_whose_every_packet_is_refused_is_an_error_that_says_why(trace: Path) -> None:
    with pytest.raises(
        FloorwatchError, match=r"no packet that can be read as generic; the first was refused because: \S"
    ):
        run(trace, adapter="generic")


def test_one_packet_that_can_be_read_is_enough(trace: Path) -> None:
    trace.write_text('{"t": 1772442000.0, "event": {"Event": "CEL"}}\n' + ASTERISK)
    run(trace)


def test_a_site_that_is_not_named_gets_the_defaults_and_is_told_so(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(trace, site="nowhere")
    told = capsys.readouterr().err.splitlines()
    file = trace.with_name("sites.yaml")
    assert f"site nowhere is not in {file}; its defaults are used (queues named there: sales, support)" in told
    run(trace, site="hq")
    assert "defaults" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "a b", "a/b", ".hq", "北京", "hq\n"])
def test_a_name_that_no_site_can_have_is_refused_by_both(trace: Path, name: str) -> None:
    refused = r"^--site: expected letters, digits and \. _ -, a letter or digit first, got "
    with pytest.raises(SettingsError, match=refused):
        run(trace, site=name)
    with pytest.raises(SettingsError, match=refused):
        publish.main(trace, adapter="asterisk", site=name, speed=1.0, as_of_now=True)
