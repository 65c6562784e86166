"""What rules read: the fields of one subject at one moment, each worked out when it is first asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from services.monitor.core.counting.figures import QUEUE_FIGURES, SITE_FIGURES, AskedQueue, AskedSite
from services.monitor.core.floor import Floor
from services.monitor.core.state import Agent, Call, Transfer
from services.monitor.core.trust import listening
from shared.facts import Subject
from shared.masking import masked_text

Reader = Callable[[Floor, Any, datetime], Any]

_RECENT: Final = timedelta(minutes=15)
_NOBODY: Final = "–"  # the switch does not say who


class Facts(dict[str, Any]):
    """The fields of `it`, a subject of kind `subject`, at `now`."""

    __slots__ = ("_asked", "_floor", "_it", "_now", "_subject")

    def __init__(self, floor: Floor, subject: Subject, it: Any, now: datetime) -> None:
        self._floor, self._subject, self._it, self._now = floor, subject, it, now
        self._asked: Any = None  # what readers read: `it`, or what works its figures out

    def __missing__(self, name: str) -> Any:
        if self._asked is None:
            self._asked = self._as_asked()
        read = READERS[self._subject].get(name)
        value = _attribute(self._it, name) if read is None else read(self._floor, self._asked, self._now)
        self[name] = value
        return value

    def _as_asked(self) -> Any:
        if self._subject == "queue":
            return AskedQueue(self._floor, self._it, self._now)
        return AskedSite(self._floor, self._now) if self._subject == "site" else self._it


def _attribute(call: Call, name: str) -> str | None:
    """`attr_priority_level` is the attribute `priority-level`: what a name cannot hold is an underscore."""
    return next((value for key, value in call.attributes.items() if "attr_" + re.sub(r"\W", "_", key) == name), None)


def _direction(floor: Floor, call_id: str) -> str:
    call = floor.state.calls.get(call_id)
    return "" if call is None else call.direction


def _on_transfer(floor: Floor, agent: Agent, now: datetime) -> bool:
    state = floor.state
    for leg_id in agent.legs:
        call = state.calls.get(state.legs[leg_id].call_id)
        for transfer_id in call.transfers if call is not None else ():
            if state.transfers[transfer_id].from_agent == agent.agent_id:
                return True
    return False


def _queue_of_call(floor: Floor, call: Call, now: datetime) -> str:
    """Where it waits; else the queue that gave it to an agent."""
    for visit in reversed(call.visits):
        if visit.ended is None:
            return visit.queue
    return next((queue for leg_id in call.legs if (queue := floor.state.legs[leg_id].queue)), "")


def _target(floor: Floor, transfer: Transfer, now: datetime) -> str:
    """The colleague's name, the queue's label, or the number."""
    if transfer.to_agent:
        colleague = floor.state.agents.get(transfer.to_agent)
        return colleague.name if colleague is not None and colleague.name else transfer.to_agent
    if transfer.to_queue:
        return floor.config.queue(transfer.to_queue).label or transfer.to_queue
    return transfer.to_number


def _sender(floor: Floor, transfer: Transfer) -> Agent | None:
    return floor.state.agents.get(transfer.from_agent)


def _sender_name(floor: Floor, transfer: Transfer, now: datetime) -> str:
    agent = _sender(floor, transfer)
    return agent.name if agent is not None and agent.name else transfer.from_agent


def _figure(tell: Callable[[Any], Any]) -> Reader:
    return lambda floor, asked, now: tell(asked)


def _longest_wait(floor: Floor, it: None, now: datetime) -> float | None:
    entered = [since for queue in floor.state.queues.values() for since in queue.waiting.values()]
    return max(0.0, (now - min(entered)).total_seconds()) if entered else None


def _anomalies_recent(floor: Floor, it: None, now: datetime) -> int:
    count = 0
    for found in reversed(floor.state.anomaly_log):
        if found.time <= now - _RECENT:
            break
        count += found.times
    return count


def _names(listeners: list[str]) -> tuple[str, ...]:
    return tuple(masked_text(one) or _NOBODY for one in listeners)


AGENT: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "state": lambda floor, agent, now: agent.state,
        "reason": lambda floor, agent, now: agent.shown_reason,
        "direction": lambda floor, agent, now: _direction(floor, agent.shown_call) if agent.shown_call else "",
        "queue": lambda floor, agent, now: agent.shown_queue,
        "queues": lambda floor, agent, now: agent.queues,
        "team": lambda floor, agent, now: agent.team,
        "tags": lambda floor, agent, now: floor.config.agent(agent.agent_id).tags,
        "listened": lambda floor, agent, now: bool(agent.listeners),
        "listeners": lambda floor, agent, now: len(agent.listeners),
        "unordered_listeners": lambda floor, agent, now: agent.unordered,
        "unordered_by": lambda floor, agent, now: _names(listening.unordered(floor, agent)),
        "flapping": lambda floor, agent, now: agent.flapping_since is not None,
        "missed_in_row": lambda floor, agent, now: agent.missed_in_row,
        "on_transfer": _on_transfer,
        "other_calls": lambda floor, agent, now: max(0, len(agent.legs) - 1),
        "provenance": lambda floor, agent, now: agent.provenance,
        "agent": lambda floor, agent, now: agent.agent_id,
        "agent_name": lambda floor, agent, now: agent.name or agent.agent_id,
        "call": lambda floor, agent, now: agent.shown_call,
    }
)
CALL: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "state": lambda floor, call, now: call.state,
        "direction": lambda floor, call, now: call.direction,
        "queue": _queue_of_call,
        "agents": lambda floor, call, now: len(call.legs),
        "call": lambda floor, call, now: call.call_id,
    }
)
TRANSFER: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "state": lambda floor, transfer, now: transfer.outcome,
        "kind": lambda floor, transfer, now: transfer.kind,
        "reason": lambda floor, transfer, now: transfer.reason,
        "direction": lambda floor, transfer, now: _direction(floor, transfer.call_id),
        "queue": lambda floor, transfer, now: transfer.to_queue,
        "target": _target,
        "agent": lambda floor, transfer, now: transfer.from_agent,
        "agent_name": _sender_name,
        "team": lambda floor, transfer, now: agent.team if (agent := _sender(floor, transfer)) else "",
        "tags": lambda floor, transfer, now: floor.config.agent(transfer.from_agent).tags,
        "call": lambda floor, transfer, now: transfer.call_id,
        "transfer": lambda floor, transfer, now: transfer.transfer_id,
    }
)
QUEUE: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        **{name: _figure(tell) for name, tell in QUEUE_FIGURES.items()},
        "queue": lambda floor, asked, now: asked.queue.queue,
    }
)
SITE: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        **{name: _figure(tell) for name, tell in SITE_FIGURES.items()},
        "longest_wait_s": _longest_wait,
        "link": lambda floor, it, now: floor.state.link,
        "flags": lambda floor, it, now: len(floor.state.flags),
        "anomalies_recent": _anomalies_recent,
        "skew_s": lambda floor, it, now: floor.state.skew_s,
        "unordered_listeners": lambda floor, it, now: len(listening.unordered(floor, None)),
        "unordered_by": lambda floor, it, now: _names(listening.unordered(floor, None)),
        "site": lambda floor, it, now: floor.state.site,
    }
)
READERS: Final[Mapping[Subject, Mapping[str, Reader]]] = MappingProxyType(
    {"agent": AGENT, "call": CALL, "transfer": TRANSFER, "queue": QUEUE, "site": SITE}
)
