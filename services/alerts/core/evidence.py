"""Evidence as people read it: a transfer's stamps and legs in one shape. Pure.

The definitions of a transfer's legs are those of `shared.facts.TransferEnded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from shared.envelope import beyond
from shared.masking import masked_field

STAMPS = ("requested", "ringing", "answered", "bridged", "released", "ended")
LEGS = (("seek", "requested", "ringing"), ("ring", "ringing", "answered"), ("brief", "answered", "bridged"))


class Leg(Struct, frozen=True):
    """A stretch of a transfer in seconds; `seconds` None when it never came to its end.

    `open_s` is then how long it had lasted when the transfer ended or was last seen; None when it had not begun.
    """

    name: str
    seconds: float | None
    open_s: float | None = None


class Transfer(Struct, frozen=True, kw_only=True):
    """A transfer for people. `total_s` None: never completed; `limit_s`: what the rule allows."""

    kind: str
    outcome: str
    from_agent: str
    to: str
    stamps: tuple[tuple[str, datetime], ...]
    legs: tuple[Leg, ...]
    customer_gap_s: float | None
    total_s: float | None
    limit_s: float


def numbers_in(value: Any, key: str = "") -> Iterator[str]:
    """Every text that masking changes, so that it can be masked in a sentence too."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from numbers_in(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from numbers_in(inner, key)
    elif isinstance(value, str) and masked_field(key, value) != value:
        yield value


def transfer_of(
    raised: Mapping[str, Any], cleared: Mapping[str, Any], limit_s: float, seen_at: datetime
) -> Transfer | None:
    """The transfer that a flag is about, as it was last seen; None when the evidence is not of a transfer.

    `raised` is the evidence at the flag, `cleared` at its end (empty while it holds), `limit_s` the rule's; `seen_at` is
    the switch's time of the newer of the two.
    """
    seen = {**raised, **{name: value for name, value in cleared.items() if value is not None}}
    stamps = {name: stamp for name in STAMPS if (stamp := _time(seen.get(name, seen.get(f"{name}_at"))))}
    if "requested" not in stamps or not ({"transfer_id", "from_agent"} & seen.keys()):
        return None
    attended = seen.get("kind") == "attended"
    names = [leg for leg in LEGS if leg[0] != "brief" or attended]
    over_at = stamps.get("bridged") or stamps.get("ended") or seen_at
    legs = [
        _leg(name, seen.get(f"{name}_s"), stamps.get(start), stamps.get(end), over_at) for name, start, end in names
    ]
    return Transfer(
        kind=str(seen.get("kind", "")),
        outcome=str(seen.get("outcome", "") or "running"),
        from_agent=str(seen.get("from_agent", "")),
        to=next((str(seen[key]) for key in ("to_agent", "to_queue", "to_number") if seen.get(key)), ""),
        stamps=tuple((name, stamps[name]) for name in STAMPS if name in stamps),
        legs=tuple(legs),
        customer_gap_s=_seconds(seen.get("customer_gap_s"), None, None),
        total_s=_seconds(seen.get("total_s"), stamps["requested"], stamps.get("bridged")),
        limit_s=limit_s,
    )


def plain_rows(evidence: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Evidence of any kind as name and text; nested values get dotted names, absent ones are left out."""
    for name, value in evidence.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", text) for inner, text in plain_rows(value))
        elif isinstance(value, list | tuple):
            if value:
                yield name, ", ".join(str(item) for item in value)
        elif value not in (None, "", False):
            yield name, f"{value:g}" if isinstance(value, float) else str(value)


def _leg(name: str, given: Any, start: datetime | None, end: datetime | None, over_at: datetime) -> Leg:
    seconds = _seconds(given, start, end)
    if seconds is None and start is not None:
        return Leg(name, None, max(0.0, (over_at - start).total_seconds()))
    return Leg(name, seconds)


def _time(value: Any) -> datetime | None:
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo and not beyond(found) else None


def _seconds(given: Any, start: datetime | None, end: datetime | None) -> float | None:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    if start is None or end is None:
        return None
    return (end - start).total_seconds()
