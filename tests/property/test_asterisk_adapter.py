"""The adapter as a machine: a restart anywhere changes nothing, and no stream of packets breaks it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from floorwatch.traces import Trace
from services.ingest.adapters.asterisk import AsteriskAdapter
from shared import events
from shared.errors import InvalidInput
from shared.events import Event
from shared.raw import Raw
from tests.asteriskkit import CONFIG

RECORDING = Path(__file__).parents[1] / "recorded" / "asterisk" / "ami.jsonl.gz"
UNREAD = b'"CEL"', b'"VarSet"', b'"DeviceStateChange"', b'"Cdr"', b'"NewConnectedLine"', b'"NewCallerid"'


@lru_cache(maxsize=1)
def recorded() -> tuple[Raw, ...]:
    with Trace(RECORDING) as trace:
        return tuple(raw for raw in trace.raws(site="hq") if not any(name in raw.value for name in UNREAD))


@lru_cache(maxsize=1)
def uninterrupted() -> tuple[tuple[Event, ...], ...]:
    adapter = AsteriskAdapter("hq", CONFIG)
    return tuple(tuple(adapter.feed(raw)) for raw in recorded())


@given(cuts=st.sets(st.integers(0, 2500), min_size=1, max_size=4))
@settings(max_examples=12)
def test_a_restart_at_any_packet_changes_nothing(cuts: set[int]) -> None:
    adapter = AsteriskAdapter("hq", CONFIG)
    for number, raw in enumerate(recorded()):
        if number in cuts:
            state = adapter.dump()
            adapter = AsteriskAdapter("hq", CONFIG)
            adapter.load(state)
            assert adapter.dump() == state
        assert tuple(adapter.feed(raw)) == uninterrupted()[number]


@given(data=st.data())
@settings(max_examples=25)
def test_no_loss_repetition_or_disorder_of_packets_breaks_the_story(data: st.DataObject) -> None:
    """Whatever arrives: legs, visits and transfers begin once, end at most once, and only what began changes."""
    packets = recorded()
    start = data.draw(st.integers(0, 2000))
    picked = data.draw(st.lists(st.integers(0, 400), max_size=400))
    adapter = AsteriskAdapter("hq", CONFIG)
    # a stretch with losses, repetitions and disorder, then the real stream again
    stream = [packets[min(start + number, len(packets) - 1)] for number in picked] + list(packets[start : start + 600])
    legs: set[str] = set()
    transfers: set[str] = set()
    ever: set[str] = set()
    waiting: set[tuple[str, str]] = set()
    for raw in stream:
        try:
            found = adapter.feed(raw)
        except InvalidInput:
            continue
        for event in found:
            _follow(event.data, legs, transfers, ever, waiting)


def _follow(data: object, legs: set[str], transfers: set[str], ever: set[str], waiting: set[tuple[str, str]]) -> None:
    match data:
        case events.LegStarted(leg_id=leg_id):
            assert leg_id not in legs
            legs.add(leg_id)
        case events.LegAnswered(leg_id=leg_id) | events.LegHeld(leg_id=leg_id) | events.LegMoved(leg_id=leg_id):
            assert leg_id in legs
        case events.LegCleared(leg_id=leg_id):
            legs.remove(leg_id)
        case events.TransferRequested(transfer_id=transfer_id):
            assert transfer_id not in ever or transfer_id in transfers  # told again while it runs: the target is known
            ever.add(transfer_id)
            transfers.add(transfer_id)
        case events.TransferRinging(transfer_id=transfer_id) | events.TransferAnswered(transfer_id=transfer_id):
            assert transfer_id in transfers
        case events.TransferBridged(transfer_id=transfer_id) | events.TransferEnded(transfer_id=transfer_id):
            transfers.remove(transfer_id)
        case events.CallQueued(call_id=call_id, queue=queue):
            assert (call_id, queue) not in waiting
            waiting.add((call_id, queue))
        case events.CallDequeued(call_id=call_id, queue=queue):
            waiting.remove((call_id, queue))
        case _:
            pass
