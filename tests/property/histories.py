"""Random histories of a small floor: any event in any order, now and then late, as no switch should but some do."""

from __future__ import annotations

from hypothesis import strategies as st

from shared import events
from shared.envelope import Data
from shared.siteconfig import Leases, QueueConfig, SiteConfig, Sites
from tests.floorkit import SITE, at

# leases so short that they run out in a history
CONFIG = Sites(
    {
        SITE: SiteConfig(
            queues={"sales": QueueConfig(wrap_up_s=6)},
            leases=Leases(ringing_s=25, line_s=70, wrap_s=60, declared_s=90, call_s=120),
        )
    }
)

AGENTS = st.sampled_from(["1", "2", "3"])
CALLS = st.sampled_from(["a", "b", "c"])
LEGS = st.sampled_from(["k", "l", "m", "n"])
FORKS = st.sampled_from(["f", "g"])
QUEUES = st.sampled_from(["sales", "support"])
TRANSFERS = st.sampled_from(["t", "u"])
CONNECTORS = st.sampled_from(["test", "test", "other"])
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
        st.builds(events.AgentSeen, agent_id=AGENTS, lease_s=st.sampled_from([None, 0.0, 10.0, 45.0])),
        _about_listeners(),
    )


def _about_listeners() -> st.SearchStrategy[Data]:
    return st.one_of(
        st.builds(
            events.ListenStarted,
            listen_id=LEGS,
            agent_id=AGENTS | st.just(""),
            call_id=CALLS | st.just(""),
            ticket=FORKS | st.just(""),
        ),
        st.builds(events.ListenEnded, listen_id=LEGS),
        st.builds(
            events.CommandAnswered,
            command_id=st.just("k"),
            action=st.sampled_from(["listen_start", "listen_start", "listen_stop", "agent_pause"]),
            outcome=st.sampled_from(["taken", "taken", "done", "done", "failed", "expired"]),
            fork_id=FORKS,
        ),
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
        st.builds(events.LinkUp, connector=CONNECTORS, resumed=st.booleans()),
        st.builds(events.LinkDown, connector=CONNECTORS),
        st.builds(events.Clock),
        st.builds(events.Clock),
        st.builds(
            events.Snapshot,
            connector=CONNECTORS,
            agents=_some(AGENTS),
            calls=_some(CALLS),
            legs=_some(LEGS),
            queues=st.none() | st.dictionaries(QUEUES, st.lists(CALLS, max_size=2, unique=True).map(tuple)),
        ),
    )


def _some(ids: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...] | None]:
    return st.none() | st.lists(ids, max_size=3, unique=True).map(tuple)


happenings = st.one_of(_about_agents(), _about_calls(), _about_calls(), _about_transfers(), _about_links())
# (seconds since the one before, what): a negative step is a late event
steps = st.tuples(st.one_of(st.integers(0, 40), st.integers(-5, 5)), happenings)
histories = st.lists(steps, min_size=1, max_size=60)
History = list[tuple[int, Data]]
