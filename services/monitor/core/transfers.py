"""Transfers: stamps, legs and outcomes. The 7 s rule watches them while they run.

Legs (docs/metrics.md): seek = ringing - requested, ring = answered - ringing, brief = bridged - answered for attended ones,
customer gap = bridged - last moment the customer heard a person, total = bridged - requested.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from services.monitor.core import agentday, agents, calls, over, watching
from services.monitor.core.floor import Floor
from services.monitor.core.state import Transfer
from shared import events, facts
from shared.events import Event

SLOW_TRANSFER: Final = "slow_transfer"
SHOWN_AFTER_END = timedelta(minutes=5)  # an ended transfer stays on the board for a supervisor who looked away


def _heard(floor: Floor, transfer: Transfer, at: datetime) -> None:
    """The newest word of the transfer, and so of its call."""
    if floor.hearing and (transfer.seen is None or at > transfer.seen):
        transfer.seen = at
        if transfer.call_id in floor.state.calls:
            floor.call(transfer.call_id, at)
    transfer.provenance = floor.provenance
    floor.touch("transfer", transfer.transfer_id)


def requested(floor: Floor, event: Event, data: events.TransferRequested) -> None:
    state, at = floor.state, event.time
    known = state.transfers.get(data.transfer_id)
    if known is not None:
        _retargeted(floor, known, at, data)
        return
    if over.is_over(floor, data.call_id, at):
        return
    call = floor.call(data.call_id, at)
    transfer = Transfer(
        transfer_id=data.transfer_id,
        call_id=data.call_id,
        kind=data.kind,
        from_agent=data.from_agent,
        requested=at,
        to_agent=data.to_agent,
        to_queue=data.to_queue,
        to_number=data.to_number,
        heard_until=call.heard_until or at,
        precision_ms=event.precisionms,
    )
    state.transfers[transfer.transfer_id] = transfer
    call.transfers.append(transfer.transfer_id)
    agents.settle(floor, floor.agent(data.from_agent, at), at)
    agentday.asked_transfer(floor, call, floor.state.agents[data.from_agent], at)
    calls.settle(floor, call, at)
    _heard(floor, transfer, at)


def _retargeted(floor: Floor, transfer: Transfer, at: datetime, data: events.TransferRequested) -> None:
    """The switch says only now where the transfer goes; it still began when it was first asked for."""
    if transfer.outcome != "running":
        floor.anomaly("transfer_requested_after_end")
        return
    transfer.kind = data.kind
    transfer.to_agent = transfer.to_agent or data.to_agent
    transfer.to_queue = data.to_queue or transfer.to_queue
    transfer.to_number = data.to_number or transfer.to_number
    _heard(floor, transfer, at)


def _running(floor: Floor, transfer_id: str, what: str) -> Transfer | None:
    transfer = floor.state.transfers.get(transfer_id)
    if transfer is None:
        floor.anomaly(f"transfer_{what}_unknown")
        return None
    if transfer.outcome != "running":
        floor.anomaly(f"transfer_{what}_after_end")
        return None
    return transfer


def _target(transfer: Transfer, to_agent: str) -> None:
    if to_agent:
        transfer.to_agent = to_agent


def ringing(floor: Floor, event: Event, data: events.TransferRinging) -> None:
    transfer = _running(floor, data.transfer_id, "ringing")
    if transfer is not None:
        _target(transfer, data.to_agent)
        transfer.ringing = transfer.ringing or event.time
        _heard(floor, transfer, event.time)


def answered(floor: Floor, event: Event, data: events.TransferAnswered) -> None:
    transfer = _running(floor, data.transfer_id, "answered")
    if transfer is not None:
        _target(transfer, data.to_agent)
        transfer.answered = event.time
        _heard(floor, transfer, event.time)


def bridged(floor: Floor, event: Event, data: events.TransferBridged) -> None:
    transfer = _running(floor, data.transfer_id, "bridged")
    if transfer is not None:
        _target(transfer, data.to_agent)
        transfer.bridged = max(event.time, transfer.requested)
        transfer.answered = transfer.answered or transfer.bridged
        _end(floor, transfer, transfer.bridged, "completed", "")


def released(floor: Floor, event: Event, data: events.TransferReleased) -> None:
    transfer = floor.state.transfers.get(data.transfer_id)
    if transfer is None:
        floor.anomaly("transfer_released_unknown")
        return
    transfer.released = event.time
    _heard(floor, transfer, event.time)


def ended(floor: Floor, event: Event, data: events.TransferEnded) -> None:
    transfer = _running(floor, data.transfer_id, "ended")
    if transfer is not None:
        _end(floor, transfer, event.time, data.outcome, data.reason)


def _end(
    floor: Floor,
    transfer: Transfer,
    at: datetime,
    outcome: Literal["completed", "failed", "cancelled", "abandoned"],
    reason: str,
) -> None:
    transfer.outcome, transfer.reason, transfer.ended = outcome, reason, max(at, transfer.requested)
    call = floor.state.calls.get(transfer.call_id)
    if call is not None and transfer.transfer_id in call.transfers:
        call.transfers.remove(transfer.transfer_id)
        calls.settle(floor, call, at)
    _heard(floor, transfer, at)
    floor.emit(f"transfer:{transfer.transfer_id}", transfer.ended, record_of(floor, transfer))
    floor.timer(transfer.ended + SHOWN_AFTER_END, "forget", (transfer.transfer_id, ""))


def end_with_call(floor: Floor, call_id: str, at: datetime, outcome: Literal["failed", "abandoned"]) -> None:
    """The call is gone while transfers of it run: cases with an outcome, not missing values."""
    call = floor.state.calls.get(call_id)
    for transfer_id in tuple(call.transfers) if call else ():
        transfer = floor.state.transfers[transfer_id]
        _end(floor, transfer, at, outcome, "the call ended")
        if transfer.provenance == "observed":
            transfer.provenance = "inferred"  # what ended was the call


def call_cleared(floor: Floor, event: Event, data: events.CallCleared) -> None:
    """A call is over: first its transfers end, then its visits and legs."""
    call = floor.state.calls.get(data.call_id)
    if call is None:
        floor.anomaly("call_cleared_twice" if data.call_id in floor.state.over else "cleared_unknown_call")
        over.remember(floor.state, data.call_id, event.time)
        return
    by_customer = data.cleared_by == "customer"
    end_with_call(floor, data.call_id, event.time, "abandoned" if by_customer else "failed")
    calls.let_go(floor, call, event.time, "abandoned" if by_customer else "cleared")
    over.remember(floor.state, data.call_id, event.time)


def close_books(floor: Floor) -> None:
    """Record transfers that still run, as such."""
    for transfer in floor.state.transfers.values():
        if transfer.outcome == "running":
            floor.emit(
                f"transfer:{transfer.transfer_id}", floor.state.now or transfer.requested, record_of(floor, transfer)
            )


def forget(floor: Floor, transfer_id: str, at: datetime) -> None:
    """Take an ended transfer off the board."""
    if floor.state.transfers.pop(transfer_id, None) is not None:
        watching.forget(floor, "transfer", transfer_id, at)
        floor.touch("transfer", transfer_id)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


def seek_s(transfer: Transfer) -> float | None:
    """Seconds from the request until the target's phone alerts."""
    return _between(transfer.requested, transfer.ringing)


