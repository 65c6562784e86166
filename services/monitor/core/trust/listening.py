"""Who listens to whom, as the switch tells it. A listen is no call and counts in no figure.

A listen whose end is never told ends with the call, or, where its call is not known, after as long as a call is believed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.state import Agent, Call, Listen
from shared import events
from shared.events import Event

MOST: Final = 1000  # at one site; the oldest go first
_ANYWAY: Final = timedelta(hours=4)  # for sites that believe calls for ever
_TO_BE_TOLD: Final = timedelta(seconds=60)  # after the call, in which the end may still be told


def started(floor: Floor, event: Event, data: events.ListenStarted) -> None:
    """Somebody listens to an agent's phone; where only the call is named, to the first agent in it."""
    state = floor.state
    known = state.listening.get(data.listen_id)
    if known is not None and known.ended is None:
        return
    agent_id, call_id = data.agent_id, data.call_id
    call = state.calls.get(call_id)
    if not agent_id and call is not None and call.legs:
        agent_id = state.legs[call.legs[0]].agent_id
    agent = state.agents.get(agent_id)
    if call is None and agent is not None and agent.legs:
        call_id = state.legs[agent.legs[0]].call_id
    state.listening[data.listen_id] = Listen(agent_id=agent_id, call_id=call_id, since=event.time)
    if agent is not None:
        agent.listeners.append(data.listen_id)
        floor.touch("agent", agent_id)
    if call_id not in state.calls:
        floor.timer(event.time + (floor.leases.call or _ANYWAY), "listen", (data.listen_id, ""))
    if len(state.listening) > MOST:
        _lost(floor, next(iter(state.listening)))


def ended(floor: Floor, event: Event, data: events.ListenEnded) -> None:
    """It is over; the end of one that its call has ended already is no news."""
    if data.listen_id not in floor.state.listening:
        floor.anomaly("listen_ended_without_start")
        return
    _drop(floor, data.listen_id)


def answered(floor: Floor, event: Event, data: events.CommandAnswered) -> None:
    """What a connector did with a command changes nothing that is shown."""


def with_call(floor: Floor, call: Call, at: datetime) -> None:
    """The call is over: who listened to it listens no longer, unless the agent's phone goes on in another call."""
    state = floor.state
    for listen_id, listen in state.listening.items():
        if listen.call_id != call.call_id or listen.ended is not None:
            continue
        agent = state.agents.get(listen.agent_id)
        if agent is not None and agent.legs:
            listen.call_id = state.legs[agent.legs[0]].call_id
            continue
        listen.ended = at
        _leave(floor, agent, listen_id)
        floor.timer(at + _TO_BE_TOLD, "listen", (listen_id, ""))


def due(floor: Floor, listen_id: str, at: datetime) -> None:
    """The end of a listen should have been told by now."""
    listen = floor.state.listening.get(listen_id)
    if listen is None or (listen.ended is None and listen.call_id in floor.state.calls):
        return
    if at >= (listen.since + (floor.leases.call or _ANYWAY) if listen.ended is None else listen.ended + _TO_BE_TOLD):
        _lost(floor, listen_id)


def _lost(floor: Floor, listen_id: str) -> None:
    floor.anomaly("listen_end_lost", ("listen", listen_id))
    _drop(floor, listen_id)


def _drop(floor: Floor, listen_id: str) -> None:
    listen = floor.state.listening.pop(listen_id)
    _leave(floor, floor.state.agents.get(listen.agent_id), listen_id)


def _leave(floor: Floor, agent: Agent | None, listen_id: str) -> None:
    if agent is not None and listen_id in agent.listeners:
        agent.listeners.remove(listen_id)
        floor.touch("agent", agent.agent_id)
