"""What rules may ask, by subject: the names, their types and values. docs/rules.md lists the same; a test compares them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import structs

from services.monitor.core.rules.expressions import Field
from shared.facts import Subject

DIRECTIONS: Final = frozenset({"inbound", "outbound", "internal"})
AGENT_STATES: Final = ("offline", "ready", "ringing", "talk", "hold", "consult", "wrap", "break", "unknown")


def _text(about: str, values: Iterable[str] = (), *, direct: str = "", optional: bool = False) -> Field:
    return Field("text", about, frozenset(values) or None, optional, direct)


def _number(about: str, *, direct: str = "", optional: bool = False) -> Field:
    return Field("number", about, None, optional, direct)


def _flag(about: str, *, direct: str = "") -> Field:
    return Field("flag", about, direct=direct)


def _texts(about: str, *, direct: str = "") -> Field:
    return Field("texts", about, direct=direct)


_OF_STAFF: Final = MappingProxyType(
    {"on_break" if state == "break" else state: f"it.staff.get({state!r}, 0)" for state in AGENT_STATES}
)  # how many agents are in a state, read off a queue

_COUNTS: Final = {
    "offline": _number("agents who are logged off"),
    "ready": _number("agents who are ready"),
    "ringing": _number("agents whose phone rings"),
    "talk": _number("agents who talk"),
    "hold": _number("agents with a call on hold"),
    "consult": _number("agents who consult a colleague"),
    "wrap": _number("agents in wrap"),
    "on_break": _number("agents on break"),
    "unknown": _number("agents of whom nobody knows"),
    "staffed": _number("agents who are logged on"),
    "waiting": _number("calls that wait now"),
    "longest_wait_s": _number("seconds that the longest-waiting call has waited so far", optional=True),
    "offered": _number("calls of the day that entered"),
    "answered": _number("calls of the day that were answered"),
    "abandoned": _number("calls of the day whose customer gave up"),
    "occupancy": _number("share of their time that agents spend on calls, of the day, 0 to 1", optional=True),
}

FIELDS: Final[Mapping[Subject, Mapping[str, Field]]] = MappingProxyType(
    {
        "agent": {
            "state": _text("the displayed state", AGENT_STATES, direct="it.state"),
            "reason": _text("of a break, as the switch says it", direct="it.shown_reason"),
            "direction": _text("of the agent's call", {*DIRECTIONS, ""}),
            "queue": _text("that gave the call", direct="it.shown_queue"),
            "queues": _texts("that the agent serves", direct="it.queues"),
            "team": _text("from the sites file, or the switch", direct="it.team"),
            "tags": _texts("from the sites file, such as new_agent"),
            "listened": _flag("somebody listens", direct="it.listeners"),
            "listeners": _number("how many do", direct="len(it.listeners)"),
            "unordered_listeners": _number("those of them whom nobody here ordered", direct="it.unordered"),
            "unordered_by": _texts("who these are, as the switch names them"),
            "flapping": _flag("the state changes every few seconds", direct="(it.flapping_since is not None)"),
            "missed_in_row": _number(
                "calls that rang and were not answered, since the last answered one", direct="it.missed_in_row"
            ),
            "on_transfer": _flag("a transfer that the agent asked for runs"),
            "other_calls": _number("further calls that the phone is part of"),
            "provenance": _text("how the state is known", {"observed", "inferred", "timer", "stale"}),
            "agent": _text("the id", direct="it.agent_id"),
            "agent_name": _text("the name"),
            "call": _text("the call's id"),
        },
        "call": {
            "state": _text(
                "what happens to it",
                {"started", "queued", "ringing", "answered", "held", "transferring"},
                direct="it.state",
            ),
            "direction": _text("of the call", DIRECTIONS, direct="it.direction"),
            "queue": _text("in which it waits, or that gave it to its agent"),
            "agents": _number("agents' phones in the call"),
            "call": _text("the id"),
            "attr_": _text("what else the switch says of it: attr_priority is its attribute `priority`", optional=True),
        },
        "transfer": {
            "state": _text(
                "its outcome, or running",
                {"running", "completed", "failed", "cancelled", "abandoned"},
                direct="it.outcome",
            ),
            "kind": _text("how", {"blind", "attended", "queue"}, direct="it.kind"),
            "reason": _text("why it failed, as the switch says it", direct="it.reason"),
            "direction": _text("of the call", {*DIRECTIONS, ""}),
            "queue": _text("into which it goes", direct="it.to_queue"),
            "target": _text("the colleague, queue or number"),
            "agent": _text("who asked for it: the id", direct="it.from_agent"),
            "agent_name": _text("who asked for it: the name"),
            "team": _text("of that agent"),
            "tags": _texts("of that agent"),
            "call": _text("the call's id"),
            "transfer": _text("the id"),
        },
        "queue": {
            **{name: structs.replace(field, direct=_OF_STAFF.get(name, "")) for name, field in _COUNTS.items()},
            "waiting": _number("calls that wait now", direct="len(it.waiting)"),
            "longest_wait_s": structs.replace(_COUNTS["longest_wait_s"], exists="it.waiting"),
            "abandonment_rate": _number("abandoned / offered of the day, 0 to 1", optional=True),
            "service_level": _number("of the day, by the queue's formula, 0 to 1", optional=True),
            "service_level_target": _number("from the sites file, 0 to 1"),
            "asa_s": _number("average speed of answer of the day", optional=True),
            "aht_s": _number("average handling time of the day", optional=True),
            "recent_offered": _number("as offered, of the last 15 minutes"),
            "recent_answered": _number("as answered, of the last 15 minutes"),
            "recent_abandoned": _number("as abandoned, of the last 15 minutes"),
            "recent_abandonment_rate": _number("as abandonment_rate, of the last 15 minutes", optional=True),
            "recent_service_level": _number("as service_level, of the last 15 minutes", optional=True),
            "recent_asa_s": _number("as asa_s, of the last 15 minutes", optional=True),
            "recent_occupancy": _number("as occupancy, of the last 15 minutes", optional=True),
            "queue": _text("the name", direct="it.queue"),
        },
        "site": {
            **_COUNTS,
            "link": _text("to the switch", {"up", "down", "never"}, direct="it.link"),
            "calls": _number("calls that exist now"),
            "flags": _number("flags that are raised now"),
            "anomalies_recent": _number("events of the last 15 minutes that could not be"),
            "skew_s": _number("our clock minus the switch's", optional=True),
            "unordered_listeners": _number("listeners to nobody known whom nobody here ordered"),
            "unordered_by": _texts("who these are, as the switch names them"),
            "site": _text("the name", direct="it.site"),
        },
    }
)

# Whether a rule need be asked only when its subject changed, or also because time goes on.
EVERY_SECOND: Final = frozenset({"longest_wait_s"})
UNTIL_TOLD: Final = frozenset(
    {"link", "site", "unordered_listeners", "unordered_by"}
)  # of a site, until an event says so
NOW_ONLY: Final = frozenset({"waiting", "staffed", "service_level_target", "queue", *UNTIL_TOLD}).union(
    "on_break" if state == "break" else state for state in AGENT_STATES
)
SHARES: Final = frozenset({"service_level", "service_level_target", "abandonment_rate", "occupancy"})

# What stays as it is for as long as the shown state does, so that such a condition began no later than the state.
STEADY: Final = frozenset(
    {"state", "reason", "direction", "queue", "queues", "team", "tags", "agent", "agent_name", "call", "kind", "target"}
)

# The keys of `where` that mean something for each subject.
SCOPES: Final[Mapping[Subject, frozenset[str]]] = MappingProxyType(
    {
        "agent": frozenset({"sites", "queues", "teams", "agents", "tags", "direction", "hours", "days"}),
        "call": frozenset({"sites", "queues", "direction", "hours", "days"}),
        "transfer": frozenset({"sites", "queues", "teams", "agents", "tags", "direction", "hours", "days"}),
        "queue": frozenset({"sites", "queues", "hours", "days"}),
        "site": frozenset({"sites", "hours", "days"}),
    }
)

# What a flag carries as its labels; all texts.
LABELS: Final[Mapping[Subject, tuple[str, ...]]] = MappingProxyType(
    {
        "agent": ("agent", "agent_name", "team", "queue", "state", "reason", "call"),
        "call": ("call", "queue", "direction", "state"),
        "transfer": ("transfer", "call", "kind", "state", "agent", "agent_name", "team", "target", "queue", "reason"),
        "queue": ("queue",),
        "site": ("site",),
    }
)