def ring_s(transfer: Transfer) -> float | None:
    """Seconds that the target's phone alerted until it was answered."""
    return _between(transfer.ringing, transfer.answered)


def brief_s(transfer: Transfer) -> float | None:
    """Seconds between colleagues before the customer joined; only attended transfers have it."""
    return _between(transfer.answered, transfer.bridged) if transfer.kind == "attended" else None


def customer_gap_s(transfer: Transfer) -> float | None:
    """Seconds in which the customer heard nobody, once bridged."""
    return _between(transfer.heard_until, transfer.bridged)


def total_s(transfer: Transfer) -> float | None:
    """Seconds from the request to the bridge; None when it never came to that."""
    return _between(transfer.requested, transfer.bridged)


def slow(floor: Floor, transfer: Transfer) -> facts.Verdict | None:
    """Whether it takes, or took, longer than the rule `slow_transfer` allows; None without such a rule.

    Both stamps are cut off at the clock's precision p, so a total of t says only that it took between t - p and t + p.
    """
    rule = floor.rules.by_name.get(SLOW_TRANSFER)
    end = transfer.bridged or transfer.ended or floor.state.now
    if rule is None or end is None:
        return None
    watch = floor.state.watches.get(SLOW_TRANSFER, {}).get(transfer.transfer_id)
    if watch is not None and watch.flag_id:
        return "yes"
    total, limit = (end - transfer.requested).total_seconds(), rule.hold.total_seconds()
    precision = transfer.precision_ms / 1000
    if precision and total - precision < limit < total + precision:
        return "cannot_tell"
    return "yes" if total > limit else "no"


def record_of(floor: Floor, transfer: Transfer) -> facts.TransferEnded:
    """The finished transfer as it is published."""
    return facts.TransferEnded(
        transfer_id=transfer.transfer_id,
        call_id=transfer.call_id,
        kind=transfer.kind,
        from_agent=transfer.from_agent,
        to_agent=transfer.to_agent,
        to_queue=transfer.to_queue,
        to_number=transfer.to_number,
        requested_at=transfer.requested,
        ringing_at=transfer.ringing,
        answered_at=transfer.answered,
        bridged_at=transfer.bridged,
        released_at=transfer.released,
        ended_at=transfer.ended or transfer.requested,
        seek_s=seek_s(transfer),
        ring_s=ring_s(transfer),
        brief_s=brief_s(transfer),
        customer_gap_s=customer_gap_s(transfer),
        total_s=total_s(transfer),
        outcome=transfer.outcome,
        reason=transfer.reason,
        precision_ms=transfer.precision_ms,
        slow=slow(floor, transfer) if transfer.bridged else None,
    )
