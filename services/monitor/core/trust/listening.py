"""Who listens to whom, as the switch tells it. A listen is no call and counts in no figure.

A listen whose end is never told ends with the call, or, where its call is not known, after as long as a call is believed. It goes
with the call: when its agent's part in that is over, it is a listen to the next agent who talks in it.

Whoever listens without a ticket that a connector took is *unordered*.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.state import Agent, Call, Leg, Listen
from services.monitor.core.trust import tickets
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
    listen = Listen(
        agent_id=agent_id if agent is not None else "",
        call_id=call_id,
        since=event.time,
        listener=data.listener,
        ticket=data.ticket,
        ordered=tickets.use(floor, data.ticket),
    )
    state.listening[data.listen_id] = listen
    _arrive(floor, data.listen_id, listen)
    if call_id not in state.calls:
        floor.timer(event.time + (floor.leases.call or _ANYWAY), "listen", (data.listen_id, ""))
    if len(state.listening) > MOST:
        _lost(floor, next(iter(state.listening)), event.time)


def ended(floor: Floor, event: Event, data: events.ListenEnded) -> None:
    """It is over; the end of one that its call has ended already is no news."""
    if data.listen_id not in floor.state.listening:
        floor.anomaly("listen_ended_without_start")
        return
    _drop(floor, data.listen_id, event.time)


def answered(floor: Floor, event: Event, data: events.CommandAnswered) -> None:
    """What a connector did with a command changes nothing that is shown, except that a listen may have been ordered after all:
    where several connectors hear a site, one may tell of it before the other's word that it takes the order is read."""
    if not tickets.answered(floor, data, event.time):
        return
    for listen_id, listen in floor.state.listening.items():
        if listen.ticket == data.fork_id and not listen.ordered:
            _leave(floor, listen_id, listen)
            listen.ordered = tickets.use(floor, data.fork_id)
            if listen.ended is None:
                _arrive(floor, listen_id, listen)


def not_heard(floor: Floor, at: datetime) -> None:
    """Nobody heard the switch until now: whoever listens still is told anew."""
    for listen_id, listen in floor.state.listening.items():
        _leave(floor, listen_id, listen)
    floor.state.listening.clear()
    tickets.not_heard(floor, at)


def talks(floor: Floor, leg: Leg) -> None:
    """An agent talks: whoever listens to the call, and to none of its agents now, listens to this one."""
    for listen_id, listen in floor.state.listening.items():
        if listen.call_id == leg.call_id and listen.ended is None and not _is_in(floor, listen.agent_id, leg.call_id):
            _go_to(floor, listen_id, listen, leg.agent_id)


def left(floor: Floor, leg: Leg) -> None:
    """The agent's part in a call is over: who listens to it listens to whoever else talks in the call, if anybody does."""
    state = floor.state
    agent, call = state.agents.get(leg.agent_id), state.calls.get(leg.call_id)
    others = [state.legs[leg_id] for leg_id in call.legs] if call is not None else []
    other = next((one.agent_id for one in others if one.agent_id and one.state in ("talking", "held")), "")
    for listen_id in tuple(agent.listeners) if agent is not None and other else ():
        if state.listening[listen_id].call_id == leg.call_id:
            _go_to(floor, listen_id, state.listening[listen_id], other)


def _is_in(floor: Floor, agent_id: str, call_id: str) -> bool:
    agent = floor.state.agents.get(agent_id)
    return agent is not None and any(floor.state.legs[leg_id].call_id == call_id for leg_id in agent.legs)


def _go_to(floor: Floor, listen_id: str, listen: Listen, agent_id: str) -> None:
    _leave(floor, listen_id, listen)
    listen.agent_id = agent_id
    _arrive(floor, listen_id, listen)


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
        _leave(floor, listen_id, listen)
        tickets.ended(floor, listen.ticket, at)
        floor.timer(at + _TO_BE_TOLD, "listen", (listen_id, ""))


def due(floor: Floor, listen_id: str, at: datetime) -> None:
    """The end of a listen should have been told by now."""
    listen = floor.state.listening.get(listen_id)
    if listen is None or (listen.ended is None and listen.call_id in floor.state.calls):
        return
    if at >= (listen.since + (floor.leases.call or _ANYWAY) if listen.ended is None else listen.ended + _TO_BE_TOLD):
        _lost(floor, listen_id, at)


def unordered(floor: Floor, agent: Agent | None) -> list[str]:
    """Who listens to the agent, or to nobody known, without having been ordered, as the switch names them."""
    state = floor.state
    if agent is not None:
        found = [state.listening[listen_id] for listen_id in agent.listeners] if agent.unordered else []
    else:
        found = [one for one in state.listening.values() if one.ended is None and not one.agent_id]
    return [listen.listener for listen in found if not listen.ordered]


def _lost(floor: Floor, listen_id: str, at: datetime) -> None:
    floor.anomaly("listen_end_lost", ("listen", listen_id))
    _drop(floor, listen_id, at)


def _drop(floor: Floor, listen_id: str, at: datetime) -> None:
    listen = floor.state.listening.pop(listen_id)
    _leave(floor, listen_id, listen)
    tickets.ended(floor, listen.ticket, at)


def _arrive(floor: Floor, listen_id: str, listen: Listen) -> None:
    """Show it where it belongs: at the agent, or, of nobody known, at the site."""
    agent = floor.state.agents.get(listen.agent_id)
    if agent is None:
        floor.touch("site", floor.state.site)
        return
    agent.listeners.append(listen_id)
    _count(floor, agent)


def _leave(floor: Floor, listen_id: str, listen: Listen) -> None:
    agent = floor.state.agents.get(listen.agent_id)
    if agent is None:
        floor.touch("site", floor.state.site)
    elif listen_id in agent.listeners:
        agent.listeners.remove(listen_id)
        _count(floor, agent)


def _count(floor: Floor, agent: Agent) -> None:
    listening = floor.state.listening
    agent.unordered = sum(not listening[listen_id].ordered for listen_id in agent.listeners)
    floor.touch("agent", agent.agent_id)
