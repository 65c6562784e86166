"""A new session of the connector: whoever reads us let go of all they knew, so everything that still is must be told anew.

The mirror stays: it knows more than any listing says. Only what was told is forgotten. Each thing is told again when the
switch next speaks of it, in the answers to `CoreShowChannels` and `QueueStatus` at the latest.
"""

from __future__ import annotations

from typing import Final

from services.ingest.adapters.asterisk.model import Kept, State

SESSIONS: Final = 4  # a connector that is replaced may overlap with its successor; its last words are no new session


def began(state: State, session: str) -> bool:
    """Whether a record of this session is the first of another session than before; noted. One without a name is none."""
    known = state.sessions
    if not session or session in known:
        return False
    known.append(session)
    del known[:-SESSIONS]
    return len(known) > 1


def forget(state: State) -> None:
    """Nothing counts as told. Transfers that ran are let go: of their end nobody could say when it was."""
    state.kept = {leg.leg_id: Kept(leg.queue, leg.connected, leg.wrapped) for leg in state.legs.values()}
    state.legs.clear()
    state.transfers.clear()
    state.listens.clear()
    state.spying.clear()
    state.leaving.clear()
    for call in state.calls.values():
        call.announced = False
        call.legs.clear()
    for visit in state.visits.values():
        visit.told, visit.left = False, None
    for agent in state.agents.values():
        agent.logged_on, agent.paused, agent.reason, agent.queues, agent.name = False, False, "", (), ""
        agent.legs.clear()
