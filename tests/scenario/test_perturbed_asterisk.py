"""The recorded Asterisk floor as it might have come: doubled, disordered, stalled, or by a clock that is off, set or damaged."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pytest

from floorwatch.replay import Replay
from services.ingest.adapters.asterisk import AsteriskAdapter
from services.monitor.rulefile import load_rulebook
from shared.facts import AgentInterval, CallEnded, Fact, FlagRaised, TransferEnded
from shared.sites import load_sites
from tests.perturb import ALL, Recording
from tests.recordedasterisk import SITE, packets, raws

ROOT = Path(__file__).parents[2]
NEAR_S = 0.25

# Share of all agents' time that may be shown as another state. After a stall wraps that were over by then are not shown.
MOST_WRONG = {"stall of 20 s": 0.02, "1 % lost": 0.05}
UNHARMED = [name for name in ALL if name != "1 % lost"]


def replayed(found: Recording) -> tuple[tuple[Fact, ...], dict[str, int]]:
    """Its facts and anomalies with the site and the rules that ship."""
    sites, rules = load_sites(ROOT / "deploy" / "sites.yaml"), load_rulebook(ROOT / "deploy" / "rules.yaml")
    replay = Replay(SITE, AsteriskAdapter(SITE, sites.site(SITE)), sites, rules)
    made = tuple(fact for fact in replay.run(raws(found), lambda raw, why: None))
    assert not replay.summary.rejected
    return made, replay.summary.anomalies


@lru_cache(maxsize=1)
def unharmed() -> tuple[Fact, ...]:
    return replayed(packets())[0]


@lru_cache(maxsize=len(ALL))
def harmed(name: str) -> tuple[tuple[Fact, ...], dict[str, int]]:
    return replayed(ALL[name](packets()))


def time_in_states(made: Iterable[Fact]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = defaultdict(float)
    for fact in made:
        if isinstance(fact.data, AgentInterval):
            found[fact.data.agent_id, fact.data.state] += fact.data.duration_s
    return found


@pytest.mark.parametrize("name", ALL)
def test_agents_spend_the_same_time_in_each_state(name: str) -> None:
    expected, found = time_in_states(unharmed()), time_in_states(harmed(name)[0])
    wrong = sum(abs(found.get(key, 0.0) - expected.get(key, 0.0)) for key in expected.keys() | found.keys()) / 2
    assert wrong <= MOST_WRONG.get(name, 0.002) * sum(expected.values())


@pytest.mark.parametrize("name", UNHARMED)
def test_calls_and_transfers_are_the_same(name: str) -> None:
    for kind in (CallEnded, TransferEnded):
        expected, found = (
            {_key(f): f.data for f in made if type(f.data) is kind} for made in (unharmed(), harmed(name)[0])
        )
        assert found.keys() == expected.keys()
        for key, one in expected.items():
            for field in ("waited_s", "talk_s", "hold_s", "total_s"):
                should = getattr(one, field, None)
                if name != "stall of 20 s" or field == "total_s":
                    assert getattr(found[key], field, None) == (
                        None if should is None else pytest.approx(should, abs=NEAR_S)
                    ), (key, field)


def _key(fact: Fact) -> str:
    match fact.data:
        case CallEnded(call_id=call, queue=queue, outcome=outcome, agent_id=agent):
            return json.dumps([call, queue, outcome, agent])
        case TransferEnded(transfer_id=transfer, kind=kind, outcome=outcome, to_agent=agent):
            return json.dumps([transfer, kind, outcome, agent])
        case _:
            return ""


@pytest.mark.parametrize("name", UNHARMED)
def test_no_flag_is_raised_that_would_not_be_otherwise_and_none_is_missing(name: str) -> None:
    def flags(made: Iterable[Fact]) -> Counter[tuple[str, str]]:
        return Counter((f.data.rule, f.data.subject_id) for f in made if isinstance(f.data, FlagRaised))

    assert flags(harmed(name)[0]) == flags(unharmed())


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("clock set")])
def test_a_set_clock_is_one_anomaly(name: str) -> None:
    assert harmed(name)[1].get("clock_jump") == 1


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith("clock set")])
def test_nothing_else_is_taken_for_a_set_clock(name: str) -> None:
    assert "clock_jump" not in harmed(name)[1]
