"""A call log played into the running system: ingest's marks and the engine make of it what a replay makes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from floorwatch.traces import Trace
from services.ingest.adapters.anonymous_bank import END
from services.ingest.links import link_value
from services.ingest.pipeline import IngestMachine
from services.monitor.core.engine import Engine
from services.monitor.rulefile import load_rulebook
from shared.events import LinkUp
from shared.facts import CallEnded, Fact, FlagRaised
from shared.raw import Raw
from tests.bankkit import ROOT, SITES, row, tabbed, write

TEN = 36_000
BEAT = timedelta(seconds=1)
ROWS = (
    row(TEN, wait=10, talk=100),
    row(TEN + 30, wait=200, talk=400, call_id="2", server="TALI"),  # waits long enough for a flag
    row(TEN + 60, wait=25, outcome="HANG", talk=0, server="NO_SERVER", call_id="3"),
    row(TEN + 7200, talk=30, call_id="4"),  # after two hours without a call
    row(TEN + 9000, talk=30, call_id="5"),
)


def published(file: Path) -> tuple[list[Fact], Engine]:
    """What the engine says of the log, with a mark after each record, as if each had come at its time."""
    ingest = IngestMachine(SITES)
    engine = Engine(SITES, load_rulebook(ROOT / "deploy" / "rules.yaml"))
    found: list[Fact] = []
    link = LinkUp(connector="replay", replay=True)
    with Trace(file) as trace:
        raws = list(trace.raws(site="bank", vendor="anonymous_bank", beat=BEAT))
    first = raws[0]
    up = Raw(
        value=link_value(link, id="up", source="/test"),
        vendor=first.vendor,
        site=first.site,
        connector="replay",
        received=first.received,
        kind="link",
        session="up",
        partition=0,
        offset=0,
    )
    for offset, raw in enumerate([up, *raws]):
        placed = Raw(**{name: getattr(raw, name) for name in raw.__struct_fields__} | {"offset": offset})
        for event in ingest.apply(placed):
            found += engine.apply(event)
        mark = ingest.clocks["bank"].mark(raw.received)
        if mark is not None and raw.value != END:
            found += engine.apply(mark)
    return found, engine


def test_calls_have_their_figures_and_nothing_comes_late(tmp_path: Path) -> None:
    facts, engine = published(write(tmp_path / "log.txt", tabbed(*ROWS)))
    calls = [(one.data.outcome, one.data.waited_s, one.data.talk_s) for one in facts if isinstance(one.data, CallEnded)]
    assert sorted(calls, key=str) == sorted(
        [
            ("answered", 10.0, 100.0),
            ("answered", 200.0, 400.0),
            ("abandoned", 25.0, None),
            ("answered", 0.0, 30.0),
            ("answered", 0.0, 30.0),
        ],
        key=str,
    )
    assert engine.anomalies("bank") == {}


def test_flags_are_raised_for_what_happened_and_for_nothing_else(tmp_path: Path) -> None:
    facts, _ = published(write(tmp_path / "log.txt", tabbed(*ROWS)))
    waits = [one.data for one in facts if isinstance(one.data, FlagRaised) and one.data.rule == "long_wait"]
    assert [flag.subject_id for flag in waits] == ["990105-100030-AA0101-2"]
