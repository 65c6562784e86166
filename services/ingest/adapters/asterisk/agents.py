"""Agents: who serves which queue, who has a break, and after-call work."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.ingest.adapters.asterisk.model import Agent, Member
from services.ingest.adapters.asterisk.names import ident_of, tech_of
from services.ingest.adapters.asterisk.switch import Switch
from shared import events
from shared.events import Provenance

LATEST_PACKET: Final = timedelta(seconds=10)
MOST_EXPECTED: Final = 4  # AgentCompletes still to come for one agent; more means that some were lost


def agent_id_of(interface: str, state_interface: str) -> str:
    """The id of the agent at this member interface: of the real phone if either names it, for Local ones too.

    Else a hint's extension (`hint:1007@ctx`) is better than the interface's; a `Custom:` or `Queue:` state may be named at will.
    """
    for one in (state_interface, interface):
        if "/" in one and tech_of(one) != "Local":
            return ident_of(one)
    return ident_of(state_interface if state_interface.lower().startswith(("hint:", "agent:")) else interface)


def on_member(switch: Switch) -> None:
    """QueueMemberAdded, and QueueMember in the answer to QueueStatus: the agent serves the queue."""
    _learn(switch)
    _tell(switch, switch.state.members[_key(switch)].agent_id)


def on_listed(switch: Switch) -> None:
    """QueueMember: as added, but it happened some time before. The phones are looked at when all agents are known."""
    get = switch.packet.get
    new = _learn(switch, listed=True) is not None
    member = switch.state.members[_key(switch)]
    _tell(switch, member.agent_id, provenance="inferred")
    if not new:
        return
    if get("Status") == "8":  # on hold: the phone's channels were learnt without their Hold
        for channel in switch.state.channels.values():
            if channel.app and channel.bridge and switch.agent_of(channel) == member.agent_id and not channel.held:
                channel.held = True
                switch.touch(channel.uid)


def on_status(switch: Switch) -> None:
    """QueueMemberStatus: news only for a member that nobody told us of. It never brings back one that was removed."""
    known = switch.state.members.get(_key(switch))
    if known is None:
        member = _learn(switch)
        if member is not None:
            _tell(switch, member.agent_id, provenance="inferred")
    elif known.present:
        on_member(switch)


def on_pause(switch: Switch) -> None:
    """QueueMemberPause."""
    on_status(switch)


def on_removed(switch: Switch) -> None:
    """QueueMemberRemoved: the agent no longer serves the queue."""
    member = switch.state.members.get(_key(switch))
    if member is not None and not _is_late(switch, member):
        member.told = _stamp(switch) or member.told
        remove(switch, member)


def remove(switch: Switch, member: Member) -> None:
    """The member is no longer in its queue."""
    if member.present:
        member.present = False
        _tell(switch, member.agent_id)


def _key(switch: Switch) -> str:
    get = switch.packet.get
    return f"{get('Queue')}\t{get('Interface') or get('Location')}"


def _is_late(switch: Switch, member: Member) -> bool:
    """A packet that was overtaken by a newer one. What seems older still was stamped by a clock that was set meanwhile."""
    stamp = _stamp(switch)
    return stamp is not None and member.told is not None and member.told - LATEST_PACKET <= stamp < member.told


def _stamp(switch: Switch) -> datetime | None:
    """The packet's own stamp. One without is an answer, which says what is true as it comes in."""
    return switch.now if switch.packet.stamped else None


def _learn(switch: Switch, *, listed: bool = False) -> Member | None:
    """The member as this packet has it; None when nothing about it is new."""
    get, key = switch.packet.get, _key(switch)
    known = switch.state.members.get(key)
    if known is not None and _is_late(switch, known):
        return None
    queue, _, interface = key.partition("\t")
    found = Member(
        queue=queue,
        interface=interface,
        agent_id=agent_id_of(interface, get("StateInterface")),
        name=get("MemberName") or get("Name"),
        paused=get("Paused") == "1",
        reason=get("PausedReason") or get("Reason"),
        wrap_up_s=switch.packet.number("Wrapuptime"),
        told=_stamp(switch) or (known.told if known is not None else None),
    )
    if known is not None:
        known.told = found.told
        if known == found:
            return None
    switch.state.members[key] = found
    new = found.agent_id not in switch.state.agents
    agent = switch.agent(found.agent_id)
    if key not in agent.members:
        agent.members.append(key)
    if new and not listed:
        for channel in switch.state.channels.values():  # this phone may be in a call that now concerns us
            if switch.agent_of(channel) == found.agent_id:
                switch.touch(channel.uid)
    return found


