"""What a connector learns by asking: evidence without change, and who is a ghost.

A snapshot takes time to get here. What began, or was heard of, at or after the moment it was taken is none of its business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from services.monitor.core import agents, legs, visits
from services.monitor.core.floor import OTHER_QUEUES, Floor
from services.monitor.core.trust import leases
from services.monitor.core.trust.ghosts import end_call, sweeping
from shared import events
from shared.events import Event

_NAMED: Final = 8  # of those that nobody knows, so many are named


def seen(floor: Floor, event: Event, data: events.AgentSeen) -> None:
    """What is shown of the agent still holds; one whose lease had run out is again as before.

    It brings nobody back who logged off: switches repeat themselves for a while after that.
    """
    agent = floor.agent(data.agent_id, event.time)
    if agent.declared != "off":
        agent.promise_s = leases.promised(data.lease_s)
    agents.settle(floor, agent, event.time)
    leases.arm(floor, agent)


def snapshot(floor: Floor, event: Event, data: events.Snapshot) -> None:
    """What exists at the switch now. What is known here and not named is swept; what is named is heard of."""
    at = event.time
    taken = at - timedelta(milliseconds=event.precisionms)
    with sweeping(floor, "inferred"):
        if data.calls is not None:
            _calls(floor, at, taken, set(data.calls))
        if data.legs is not None:
            _legs(floor, at, taken, set(data.legs))
        for queue, waiting in (data.queues or {}).items():
            _waiting(floor, at, taken, queue, set(waiting))
        if data.agents is not None:
            _off(floor, at, taken, set(data.agents))
    if data.agents is not None:
        _on(floor, at, taken, data.agents)
    _name_unknown(floor, data)


def _calls(floor: Floor, at: datetime, taken: datetime, named: Collection[str]) -> None:
    for call in tuple(floor.state.calls.values()):
        if call.call_id in named:
            if call.seen is None or call.seen < at:
                call.seen = at
                floor.touch("call", call.call_id)
        elif max(call.started, call.seen or call.started) < taken:
            floor.anomaly("ghost_call", ("call", call.call_id))
            end_call(floor, call.call_id, at)


def _legs(floor: Floor, at: datetime, taken: datetime, named: Collection[str]) -> None:
    for leg in tuple(floor.state.legs.values()):
        if leg.leg_id not in named and leg.since < taken:
            floor.anomaly("ghost_leg", ("leg", leg.leg_id))
            legs.end(floor, leg, at)


def _waiting(floor: Floor, at: datetime, taken: datetime, queue: str, named: Collection[str]) -> None:
    known = floor.state.queues.get(queue) or floor.state.queues.get(OTHER_QUEUES)
    for call_id, entered in tuple(known.waiting.items()) if known else ():
        if call_id not in named and entered < taken and _waits_in(floor, call_id, queue):
            floor.anomaly("ghost_queue_entry", ("call", call_id))
            visits.leave_queue(floor, floor.state.calls[call_id], at, "cleared")


def _waits_in(floor: Floor, call_id: str, queue: str) -> bool:
    """Several queues may be counted as one: the call says in which it waits."""
    visit = visits.waiting(floor.state.calls[call_id])
    return visit is not None and visit.queue == queue


def _off(floor: Floor, at: datetime, taken: datetime, named: Collection[str]) -> None:
    for agent in floor.state.agents.values():
        if agent.agent_id not in named and agent.declared in ("ready", "not_ready") and agent.seen < taken:
            floor.anomaly("ghost_agent", ("agent", agent.agent_id))
            agents.log_off(floor, agent, at)


def _on(floor: Floor, at: datetime, taken: datetime, named: Iterable[str]) -> None:
    for agent_id in named:
        agent = floor.state.agents.get(agent_id)
        if agent is None:
            continue
        if agent.declared == "off" and agent.seen < taken:
            floor.anomaly("snapshot_agent_logged_on", ("agent", agent_id))
            agent.declared = "unknown"
        floor.agent(agent_id, at)
        agents.settle(floor, agent, at, "inferred")


def _name_unknown(floor: Floor, data: events.Snapshot) -> None:
    """Count what the switch names and nobody told us of."""
    state = floor.state
    waiting = [call_id for named in (data.queues or {}).values() for call_id in named]
    _unknown(floor, "call", data.calls or (), lambda one: one in state.calls or one in state.over)
    _unknown(floor, "leg", data.legs or (), state.legs.__contains__)
    _unknown(floor, "queue_entry", waiting, lambda one: _waits(floor, one) or one in state.over)
    _unknown(floor, "agent", data.agents or (), state.agents.__contains__)


def _waits(floor: Floor, call_id: str) -> bool:
    call = floor.state.calls.get(call_id)
    return call is not None and visits.waiting(call) is not None


def _unknown(floor: Floor, what: str, named: Iterable[str], known: Callable[[str], bool]) -> None:
    missing = [one for one in named if not known(one)]
    if missing:
        more = f", and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        said = "not known: " + ", ".join(missing[:_NAMED]) + more
        floor.anomaly(f"snapshot_unknown_{what}", (what, missing[0]), times=len(missing), said=said)
