"""Ghosts: what the switch ended without our hearing of it, ended here with all that hangs on it, each with an outcome."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from services.monitor.core import calls, transfers
from services.monitor.core.floor import Floor
from services.monitor.core.state import Shown
from services.monitor.core.trust import leases


@contextmanager
def sweeping(floor: Floor, provenance: Shown) -> Iterator[None]:
    """What is ended inside is no evidence of the agents in it, and is known only by `provenance`."""
    before, floor.hearing, floor.provenance = floor.provenance, False, provenance
    try:
        yield
    finally:
        floor.hearing, floor.provenance = True, before


def end_call(floor: Floor, call_id: str, at: datetime) -> None:
    """End a call: its transfers as failed, waiting as cleared, conversations as they stand."""
    transfers.end_with_call(floor, call_id, at, "failed")
    calls.let_go(floor, floor.state.calls[call_id], at)


def lapsed_calls(floor: Floor, due: datetime) -> None:
    """The timer of all calls is due: those not heard of for too long are ended, at the moment when they lapsed."""
    for call_id in leases.lapsed_calls(floor, due):
        floor.anomaly("call_lapsed", ("call", call_id))
        with sweeping(floor, "timer"):
            end_call(floor, call_id, due)
