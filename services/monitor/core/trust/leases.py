"""Leases: how long a state is believed without evidence. When one runs out nobody knows, and the board says so.

Each agent has at most one timer that counts. It is not moved when the agent is heard of: when it is due it looks how old the
evidence is, and waits for the rest. Calls of a site share one timer in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from shared.facts import AgentState
from shared.siteconfig import Leases

if TYPE_CHECKING:
    from services.monitor.core.floor import Floor
    from services.monitor.core.state import Agent

_LONGEST_S: Final = 366 * 86_400.0  # a promise or a setting beyond that is none


def _span(seconds: float) -> timedelta | None:
    return timedelta(seconds=seconds) if 0 < seconds < _LONGEST_S else None


class Spans:
    """A site's leases as spans of time; None is for ever."""

    __slots__ = ("agent", "call")

    def __init__(self, leases: Leases) -> None:
        line, declared = _span(leases.line_s), _span(leases.declared_s)
        self.call = _span(leases.call_s)
        self.agent: Mapping[AgentState, timedelta | None] = {
            "ringing": _span(leases.ringing_s),
            "talk": line,
            "hold": line,
            "consult": line,
            "wrap": _span(leases.wrap_s),
            "ready": declared,
            "break": declared,
            "offline": None,  # who is off does not come on by silence
            "unknown": None,
        }


def promised(seconds: float | None) -> float | None:
    """A source's promise as we take it: none, or a span of time that there is."""
    return None if seconds is None or _span(seconds) is None else seconds


def until(floor: Floor, agent: Agent) -> datetime | None:
    """When the shown state is believed no longer unless the agent is heard of; None for never.

    The shorter of the state's lease and the source's promise counts, from the last evidence, or from when the link came up.
    While it is down no lease runs: nothing is believed then anyway.
    """
    span = floor.leases.agent[agent.state]
    if agent.promise_s is not None and agent.state not in ("offline", "unknown"):
        promise = timedelta(seconds=agent.promise_s)
        span = promise if span is None or promise < span else span
    if span is None or floor.state.link == "down":
        return None
    return _heard(floor, agent.seen) + span


def _heard(floor: Floor, seen: datetime) -> datetime:
    """Silence counts from the evidence, but not while nobody listened."""
    since = floor.state.link_since
    return since if since is not None and since > seen else seen


def arm(floor: Floor, agent: Agent) -> None:
    """Have a timer look after the agent's lease, unless the one there is will look early enough."""
    end = until(floor, agent)
    if end is not None and (agent.lease_due is None or end < agent.lease_due):
        agent.lease_due = end
        floor.timer(end, "lease", (agent.agent_id, ""))


def lapses(floor: Floor, agent: Agent, due: datetime) -> bool:
    """An agent's timer is due: whether the lease ran out. If not, the timer is set for the rest of it."""
    if agent.lease_due != due:
        return False
    agent.lease_due = None
    end = until(floor, agent)
    if end is None:
        return False
    if end > due:
        arm(floor, agent)
        return False
    agent.lapsed = True
    return True


def arm_calls(floor: Floor, seen: datetime) -> None:
    """Have the timer of all calls look after one that was heard of at `seen`."""
    span, state = floor.leases.call, floor.state
    if span is not None and (state.calls_due is None or seen + span < state.calls_due):
        state.calls_due = seen + span
        floor.timer(state.calls_due, "calls", ("", ""))


def lapsed_calls(floor: Floor, due: datetime) -> list[str]:
    """The timer of all calls is due: those whose lease ran out, oldest evidence first; for the others it is set anew."""
    state, span = floor.state, floor.leases.call
    if state.calls_due != due:
        return []
    state.calls_due = None
    if span is None or state.link == "down":
        return []
    gone, oldest = [], None
    for call in state.calls.values():
        seen = _heard(floor, call.seen or call.started)
        if seen + span <= due:
            gone.append((seen, call.call_id))
        elif oldest is None or seen < oldest:
            oldest = seen
    if oldest is not None:
        arm_calls(floor, oldest)
    return [call_id for _, call_id in sorted(gone)]
