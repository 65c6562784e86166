"""Anomalies: what should not be, counted by kind and kept with its evidence.

The switch is the authority, so mostly the event is adopted all the same; each kind says what was done. Evidence is kept of
the last `KEPT` of a site, and of fewer when they are long: they are part of every checkpoint.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from services.monitor.core.state import Anomaly
from shared.envelope import Data, kind_of
from shared.masking import masked_field

if TYPE_CHECKING:
    from services.monitor.core.floor import Floor

KEPT: Final = 1000
KEPT_BYTES: Final = 400_000
DATA_CHARS: Final = 400
BEFORE_CHARS: Final = 200
_ID_CHARS: Final = 100
_MANY: Final = 8  # entries of a list that are told one by one

DUPLICATE: Final = "duplicate"

_UNKNOWN_TRANSFER: Final = (
    "A transfer {what} that was never requested, or is long over. It counts if the request still comes within a minute."
)
_ENDED_TRANSFER: Final = (
    "A transfer {what} after it had ended. A stamp that was missing is put in, a guessed outcome put right."
)
_LEG: Final = "A phone went from {was} to {to} without what lies between. It was taken as told."
_NO_LEG: Final = "A phone {what} in no call that we know of. It counts if its beginning still comes within a minute."
_WORDS: Final = {"ringing": "rang", "answered": "was answered", "bridged": "was bridged", "ended": "ended"}

KINDS: Final = MappingProxyType(
    {
        DUPLICATE: "An event came a second time, as after every restart of what comes before. It was dropped.",
        "late_event": "An event is older than the state it would change. It took effect where that state began.",
        "positions_restarted": (
            "Positions began anew though time went on: `switch.raw` was made anew. They are counted on from there."
        ),
        "clock_jump": "The switch's clock was set. What runs moved with it.",
        # agents
        "late_log_on": "A log-on came after something newer, a log-off or another log-on. That counts.",
        "late_log_off": "A log-off came after something newer: a log-on, or a word of ready or not. That counts.",
        "late_declaration": "A word of ready or not ready came after something newer. That counts.",
        "late_wrap": "The beginning of a wrap came after its end, or after another wrap began. Nothing was changed.",
        "late_wrap_end": "The end of a wrap came after the beginning of the next. Nothing was changed.",
        "logged_off_twice": "An agent logged off who was off. Nothing was changed.",
        "wrap_ended_without_wrap": "A wrap ended that had not begun. Nothing was changed.",
        "flapping": (
            "An agent's state changed every few seconds for a minute. The board shows the state that it was mostly in; "
            "records hold every change."
        ),
        # listening
        "listen_ended_without_start": "A listen ended that had not begun. Nothing was changed.",
        "listen_end_lost": "The end of a listen was never told. It was ended when its call was over, or by its lease.",
        "listen_ticket_unused": (
            "A listen that was ordered here, and that the switch said it does, did not begin within 10 s. Nothing was changed."
        ),
        # queues
        "queued_twice": "A call entered the queue in which it waits. It keeps its place.",
        "queued_while_queued": "A call entered a queue while it waited in another. It was taken to have been moved.",
        "left_queue_never_entered": (
            "A call left a queue that it never entered. It counts if its entering still comes within a minute."
        ),
        "late_call_queued": "A call entered a queue before it entered the one that it is in. It counts when its leaving is told.",
        # calls
        "cleared_unknown_call": "A call ended of which nothing was known. It is remembered as over.",
        "call_cleared_twice": "A call ended that was over. Nothing was changed.",
        "call_is_over": (
            "An event about a call that had ended. The call does not come back; what the event began in it ended with it."
        ),
        "call_lapsed": (
            "A call was not heard of for as long as is believed (`leases.call_s`). It was ended, with all that ran in it."
        ),
        # phones in calls
        "leg_is_over": "The beginning of a phone's part in a call came after its end. Nothing was changed.",
        "late_talking": "Word that a phone talks came after something newer. That counts.",
        "late_held": "Word that a phone holds came after something newer. That counts.",
        "late_move": "Word that a phone moved to a call came after it moved on to another. Nothing was changed.",
        "leg_started_twice": "A phone entered a call in which it is. Nothing was changed.",
        "talking_unknown_leg": _NO_LEG.format(what="was answered, or was taken off hold,"),
        "held_unknown_leg": _NO_LEG.format(what="was put on hold"),
        "moved_unknown_leg": _NO_LEG.format(what="moved to another call that was"),
        "cleared_unknown_leg": "A phone hung up in no call that we know of. Should its beginning come late, it is over.",
        "held_to_talking": _LEG.format(was="hold", to="answered"),
        **{
            f"{was}_to_{to}": _LEG.format(was=was, to=said)
            for was in ("ringing", "dialing")
            for to, said in (("held", "hold"), ("talking", "off hold"))
        },
        # transfers
        "late_transfer_requested": "The first word of a transfer came after the next. It began with the first.",
        "transfer_requested_after_end": _ENDED_TRANSFER.format(what="was requested again"),
        "transfer_released_unknown": _UNKNOWN_TRANSFER.format(what="was released"),
        **{f"transfer_{what}_unknown": _UNKNOWN_TRANSFER.format(what=said) for what, said in _WORDS.items()},
        **{f"transfer_{what}_after_end": _ENDED_TRANSFER.format(what=said) for what, said in _WORDS.items()},
        # more than any floor has
        "too_many_agents": (
            "An event named an agent who is new to a site that knows 20 000. What it says of a call counts;"
            " what it says of the agent does not."
        ),
        "too_many_queues": (
            "An event named a queue that is new to a site that knows 2000. It is counted with all such queues together, as"
            " `(other queues)`."
        ),
        # what a snapshot of the switch found
        "ghost_call": "The switch knows this call no longer. It was ended, with all that ran in it.",
        "ghost_leg": "The switch knows this phone's part in the call no longer. It was ended.",
        "ghost_queue_entry": "The switch knows this call no longer in this queue. It was taken out as cleared.",
        "ghost_agent": "The switch has this agent logged off, and nobody told us. The agent was logged off.",
        "snapshot_agent_logged_on": (
            "The switch has this agent logged on, and nobody told us. Ready or on a break, nobody knows: unknown."
        ),
        "snapshot_unknown_call": "The switch names a call of which nothing was told. It was not made up.",
        "snapshot_unknown_leg": "The switch names a phone in a call of which nothing was told. It was not made up.",
        "snapshot_unknown_queue_entry": "The switch names a waiting call that nobody told to wait. It was not made up.",
        "snapshot_unknown_agent": "The switch names an agent of whom nothing was told. The agent was not made up.",
    }
)


def note(floor: Floor, kind: str, about: tuple[str, str], times: int, said: str) -> None:
    """Count an anomaly and keep its evidence: the event that is applied, and the subject as it is until now.

    `about` is kind and id of the subject; with ("", "") it is found in the event. `said` replaces the subject's state.
    """
    state, event = floor.state, floor.event
    subject, subject_id = about if about[0] or event is None else _subject(event.data)
    state.anomalies[kind] = state.anomalies.get(kind, 0) + times
    state.anomaly_number += 1
    time = event.time if event is not None else state.now
    assert time is not None, "an event, or a timer at its time"
    found = Anomaly(
        number=state.anomaly_number,
        kind=kind,
        time=time,
        times=times,
        event_type="" if event is None else kind_of(type(event.data)),
        event_id="" if event is None else event.id[:_ID_CHARS],
        position=(-1, -1, -1) if event is None else (event.rawpartition, event.rawoffset, event.rawindex),
        data="" if event is None else told(event.data),
        subject=subject,
        subject_id=subject_id[:_ID_CHARS],
        before=(said or before(floor, subject, subject_id))[:BEFORE_CHARS],
    )
    state.anomaly_log.append(found)
    state.anomaly_bytes += _size(found)
    while len(state.anomaly_log) > KEPT or state.anomaly_bytes > KEPT_BYTES:
        state.anomaly_bytes -= _size(state.anomaly_log.pop(0))


def _size(found: Anomaly) -> int:
    return 100 + len(found.data) + len(found.before) + len(found.subject_id) + len(found.event_id)


def _subject(data: Data) -> tuple[str, str]:
    """What the event is about, the most particular first."""
    for field, subject in _SUBJECTS:
        found = getattr(data, field, "")
        if found:
            return subject, found
    return "", ""


_SUBJECTS: Final = (
    ("transfer_id", "transfer"),
    ("leg_id", "leg"),
    ("listen_id", "listen"),
    ("call_id", "call"),
    ("agent_id", "agent"),
    ("queue", "queue"),
    ("fork_id", "listen"),
    ("connector", "site"),
)


def told(data: Data) -> str:
    """An event's data as JSON: callers' numbers masked, long lists counted, cut to `DATA_CHARS`."""
    found: dict[str, Any] = {}
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if isinstance(value, str):
            value = masked_field(name, value)
        elif isinstance(value, dict | tuple) and len(value) > _MANY:
            value = f"{len(value)} of them"
        elif isinstance(value, dict):
            value = {key: _within(key, one) for key, one in value.items()}
        if value not in ("", None):
            found[name] = value
    text = msgspec.json.encode(found).decode()
    return text if len(text) <= DATA_CHARS else text[: DATA_CHARS - 1] + "…"


def _within(key: str, value: Any) -> Any:
    if isinstance(value, tuple) and len(value) > _MANY:
        return f"{len(value)} of them"
    return masked_field(key, value) if isinstance(value, str) else value


def before(floor: Floor, subject: str, subject_id: str) -> str:
    """The subject as it is now, in a few words; "not known" when it is not."""
    state = floor.state
    if subject == "agent" and (agent := state.agents.get(subject_id)) is not None:
        said = f"{agent.state} since {agent.since.isoformat()} ({agent.provenance}), declared {agent.declared}"
        return f"{said}, calls: {len(agent.legs)}"
    if subject == "call" and (call := state.calls.get(subject_id)) is not None:
        return f"{call.state} since {(call.since or call.started).isoformat()}, phones: {len(call.legs)}"
    if subject == "call" and (ended := state.over.get(subject_id)) is not None:
        return f"over since {ended.isoformat()}"
    if subject == "leg" and (leg := state.legs.get(subject_id)) is not None:
        return f"{leg.state} since {leg.since.isoformat()}, of agent {leg.agent_id} in call {leg.call_id}"
    if subject == "transfer" and (transfer := state.transfers.get(subject_id)) is not None:
        return f"{transfer.outcome}, requested {transfer.requested.isoformat()}, of call {transfer.call_id}"
    if subject == "listen" and (listen := state.listening.get(subject_id)) is not None:
        return f"since {listen.since.isoformat()}, to agent {listen.agent_id or '-'}, call {listen.call_id or '-'}"
    if subject == "queue" and (queue := state.queues.get(subject_id)) is not None:
        return f"{len(queue.waiting)} waiting"
    if subject == "site":
        return f"link {state.link}"
    return "not known"
