"""An agent's figures since midnight at the site."""

from __future__ import annotations

from datetime import datetime

from services.monitor.core import queues
from services.monitor.core.counting import books, metrics
from services.monitor.core.counting.tallies import Periods, Today
from services.monitor.core.floor import Floor
from services.monitor.core.state import Agent, Call, Leg
from services.monitor.core.views import AgentFiguresView


def _today(agent: Agent, found: Periods) -> Today:
    if agent.today is None:
        agent.today = Today(since=max(agent.since, found.day_from))
    return agent.today


def spent(floor: Floor, agent: Agent, at: datetime, lasted_s: float) -> None:
    """The agent's displayed state ends at `at` after so long. What of it lay before midnight was yesterday's."""
    state, today = agent.state, _today(agent, books.running(floor, at))
    seconds = lasted_s if today.since <= agent.since else (at - today.since).total_seconds()
    if seconds > 0:
        today.state_s[state] = today.state_s.get(state, 0.0) + seconds
    if state == "wrap" and agent.shown_queue:
        queues.wrapped(floor, agent.shown_queue, lasted_s, at)


def conversation_ended(floor: Floor, leg: Leg, at: datetime) -> None:
    """The agent's part in a customer's call is over, be it from a queue or dialled."""
    if leg.agent_id and books.heard_by(floor, at):
        today = _today(floor.agent(leg.agent_id, at), books.running(floor, at))
        today.handled += 1
        today.talk_s += leg.talk_s
        today.hold_s += leg.hold_s


def missed(floor: Floor, leg: Leg, at: datetime) -> None:
    """A phone stopped ringing because nobody took the call. Only what rang for a customer counts."""
    if leg.agent_id and leg.role == "agent" and leg.state == "ringing":
        agent = floor.agent(leg.agent_id, at)
        agent.missed_in_row += 1
        if books.heard_by(floor, at):
            _today(agent, books.running(floor, at)).missed += 1


def answered(floor: Floor, leg: Leg) -> None:
    """The agent is on the phone, so whatever was missed in a row is over."""
    if leg.agent_id:
        floor.state.agents[leg.agent_id].missed_in_row = 0


def asked_transfer(floor: Floor, call: Call | None, agent: Agent, at: datetime) -> None:
    """The agent asked to transfer a call: counted now for the agent, and for the queue when the conversation ends."""
    if books.heard_by(floor, at):
        _today(agent, books.running(floor, at)).transfers += 1
    for leg_id in call.legs if call is not None else ():
        leg = floor.state.legs[leg_id]
        if leg.agent_id == agent.agent_id:
            leg.asked = True


def view(floor: Floor, agent: Agent) -> AgentFiguresView | None:
    """What the board shows of the agent's day; None before there is anything."""
    today, found = agent.today, floor.state.periods
    if today is None or found is None:
        return None
    spent_in = today.state_s.get
    wrap_s = spent_in("wrap", 0.0)
    handling = spent_in("talk", 0.0) + spent_in("hold", 0.0) + spent_in("consult", 0.0) + wrap_s
    return AgentFiguresView(
        day=found.day,
        since=today.since,
        state_s=dict(today.state_s),
        handled=today.handled,
        talk_s=today.talk_s,
        hold_s=today.hold_s,
        wrap_s=wrap_s,
        missed=today.missed,
        missed_in_row=agent.missed_in_row,
        transfers=today.transfers,
        occupancy=metrics.occupancy(handling, today.state_s.get("ready", 0.0)),
    )
