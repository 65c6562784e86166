"""A slow reference model of a floor, written from docs/metrics.md and the meanings of the events, not from the engine.

It keeps everything it ever heard and works every answer out anew by reading that from the start, one question at a time. It
has no timers, no state between questions and no tricks; that is its whole merit. It believes that events come in order
and that ids are unique.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from shared import events
from shared.envelope import Data

_BEGINS_A_CALL = events.CallStarted | events.CallQueued | events.LegStarted | events.TransferRequested

Heard = list[tuple[datetime, Data]]


class Shown(NamedTuple):
    """What the board says of an agent."""

    state: str
    reason: str
    call: str


class Interval(NamedTuple):
    shown: Shown
    since: datetime
    ended: datetime | None


class Part(NamedTuple):
    """A leg from `since` until its next part."""

    since: datetime
    call: str
    role: str
    state: str


@dataclass
class Leg:
    leg: str
    agent: str
    parts: list[Part]
    ended: datetime | None = None

    @property
    def last(self) -> Part:
        return self.parts[-1]

    def spans(self, call: str) -> Iterator[tuple[str, datetime, datetime | None]]:
        """State, begin and end of the leg's parts in a call."""
        for number, part in enumerate(self.parts):
            if part.call == call:
                after = self.parts[number + 1].since if number + 1 < len(self.parts) else self.ended
                yield part.state, part.since, after

    def seconds(self, call: str, state: str) -> float:
        """Seconds that the leg, which has ended, was in `state` in that call."""
        return sum((after - since).total_seconds() for s, since, after in self.spans(call) if s == state and after)


@dataclass
class Visit:
    call: str
    queue: str
    entered: datetime
    left: datetime | None = None
    outcome: str = ""
    agent: str = ""

    @property
    def waited(self) -> float:
        assert self.left is not None
        return (self.left - self.entered).total_seconds()


@dataclass
class Transfer:
    transfer: str
    call: str
    kind: str
    requested: datetime
    ringing: datetime | None = None
    answered: datetime | None = None
    bridged: datetime | None = None
    released: datetime | None = None
    ended: datetime | None = None
    outcome: str = "running"

    @property
    def total(self) -> float | None:
        return None if self.bridged is None else (self.bridged - self.requested).total_seconds()


@dataclass
class Figures:
    """Of a queue's day."""

    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    other: int = 0
    waits: list[float] = field(default_factory=list)  # of the answered
    longest: float | None = None


class Flagged(NamedTuple):
    rule: str
    subject: str
    started: datetime


