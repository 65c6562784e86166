"""What happens on a floor, written as people say it, for tests of rules: `agent 1001 logs on to sales` as events.

`PHRASES` is the whole language; docs/rules.md shows it. `agent` and `call` may be left out where nothing else can be meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from shared import events
from shared.envelope import Data, kind_of
from shared.errors import FloorwatchError

_KINDS: Final = {kind_of(kind): kind for kind in events.DATA_TYPES}


class NotUnderstoodError(FloorwatchError):
    """A line that is no phrase, or an event that is none; the message says what would be."""


class Script:
    """Turns phrases into events. It remembers in which queue a call waits, so that answering takes it out."""

    def __init__(self) -> None:
        self._waits: dict[str, str] = {}
        self._listens: dict[str, str] = {}
        self._count = 0

    def say(self, line: str) -> list[Data]:
        """The events that `line` stands for. Raises NotUnderstoodError."""
        text = " ".join(line.split())
        for pattern, make in _COMPILED:
            found = pattern.fullmatch(text)
            if found is not None:
                return list(make(self, {name: value or "" for name, value in found.groupdict().items()}))
        known = "\n".join(f"  {phrase}" for phrase in PHRASES)
        raise NotUnderstoodError(f"{line!r} is none of:\n{known}")

    # ------------------------------------------------------------ agents

    def logs_on(self, said: dict[str, str]) -> Iterator[Data]:
        queues = tuple(queue.strip() for queue in said["queues"].split(",") if queue.strip())
        yield events.AgentLoggedOn(agent_id=said["agent"], name=said["name"], queues=queues)

    def logs_off(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.AgentLoggedOff(agent_id=said["agent"])

    def ready(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.AgentReady(agent_id=said["agent"])

    def takes_break(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.AgentNotReady(agent_id=said["agent"], reason=said["reason"].strip())

    def wraps(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.WrapStarted(agent_id=said["agent"], call_id=said["call"])

    def ends_wrap(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.WrapEnded(agent_id=said["agent"])

    def listened(self, said: dict[str, str]) -> Iterator[Data]:
        agent_id, listen_id = said["agent"], self._listen_to(said["agent"])
        for outcome in ("taken", "done"):
            yield events.CommandAnswered(
                command_id=listen_id,
                action="listen_start",
                outcome=outcome,
                fork_id=listen_id,
                agent_id=agent_id,
            )
        yield events.ListenStarted(listen_id=listen_id, agent_id=agent_id, listener="floorwatch", ticket=listen_id)

    def listened_unordered(self, said: dict[str, str]) -> Iterator[Data]:
        agent_id, call_id = said.get("agent") or "", said.get("call") or ""
        listen_id = self._listen_to(agent_id or call_id)
        yield events.ListenStarted(
            listen_id=listen_id, agent_id=agent_id, call_id=call_id, listener=said["listener"].strip()
        )

    def not_listened(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.ListenEnded(listen_id=self._listens.pop(said.get("agent") or said.get("call") or "", "none"))

    def _listen_to(self, whom: str) -> str:
        self._count += 1
        listen_id = self._listens[whom] = f"listen-{self._count}"
        return listen_id

    # ------------------------------------------------------------ calls

    def starts(self, said: dict[str, str]) -> Iterator[Data]:
        attributes = dict(part.strip().partition("=")[::2] for part in said["attributes"].split(",") if part.strip())
        yield events.CallStarted(
            call_id=said["call"],
            direction=said["direction"] or "inbound",  # type: ignore[arg-type]  # the pattern lets no other through
            attributes=attributes,
        )

    def enters(self, said: dict[str, str]) -> Iterator[Data]:
        self._waits[said["call"]] = said["queue"]
        yield events.CallQueued(call_id=said["call"], queue=said["queue"])

    def leaves_queue(self, said: dict[str, str]) -> Iterator[Data]:
        self._waits.pop(said["call"], None)
        reason: Any = said["why"].replace(" ", "_")
        yield events.CallDequeued(call_id=said["call"], queue=said["queue"], reason=reason)

    def rings(self, said: dict[str, str]) -> Iterator[Data]:
        queue = said["queue"] or self._waits.get(said["call"], "")
        yield events.LegStarted(call_id=said["call"], leg_id=_leg(said), agent_id=said["agent"], queue=queue)

    def dials(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.CallStarted(call_id=said["call"], direction="outbound")
        yield events.LegStarted(call_id=said["call"], leg_id=_leg(said), agent_id=said["agent"], state="dialing")

    def answers(self, said: dict[str, str]) -> Iterator[Data]:
        queue = self._waits.pop(said["call"], "")
        if queue:
            yield events.CallDequeued(call_id=said["call"], queue=queue, reason="answered", agent_id=said["agent"])
        yield events.LegAnswered(call_id=said["call"], leg_id=_leg(said))

    def does_not_answer(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.LegCleared(call_id=said["call"], leg_id=_leg(said), cause="no_answer")

    def holds(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.LegHeld(call_id=said["call"], leg_id=_leg(said))

    def retrieves(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.LegRetrieved(call_id=said["call"], leg_id=_leg(said))

    def leaves(self, said: dict[str, str]) -> Iterator[Data]:
        yield events.LegCleared(call_id=said["call"], leg_id=_leg(said))

    def consults(self, said: dict[str, str]) -> Iterator[Data]:
        consult = f"{said['call']}-consult"
        yield events.LegHeld(call_id=said["call"], leg_id=_leg(said))
        for agent, role, state in ((said["agent"], "consult", "dialing"), (said["other"], "internal", "ringing")):
            yield events.LegStarted(
                call_id=consult,
                leg_id=f"{consult}-{agent}",
                agent_id=agent,
                role=role,  # type: ignore[arg-type]
                state=state,  # type: ignore[arg-type]
            )

    def ends(self, said: dict[str, str]) -> Iterator[Data]:
        self._waits.pop(said["call"], None)
        by: Any = said["by"]
        yield events.CallCleared(call_id=said["call"], cleared_by=by)

    # ------------------------------------------------------------ transfers, the link

    def transfers(self, said: dict[str, str]) -> Iterator[Data]:
        kind: Any = said["kind"] or ("queue" if said["to"] == "queue" else "blind")
        yield events.TransferRequested(
            transfer_id=said["transfer"] or f"{said['call']}-t",
            call_id=said["call"],
            kind=kind,
            from_agent=said["agent"],
            **{f"to_{said['to'] or 'agent'}": said["target"]},
        )

    def transfer_goes_on(self, said: dict[str, str]) -> Iterator[Data]:
        transfer = said["transfer"]
        match said["what"]:
            case "rings":
                yield events.TransferRinging(transfer_id=transfer)
            case "is answered":
                yield events.TransferAnswered(transfer_id=transfer)
            case _:
                yield events.TransferBridged(transfer_id=transfer)

    def transfer_ends(self, said: dict[str, str]) -> Iterator[Data]:
        outcomes = {"fails": "failed", "is cancelled": "cancelled", "is abandoned": "abandoned"}
        outcome: Any = outcomes[said["what"]]
        yield events.TransferEnded(transfer_id=said["transfer"], outcome=outcome, reason=said["reason"].strip())

    def link(self, said: dict[str, str]) -> Iterator[Data]:
        if said["way"] == "up":
            yield events.LinkUp(connector="test")
        else:
            yield events.LinkDown(connector="test", reason=said["reason"].strip())


def _leg(said: dict[str, str]) -> str:
    return f"{said['call']}-{said['agent']}"


_A, _C = r"(?:agent )?(?P<agent>[\w.@-]+)", r"(?:call )?(?P<call>[\w.@-]+)"
_T = r"(?:transfer )?(?P<transfer>[\w.@-]+)"

# What one may write, and the pattern that reads it.
_LANGUAGE: Final[tuple[tuple[str, str, Callable[[Script, dict[str, str]], Iterator[Data]]], ...]] = (
    (
        'agent 1001 logs on to sales, support as "Anna Berg"',
        _A + r' logs on(?: to (?P<queues>[^"]+?))?(?: as "(?P<name>[^"]*)")?',
        Script.logs_on,
    ),
    ("agent 1001 logs off", _A + " logs off", Script.logs_off),
    ("agent 1001 is ready", _A + " is ready", Script.ready),
    ("agent 1001 takes a break: lunch", _A + r" takes a break(?::(?P<reason>.*))?", Script.takes_break),
    ("agent 1001 wraps up call c1", _A + r" wraps up(?: " + _C + ")?", Script.wraps),
    ("agent 1001 ends wrap", _A + " ends wrap", Script.ends_wrap),
    ("somebody listens to agent 1001", "somebody listens to " + _A, Script.listened),
    (
        "1040 listens to agent 1001 without an order",
        r"(?P<listener>.+?) listens to (?:call (?P<call>[\w.@-]+)|(?:agent )?(?P<agent>[\w.@-]+)) without an order",
        Script.listened_unordered,
    ),
    (
        "nobody listens to agent 1001",
        r"nobody listens to (?:call (?P<call>[\w.@-]+)|(?:agent )?(?P<agent>[\w.@-]+))",
        Script.not_listened,
    ),
    (
        "call c1 starts, outbound with priority=2, service=loans",
        _C + r" starts(?:, (?P<direction>inbound|outbound|internal))?(?: with (?P<attributes>.+))?",
        Script.starts,
    ),
    ("call c1 enters sales", _C + r" enters (?P<queue>\S+)", Script.enters),
    (
        "call c1 leaves sales: abandoned",
        _C + r" leaves (?P<queue>\S+): ?(?P<why>abandoned|timed out|overflowed|cleared|moved)",
        Script.leaves_queue,
    ),
    ("call c1 rings agent 1001 for sales", _C + " rings " + _A + r"(?: for (?P<queue>\S+))?", Script.rings),
    ("agent 1001 dials call c1", _A + " dials " + _C, Script.dials),
    ("agent 1001 answers call c1", _A + " answers " + _C, Script.answers),
    ("agent 1001 does not answer call c1", _A + " does not answer " + _C, Script.does_not_answer),
    ("agent 1001 holds call c1", _A + " holds " + _C, Script.holds),
    ("agent 1001 retrieves call c1", _A + " retrieves " + _C, Script.retrieves),
    ("agent 1001 leaves call c1", "agent (?P<agent>[\\w.@-]+) leaves " + _C, Script.leaves),
    (
        "agent 1001 consults agent 1002 in call c1",
        _A + r" consults (?:agent )?(?P<other>[\w.@-]+) in " + _C,
        Script.consults,
    ),
    ("call c1 ends, by customer", _C + r" ends(?:, by (?P<by>customer|agent|switch))?", Script.ends),
    (
        "agent 1001 transfers call c1 to queue support, attended as t1",
        _A
        + " transfers "
        + _C
        + r" to (?:(?P<to>agent|queue|number) )?(?P<target>[\w.@+-]+)(?:, (?P<kind>blind|attended|queue))?"
        + r"(?: as (?P<transfer>[\w.@-]+))?",
        Script.transfers,
    ),
    (
        "transfer t1 rings | is answered | is bridged",
        _T + " (?P<what>rings|is answered|is bridged)",
        Script.transfer_goes_on,
    ),
    (
        "transfer t1 fails: busy | is cancelled | is abandoned",
        _T + r" (?P<what>fails|is cancelled|is abandoned)(?::(?P<reason>.*))?",
        Script.transfer_ends,
    ),
    ("the link goes down: reboot", r"(?:the )?link goes (?P<way>up|down)(?::(?P<reason>.*))?", Script.link),
)
PHRASES: Final = tuple(phrase for phrase, _, _ in _LANGUAGE)
_COMPILED: Final = tuple((re.compile(pattern), make) for _, pattern, make in _LANGUAGE)


def event_of(kind: str, fields: dict[str, Any]) -> Data:
    """The event `kind` with these fields, as docs/events.md has it. Raises NotUnderstoodError."""
    import msgspec

    found = _KINDS.get(kind)
    if found is None:
        raise NotUnderstoodError(f"there is no event {kind!r}; there are {', '.join(sorted(_KINDS))}")
    plain = {
        name: str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in fields.items()
    }
    for values in (fields, plain):
        try:
            return msgspec.convert(values, found)
        except msgspec.ValidationError as exc:
            why = exc
    raise NotUnderstoodError(f"{kind}: {why}")
