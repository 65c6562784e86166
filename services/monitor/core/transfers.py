"""Transfers: stamps, legs and outcomes. The 7 s rule watches them while they run.

Legs (docs/metrics.md): seek = ringing - requested, ring = answered - ringing, brief = bridged - answered for attended ones,
customer gap = bridged - last moment the customer heard a person, total = bridged - requested.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

from services.monitor.core import agents, calls
from services.monitor.core.counting import agentday
from services.monitor.core.floor import Floor
from services.monitor.core.rules import watching
from services.monitor.core.state import Early, Transfer
from services.monitor.core.trust import late, over
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
    call = None if over.is_over(floor, data.call_id, at) else floor.call(data.call_id, at)
    transfer = Transfer(
        transfer_id=data.transfer_id,
        call_id=data.call_id,
        kind=data.kind,
        from_agent=data.from_agent,
        requested=at,
        to_agent=data.to_agent,
        to_queue=data.to_queue,
        to_number=data.to_number,
        heard_until=(call.heard_until if call else None) or at,
        precision_ms=event.precisionms,
    )
    state.transfers[transfer.transfer_id] = transfer
    if data.from_agent:
        agents.settle(floor, floor.agent(data.from_agent, at), at)
        agentday.asked_transfer(floor, call, floor.state.agents[data.from_agent], at)
    if call is not None:
        call.transfers.append(transfer.transfer_id)
        calls.settle(floor, call, at)
    _heard(floor, transfer, at)
    if state.early:
        for early in late.take(floor, _key(transfer.transfer_id), at):
            _TOLD[early.what](floor, transfer, early)
    if call is None and transfer.outcome == "running":  # told after its call was over: still a case
        _guess(floor, transfer, max(at, state.over[data.call_id]), "failed")


def _retargeted(floor: Floor, transfer: Transfer, at: datetime, data: events.TransferRequested) -> None:
    """The switch says only now where the transfer goes; it still began when it was first asked for."""
    if transfer.outcome != "running":
        floor.anomaly("transfer_requested_after_end")
        return
    if at < transfer.requested:
        floor.anomaly("late_transfer_requested")
        transfer.requested = at
        watching.began_earlier(floor, "transfer", transfer.transfer_id, at)
    else:
        transfer.kind = data.kind
    transfer.to_agent = transfer.to_agent or data.to_agent
    transfer.to_queue = data.to_queue or transfer.to_queue
    transfer.to_number = data.to_number or transfer.to_number
    _heard(floor, transfer, at)


def _key(transfer_id: str) -> str:
    return f"transfer:{transfer_id}"


def _tell(floor: Floor, transfer_id: str, told: Early) -> None:
    """Do what was told of a transfer; of one that nobody asked for yet, once it is."""
    transfer = floor.state.transfers.get(transfer_id)
    if transfer is None:
        floor.anomaly(f"transfer_{told.what}_unknown")
        late.keep(floor, _key(transfer_id), told)
        return
    if transfer.outcome != "running":
        floor.anomaly(f"transfer_{told.what}_after_end")
    _TOLD[told.what](floor, transfer, told)


def ringing(floor: Floor, event: Event, data: events.TransferRinging) -> None:
    _tell(floor, data.transfer_id, Early(event.time, "ringing", agent_id=data.to_agent))


def answered(floor: Floor, event: Event, data: events.TransferAnswered) -> None:
    _tell(floor, data.transfer_id, Early(event.time, "answered", agent_id=data.to_agent))


def bridged(floor: Floor, event: Event, data: events.TransferBridged) -> None:
    _tell(floor, data.transfer_id, Early(event.time, "bridged", agent_id=data.to_agent))


def ended(floor: Floor, event: Event, data: events.TransferEnded) -> None:
    _tell(floor, data.transfer_id, Early(event.time, "ended", outcome=data.outcome, reason=data.reason))


def _rings(floor: Floor, transfer: Transfer, told: Early) -> None:
    """The first alert counts; of several targets the last."""
    before = (transfer.ringing, transfer.to_agent)
    if transfer.ended is None or told.at <= transfer.ended:
        _target(transfer, told)
        transfer.ringing = told.at if transfer.ringing is None else min(told.at, transfer.ringing)
    _learned(floor, transfer, told.at, changed=before != (transfer.ringing, transfer.to_agent))


def _answers(floor: Floor, transfer: Transfer, told: Early) -> None:
    """The last answer before the bridge counts; a bridge that came first was taken for one."""
    known, limit = transfer.answered, transfer.bridged or transfer.ended
    counts = known is None or told.at > known or (known == transfer.bridged and told.at < known)
    if counts and (limit is None or told.at <= limit):
        _target(transfer, told)
        transfer.answered = told.at
    _learned(floor, transfer, told.at, changed=known != transfer.answered)


def _learned(floor: Floor, transfer: Transfer, at: datetime, *, changed: bool) -> None:
    """A stamp that comes after the end puts the record right."""
    if transfer.outcome == "running":
        _heard(floor, transfer, at)
    elif changed:
        _heard(floor, transfer, at)
        _record(floor, transfer)


def _bridges(floor: Floor, transfer: Transfer, told: Early) -> None:
    if _ends(transfer, told.at):
        _target(transfer, told)
        transfer.bridged = max(told.at, transfer.requested)
        if transfer.answered is None or transfer.answered > transfer.bridged:
            transfer.answered = transfer.bridged
        _end(floor, transfer, transfer.bridged, "completed", "")


def _fails(floor: Floor, transfer: Transfer, told: Early) -> None:
    if _ends(transfer, told.at):
        _end(floor, transfer, told.at, told.outcome, told.reason)  # type: ignore[arg-type]  # of a TransferEnded


def _ends(transfer: Transfer, at: datetime) -> bool:
    """Whether this is how it ended: also when the end of its call was heard first, and its outcome guessed by that."""
    return transfer.outcome == "running" or (transfer.guessed and transfer.ended is not None and at <= transfer.ended)


_TOLD: Final = MappingProxyType[str, Callable[[Floor, Transfer, Early], None]](
    {
        "ringing": _rings,
        "answered": _answers,
        "bridged": _bridges,
        "ended": _fails,
    }
)


def _target(transfer: Transfer, told: Early) -> None:
    if told.agent_id and (transfer.target_at is None or told.at >= transfer.target_at):
        transfer.to_agent, transfer.target_at = told.agent_id, told.at


def released(floor: Floor, event: Event, data: events.TransferReleased) -> None:
    transfer = floor.state.transfers.get(data.transfer_id)
    if transfer is None:
        floor.anomaly("transfer_released_unknown")
        return
    transfer.released = event.time
    _heard(floor, transfer, event.time)


def _end(
    floor: Floor,
    transfer: Transfer,
    at: datetime,
    outcome: Literal["completed", "failed", "cancelled", "abandoned"],
    reason: str,
) -> None:
    transfer.outcome, transfer.reason, transfer.ended = outcome, reason, max(at, transfer.requested)
    transfer.guessed = False
    call = floor.state.calls.get(transfer.call_id)
    if call is not None and transfer.transfer_id in call.transfers:
        call.transfers.remove(transfer.transfer_id)
        calls.settle(floor, call, at)
    _heard(floor, transfer, at)
    _record(floor, transfer)
    floor.timer(transfer.ended + SHOWN_AFTER_END, "forget", (transfer.transfer_id, ""))


def _record(floor: Floor, transfer: Transfer) -> None:
    """Publish it; a record that late events put right comes again under its id."""
    floor.emit(f"transfer:{transfer.transfer_id}", transfer.ended or transfer.requested, record_of(floor, transfer))


def _guess(floor: Floor, transfer: Transfer, at: datetime, outcome: Literal["failed", "abandoned"]) -> None:
    """Its call ended, and so did it; how, the switch may still tell."""
    _end(floor, transfer, at, outcome, "the call ended")
    transfer.guessed = True
    if transfer.provenance == "observed":
        transfer.provenance = "inferred"


def end_with_call(floor: Floor, call_id: str, at: datetime, outcome: Literal["failed", "abandoned"]) -> None:
    """The call is gone while transfers of it run: cases with an outcome, not missing values."""
    call = floor.state.calls.get(call_id)
    for transfer_id in tuple(call.transfers) if call else ():
        _guess(floor, floor.state.transfers[transfer_id], at, outcome)


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
    if start is None or end is None:
        return None
    return (end - start).total_seconds() if end > start else 0.0


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
    if watch is not None and watch.flag_id and transfer.outcome == "running":
        return "yes"  # of one that is over its stamps decide: the bridge may come late, after the flag
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
