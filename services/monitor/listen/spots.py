"""What there is to hear: which channel of a call or of an agent, derived from the board's views. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from services.monitor.core.views import AgentView, CallView, LegView
from services.monitor.listen.policy import Facts
from shared.commands import Side


class Spot(Struct, frozen=True):
    """Where somebody can be heard now. `target`: what no two forks share. `leg_id` and `agent_id`: whom the customer has, or had
    last, on the line. `held`: nobody talks to the customer. `lines`: phones through which the agent side can be spoken to."""

    call_id: str
    agent_id: str
    leg_id: str
    side: Side
    target: str
    held: bool
    lines: frozenset[str]


class Board(Protocol):
    """What is asked of the engine."""

    def call(self, site: str, call_id: str) -> CallView | None: ...

    def agent(self, site: str, agent_id: str) -> AgentView | None: ...

    def legs(self, site: str, agent_id: str) -> tuple[tuple[str, LegView], ...]:
        """The agent's phones in calls, each with the call."""
        ...

    def time(self, site: str) -> datetime | None:
        """The switch's time up to which the board of the site is; None where no event told it."""
        ...

    def knows(self, site: str) -> bool:
        """Whether what is shown of the site is the present. Otherwise nothing is concluded from what is not there."""
        ...


def in_call(call: CallView) -> Spot | None:
    """Where this call is heard; None while nobody has talked to its customer yet, or nobody does between two agents.

    A customer's channel outlives transfers. Where colleagues talk among themselves there is none.
    """
    talks = [leg for leg in call.legs if leg.state in ("talking", "held") and leg.role != "consult"]
    if not talks:
        return None
    leg = next((one for one in talks if one.state == "talking"), talks[0])
    internal = call.direction == "internal"
    return Spot(
        call_id=call.call_id,
        agent_id=leg.agent_id,
        leg_id=leg.leg_id,
        side="agent" if internal else "customer",
        target=f"leg:{leg.leg_id}" if internal else f"call:{call.call_id}",
        held=leg.state == "held",
        lines=frozenset(one.leg_id for one in talks),
    )


def of_agent(agent_id: str, legs: Iterable[tuple[str, LegView]]) -> Spot | None:
    """Where this agent is heard: on the phone they talk on, else on the one whose other party they hold; None between calls."""
    open_legs = [(call_id, leg) for call_id, leg in legs if leg.state in ("talking", "held")]
    if not open_legs:
        return None
    call_id, leg = next((one for one in open_legs if one[1].state == "talking"), open_legs[0])
    return Spot(
        call_id=call_id,
        agent_id=agent_id,
        leg_id=leg.leg_id,
        side="agent",
        target=f"leg:{leg.leg_id}",
        held=leg.state == "held",
        lines=frozenset(one.leg_id for _, one in open_legs),
    )


def facts_of(board: Board, site: str, call_id: str, agent_id: str) -> Facts:
    """What of the agent and the call the policy asks for."""
    agent = board.agent(site, agent_id) if agent_id else None
    call = board.call(site, call_id) if call_id else None
    queues = (call.queue,) if call is not None and call.queue else ()
    if agent is None:
        return Facts(agent_id=agent_id, queues=queues)
    return Facts(agent_id=agent_id, team=agent.team, queues=queues or agent.queues, tags=agent.tags)
