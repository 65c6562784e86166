"""Flapping: an agent's state that changes every few seconds for minutes is damped on the board, and flagged.

A dozen short states in a row, over a minute at least, are flapping; it is over when a state lasts. A conversation is short
only under 5 s: longer ones are work, however quickly they follow each other. While an agent flaps the board shows the state
that it was mostly in lately and hears of it at most every 10 s. Records, figures of queues and the partition of the agent's
time know nothing of this.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.state import Agent, Flap
from shared.facts import AgentState

STATES: Final = 12
SPAN: Final = timedelta(seconds=60)
TELL_EVERY: Final = timedelta(seconds=10)
LATELY_S: Final = 120.0

_SHORT, _STEADY = timedelta(seconds=10), timedelta(seconds=30)
_SHORT_TALK, _STEADY_TALK = timedelta(seconds=5), timedelta(seconds=10)
_CONVERSATION: Final = frozenset[AgentState]({"talk", "hold", "consult"})


def steady(state: AgentState) -> timedelta:
    """A state that lasts so long ends the flapping."""
    return _STEADY_TALK if state in _CONVERSATION else _STEADY


def changed(floor: Floor, agent: Agent, ended: AgentState, began: datetime, at: datetime) -> None:
    """The agent's state `ended`, which had begun at `began`, gave way to another one at `at`."""
    flap, lasted = agent.flap, at - began
    if lasted >= (_SHORT_TALK if ended in _CONVERSATION else _SHORT):
        if agent.flapping_since is None:
            agent.flap = None
            return
        if lasted >= steady(ended):
            stop(floor, agent)
            return
    if flap is None:
        flap = agent.flap = Flap(began=began)
    _count(flap, ended, lasted.total_seconds())
    if agent.flapping_since is not None:
        if flap.told is None or at - flap.told >= TELL_EVERY:
            _tell(floor, agent, flap, at)
    elif flap.count >= STATES and at - flap.began >= SPAN:
        floor.anomaly("flapping", ("agent", agent.agent_id))
        agent.flapping_since = flap.began
        _tell(floor, agent, flap, at)
        _look(floor, agent, flap, at + steady(agent.state))


def _count(flap: Flap, state: AgentState, seconds: float) -> None:
    flap.count += 1
    flap.seconds[state] = flap.seconds.get(state, 0.0) + seconds
    flap.total_s += seconds
    if flap.total_s > LATELY_S:  # what was long ago weighs less and less
        flap.seconds = {one: spent / 2 for one, spent in flap.seconds.items()}
        flap.total_s /= 2


def _tell(floor: Floor, agent: Agent, flap: Flap, at: datetime) -> None:
    flap.shown = max(flap.seconds, key=lambda state: (flap.seconds[state], state))
    flap.told = at
    floor.cards.pop(agent.agent_id, None)
    floor.touch("agent", agent.agent_id)


def _look(floor: Floor, agent: Agent, flap: Flap, due: datetime) -> None:
    flap.due = due
    floor.timer(due, "flap", (agent.agent_id, ""))


def over(floor: Floor, agent: Agent, due: datetime) -> bool:
    """The timer of a flapping agent is due: whether its state has lasted. If not, the timer is set anew."""
    flap = agent.flap
    if flap is None or agent.flapping_since is None or flap.due != due:
        return False
    lasts_at = agent.since + steady(agent.state)
    if lasts_at > due:
        _look(floor, agent, flap, lasts_at)
        return False
    stop(floor, agent)
    return True


def stop(floor: Floor, agent: Agent) -> None:
    """The agent does not flap, or no longer: the board shows it as it is."""
    agent.flap = agent.flapping_since = None
    floor.cards.pop(agent.agent_id, None)
    floor.touch("agent", agent.agent_id)
