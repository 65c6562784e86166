"""What a connector learns by asking: evidence without change, and who is a ghost."""

from __future__ import annotations

from services.monitor.core import agents, calls, transfers
from services.monitor.core.floor import Floor
from shared import events
from shared.events import Event


def seen(floor: Floor, event: Event, data: events.AgentSeen) -> None:
    """What is shown of the agent still holds."""
    floor.agent(data.agent_id, event.time)


def snapshot(floor: Floor, event: Event, data: events.Snapshot) -> None:
    """What exists at the switch now. What is known here and not named is swept."""
    state, at = floor.state, event.time
    if data.calls is not None:
        named = set(data.calls)
        for call_id in tuple(state.calls):
            if call_id not in named:
                floor.anomaly("ghost_call")
                transfers.end_with_call(floor, call_id, at, "failed")
                calls.let_go(floor, state.calls[call_id], at)
    if data.agents is not None:
        on = set(data.agents)
        for agent in tuple(state.agents.values()):
            if agent.agent_id not in on and agent.declared not in ("off", "unknown"):
                floor.anomaly("ghost_agent")
                agent.declared = "off"
                agents.settle(floor, agent, at, "inferred")
