"""The yardstick: the least that any such program does. Our own code, and nothing that a product needs beyond the path itself.

Batches from Kafka, decoded once into tagged structs, an agent and call state in dicts, a heap for the seven seconds of
transfers, and the last value of what changed encoded every flush. No duplicates dropped, no rules, no intervals, nothing
published, no checkpoint, no second site's worth of care.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from shared import events
from shared.codec import decode_event

_LIMIT: Final = timedelta(seconds=7)
_encode = msgspec.json.Encoder().encode


class Agent(Struct, gc=False):
    id: str
    state: str
    since: datetime
    call: str = ""


class Call(Struct, gc=False):
    id: str
    state: str
    since: datetime
    queue: str = ""
    agents: list[str] = []


class Change(Struct, frozen=True):
    kind: str
    key: str
    value: Any


class Delta(Struct, frozen=True, tag="delta"):
    position: int
    changes: list[Change]


class Prototype:
    """All sites in one: keys are `site/id`."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.calls: dict[str, Call] = {}
        self.legs: dict[str, tuple[str, str]] = {}  # leg -> call and agent
        self.timers: list[tuple[datetime, str]] = []
        self.transfers: dict[str, datetime] = {}
        self.slow: list[str] = []
        self.clocks: dict[str, datetime] = {}
        self.changed: dict[tuple[str, str], None] = {}
        self.position = 0
        self.applied = 0

    def feed(self, value: bytes) -> None:
        """Decode and apply one record."""
        event = decode_event(value)
        data = event.data
        self.applied += 1
        if type(data) is events.Clock:
            self._mark(event.site, event.time)
            return
        act = _ACTS.get(type(data))
        if act is not None:
            act(self, event.site + "/", data, event.time)

    def flush(self) -> bytes | None:
        """The delta since the last flush, encoded; None when nothing changed."""
        if not self.changed:
            return None
        self.position += 1
        kinds: dict[str, dict[str, Any]] = {"agent": self.agents, "call": self.calls}
        changes = [Change(kind, key, kinds[kind].get(key)) for kind, key in self.changed]
        self.changed.clear()
        return _encode(Delta(self.position, changes))

    def _mark(self, site: str, now: datetime) -> None:
        self.clocks[site] = now
        while self.timers and self.timers[0][0] < now:
            _, transfer = heapq.heappop(self.timers)
            if transfer in self.transfers:
                self.slow.append(transfer)

    def agent(self, key: str, state: str, at: datetime, call: str = "") -> None:
        agent = self.agents.get(key)
        if agent is None:
            self.agents[key] = Agent(key, state, at, call)
        else:
            agent.state, agent.since, agent.call = state, at, call
        self.changed["agent", key] = None

    def call(self, key: str, state: str, at: datetime, queue: str = "") -> Call:
        call = self.calls.get(key)
        if call is None:
            call = self.calls[key] = Call(key, state, at, queue, [])
        else:
            call.state, call.since = state, at
        self.changed["call", key] = None
        return call


def _state(state: str) -> Callable[[Prototype, str, Any, datetime], None]:
    return lambda floor, site, data, at: floor.agent(site + data.agent_id, state, at)


def _call(state: str) -> Callable[[Prototype, str, Any, datetime], None]:
    def act(floor: Prototype, site: str, data: Any, at: datetime) -> None:
        floor.call(site + data.call_id, state, at)

    return act


def _leg_started(floor: Prototype, site: str, data: events.LegStarted, at: datetime) -> None:
    call, agent = site + data.call_id, site + data.agent_id
    floor.legs[site + data.leg_id] = (call, agent)
    floor.call(call, data.state, at).agents.append(agent)
    floor.agent(agent, data.state, at, call)


def _leg(state: str) -> Callable[[Prototype, str, Any, datetime], None]:
    def act(floor: Prototype, site: str, data: Any, at: datetime) -> None:
        found = floor.legs.get(site + data.leg_id)
        if found is not None:
            floor.call(found[0], state, at)
            floor.agent(found[1], state, at, found[0])

    return act


def _leg_cleared(floor: Prototype, site: str, data: events.LegCleared, at: datetime) -> None:
    left = floor.legs.pop(site + data.leg_id, None)
    if left is not None:
        floor.agent(left[1], "ready", at)


def _call_cleared(floor: Prototype, site: str, data: events.CallCleared, at: datetime) -> None:
    floor.calls.pop(site + data.call_id, None)
    floor.changed["call", site + data.call_id] = None


def _requested(floor: Prototype, site: str, data: events.TransferRequested, at: datetime) -> None:
    key = site + data.transfer_id
    floor.transfers[key] = at
    heapq.heappush(floor.timers, (at + _LIMIT, key))


def _transferred(floor: Prototype, site: str, data: Any, at: datetime) -> None:
    floor.transfers.pop(site + data.transfer_id, None)


_ACTS: Final[dict[type, Callable[[Prototype, str, Any, datetime], None]]] = {
    events.AgentLoggedOn: _state("ready"),
    events.AgentLoggedOff: _state("offline"),
    events.AgentReady: _state("ready"),
    events.AgentNotReady: _state("break"),
    events.WrapStarted: _state("wrap"),
    events.WrapEnded: _state("ready"),
    events.CallStarted: _call("started"),
    events.CallQueued: _call("queued"),
    events.CallDequeued: _call("answered"),
    events.CallCleared: _call_cleared,
    events.LegStarted: _leg_started,
    events.LegAnswered: _leg("talking"),
    events.LegHeld: _leg("held"),
    events.LegRetrieved: _leg("talking"),
    events.LegCleared: _leg_cleared,
    events.TransferRequested: _requested,
    events.TransferBridged: _transferred,
    events.TransferEnded: _transferred,
}
