"""What should not be is counted by kind and kept with its evidence."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from floorwatch.anomalydocs import PAGE, render
from floorwatch.replay import Replay
from services.ingest import restamp
from services.ingest.adapters.asterisk import AsteriskAdapter
from services.monitor.anomalyapi import AnomalyCounter, answer
from services.monitor.core.engine import Engine
from services.monitor.core.trust import anomalies
from shared.events import (
    AgentLoggedOff,
    AgentLoggedOn,
    CallDequeued,
    CallQueued,
    LegHeld,
    LegStarted,
    Snapshot,
    TransferRinging,
    WrapEnded,
)
from shared.siteconfig import Sites
from tests.asteriskkit import Pbx
from tests.floorkit import CONFIG, RULES, SITE, Bench, at, event

CORE = Path(anomalies.__file__).parents[1]


def kinds_used() -> Iterator[tuple[str, str]]:
    """Where, and a pattern of the kind; what is filled in at run time matches words."""
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "anomaly":
                for text in texts(node.args[0]):
                    yield f"{path.name}:{node.lineno}", text


def texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield re.escape(str(node.value))
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z_]+" for part in node.values
        )
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    else:
        raise AssertionError(f"line {node.lineno}: a kind that cannot be read here")


def test_every_kind_that_the_engine_counts_is_registered_with_its_meaning() -> None:
    used = list(kinds_used())
    assert len(used) > 20
    unknown = [place for place in used if not any(re.fullmatch(place[1], kind) for kind in anomalies.KINDS)]
    assert unknown == [], "add the kind and a sentence about it to anomalies.KINDS"


def test_every_registered_kind_is_used() -> None:
    patterns = [pattern for _, pattern in kinds_used()]
    unused = {kind for kind in anomalies.KINDS if not any(re.fullmatch(pattern, kind) for pattern in patterns)}
    assert unused == {anomalies.DUPLICATE}, "counted by the engine itself"


def test_every_meaning_is_a_sentence_that_says_what_came_and_what_was_done() -> None:
    for kind, meaning in anomalies.KINDS.items():
        assert meaning[0].isupper(), kind
        assert meaning.endswith("."), kind
        assert meaning.count(". ") >= 1 or ": " in meaning, kind
        assert "{" not in meaning, kind


def test_evidence_says_what_came_when_about_whom_and_how_that_was_before() -> None:
    floor = Bench()
    floor(0, AgentLoggedOn(agent_id="1", name="Anna"))
    floor(5, WrapEnded(agent_id="1"))
    (found,) = floor.engine.anomaly_log(SITE)
    assert (found.number, found.kind, found.time) == (1, "wrap_ended_without_wrap", at(5))
    assert (found.event_type, found.event_id, found.position) == ("wrap_ended", f"{SITE}:1", (0, 1, 0))
    assert json.loads(found.data) == {"agent_id": "1"}
    assert (found.subject, found.subject_id) == ("agent", "1")
    assert found.before.startswith("ready since 2026-11-22T09:00:00")


def test_the_subject_is_described_as_it_was_before_the_event() -> None:
    floor = Bench()
    floor(0, LegStarted(call_id="c", leg_id="l", agent_id="1"))
    floor(2, LegHeld(call_id="c", leg_id="l"))
    (found,) = floor.engine.anomaly_log(SITE)
    assert (found.kind, found.subject, found.subject_id) == ("ringing_to_held", "leg", "l")
    assert found.before.startswith("ringing since 2026-11-22T09:00:00")


def test_evidence_masks_callers_and_cuts_what_is_long() -> None:
    floor = Bench()
    floor(0, CallQueued(call_id="c", queue="sales", from_number="+447700900123"))
    floor(1, CallQueued(call_id="c", queue="sales", from_number="+447700900123"))
    floor(2, TransferRinging(transfer_id="t" * 5000))
    floor(3, Snapshot(connector="x", calls=tuple(f"call-{n}" for n in range(500))))
    twice, long, many = floor.engine.anomaly_log(SITE)[:3]
    assert "•" in twice.data
    assert "7700" not in twice.data
    assert (len(long.data), len(long.subject_id)) == (anomalies.DATA_CHARS, 100)
    assert '"calls":"500 of them"' in many.data


def test_a_snapshot_that_names_many_unknown_calls_is_one_anomaly_that_counts_them_all() -> None:
    floor = Bench()
    floor(0, Snapshot(connector="x", calls=tuple(f"c{n}" for n in range(20))))
    (found,) = floor.engine.anomaly_log(SITE)
    assert (found.kind, found.times) == ("snapshot_unknown_call", 20)
    assert found.before == "not known: c0, c1, c2, c3, c4, c5, c6, c7, and 12 more"
    assert floor.engine.anomalies(SITE) == {"snapshot_unknown_call": 20}


def test_the_last_thousand_are_kept_and_all_are_counted() -> None:
    floor = Bench()
    for number in range(1200):
        floor(number, TransferRinging(transfer_id=f"t{number}"))
    log = floor.engine.anomaly_log(SITE)
    assert floor.engine.anomalies(SITE) == {"transfer_ringing_unknown": 1200}
    assert (len(log), log[0].number, log[-1].number) == (1000, 201, 1200)


def test_long_evidence_is_bounded_in_bytes_too() -> None:
    floor = Bench()
    for number in range(1500):
        floor(number, CallDequeued(call_id=f"{number}" * 300, queue="q" * 300, reason="cleared", agent_id="a" * 300))
    assert 400 < len(floor.engine.anomaly_log(SITE)) < 1000
    assert len(floor.engine.dump()) < 1_500_000
    state = floor.engine._floors[SITE].state
    assert state.anomaly_bytes == sum(anomalies._size(one) for one in state.anomaly_log) <= anomalies.KEPT_BYTES


def test_evidence_survives_a_restart_and_numbers_go_on() -> None:
    floor = Bench()
    floor(0, WrapEnded(agent_id="1"))
    after = Engine(CONFIG, RULES)
    after.load(floor.engine.dump())
    assert after.anomaly_log(SITE) == floor.engine.anomaly_log(SITE)
    after.apply(event(1, AgentLoggedOff(agent_id="1"), 7))
    after.apply(event(2, AgentLoggedOff(agent_id="1"), 8))
    assert [one.number for one in after.anomaly_log(SITE)] == [1, 2]


def test_what_is_asked_for_is_paged_from_the_newest() -> None:
    floor = Bench()
    for second in range(5):
        floor(second, WrapEnded(agent_id="1"), TransferRinging(transfer_id="t"))
    counts, log = floor.engine.anomalies(SITE), floor.engine.anomaly_log(SITE)
    first = answer(SITE, counts, log, "wrap_ended_without_wrap", 3, None)
    assert [one.number for one in first.kept] == [9, 7, 5]
    assert (first.total, first.before) == (10, 5)
    assert answer(SITE, counts | {"duplicate": 7}, log, None, 1, None).total == 10, "as on the board"
    rest = answer(SITE, counts, log, "wrap_ended_without_wrap", 3, first.before)
    assert [one.number for one in rest.kept] == [3, 1]
    assert rest.before is None
    assert {one.kind: one.count for one in rest.counts} == counts
    assert all(one.meaning == anomalies.KINDS[one.kind] for one in rest.counts)


def test_metrics_count_every_kind_from_zero() -> None:
    floor, registry = Bench(), CollectorRegistry()
    AnomalyCounter.on(registry, floor.engine)
    floor(0, WrapEnded(agent_id="1"), WrapEnded(agent_id="1"))
    text = generate_latest(registry).decode()
    assert 'monitor_anomalies_total{kind="wrap_ended_without_wrap"} 2.0' in text
    for kind in anomalies.KINDS:
        assert f'monitor_anomalies_total{{kind="{kind}"}}' in text


def test_the_page_has_every_kind() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == render(page), "docs/trust.md is old: run `make docs`"
    with pytest.raises(ValueError, match="no place for the table"):
        render("another page")


def documented() -> set[str]:
    section = PAGE.read_text(encoding="utf-8").partition("## Anomalies")[2]
    return set(re.findall(r"^\| `(\w+)` \| \S", section, re.MULTILINE))


def test_the_page_has_every_kind_that_anything_counts() -> None:
    assert documented() == {*anomalies.KINDS, *restamp.KINDS}


def test_the_page_has_every_kind_that_a_replay_tells() -> None:
    switch = Pbx()
    for n in range(20):
        switch.at(n).send("QueueMemberPause", Queue="sales", Interface="PJSIP/1001", Paused=n % 2, PausedReason="tea")
    damaged = [json.loads(one.value) for one in switch.raws]
    damaged[15]["Timestamp"] = f"{float(damaged[15]['Timestamp']) + 2400:.6f}"
    raws = [
        msgspec.structs.replace(one, value=json.dumps(packet).encode())
        for one, packet in zip(switch.raws, damaged, strict=True)
    ]
    replay = Replay("hq", AsteriskAdapter("hq", CONFIG.site("hq")), Sites(), RULES)
    list(replay.run(raws, lambda raw, why: None))
    assert replay.summary.anomalies == {restamp.DOES_NOT_FIT: 1}
    assert replay.summary.anomalies.keys() <= documented()
