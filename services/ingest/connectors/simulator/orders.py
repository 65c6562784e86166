"""What a supervisor makes agents do. A floor that gets no such order goes its way as its seed wants it."""

from __future__ import annotations

from services.ingest.connectors.simulator.day import DAY, Break
from services.ingest.connectors.simulator.world import Agent, World
from shared.errors import FloorwatchError

PAUSED = "paused"  # the reason where none is given


class NotHere(FloorwatchError):
    """The agent cannot do that; the message says why."""


def pause(world: World, agent_id: str, reason: str) -> None:
    """The agent goes on a break until told otherwise: at once, or after the call and its wrap. Raises NotHere."""
    agent = _agent(world, agent_id)
    if not agent.on:
        raise NotHere("the agent is not logged on")
    world.wish(agent, Break(world.now_s, reason or PAUSED, DAY, ordered=True))
    if agent.away is not None:
        agent.away.fire(world.kernel)  # from one break into the other


def unpause(world: World, agent_id: str) -> None:
    """The agent's break is over, or does not begin. Raises NotHere."""
    agent = _agent(world, agent_id)
    if not agent.on:
        raise NotHere("the agent is not logged on")
    agent.wants = None
    if agent.away is not None:
        agent.away.fire(world.kernel)


def log_off(world: World, agent_id: str) -> None:
    """The agent goes home until the next shift: at once, or after the call and its wrap. Raises NotHere."""
    agent = _agent(world, agent_id)
    if not agent.on:
        return
    agent.sent_home = True
    if agent.away is not None:
        agent.away.fire(world.kernel)
    elif not agent.busy:
        agent.busy = True
        world.release(agent)


def _agent(world: World, agent_id: str) -> Agent:
    found = next((agent for agent in world.agents if agent.id == agent_id), None)
    if found is None:
        raise NotHere("nobody of this id works here")
    return found
