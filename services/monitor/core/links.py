"""The link to the switch: while it is down nothing new is known, and what ran before is not taken for granted after it.

Several connectors may hear one site, each its part of the floor. The site is up while any of them is. What is known is let go
only when nobody heard the site: it was down, or the only connector comes back without having said that it went. A part that
another connector missed is put right by its snapshot, and by leases.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from services.monitor.core import agents, calls, transfers
from services.monitor.core.counting import books
from services.monitor.core.floor import Floor
from services.monitor.core.state import Connector, SiteState
from services.monitor.core.trust import flapping, leases, listening, tickets
from services.monitor.core.trust.ghosts import end_call, sweeping
from services.monitor.core.trust.late import nothing_declared, start_anew
from shared import events
from shared.events import Event

MOST_CONNECTORS: Final = 16  # of a site; who went down first is forgotten first


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


def interrupted(state: SiteState, connector: str) -> bool:
    """Whether a `LinkUp` of this connector means that nobody heard the site until now."""
    return state.link != "up" or not any(one.up for name, one in state.connectors.items() if name != connector)


def up(floor: Floor, event: Event, data: events.LinkUp) -> None:
    state = floor.state
    if interrupted(state, data.connector) and not (data.resumed and state.link == "up"):
        if data.resumed:
            _resume(floor, event.time)
        else:
            with sweeping(floor, "inferred"):
                _sweep(floor, event.time)
        state.link, state.link_since = "up", event.time
    if state.began is None and event.time == event.receivedtime:
        state.link_heard = event.receivedtime
    elif state.began is None:
        state.began = event.time
    _note(state, data.connector, Connector(True, event.time, simulated=data.simulated, replay=data.replay))
    heard_by = [one for one in state.connectors.values() if one.up]
    state.simulated = any(one.simulated for one in heard_by)
    state.replay = any(one.replay for one in heard_by)
    state.speed, state.link_reason = data.speed, _missing(state)
    floor.touch("site", state.site)


def down(floor: Floor, event: Event, data: events.LinkDown) -> None:
    state = floor.state
    known = state.connectors.get(data.connector)
    # another reason changes nothing about since when it is down
    since = event.time if known is None or known.up else known.since
    _note(
        state,
        data.connector,
        Connector(False, since, data.reason, known is not None and known.simulated, known is not None and known.replay),
    )
    floor.touch("site", state.site)
    if any(one.up for one in state.connectors.values()):
        state.link_reason = _missing(state)
        return
    if state.link != "down":
        state.link_since = event.time
    state.link, state.link_reason = "down", data.reason
    for agent in state.agents.values():
        if agent.provenance == "stale":
            continue
        agents.close_interval(floor, agent, event.time)
        agent.provenance = "stale"
        floor.cards.pop(agent.agent_id, None)
        floor.touch("agent", agent.agent_id)
    _touch_all(floor)


def _note(state: SiteState, name: str, connector: Connector) -> None:
    state.connectors.pop(name, None)
    state.connectors[name] = connector
    if len(state.connectors) > MOST_CONNECTORS:
        down = (name for name, one in state.connectors.items() if not one.up)
        del state.connectors[next(down, next(iter(state.connectors)))]


def _missing(state: SiteState) -> str:
    """What of an up site is not heard, for people."""
    return "; ".join(
        f"connector {name} is down since {one.since.isoformat(timespec='seconds')}"
        + (f": {one.reason}" if one.reason else "")
        for name, one in sorted(state.connectors.items())
        if not one.up
    )


def _touch_all(floor: Floor) -> None:
    """The link is shown with everything of the site."""
    state = floor.state
    for call_id in state.calls:
        floor.touch("call", call_id)
    for transfer_id in state.transfers:
        floor.touch("transfer", transfer_id)
    for queue in state.queues:
        floor.touch("queue", queue)


def _sweep(floor: Floor, at: datetime) -> None:
    """Nobody saw what happened meanwhile: calls are let go, agents are unknown until the switch speaks of them."""
    state = floor.state
    was_down, state.link = state.link == "down", "up"
    start_anew(state)
    state.over.clear()
    for call_id in tuple(state.calls):
        end_call(floor, call_id, at)
    for agent in state.agents.values():
        nothing_declared(agent)
        agent.lapsed, agent.promise_s = False, None
        flapping.stop(floor, agent)
        agents.settle(floor, agent, at, "inferred")
        if was_down and agent.provenance == "stale":
            agents.close_interval(floor, agent, max(at, agent.since))
            agent.provenance = "inferred"
        floor.touch("agent", agent.agent_id)
    listening.not_heard(floor, at)
    if was_down:
        _touch_all(floor)


def _resume(floor: Floor, at: datetime) -> None:
    """The site was not heard for a while, and nothing of that time was lost: what was known holds again."""
    state = floor.state
    state.link, state.link_since = "up", at
    tickets.heard_again(floor, at)
    if state.calls:
        leases.arm_calls(floor, at)
    for agent in state.agents.values():
        if agent.provenance == "stale":
            agents.close_interval(floor, agent, max(at, agent.since))
            agent.provenance = "inferred"
        leases.arm(floor, agent)
        floor.touch("agent", agent.agent_id)
    _touch_all(floor)


def close_books(floor: Floor, at: datetime) -> None:
    """Record what still runs at the end of a recording."""
    for agent in floor.state.agents.values():
        agents.close_interval(floor, agent, at)
    transfers.close_books(floor)
    calls.close_books(floor, at)
    books.reopen(floor, at, at)
