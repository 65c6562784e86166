"""Who and what an incident touched, and for how long, counted from its flags. Pure.

A customer's number is masked before it is stored, so customers can only be told apart by what is left of it: their number
is a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from services.alerts.core.evidence import transfer_of
from services.alerts.core.incident import Clearing, Flag


class Span(Struct, frozen=True):
    """A condition as one flag saw it. `ended` None: it holds, or nobody heard how it ended. The switch's clock."""

    started: datetime
    raised: datetime
    ended: datetime | None


class Impact(Struct, frozen=True, kw_only=True):
    """What an incident touched. Ids, each once, in the order in which they came.

    `lasted_s`: at least one condition held, overlaps counted once; `held_s`: of all conditions together. Both count a condition
    whose end is not known up to its flag, and `open_ended` says how many those are. `unheard_s`: how long customers heard nobody
    in transfers; None without a transfer that says so.
    """

    flags: int
    calls: tuple[str, ...]
    customers: int
    agents: tuple[str, ...]
    queues: tuple[str, ...]
    transfers: int
    lasted_s: float
    held_s: float
    open_ended: int
    unheard_s: float | None
    spans: tuple[Span, ...]


def impact_of(flags: Iterable[tuple[Flag, Clearing | None]]) -> Impact:
    """Everything that these flags of one incident say."""
    calls: dict[str, None] = {}
    customers: set[str] = set()
    agents: dict[str, None] = {}
    queues: dict[str, None] = {}
    transfers: set[str] = set()
    spans: list[Span] = []
    unheard: list[float] = []
    for flag, clearing in flags:
        seen = {**flag.labels, **flag.evidence, **{k: v for k, v in _evidence(clearing).items() if v is not None}}
        spans.append(Span(flag.started, flag.raised, clearing.cleared if clearing else None))
        found = dict.fromkeys(_texts(seen, ("call", "call_id", "call.call_id")))
        if flag.subject == "call":
            found[flag.subject_id] = None
        calls |= found
        number = next(_texts(seen, ("from_number", "call.peer")), "")
        if number or found:
            customers.add(number or next(iter(found)))
        agents |= dict.fromkeys(_texts(seen, ("agent", "agent_id", "from_agent", "to_agent")))
        queues |= dict.fromkeys(_texts(seen, ("queue", "to_queue")))
        if flag.subject == "agent":
            agents[flag.subject_id] = None
        if flag.subject == "queue":
            queues[flag.subject_id] = None
        if flag.subject == "transfer":
            transfers.add(flag.subject_id)
            transfer = transfer_of(flag.evidence, _evidence(clearing), 0.0, flag.raised)
            if transfer is not None and transfer.customer_gap_s is not None:
                unheard.append(transfer.customer_gap_s)
    return Impact(
        flags=len(spans),
        calls=tuple(calls),
        customers=len(customers),
        agents=tuple(agents),
        queues=tuple(queues),
        transfers=len(transfers),
        lasted_s=_together(spans),
        held_s=sum(_length(span) for span in spans),
        open_ended=sum(span.ended is None for span in spans),
        unheard_s=sum(unheard) if unheard else None,
        spans=tuple(spans),
    )


def _evidence(clearing: Clearing | None) -> dict[str, Any]:
    return clearing.evidence if clearing else {}


def _texts(seen: dict[str, Any], names: Iterable[str]) -> Iterator[str]:
    """The texts under these names that are not empty; a dot leads into a mapping."""
    for name in names:
        outer, _, inner = name.partition(".")
        value = seen.get(outer)
        if inner:
            value = value.get(inner) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            yield value


def _until(span: Span) -> datetime:
    return max(span.ended or span.raised, span.started)


def _length(span: Span) -> float:
    return (_until(span) - span.started).total_seconds()


def _together(spans: Iterable[Span]) -> float:
    whole, reached = 0.0, None
    for span in sorted(spans, key=lambda one: one.started):
        start = span.started if reached is None else max(span.started, reached)
        until = _until(span)
        if until > start:
            whole += (until - start).total_seconds()
            reached = until
    return whole
