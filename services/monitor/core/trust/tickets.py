"""Which listens were ordered here: a connector says which ticket it took before it asks its switch for the listen.

A ticket is known from then on, until a minute after its listen ended: the switch may say twice of one leg that it listens. If the
switch said nothing of the listen in time that is an anomaly, unless nobody heard the switch meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.state import Ticket
from shared.events import CommandAnswered

MOST: Final = 2000  # at one site; more than listen at a time. The oldest of which nothing is heard go first
_TO_BEGIN: Final = timedelta(seconds=10)  # after the switch said that it did as it was told
_STAYS: Final = timedelta(seconds=60)  # after its end


def answered(floor: Floor, data: CommandAnswered, at: datetime) -> bool:
    """What became of a command for a fork. True when its ticket counts from now on and did not before."""
    fork_id, known = data.fork_id, floor.state.tickets.get(data.fork_id)
    if not fork_id:
        return False
    if data.action == "listen_stop":
        if known is not None and data.outcome == "done":
            known.due = None
            _over(floor, fork_id, known, at)
        return False
    if data.action != "listen_start":
        return False
    if data.outcome in ("taken", "done"):
        ticket = known or Ticket(data.agent_id, data.call_id)
        floor.state.tickets[fork_id] = ticket
        if data.outcome == "done" and not ticket.used:
            _wait(floor, fork_id, ticket, at)
        if known is None:
            _make_room(floor)
        return known is None
    if known is not None and not known.used:  # failed, or expired, or refused after all
        del floor.state.tickets[fork_id]
    return False


def use(floor: Floor, fork_id: str) -> bool:
    """A listen with this ticket began. False for one that nobody ordered."""
    ticket = floor.state.tickets.get(fork_id)
    if ticket is None:
        return False
    ticket.used, ticket.due, ticket.over = True, None, None
    return True


def ended(floor: Floor, fork_id: str, at: datetime) -> None:
    """The listen with this ticket is over."""
    ticket = floor.state.tickets.get(fork_id)
    if ticket is not None:
        _over(floor, fork_id, ticket, at)


def not_heard(floor: Floor, at: datetime) -> None:
    """Nobody heard the switch until now: whether a listen began, or ended, nobody can say. One that runs is told anew."""
    for fork_id, ticket in floor.state.tickets.items():
        ticket.due = None
        _over(floor, fork_id, ticket, at)


def heard_again(floor: Floor, at: datetime) -> None:
    """The switch was not heard for a while, and what it said meanwhile comes now: give it time."""
    for fork_id, ticket in floor.state.tickets.items():
        if ticket.due is not None:
            _wait(floor, fork_id, ticket, at)


def due(floor: Floor, fork_id: str, at: datetime) -> None:
    """A listen should have begun by now, or a ticket is long over."""
    ticket = floor.state.tickets.get(fork_id)
    if ticket is None:
        return
    if ticket.due is not None and at >= ticket.due:
        said = f"ordered for agent {ticket.agent_id or '-'}, call {ticket.call_id or '-'}"
        floor.anomaly("listen_ticket_unused", ("listen", fork_id), said=said)
        ticket.due = None
        _over(floor, fork_id, ticket, at)
    elif ticket.over is not None and at >= ticket.over + _STAYS and fork_id not in _running(floor):
        del floor.state.tickets[fork_id]


def _wait(floor: Floor, fork_id: str, ticket: Ticket, at: datetime) -> None:
    ticket.due = at + _TO_BEGIN
    floor.timer(ticket.due, "ticket", (fork_id, ""))


def _over(floor: Floor, fork_id: str, ticket: Ticket, at: datetime) -> None:
    ticket.over = at
    floor.timer(at + _STAYS, "ticket", (fork_id, ""))


def _make_room(floor: Floor) -> None:
    tickets = floor.state.tickets
    if len(tickets) > MOST:
        running = _running(floor)
        del tickets[next((fork_id for fork_id in tickets if fork_id not in running), next(iter(tickets)))]


def _running(floor: Floor) -> set[str]:
    return {one.ticket for one in floor.state.listening.values() if one.ended is None}
