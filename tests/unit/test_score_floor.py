"""The scorer of recorded floors sees what is wrong: each of its figures falls when its records are spoilt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tools.score_floor import score, told

AT = 1_772_442_000  # epoch seconds; as ISO time below


def iso(second: float) -> str:
    return datetime.fromtimestamp(AT + second, UTC).isoformat()


TRUTH: list[dict[str, Any]] = [
    {"type": "agent", "agent": "1001", "name": "Ana", "interface": "PJSIP/1001", "state_interface": "PJSIP/1001"},
    {"type": "timeline", "agent": "1001", "intervals": [[AT, AT + 10, "ready", ""], [AT + 10, AT + 40, "talk", "c1"]]},
    {
        "type": "call",
        "call": "c1",
        "legs": [{"start": AT + 10.0}, {"start": AT + 28.5}],
        "queue_visits": [{"queue": "sales", "outcome": "answered"}],
    },
    {
        "type": "transfer",
        "call": "c1",
        "mode": "blind",
        "outcome": "completed",
        "from_agent": "1001",
        "start": AT + 20.0,
        "end": AT + 28.4,
        "duration": 8.4,
    },
]


def records() -> list[dict[str, Any]]:
    return [
        {"record": "agent_interval", "agent_id": "1001", "state": "ready", "started_at": iso(0), "ended_at": iso(10)},
        {"record": "agent_interval", "agent_id": "1001", "state": "talk", "started_at": iso(10), "ended_at": iso(40)},
        {"record": "call", "queue": "sales", "outcome": "answered"},
        {"record": "transfer", "from_agent": "1001", "requested_at": iso(20), "bridged_at": iso(28.5), "total_s": 8.5},
        {"record": "flag", "rule": "slow_transfer", "raised_at": iso(27)},
    ]


def test_records_that_are_right_score_in_full() -> None:
    found = score(TRUTH, records())
    assert found["agent_seconds"]["right"] == 1.0
    assert found["transfers"] == {
        "true": 1,
        "found": 1,
        "invented": 0,
        "reached_or_not_agrees": 1,
        "largest_error_of_a_total_s": 0.0,
    }
    assert found["slow_transfers"] == {"true": 1, "flagged": 1, "false": 0, "largest_distance_from_7s": 0.0}
    assert found["queue_visits"] == {"true": 1, "found": 1, "invented": 0}
    assert "agent seconds   100.000% right" in told(found)


def spoilt(index: int, **changes: Any) -> Callable[[], list[dict[str, Any]]]:
    def make() -> list[dict[str, Any]]:
        found = records()
        found[index] = {**found[index], **changes}
        return found

    return make


@pytest.mark.parametrize(
    ("spoil", "part", "name", "value"),
    [
        (spoilt(0, state="break"), "agent_seconds", "right", 0.75641),
        (spoilt(1, ended_at=iso(25)), "agent_seconds", "right", 0.62179),
        (spoilt(2, outcome="abandoned"), "queue_visits", "found", 0),
        (spoilt(2, queue="support"), "queue_visits", "invented", 1),
        (spoilt(3, from_agent="1002"), "transfers", "found", 0),
        (spoilt(3, requested_at=iso(23)), "transfers", "invented", 1),
        (spoilt(3, total_s=8.0), "transfers", "largest_error_of_a_total_s", 0.5),
        (spoilt(3, bridged_at=None), "transfers", "reached_or_not_agrees", 0),
        (spoilt(4, raised_at=iso(28)), "slow_transfers", "largest_distance_from_7s", 1.0),
        (spoilt(4, raised_at=iso(35)), "slow_transfers", "false", 1),
        (spoilt(4, rule="long_hold"), "slow_transfers", "flagged", 0),
    ],
)
def test_each_figure_falls_when_its_record_is_wrong(
    spoil: Callable[[], list[dict[str, Any]]], part: str, name: str, value: object
) -> None:
    assert score(TRUTH, spoil())[part][name] == value