def _tell(switch: Switch, agent_id: str, *, provenance: Provenance = "observed") -> None:
    """Tell where the agent, over all its memberships, differs from what was last told."""
    agent = switch.agent(agent_id)
    serves = [member for member in _of_agent(switch, agent) if member.present]
    if not serves:
        if agent.logged_on:
            agent.logged_on, agent.paused, agent.reason, agent.queues = False, False, "", ()
            agent.wrap_until = None
            switch.emit(events.AgentLoggedOff(agent_id=agent_id), provenance=provenance)
        return
    queues = tuple(sorted({member.queue for member in serves}))
    name = _name(switch, agent_id, serves)
    if (agent.logged_on, agent.queues, agent.name) != (True, queues, name):
        agent.logged_on, agent.queues, agent.name = True, queues, name
        team = switch.config.agent(agent_id).team
        switch.emit(events.AgentLoggedOn(agent_id=agent_id, name=name, team=team, queues=queues), provenance=provenance)
    # A pause of some queues leaves the agent ready for the others.
    paused = all(member.paused for member in serves)
    reason = next((member.reason for member in serves if member.reason), "") if paused else ""
    if (agent.paused, agent.reason) != (paused, reason):
        agent.paused, agent.reason = paused, reason
        if paused:
            switch.emit(events.AgentNotReady(agent_id=agent_id, reason=reason), provenance=provenance)
        else:
            switch.emit(events.AgentReady(agent_id=agent_id), provenance=provenance)


def _of_agent(switch: Switch, agent: Agent) -> list[Member]:
    found = [switch.state.members[key] for key in agent.members]
    return [member for member in found if member.agent_id == agent.agent_id]


def _name(switch: Switch, agent_id: str, serves: list[Member]) -> str:
    """A name for people. Members who log on by phone are named by their extension, which is none."""
    for member in serves:
        if member.name and member.name not in (agent_id, member.interface):
            return member.name
    return switch.config.agent(agent_id).name or agent_id


# ---------------------------------------------------------------- after-call work


def wrap_up_s(switch: Switch, agent: Agent, queue: str) -> float:
    """Seconds of after-call work: the member's own if it has some, else the queue's from the site's configuration."""
    own = [member.wrap_up_s for member in _of_agent(switch, agent) if member.queue == queue]
    return float(max(own, default=0)) or switch.config.queue(queue).wrap_up_s


def start_wrap(switch: Switch, agent: Agent, queue: str, call_id: str) -> None:
    """The agent's part in a queue's call is over. No event says when wrap ends: the end is computed."""
    seconds = wrap_up_s(switch, agent, queue)
    if not agent.logged_on:
        _tell(switch, agent.agent_id, provenance="inferred")  # it may be one that was told in an earlier session only
    if seconds > 0 and agent.logged_on:
        agent.wrap_until = until = max(switch.now + timedelta(seconds=seconds), _wrap_of_another(switch, agent))
        switch.emit(
            events.WrapStarted(agent_id=agent.agent_id, call_id=call_id, queue=queue, until=until),
            provenance="inferred",
        )


def _wrap_of_another(switch: Switch, agent: Agent) -> datetime:
    """When a wrap of another queue ends, which may be later; now if none runs, or one that no queue is so long for: a clock
    was set since."""
    longest = max((wrap_up_s(switch, agent, member.queue) for member in _of_agent(switch, agent)), default=0.0)
    known = agent.wrap_until
    return known if known is not None and known - switch.now <= timedelta(seconds=longest) else switch.now


def expect_complete(agent: Agent, queue: str) -> None:
    """Wrap began before its AgentComplete: for a member behind a Local channel who gave the call away, long before."""
    agent.completing = [*agent.completing, queue][-MOST_EXPECTED:]


def on_complete(switch: Switch) -> None:
    """AgentComplete. It may name no channel at all, so agent and queue say which conversation it is about."""
    get = switch.packet.get
    queue = get("Queue")
    agent = switch.agent(switch.agent_named(queue, get("Interface")))
    mine = [switch.state.legs[leg_id] for leg_id in agent.legs]
    open_legs = [leg for leg in mine if leg.connected and not leg.wrapped and leg.queue == queue]
    if not open_legs and queue in agent.completing:
        agent.completing.remove(queue)
        return
    if not open_legs:
        # connected before we came: the conversation's queue was not known until now
        open_legs = [
            leg for leg in mine if not leg.wrapped and leg.role == "agent" and leg.state in ("talking", "held")
        ]
    for leg in open_legs[:1]:
        leg.wrapped, leg.queue = True, queue
    start_wrap(switch, agent, queue, open_legs[0].call if open_legs else "")