class Reference:
    """`heard` is all it knows."""

    def __init__(self) -> None:
        self.heard: Heard = []

    def hear(self, time: datetime, data: Data) -> None:
        self.heard.append((time, data))

    def until(self, moment: datetime) -> Reference:
        """The same floor as it was known at `moment`."""
        found = Reference()
        found.heard = [(time, data) for time, data in self.heard if time <= moment]
        return found

    # ------------------------------------------------------------ legs

    def legs(self) -> list[Leg]:
        """Every leg there ever was, in the order in which they began. One that begins twice began the first time."""
        found: list[Leg] = []
        ends: dict[str, int] = {}  # leg id -> where in what was heard it ended
        for number, (time, data) in enumerate(self.heard):
            if isinstance(data, events.LegStarted) and ends.get(data.leg_id, -1) < number:
                leg, ends[data.leg_id] = self._leg(number, time, data)
                found.append(leg)
        return found

    def _leg(self, number: int, time: datetime, began: events.LegStarted) -> tuple[Leg, int]:
        leg = Leg(began.leg_id, began.agent_id, [Part(time, began.call_id, began.role, began.state)])
        for place, (now, data) in enumerate(self.heard[number + 1 :], number + 1):
            part = leg.last
            if isinstance(data, events.CallCleared) and data.call_id == part.call:
                leg.ended = now
                return leg, place
            if getattr(data, "leg_id", "") != leg.leg:
                continue
            if isinstance(data, events.LegCleared):
                leg.ended = now
                return leg, place
            if isinstance(data, events.LegMoved):
                leg.parts.append(Part(now, data.call_id, data.role, part.state))
            elif isinstance(data, events.LegHeld):
                leg.parts.append(part._replace(since=now, state="held"))
            elif isinstance(data, events.LegAnswered | events.LegRetrieved):
                leg.parts.append(part._replace(since=now, state="talking"))
        return leg, len(self.heard)

    def _parts(self, leg_id: str) -> list[Part]:
        return [part for leg in self.legs() if leg.leg == leg_id for part in leg.parts]

    # ------------------------------------------------------------ agents

    def agents(self) -> set[str]:
        """Everybody who was heard of."""
        found = set()
        for time, data in self.heard:
            for agent in (getattr(data, "agent_id", ""), getattr(data, "from_agent", "")):
                if agent and _names(data, agent) and self._is_news(time, data):
                    found.add(agent)
        return found

    def _is_news(self, time: datetime, data: Data) -> bool:
        """Not so when a leg or a transfer begins that runs already."""
        if isinstance(data, events.LegStarted):
            return any(leg.leg == data.leg_id and leg.parts[0].since == time for leg in self.legs())
        if isinstance(data, events.TransferRequested):
            return any(one.transfer == data.transfer_id and one.requested == time for one in self.transfers())
        return True

    def declared(self, agent: str) -> tuple[str, str]:
        """What the agent declared last, and why: off, ready, break or unknown."""
        said, reason = "unknown", ""
        for _, data in self.heard:
            if getattr(data, "agent_id", "") != agent:
                continue
            if isinstance(data, events.AgentLoggedOff):
                said, reason = "off", ""
            elif isinstance(data, events.AgentReady):
                said, reason = "ready", ""
            elif isinstance(data, events.AgentNotReady):
                said, reason = "break", data.reason
            elif isinstance(data, events.AgentLoggedOn) and said in ("off", "unknown"):
                said, reason = "ready", ""
        return said, reason

    def wrap(self, agent: str, now: datetime) -> events.WrapStarted | None:
        """The after-call work that runs at `now`."""
        found: events.WrapStarted | None = None
        for time, data in self.heard:
            if found is not None and found.until is not None and found.until < time:
                found = None
            if getattr(data, "agent_id", "") != agent:
                continue
            if isinstance(data, events.WrapStarted):
                longer = found is None or found.until is None or data.until is None or data.until > found.until
                if longer and (data.until is None or data.until > time):
                    found = data
            elif isinstance(data, events.WrapEnded | events.AgentLoggedOff) or (
                isinstance(data, events.AgentReady) and found is not None and found.until is None
            ):
                found = None
        return None if found is None or (found.until is not None and found.until < now) else found

    def shown(self, agent: str, now: datetime) -> Shown:
        """A line in use wins over everything; then logged off, break, wrap, ready."""
        open_legs = [leg for leg in self.legs() if leg.agent == agent and leg.ended is None]
        for wanted, state in (("consult", "consult"), ("talking", "talk"), ("held", "hold"), ("alerting", "ringing")):
            for leg in open_legs:
                if _line(leg.last) == wanted:
                    return Shown(state, "", leg.last.call)
        said, reason = self.declared(agent)
        if said == "off":
            return Shown("offline", "", "")
        if said == "break":
            return Shown("break", reason, "")
        wrap = self.wrap(agent, now)
        if wrap is not None:
            return Shown("wrap", "", wrap.call_id)
        return Shown(said, "", "")

    def time_of(self, agent: str, end: datetime) -> list[Interval]:
        """The agent's time from when it is known until `end`, cut where what is shown changes. The last one runs.

        Who is first heard of by logging on was off as long as the site is heard.
        """
        first = next(
            number
            for number, (time, data) in enumerate(self.heard)
            if _names(data, agent) and self._is_news(time, data)
        )
        found: list[tuple[Shown, datetime]] = []
        if isinstance(self.heard[first][1], events.AgentLoggedOn):
            found.append((Shown("offline", "", ""), self.heard[0][0]))
        for number in range(first, len(self.heard)):
            time = self.heard[number][0]
            found += self._wraps_that_end(agent, number, time)
            found.append((self._prefix(number + 1).shown(agent, time), time))
        found += self._wraps_that_end(agent, len(self.heard), end)
        return _cut(found)

    def _wraps_that_end(self, agent: str, number: int, before: datetime) -> list[tuple[Shown, datetime]]:
        """What is shown from the moment on when a wrap ends by the clock, between an event and the next."""
        known = self._prefix(number)
        wrap = known.wrap(agent, known.heard[-1][0]) if known.heard else None
        if wrap is None or wrap.until is None or wrap.until >= before:
            return []
        return [(known.shown(agent, wrap.until + timedelta(microseconds=1)), wrap.until)]

    def _prefix(self, count: int) -> Reference:
        found = Reference()
        found.heard = self.heard[:count]
        return found

    # ------------------------------------------------------------ calls and queues

    def calls(self) -> dict[str, str]:
        """Calls that are not over, and their state: waiting over transferring over talking over held over ringing."""
        known: dict[str, None] = {}
        for time, data in self.heard:
            if isinstance(data, events.CallCleared):
                known.pop(data.call_id, None)
            elif isinstance(data, events.LegMoved):
                if any(Part(time, data.call_id, data.role, part.state) == part for part in self._parts(data.leg_id)):
                    known[data.call_id] = None
            elif isinstance(data, _BEGINS_A_CALL) and self._is_news(time, data):
                known[data.call_id] = None
        return {call: self._call_state(call) for call in known}

    def _call_state(self, call: str) -> str:
        if any(visit.call == call and visit.left is None for visit in self.visits()):
            return "queued"
        if any(one.call == call and one.outcome == "running" for one in self.transfers()):
            return "transferring"
        states = {leg.last.state for leg in self.legs() if leg.ended is None and leg.last.call == call}
        if "talking" in states:
            return "answered"
        if "held" in states:
            return "held"
        return "ringing" if states else "started"

    def visits(self) -> list[Visit]:
        """Every visit to a queue. Who waits when the call ends left it: the customer, or else the switch ended it."""
        found: list[Visit] = []
        for time, data in self.heard:
            waiting = {visit.call: visit for visit in found if visit.left is None}
            visit = waiting.get(getattr(data, "call_id", ""))
            if isinstance(data, events.CallQueued) and (visit is None or visit.queue != data.queue):
                if visit is not None:  # a call waits in one queue at a time
                    visit.left, visit.outcome = time, "moved"
                found.append(Visit(data.call_id, data.queue, time))
            elif visit is None:
                continue
            elif isinstance(data, events.CallDequeued) and data.queue == visit.queue:
                visit.left, visit.outcome, visit.agent = time, data.reason, data.agent_id
            elif isinstance(data, events.CallCleared):
                visit.left, visit.outcome = time, "abandoned" if data.cleared_by == "customer" else "cleared"
        return found

    def waiting(self, queue: str) -> dict[str, datetime]:
        """Calls that wait, and since when."""
        return {visit.call: visit.entered for visit in self.visits() if visit.queue == queue and visit.left is None}

    def figures(self, queue: str, short_s: float = 5.0) -> Figures:
        """The queue's counts; every history of these tests is within one day."""
        found = Figures()
        for visit in self.visits():
            if visit.queue != queue:
                continue
            found.offered += 1
            if visit.left is None:
                continue
            found.longest = max(found.longest or 0.0, visit.waited)
            if visit.outcome == "answered":
                found.answered += 1
                found.waits.append(visit.waited)
            elif visit.outcome == "abandoned":
                found.abandoned += 1
                found.short_abandoned += visit.waited <= short_s
            else:
                found.other += 1
        return found

    # ------------------------------------------------------------ transfers

    def transfers(self) -> list[Transfer]:
        """Every transfer with its stamps. One whose call ends first ended with it."""
        found: dict[str, Transfer] = {}
        for time, data in self.heard:
            if isinstance(data, events.TransferRequested) and data.transfer_id not in found:
                found[data.transfer_id] = Transfer(data.transfer_id, data.call_id, data.kind, time)
            one = found.get(getattr(data, "transfer_id", ""))
            if one is not None and isinstance(data, events.TransferReleased):
                one.released = time
            if isinstance(data, events.CallCleared):
                for running in found.values():
                    if running.call == data.call_id and running.outcome == "running":
                        running.ended = time
                        running.outcome = "abandoned" if data.cleared_by == "customer" else "failed"
            if one is None or one.outcome != "running":
                continue
            if isinstance(data, events.TransferRinging):
                one.ringing = one.ringing or time
            elif isinstance(data, events.TransferAnswered):
                one.answered = time
            elif isinstance(data, events.TransferBridged):
                one.bridged, one.answered, one.ended = time, one.answered or time, time
                one.outcome = "completed"
            elif isinstance(data, events.TransferEnded):
                one.ended, one.outcome = time, data.outcome
        return list(found.values())

    def gap(self, transfer: Transfer) -> float:
        """Seconds before the bridge in which the customer heard nobody."""
        bridged = transfer.bridged
        assert bridged is not None
        heard_until = [
            min(after or bridged, bridged)
            for leg in self.until(bridged).legs()
            for state, since, after in leg.spans(transfer.call)
            if state == "talking" and since < bridged and leg_role(leg, transfer.call) == "agent"
        ]
        return (bridged - max(heard_until, default=transfer.requested)).total_seconds()

    # ------------------------------------------------------------ flags

    def flags(self, now: datetime, limits: dict[str, float]) -> dict[Flagged, bool]:
        """Flags of these rules that were raised by `now`, and whether they still stand.

        A condition raises a flag when it holds for longer than the limit; exactly the limit is not longer.
        """
        found: dict[Flagged, bool] = {}

        def held(rule: str, subject: str, since: datetime, ended: datetime | None) -> None:
            if ((ended or now) - since).total_seconds() > limits[rule]:
                found[Flagged(rule, subject, since)] = ended is None

        for one in self.transfers():
            held("slow_transfer", one.transfer, one.requested, one.ended)
        for visit in self.visits():
            held("long_wait", visit.call, visit.entered, visit.left)
        for agent in self.agents():
            for shown, since, ended in self.time_of(agent, now):
                rule = {"hold": "long_hold", "wrap": "long_wrap"}.get(shown.state)
                if rule:
                    held(rule, agent, since, ended)
        return found


def leg_role(leg: Leg, call: str) -> str:
    """As what the leg took part in the call."""
    return next(part.role for part in leg.parts if part.call == call)


def _line(part: Part) -> str:
    if part.role == "consult" and part.state != "held":
        return "consult"
    return "alerting" if part.state in ("ringing", "dialing") else part.state


def _names(data: Data, agent: str) -> bool:
    if isinstance(data, events.CallDequeued | events.TransferRinging | events.ListenStarted):
        return False
    return agent in (getattr(data, "agent_id", None), getattr(data, "from_agent", None))


def _cut(found: list[tuple[Shown, datetime]]) -> list[Interval]:
    """Each state from its beginning to the next one's; what lasted no time is no interval, though it parts its neighbours."""
    changes = [one for number, one in enumerate(found) if number == 0 or one[0] != found[number - 1][0]]
    ends = [*(since for _, since in changes[1:]), None]
    intervals = [Interval(shown, since, end) for (shown, since), end in zip(changes, ends, strict=True)]
    return [one for one in intervals if one.since != one.ended]
