"""The figures of any recording: calls by queue, agent and day, the agents' time, transfers and flags."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any
from zoneinfo import ZoneInfo

from floorwatch.summary.calls import CallFigures
from floorwatch.summary.exact import Durations, micros, seconds
from shared.facts import AgentInterval, CallEnded, Fact, FlagRaised, TransferEnded


class GeneralSummary:
    """Reads facts one after the other; `result` when the recording is over."""

    def __init__(self, zone: ZoneInfo) -> None:
        """`zone`: whose days are meant."""
        self._zone = zone
        self._all = CallFigures()
        self._by_queue: defaultdict[str, CallFigures] = defaultdict(CallFigures)
        self._by_agent: defaultdict[str, CallFigures] = defaultdict(CallFigures)
        self._by_date: defaultdict[str, CallFigures] = defaultdict(CallFigures)
        self._states: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._transfers: Counter[str] = Counter()
        self._transfer_totals = Durations()
        self._flags: Counter[str] = Counter()

    def add(self, fact: Fact) -> None:
        """Count a fact."""
        data = fact.data
        if isinstance(data, CallEnded):
            self._add_call(data)
        elif isinstance(data, AgentInterval):
            self._states[data.agent_id][data.state] += micros(data.duration_s)
        elif isinstance(data, TransferEnded):
            self._transfers[data.outcome] += 1
            if data.total_s is not None:
                self._transfer_totals.add(micros(data.total_s))
        elif isinstance(data, FlagRaised):
            self._flags[data.rule] += 1

    def _add_call(self, call: CallEnded) -> None:
        waited = micros(call.waited_s)
        talked = None if call.talk_s is None else micros(call.talk_s)
        day = call.started_at.astimezone(self._zone).date().isoformat()
        sets = [self._all, self._by_queue[call.queue], self._by_date[day]]
        if call.outcome == "answered" and call.agent_id:
            sets.append(self._by_agent[call.agent_id])
        for figures in sets:
            figures.add(call, waited, talked)

    def result(self, read: dict[str, Any]) -> dict[str, Any]:
        """Everything; `read` is what the recording held, counted by the reader."""
        return {
            "read": read,
            **_calls(self._all),
            "by_queue": {name: _calls(one) for name, one in sorted(self._by_queue.items())},
            "by_agent": {name: self._agent(name) for name in sorted({*self._by_agent, *self._states})},
            "by_date": {name: _calls(one) for name, one in sorted(self._by_date.items())},
            "transfers": {
                "outcomes": dict(sorted(self._transfers.items())),
                "mean_total": self._transfer_totals.mean,
                "max_total": seconds(self._transfer_totals.longest),
            },
            "flags": dict(sorted(self._flags.items())),
        }

    def _agent(self, name: str) -> dict[str, Any]:
        figures = self._by_agent.get(name, CallFigures())
        return {
            "handled": figures.answered,
            "talk_seconds": figures.talk_seconds(),
            "aht": figures.aht(),
            "state_seconds": {state: seconds(value) for state, value in sorted(self._states[name].items())},
        }


def _calls(figures: CallFigures) -> dict[str, Any]:
    return {**figures.in_full(), "other_ended": figures.other}
