"""Writes docs/events.md: a head by hand (docs/events.head.md), then every message from its class.

`make docs` runs it; a test compares. Meanings stand beside the fields in shared/events.py and shared/facts.py; those that
are the same in every message stand here once.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo

from shared import events, facts, incidentfacts
from shared.envelope import Data, cloud_type, kind_of
from shared.settings import ROOT

HEAD = ROOT / "docs" / "events.head.md"
PAGE = ROOT / "docs" / "events.md"

MEANINGS = {
    "agent_id": "the agent",
    "attributes of CallEnded": "as the switch gave them",
    "answered_at": "when an agent answered; null when none did",
    "answered_at of TransferEnded": "when the target answered; null when nobody did",
    "brief_s": "answered to bridged, attended transfers only",
    "bridged_at": "when customer and target shared media",
    "call_id": "the call",
    "call_id of WrapStarted": "the call that the work is for",
    "call_id of AgentInterval": "the call that decided the state",
    "call_id of ListenStarted": "the call that is listened to",
    "calls": "calls that exist",
    "legs": "legs that exist",
    "started_at of QueueInterval": "when it began",
    "attributes": "what else the switch says of it, such as priority or service; at most 20 short texts",
    "replay": "of a recording played back",
    "cause": "why the leg ended",
    "cleared_at": "when the condition ended",
    "cleared_by": "who ended the call; empty when the switch does not say",
    "command_id": "the command's `id`",
    "action": "what was ordered, such as `listen_start`",
    "fork_id": "the copy of a call's sound that the command is about; empty for other commands",
    "outcome of CommandAnswered": "taken, done, failed, refused or expired, see above",
    "agent_id of CommandAnswered": "the agent that the command is about",
    "call_id of CommandAnswered": "the call that the command is about",
    "ticket": "the order that the listener belongs to, see `command_answered`; empty where none of ours can be told",
    "connector": "the connector's name, unique within the site",
    "customer_gap_s": "how long the customer heard nobody",
    "direction": "who called whom, seen from the floor",
    "duration_s": "ended_at - started_at",
    "ended_at": "when it ended",
    "flag_id": "derived from site, rule, subject and start: the same after a replay",
    "from_agent": "who transfers",
    "from_call_id": "the call it was part of until now",
    "from_number": "the caller's number",
    "hold_s": "of the conversation; null when never answered",
    "kind": "blind: let go at once; attended: after talking to the target; queue: into another queue",
    "leg_id": "the leg",
    "listen_id": "the listen",
    "listener": "who listens, as the switch names them",
    "name": "the agent's name, for people",
    "outcome": "how it ended",
    "peer": "the other party's number, or agent",
    "precision_ms": "resolution of the stamps; 0 is better than a millisecond",
    "provenance": "how the state was known: observed, inferred, timer or stale",
    "queue": "the queue",
    "queue of WrapStarted": "the queue that the call came from",
    "queue of AgentInterval": "the queue that the call came from",
    "reason": "for people",
    "reason of AgentNotReady": "the kind of break: lunch, tea, training, …",
    "reason of CallDequeued": "how the visit ended, see above",
    "reason of LinkDown": "why, for people",
    "released_at": "when the transferring agent was out",
    "requested_at": "when the agent asked",
    "ring_s": "ringing to answered",
    "ringing_at": "when the target's phone alerted",
    "role": "agent, consult or internal, see `leg_started`",
    "rule": "the rule's name in rules.yaml",
    "seek_s": "requested to ringing",
    "severity": "from the rule",
    "simulated": "of a made-up floor or a replay",
    "state": "what the leg does at first, see above",
    "state of AgentInterval": "the displayed state",
    "subject": "what kind of thing the rule is about",
    "subject_id": "which one",
    "summary_en": "one sentence for people, English",
    "summary_zh": "the same in Chinese",
    "started_at of AgentInterval": "when the state began",
    "team": "the agent's team, for people",
    "to_agent": "the target, where it is an agent",
    "to_number": "the number called",
    "to_queue": "the target, where it is a queue",
    "total_s": "requested to bridged",
    "transfer_id": "the transfer",
    "until": "a wrap timer's end; without it the wrap lasts until `wrap_ended` or `agent_ready`",
    "waited_s": "in the queue, or ringing",
}

EXAMPLES: dict[str, Any] = {
    "agent_id": "1007",
    "agents": ["1007", "1012"],
    "number": 42,
    "seq": 2,
    "kind": "acknowledged",  # where it is no choice of words
    "at": "2026-03-02T09:16:12.031Z",
    "by": "emma",
    "state of IncidentChanged": "acknowledged",
    "owner": "emma",
    "opened_at": "2026-03-02T09:15:07.522Z",
    "note": "on my way",
    "switch_time": None,
    "details": {},
    "answered_at": "2026-03-02T09:15:09.750Z",
    "attributes": {"priority": "2"},
    "by_s": 3600.0,
    "calls": ["c-4711"],
    "counted_from": "2026-03-02T09:15:00Z",
    "lease_s": 120.0,
    "legs": ["l-12"],
    **dict.fromkeys(("offered", "answered", "handled"), 12),
    **dict.fromkeys(("abandoned", "short_abandoned", "other_ended", "abandoned_within", "transfers"), 1),
    "answered_within": 10,
    "wait_answered_s": 141.5,
    "wait_abandoned_s": 32.0,
    "longest_waited_s": 41.0,
    "wrap_s": 180.0,
    "handling_s": 2390.4,
    "ready_s": 610.0,
    "within_s": 20.0,
    "short_abandon_s": 5.0,
    "queues of Snapshot": {"sales": ["c-4711"]},
    "service_levels": {"F1": 0.83, "F3s": 0.819},
    "slow": "yes",
    "brief_s": None,
    "bridged_at": "2026-03-02T09:15:09.750Z",
    "call_id": "c-4711",
    "cleared_at": "2026-03-02T09:15:09.750Z",
    "connector": "pbx-a",
    "command_id": "k-77",
    "action": "listen_start",
    "fork_id": "40325ec2-5efd-4bd3-805f-53576e581d13",
    "outcome of CommandAnswered": "done",
    "ticket": "40325ec2-5efd-4bd3-805f-53576e581d13",
    "customer_gap_s": 9.35,
    "direction": "inbound",
    "duration_s": 9.35,
    "ended_at": "2026-03-02T09:15:09.750Z",
    "evidence": {"kind": "blind"},
    "flag_id": "f-5c0d8e21",
    "from_agent": "1007",
    "from_call_id": "c-4712",
    "from_number": "+447700900123",
    "hold_s": 0.0,
    "labels": {"agent": "1007", "team": "Sales"},
    "leg_id": "l-12",
    "listen_id": "s-3",
    "listener": "supervisor 2",
    "name": "Emma Clarke",
    "peer": "+447700900123",
    "position": 1,
    "provenance": "observed",
    "queue": "sales",
    "queues": ["sales", "billing"],
    "raised_at": "2026-03-02T09:15:07.400Z",
    "reason": "no answer",
    "reason of AgentInterval": "",
    "reason of AgentNotReady": "lunch",
    "reason of CommandAnswered": "",
    "reason of LinkDown": "connection reset by the switch",
    "reason of TransferEnded": "",
    "released_at": "2026-03-02T09:15:00.600Z",
    "requested_at": "2026-03-02T09:15:00.400Z",
    "ring_s": 8.5,
    "ringing_at": "2026-03-02T09:15:01.250Z",
    "rule": "slow_transfer",
    "seek_s": 0.85,
    "skew_s": 0.012,
    "started_at": "2026-03-02T09:15:00.400Z",
    "subject": "transfer",
    "subject_id": "t-9",
    "summary_en": "Transfer to 1012 takes longer than 7 s",
    "summary_zh": "转接至 1012 超过 7 秒",
    "switch": "Asterisk 22.4",
    "talk_s": 184.2,
    "team": "Sales",
    "to_agent": "1012",
    "severity": "critical",
    "state": "talking",
    "state of AgentInterval": "talk",
    "to_number": "95500",
    "to_number of TransferEnded": "1012",
    "to_number of TransferRequested": "1012",
    "to_queue": "",
    "total_s": 9.35,
    "transfer_id": "t-9",
    "until": "2026-03-02T09:15:30Z",
    "waited_s": 4.1,
}


def render() -> str:
    """The whole page."""
    parts = [HEAD.read_text(encoding="utf-8").rstrip(), ""]
    parts += ["## Events on `floor.events`", ""]
    parts += _sections(events.DATA_TYPES, events.__name__)
    parts += ["## Flags on `floor.flags`", ""]
    parts += _sections(facts.FLAG_TYPES, facts.__name__)
    parts += ["## Records on `floor.records`", ""]
    parts += _sections(facts.RECORD_TYPES, facts.__name__)
    parts += ["## Incidents on `incidents`", ""]
    parts += _sections(incidentfacts.DATA_TYPES, incidentfacts.__name__)
    return "\n".join(parts).rstrip() + "\n"


def example_of(kind: type[Data]) -> dict[str, Any]:
    """A whole message of this kind, as a reader of the topic sees it."""
    hints = get_type_hints(kind)
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    data = {name: _example(kind, field, hints[name]) for name, field in fields.items()}
    return {
        "specversion": "1.0",
        "type": cloud_type(kind),
        "id": "hq:0:88124:0",
        "source": "/sites/hq/pbx-a",
        "site": "hq",
        "time": "2026-03-02T09:15:00.400Z",
        "data": {name: value for name, value in data.items() if value is not None or fields[name].required},
    }


def meaning_of(kind: type[Data], field: str) -> str:
    """What a field means: the comment beside it, or the common words. Raises KeyError when nobody has said it."""
    found = re.search(rf"^    {field}:[^\n#]*#\s*(.+)$", inspect.getsource(kind), re.MULTILINE)
    if found:
        return found.group(1).strip()
    return MEANINGS.get(f"{field} of {kind.__name__}") or MEANINGS[field]


def _sections(kinds: Iterable[type[Data]], module: str) -> list[str]:
    lines: list[str] = []
    for kind in kinds:
        lines += [f"### `{cloud_type(kind)}`", "", _story(kind), ""]
        lines += ["| field | type | unless given | meaning |", "|---|---|---|---|"]
        lines += [_row(kind, field) for field in msgspec.structs.fields(kind)]
        lines += ["", "```json", json.dumps(example_of(kind)["data"], ensure_ascii=False), "```", ""]
    return lines


def _story(kind: type[Data]) -> str:
    own = kind.__dict__.get("__doc__")
    if not own:
        words = kind_of(kind).split("_")
        return f"The {words[0]} {_PAST.get(words[-1], 'was ' + words[-1])}."
    return inspect.cleandoc(own)


_PAST = {"off": "logged off", "ended": "ended", "retrieved": "was taken back from hold", "cleared": "ended"}


def _row(kind: type[Data], field: FieldInfo) -> str:
    hint = get_type_hints(kind)[field.name]
    meaning = meaning_of(kind, field.name).replace("|", "\\|")
    unit = _unit(field.name)
    return f"| `{field.name}` | {_type(hint)}{unit} | {_default(field)} | {meaning} |"


def _unit(name: str) -> str:
    if name.endswith("_s"):
        return ", seconds"
    return ", milliseconds" if name.endswith("_ms") else ""


def _type(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_type(part) for part in get_args(hint))
    if get_origin(hint) is Literal:
        return " ".join(f'`"{word}"`' for word in get_args(hint))
    if get_origin(hint) is tuple:
        return f"list of {_type(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return "object"
    return {str: "text", int: "integer", float: "number", bool: "true or false", datetime: "time", NoneType: "null"}[
        hint
    ]


def _default(field: FieldInfo) -> str:
    if field.required:
        return "**required**"
    default = field.default if field.default is not NODEFAULT else field.default_factory()
    return f"`{json.dumps(default)}`"


def _example(kind: type[Data], field: FieldInfo, hint: Any) -> Any:
    if field.name in EXAMPLES:
        value = EXAMPLES.get(f"{field.name} of {kind.__name__}", EXAMPLES[field.name])
        if get_origin(hint) is not Literal or value in get_args(hint):
            return value
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if field.default is not NODEFAULT:
        return field.default
    raise KeyError(f"no example for {field.name}")


def main() -> None:
    """Write the page."""
    write(PAGE)


def write(path: Path) -> None:
    """Write the page to `path`."""
    path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
