"""Agents: what they declared, wrap, and the partition of their time into displayed states."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from services.monitor.core.counting import agentday, staffing
from services.monitor.core.floor import Floor, in_micros
from services.monitor.core.state import Agent, Shown
from services.monitor.core.transitions import IDLE, IN_USE, line_of
from services.monitor.core.trust import flapping, leases
from services.monitor.core.trust.late import latest, older
from shared import events, facts
from shared.events import Event
from shared.facts import AgentState


def settle(floor: Floor, agent: Agent, at: datetime, provenance: Shown | None = None) -> None:
    """Derive the displayed state anew; where it changed, close the interval and begin the next.

    The partition holds for any event order: an interval ends where the next begins, and a late event takes effect
    where the current interval began, never before.
    """
    state, call_id, queue = _derived(floor, agent)
    reason = agent.reason if state == "break" else ""
    was, began = agent.state, agent.since
    if state == was and call_id == agent.shown_call and reason == agent.shown_reason:
        return  # its time belongs to the queue that it began with
    if at < began:
        floor.anomaly("late_event")
        at = began
    close_interval(floor, agent, at)
    if state != was:
        since = latest(agent.on_at, at)  # when it was told which queues they are
        staffing.staff_changed(floor, agent.queues, was, state, since)
    agent.state, agent.shown_reason, agent.shown_call, agent.shown_queue = state, reason, call_id, queue
    staffing.agent_changed(floor, agent, at)
    if floor.state.link == "down":
        agent.provenance = "stale"
    elif state == "wrap" and agent.wrap_until is not None and provenance is None:
        agent.provenance = "timer"
    else:
        agent.provenance = provenance or floor.provenance
    if state != was:
        flapping.changed(floor, agent, was, began, at)
        leases.arm(floor, agent)
    if agent.flapping_since is None:
        floor.touched["agent", agent.agent_id] = True
    else:
        floor.touch_for_rules("agent", agent.agent_id)


def serve(floor: Floor, agent: Agent, queues: Iterable[str], at: datetime) -> None:
    """The agent serves these queues from `at` on, but not from before it was told which it served until then."""
    since = latest(agent.on_at, at)
    staffing.staff_changed(floor, agent.queues, agent.state, "", since)
    agent.queues = list(dict.fromkeys(floor.queue(name).queue for name in queues))
    staffing.staff_changed(floor, agent.queues, "", agent.state, since)
    floor.touch("agent", agent.agent_id)


def _derived(floor: Floor, agent: Agent) -> tuple[AgentState, str, str]:
    """The displayed state, and the call and queue that it belongs to. A consultation is for the queue of the customer who
    holds."""
    if agent.lapsed:
        return "unknown", "", ""
    if not agent.legs:
        state = IDLE[agent.declared, agent.in_wrap]
        return (state, agent.wrap_call, agent.wrap_queue) if state == "wrap" else (state, "", "")
    known = floor.state.legs
    legs = [known[leg_id] for leg_id in agent.legs]
    line, leg = line_of(legs)
    assert leg is not None
    queue = leg.queue
    if not queue and leg.role == "consult":
        queue = next((other.queue for other in legs if other.queue), "")
    return IN_USE[line], leg.call_id, queue


def close_interval(floor: Floor, agent: Agent, at: datetime) -> None:
    """End the current interval at `at` (not before its start) and begin the next there."""
    began = agent.since
    if at > began:
        lasted_s = (at - began).total_seconds()
        agentday.spent(floor, agent, at, lasted_s)
        floor.emit(
            f"interval:{agent.agent_id}:{in_micros(began)}",
            at,
            facts.AgentInterval(
                agent_id=agent.agent_id,
                state=agent.state,
                started_at=began,
                ended_at=at,
                duration_s=lasted_s,
                provenance=agent.provenance,
                reason=agent.shown_reason,
                call_id=agent.shown_call,
                queue=agent.shown_queue,
            ),
        )
        agent.since = at


# ---------------------------------------------------------------- handlers


def logged_on(floor: Floor, event: Event, data: events.AgentLoggedOn) -> None:
    state = floor.state
    new = data.agent_id not in state.agents
    agent = floor.agent(data.agent_id, event.time)
    heard = state.began if "too_many_agents" not in state.anomalies else None  # else a known one may have been let go
    if new and event.provenance == "observed" and heard is not None and heard < event.time:
        # Logging on is news, so until now the agent was off, for as long as we have heard this site.
        agent.state, agent.declared, agent.since, agent.provenance = "offline", "off", heard, "inferred"
    if older(agent.on_at, event.time):
        floor.anomaly("late_log_on")  # a newer one told the whole truth
        return
    agent.name = floor.config.agent(data.agent_id).name or data.name or agent.name
    agent.team = floor.config.agent(data.agent_id).team or data.team or agent.team
    agent.on_at = latest(agent.on_at, event.time)
    if older(agent.off_at, event.time):
        floor.anomaly("late_log_on")
        return
    serve(floor, agent, data.queues, event.time)
    if agent.declared in ("off", "unknown"):
        agent.declared, agent.reason = "ready", ""
    settle(floor, agent, event.time)


def logged_off(floor: Floor, event: Event, data: events.AgentLoggedOff) -> None:
    at, agent = event.time, floor.agent(data.agent_id, event.time)
    agent.off_at, agent.wrap_over = latest(agent.off_at, at), latest(agent.wrap_over, at)
    if not older(agent.wrap_at, at):
        agent.in_wrap, agent.wrap_until = False, None
    on_since = older(agent.on_at, at)
    if on_since or older(agent.said_at, at):
        floor.anomaly("late_log_off")
        if on_since and not older(agent.said_at, at):  # what was declared before it is void
            agent.declared, agent.reason, agent.said_at = "ready", "", None
        settle(floor, agent, at)
        return
    if agent.declared == "off":
        floor.anomaly("logged_off_twice")
    agent.declared, agent.reason, agent.said_at = "off", "", None
    settle(floor, agent, at)
    serve(floor, agent, (), at)


def ready(floor: Floor, event: Event, data: events.AgentReady) -> None:
    at, agent = event.time, floor.agent(data.agent_id, event.time)
    agent.ready_at = latest(agent.ready_at, at)
    if agent.in_wrap and agent.wrap_until is None and not older(agent.wrap_at, at):
        agent.in_wrap = False
    _declare(floor, agent, at, "ready", "")


def not_ready(floor: Floor, event: Event, data: events.AgentNotReady) -> None:
    _declare(floor, floor.agent(data.agent_id, event.time), event.time, "not_ready", data.reason)


def _declare(floor: Floor, agent: Agent, at: datetime, declared: Literal["ready", "not_ready"], reason: str) -> None:
    """The newest word counts; one from before the agent logged off counts no more."""
    if older(agent.said_at, at) or older(agent.off_at, at):
        floor.anomaly("late_declaration")
    else:
        agent.declared, agent.reason, agent.said_at = declared, reason, at
    settle(floor, agent, at)


def wrap_started(floor: Floor, event: Event, data: events.WrapStarted) -> None:
    agent = floor.agent(data.agent_id, event.time)
    _begin_wrap(floor, agent, event.time, data)
    settle(floor, agent, event.time)


def _begin_wrap(floor: Floor, agent: Agent, at: datetime, data: events.WrapStarted) -> None:
    if data.until is not None and data.until <= max(at, floor.state.now or at):
        return
    if older(agent.wrap_over, at) or (data.until is None and older(agent.ready_at, at)):
        floor.anomaly("late_wrap")
        return
    if agent.in_wrap and agent.wrap_until and data.until:
        if data.until <= agent.wrap_until:
            return  # of two calls' wraps the longer counts
    elif agent.in_wrap and older(agent.wrap_at, at):
        floor.anomaly("late_wrap")
        return
    agent.in_wrap, agent.wrap_until, agent.wrap_at = True, data.until, latest(agent.wrap_at, at)
    agent.wrap_call, agent.wrap_queue = data.call_id, data.queue
    if data.until is not None:
        floor.timer(data.until, "wrap", (agent.agent_id, ""))


def wrap_ended(floor: Floor, event: Event, data: events.WrapEnded) -> None:
    at, agent = event.time, floor.agent(data.agent_id, event.time)
    agent.wrap_over = latest(agent.wrap_over, at)
    if not agent.in_wrap:
        floor.anomaly("wrap_ended_without_wrap")
    elif older(agent.wrap_at, at):
        floor.anomaly("late_wrap_end")
        return
    agent.in_wrap, agent.wrap_until = False, None
    settle(floor, agent, at)


def wrap_due(floor: Floor, agent_id: str, due: datetime) -> None:
    """A wrap timer ran out; it counts only if it is still the one that ends this wrap."""
    agent = floor.state.agents.get(agent_id)
    if agent is not None and agent.in_wrap and agent.wrap_until == due:
        agent.in_wrap, agent.wrap_until = False, None
        floor.touch("agent", agent_id)
        settle(floor, agent, due, "timer")


def log_off(floor: Floor, agent: Agent, at: datetime) -> None:
    """The agent is off, as the switch lets us know without having said so when it happened."""
    agent.declared, agent.reason, agent.in_wrap, agent.wrap_until = "off", "", False, None
    agent.lapsed = False
    agent.off_at, agent.said_at = at, None
    settle(floor, agent, at)
    serve(floor, agent, (), at)


def lease_due(floor: Floor, agent_id: str, due: datetime) -> None:
    """The timer of an agent's lease is due: without newer evidence nobody knows any more."""
    agent = floor.state.agents.get(agent_id)
    if agent is not None and leases.lapses(floor, agent, due):
        floor.touch("agent", agent_id)
        settle(floor, agent, max(due, agent.since), "timer")


def flap_due(floor: Floor, agent_id: str, due: datetime) -> None:
    """The state of a flapping agent may have lasted: then rules that ask for flapping are asked anew."""
    agent = floor.state.agents.get(agent_id)
    if agent is not None and flapping.over(floor, agent, due):
        floor.touch_for_rules("agent", agent_id)
