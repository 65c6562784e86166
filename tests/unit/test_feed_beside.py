"""What comes to be seen, or is seen no more, though nothing happened to it: only what it hangs on changed."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from services.monitor.feed.hub import Hub
from services.monitor.feed.messages import Filter
from services.monitor.metrics import FeedMetrics
from shared.clock import SystemClock
from shared.envelope import Data
from shared.events import AgentLoggedOn, CallQueued, CallStarted, LegStarted, LinkUp, TransferRequested, TransferRinging
from shared.identity import Principal, Scope
from tests.feedkit import Board, Client
from tests.floorkit import SITE, Bench


def a_floor(who: Principal, asked: Filter | None = None) -> tuple[Callable[..., None], Board]:
    """What makes things happen, all told at once; and a board."""
    bench = Bench()
    bench(
        0,
        LinkUp(connector="test"),
        AgentLoggedOn(agent_id="1", queues=("sales",)),
        AgentLoggedOn(agent_id="2", queues=("support",)),
    )
    hub = Hub(bench.engine, SystemClock(), FeedMetrics.on(CollectorRegistry()), flush_s=1000)
    client = Client(hub, who)
    hub.subscribe(client.subscriber, None, asked)

    def happens(second: float, *data: Data) -> None:
        hub.on_batch([*bench(second, *data), *bench.mark(second)])
        hub.flush()
        client.hear()
        fresh = Client(hub, who)
        hub.subscribe(fresh.subscriber, None, asked)
        assert client.board.shown() == fresh.hear().shown(), "who comes now sees the same"
        fresh.leave()

    return happens, client.board


def kinds(board: Board) -> list[str]:
    return sorted(kind for kind, _ in board.shown() if kind in ("call", "transfer", "flag"))


async def test_a_transfer_that_rings_with_somebody_brings_its_flag() -> None:
    happens, board = a_floor(Principal("anna", "Anna", frozenset({"viewer"})), Filter(agents=(f"{SITE}/2",)))
    talking = LegStarted(call_id="c", leg_id="1", agent_id="1", state="talking")
    happens(1, CallStarted(call_id="c"), CallQueued(call_id="c", queue="sales"), talking)
    happens(2, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    happens(10)  # over its limit by now
    assert kinds(board) == []
    happens(11, TransferRinging(transfer_id="t", to_agent="2"))
    assert kinds(board) == ["flag", "transfer"]


async def test_an_agent_who_leaves_a_queue_takes_calls_transfers_and_flags_along() -> None:
    happens, board = a_floor(Principal("anna", "Anna", frozenset({"viewer"}), Scope(queues=frozenset({"sales"}))))
    talking = LegStarted(call_id="c", leg_id="1", agent_id="1", state="talking")
    happens(1, CallStarted(call_id="c"), talking)
    happens(2, TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"))
    happens(10)
    assert kinds(board) == ["call", "flag", "transfer"]
    happens(11, AgentLoggedOn(agent_id="1", queues=("support",)))
    assert kinds(board) == []
    happens(12, AgentLoggedOn(agent_id="1", queues=("sales",)))
    assert kinds(board) == ["call", "flag", "transfer"]
