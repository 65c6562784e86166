"""The one table that says which state of an agent is displayed.

Two axes meet: what the agent declared, and what the line does. Wrap lies between them. The line wins over everything,
because a phone in use is a fact and a declaration an intention; logged off wins over a break, a break over wrap:

    line in use            the line's state
    line idle, logged off  offline
    line idle, not ready   break
    line idle, in wrap     wrap
    line idle, ready       ready
    otherwise              unknown

Which line state wins when a phone has several legs: consulting over talking over held over alerting.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final, Literal

from services.monitor.core.state import Declared, Leg
from shared.facts import AgentState

Line = Literal["idle", "alerting", "held", "talking", "consulting"]

_RANK: Final = MappingProxyType({"idle": 0, "alerting": 1, "held": 2, "talking": 3, "consulting": 4})
_LEG_LINE: Final = MappingProxyType[str, Line](
    {"ringing": "alerting", "dialing": "alerting", "talking": "talking", "held": "held"}
)

IN_USE: Final = MappingProxyType[Line, AgentState](
    {"alerting": "ringing", "held": "hold", "talking": "talk", "consulting": "consult"}
)
IDLE: Final = MappingProxyType[tuple[Declared, bool], AgentState](
    {
        ("off", False): "offline",
        ("off", True): "offline",
        ("not_ready", False): "break",
        ("not_ready", True): "break",
        ("ready", False): "ready",
        ("ready", True): "wrap",
        ("unknown", False): "unknown",
        ("unknown", True): "wrap",
    }
)


def line_of(legs: Iterable[Leg]) -> tuple[Line, Leg | None]:
    """What the line does, and the leg that decides it; the earliest of equals."""
    line: Line = "idle"
    decisive: Leg | None = None
    for leg in legs:
        its: Line = "consulting" if leg.role == "consult" and leg.state != "held" else _LEG_LINE[leg.state]
        if decisive is None or _RANK[its] > _RANK[line]:
            line, decisive = its, leg
    return line, decisive


def displayed(declared: Declared, line: Line, *, in_wrap: bool) -> AgentState:
    """The displayed state. Total: every combination has one."""
    if line == "idle":
        return IDLE[declared, in_wrap]
    return IN_USE[line]
