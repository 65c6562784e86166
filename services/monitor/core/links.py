"""The link to the switch: while it is down nothing new is known, and what ran before is not taken for granted after it."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from services.monitor.core import agents, calls, transfers
from services.monitor.core.floor import Floor
from shared import events
from shared.events import Event


def in_switch_time(floor: Floor, event: Event) -> Event:
    """The event by the switch's clock. A connector that does not know that clock stamps with ours, and it shows."""
    skew = floor.state.skew_s
    if event.time != event.receivedtime or skew is None:
        return event
    return msgspec.structs.replace(event, time=event.time - timedelta(seconds=skew))


def begin(floor: Floor, event: Event) -> None:
    """The first event of a site: it says since when, by the switch's clock, the site is heard."""
    state = floor.state
    state.began = event.time
    if state.link_heard is not None and event.receivedtime is not None:
        state.began = min(event.time, state.link_heard - (event.receivedtime - event.time))
        state.link_since = state.began
    state.link_heard = state.now = None  # marks until now knew no better than our clock


def up(floor: Floor, event: Event, data: events.LinkUp) -> None:
    state = floor.state
    _sweep(floor, event.time)
    state.link, state.link_since, state.link_reason = "up", event.time, ""
    if state.began is None and event.time == event.receivedtime:
        state.link_heard = event.receivedtime
    elif state.began is None:
        state.began = event.time
    state.simulated, state.replay, state.speed = data.simulated, data.replay, data.speed
    floor.touch("site", state.site)


def down(floor: Floor, event: Event, data: events.LinkDown) -> None:
    state = floor.state
    state.link, state.link_since, state.link_reason = "down", event.time, data.reason
    for agent in state.agents.values():
        agents.close_interval(floor, agent, event.time)
        agent.provenance = "stale"
        floor.touch("agent", agent.agent_id)
    floor.touch("site", state.site)


def _sweep(floor: Floor, at: datetime) -> None:
    """Nobody saw what happened meanwhile: calls are let go, agents are unknown until the switch speaks of them."""
    state = floor.state
    for call_id in tuple(state.calls):
        transfers.end_with_call(floor, call_id, at, "failed")
        calls.let_go(floor, state.calls[call_id], at)
    for agent in state.agents.values():
        agent.declared, agent.in_wrap, agent.wrap_until, agent.listeners = "unknown", False, None, []
        agents.settle(floor, agent, at, "inferred")
        floor.touch("agent", agent.agent_id)
    state.listens.clear()


def close_books(floor: Floor, at: datetime) -> None:
    """Record what still runs at the end of a recording."""
    for agent in floor.state.agents.values():
        agents.close_interval(floor, agent, at)
    transfers.close_books(floor)
    calls.close_books(floor, at)
