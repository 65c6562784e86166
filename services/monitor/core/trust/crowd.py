"""More names than any floor has: a source that makes them up fills no memory, and whoever is known is counted on.

A site knows at most `floor.MOST_AGENTS` agents and `floor.MOST_QUEUES` queues. Beyond that a new agent is nobody, as a phone of
which the switch does not say whose it is; calls of new queues are counted together (`floor.OTHER_QUEUES`). Agents in the
sites file are always let in. Once a minute who is long gone makes room.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from services.monitor.core import agents
from services.monitor.core.counting import books, staffing
from services.monitor.core.floor import OTHER_QUEUES, Floor
from services.monitor.core.rules import watching
from services.monitor.core.state import Agent, Queue
from shared import events
from shared.envelope import Data

_LONG_GONE: Final = timedelta(days=1)  # off or unknown and not heard of for so long

_OF_AN_AGENT: Final = frozenset[type[Data]](
    {
        events.AgentSeen,
        events.AgentLoggedOn,
        events.AgentLoggedOff,
        events.AgentReady,
        events.AgentNotReady,
        events.WrapStarted,
        events.WrapEnded,
    }
)
_NAMED_IN: Final = MappingProxyType[type[Data], str](
    {
        **dict[type[Data], str].fromkeys(_OF_AN_AGENT, "agent_id"),
        events.LegStarted: "agent_id",
        events.CallDequeued: "agent_id",
        events.TransferRequested: "from_agent",
    }
)


def admitted(floor: Floor, data: Data) -> Data | None:
    """What an event says on a site that knows as many agents as it may: the rest is as told, None where nothing is left."""
    field = _NAMED_IN.get(type(data), "")
    agent_id = getattr(data, field) if field else ""
    if not agent_id or agent_id in floor.state.agents or agent_id in floor.config.agents:
        return data
    if not isinstance(data, events.CallDequeued):  # that one makes nobody known
        said = f"not known; {len(floor.state.agents)} agents are"
        floor.anomaly("too_many_agents", ("agent", agent_id), said=said)
    if type(data) in _OF_AN_AGENT:
        return None
    return msgspec.structs.replace(data, **{field: ""})


def make_room(floor: Floor, at: datetime) -> None:
    """Let go who is long gone. Whoever comes back is heard of for the first time."""
    if floor.state.link == "down":
        return
    if floor.agents_full:
        for agent in [one for one in floor.state.agents.values() if _is_gone(floor, one, at)]:
            _forget_agent(floor, agent, at)
        floor.count_agents()
    other = floor.state.queues.get(OTHER_QUEUES)
    if other is not None and not _is_used(other):  # else calls and agents count there whose queue would be another then
        for queue in [one for one in floor.state.queues.values() if _is_unused(floor, one, at)]:
            watching.forget(floor, "queue", queue.queue, at)
            floor.touch("queue", queue.queue)
            del floor.state.queues[queue.queue]


def _long_since(floor: Floor, seen: datetime | None, at: datetime) -> bool:
    """Silence counts only while somebody listened."""
    since = floor.state.link_since
    newest = max((moment for moment in (seen, since) if moment is not None), default=None)
    return newest is None or at - newest >= _LONG_GONE


def _is_gone(floor: Floor, agent: Agent, at: datetime) -> bool:
    return (
        agent.state in ("offline", "unknown")
        and not agent.legs
        and not agent.listeners
        and _long_since(floor, agent.seen, at)
        and agent.agent_id not in floor.config.agents
    )


def _forget_agent(floor: Floor, agent: Agent, at: datetime) -> None:
    agents.close_interval(floor, agent, max(at, agent.since))
    agents.serve(floor, agent, [], at)
    staffing.agent_gone(floor, agent)
    watching.forget(floor, "agent", agent.agent_id, at)
    floor.cards.pop(agent.agent_id, None)
    del floor.state.agents[agent.agent_id]
    floor.touch("agent", agent.agent_id)


def _is_used(queue: Queue) -> bool:
    return books.at_work(queue) or any(queue.staff.values()) or queue.minute.counted()


def _is_unused(floor: Floor, queue: Queue, at: datetime) -> bool:
    return (
        not _is_used(queue)
        and (queue.day is None or not queue.day.tally.counted())
        and _long_since(floor, queue.seen, at)
        and queue.queue not in floor.config.queues
    )
