"""A real floor, recorded: what the board showed of its agents and flagged, beside what phones and customers did."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from floorwatch.replay import Replay
from floorwatch.traces import Trace
from services.ingest.adapters.asterisk import AsteriskAdapter
from services.monitor.rulefile import load_rulebook
from shared.facts import AgentInterval, Fact, FlagRaised
from shared.sites import load_sites
from tools.score_floor import SAME

ROOT = Path(__file__).parents[2]
HERE = ROOT / "tests" / "recorded" / "asterisk"
SITE = "hq"
NEAR = 0.25  # this close to a true change, or to the limit of 7 s, nothing is judged
LIMIT = 7.0

# not judged: an agent's own call, and dialling a feature code
NOT_JUDGED = {"dialing", "feature_code"}


def truth(kind: str) -> Iterator[dict[str, Any]]:
    with gzip.open(HERE / "ground_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from (one for line in lines if (one := json.loads(line))["type"] == kind)


@lru_cache(maxsize=1)
def made() -> tuple[Fact, ...]:
    """Every fact that `floorwatch replay` makes of the recording with the site and the rules that ship."""
    sites, rules = load_sites(ROOT / "deploy" / "sites.yaml"), load_rulebook(ROOT / "deploy" / "rules.yaml")
    replay = Replay(SITE, AsteriskAdapter(SITE, sites.site(SITE)), sites, rules)
    with Trace(HERE / "ami.jsonl.gz") as trace:
        facts = tuple(replay.run(trace.raws(site=SITE), lambda _, why: None))
    assert not replay.summary.rejected
    return facts


def test_the_board_shows_what_each_agent_did() -> None:
    shown: dict[str, list[AgentInterval]] = defaultdict(list)
    for fact in made():
        if isinstance(fact.data, AgentInterval):
            shown[fact.data.agent_id].append(fact.data)
    right: dict[str, float] = defaultdict(float)
    judged: dict[str, float] = defaultdict(float)
    for timeline in truth("timeline"):
        for begin, end, state, _ in timeline["intervals"]:
            first, last = begin + NEAR, end - NEAR
            if state in NOT_JUDGED or last <= first:
                continue
            judged[state] += last - first
            right[state] += sum(
                max(0.0, min(last, one.ended_at.timestamp()) - max(first, one.started_at.timestamp()))
                for one in shown[timeline["agent"]]
                if one.state in SAME[state]
            )
    assert set(judged) == set(SAME)
    assert sum(judged.values()) > 2900, "agent seconds"
    assert 0.995 <= sum(right.values()) / sum(judged.values()) <= 1.0001, "over all, no moment counted twice"
    assert {state: right[state] / judged[state] for state in judged if right[state] < 0.97 * judged[state]} == {}


def test_slow_transfers_are_flagged_at_seven_seconds_and_nothing_else_is() -> None:
    raised = {(flag.rule, flag.subject_id): flag for fact in made() if isinstance(flag := fact.data, FlagRaised)}
    calls = {call["call"]: call for call in truth("call")}
    slow = 0
    for transfer in truth("transfer"):
        ran = how_long(transfer, calls[transfer["call"]])
        mine = [
            key
            for key, flag in raised.items()
            if (flag.labels["call"], flag.labels["agent"]) == (transfer["uniqueid"], transfer["from_agent"])
        ]
        flags = [raised.pop(key) for key in mine]
        if abs(ran - LIMIT) <= NEAR:
            continue
        assert [flag.rule for flag in flags] == (["slow_transfer"] if ran > LIMIT else []), transfer
        for flag in flags:
            slow += 1
            assert abs(flag.raised_at.timestamp() - (transfer["start"] + LIMIT)) <= 0.15
    assert slow == 4
    (spy,) = truth("spy")
    assert set(raised) == {("ring_no_answer", "1006"), ("unordered_listen", spy["agent"])}, "none but these otherwise"
    listen = raised["unordered_listen", spy["agent"]]
    assert (listen.severity, spy["supervisor"] in listen.summary_en) == ("critical", True)


def how_long(transfer: dict[str, Any], call: dict[str, Any]) -> float:
    """Seconds from its start until customer and target heard each other, or until it was given up."""
    start: float = transfer["start"]
    end: float = transfer["end"]
    if transfer["mode"] == "blind":
        end = min(leg["start"] for leg in call["legs"] if leg["start"] > start)
    return end - start
