"""Random histories of a small floor: any event in any order, now and then late, as no switch should but some do."""

from __future__ import annotations

from hypothesis import strategies as st

from shared import events
from shared.envelope import Data
from tests.floorkit import at

AGENTS = st.sampled_from(["1", "2", "3"])
CALLS = st.sampled_from(["a", "b", "c"])
LEGS = st.sampled_from(["k", "l", "m", "n"])
QUEUES = st.sampled_from(["sales", "support"])
TRANSFERS = st.sampled_from(["t", "u"])
ROLES = st.sampled_from(["agent", "consult", "internal"])


def _about_agents() -> st.SearchStrategy[Data]:
    return st.one_of(
        st.builds(events.AgentLoggedOn, agent_id=AGENTS, queues=st.lists(QUEUES, max_size=2).map(tuple)),
        st.builds(events.AgentLoggedOff, agent_id=AGENTS),
        st.builds(events.AgentReady, agent_id=AGENTS),
        st.builds(events.AgentNotReady, agent_id=AGENTS, reason=st.sampled_from(["", "tea"])),
        st.builds(
            events.WrapStarted,
            agent_id=AGENTS,
            queue=QUEUES,
            until=st.none() | st.integers(0, 400).map(at),
        ),
        st.builds(events.WrapEnded, agent_id=AGENTS),
        st.builds(events.ListenStarted, listen_id=LEGS, agent_id=AGENTS),
        st.builds(events.ListenEnded, listen_id=LEGS),
    )


def _about_calls() -> st.SearchStrategy[Data]:
    reasons = st.sampled_from(["answered", "abandoned", "timed_out", "cleared"])
    return st.one_of(
        st.builds(events.CallStarted, call_id=CALLS, direction=st.sampled_from(["inbound", "outbound", "internal"])),
        st.builds(events.CallQueued, call_id=CALLS, queue=QUEUES),
        st.builds(events.CallDequeued, call_id=CALLS, queue=QUEUES, reason=reasons, agent_id=AGENTS | st.just("")),
        st.builds(events.CallCleared, call_id=CALLS, cleared_by=st.sampled_from(["customer", "agent", ""])),
        st.builds(
            events.LegStarted,
            call_id=CALLS,
            leg_id=LEGS,
            agent_id=AGENTS,
            role=ROLES,
            state=st.sampled_from(["ringing", "dialing", "talking"]),
            queue=QUEUES,
        ),
        st.builds(events.LegAnswered, call_id=CALLS, leg_id=LEGS),
        st.builds(events.LegHeld, call_id=CALLS, leg_id=LEGS),
        st.builds(events.LegRetrieved, call_id=CALLS, leg_id=LEGS),
        st.builds(events.LegMoved, leg_id=LEGS, call_id=CALLS, role=ROLES),
        st.builds(events.LegCleared, call_id=CALLS, leg_id=LEGS),
    )


def _about_transfers() -> st.SearchStrategy[Data]:
    return st.one_of(
        st.builds(
            events.TransferRequested,
            transfer_id=TRANSFERS,
            call_id=CALLS,
            kind=st.sampled_from(["blind", "attended", "queue"]),
            from_agent=AGENTS,
            to_agent=AGENTS,
        ),
        st.builds(events.TransferRinging, transfer_id=TRANSFERS),
        st.builds(events.TransferAnswered, transfer_id=TRANSFERS),
        st.builds(events.TransferBridged, transfer_id=TRANSFERS, to_agent=AGENTS),
        st.builds(events.TransferReleased, transfer_id=TRANSFERS),
        st.builds(
            events.TransferEnded,
            transfer_id=TRANSFERS,
            outcome=st.sampled_from(["failed", "cancelled", "abandoned"]),
        ),
    )


def _about_links() -> st.SearchStrategy[Data]:
    return st.one_of(
        st.builds(events.LinkUp, connector=st.just("test")),
        st.builds(events.LinkDown, connector=st.just("test")),
        st.builds(events.Clock),
    )


happenings = st.one_of(_about_agents(), _about_calls(), _about_calls(), _about_transfers(), _about_links())
# (seconds since the one before, what): a negative step is a late event
steps = st.tuples(st.one_of(st.integers(0, 40), st.integers(-5, 5)), happenings)
histories = st.lists(steps, min_size=1, max_size=60)
History = list[tuple[int, Data]]
