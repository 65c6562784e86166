"""Legs: what each agent's phone does in which call, derived from the mirror, and told where it changed."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from services.ingest.adapters.asterisk import agents, calls
from services.ingest.adapters.asterisk.model import RINGING, UP, Call, Channel, Leg, LegState, Role
from services.ingest.adapters.asterisk.names import local_half
from services.ingest.adapters.asterisk.switch import Switch
from shared import events

Cause = Literal["hangup", "no_answer", "busy", "declined", "cancelled", "answered_elsewhere", "transferred", "failed"]


class Want(Struct, frozen=True, gc=False):
    """A leg as it should be told."""

    leg_id: str
    uid: str
    agent_id: str
    call: Call
    role: Role
    state: LegState
    queue: str = ""
    peer: str = ""


def consult_id(uid: str) -> str:
    """The leg of a consultation for which the phone uses the channel of its customer's call."""
    return f"{uid}/consult"


# ---------------------------------------------------------------- what is


def wanted(switch: Switch, channel: Channel) -> list[Want]:
    """The legs of an agent's channel as the mirror shows them now."""
    agent_id = switch.agent_of(channel)
    if not agent_id:
        return []
    told = switch.state.legs.get(channel.uid)
    if channel.consult or consult_id(channel.uid) in switch.state.legs:
        both = _consulting(switch, channel, agent_id, told)
        if both is not None:
            return both
    one = _single(switch, channel, agent_id, told)
    return [] if one is None else [one]


def _single(switch: Switch, channel: Channel, agent_id: str, told: Leg | None) -> Want | None:
    if channel.dialed and channel.dial_status:
        return None
    if channel.state != UP and (channel.dialed or channel.state == RINGING):
        call, role, peer = _caller(switch, channel, told)
        visit = switch.state.visits.get(switch.source(channel).uid)
        queue = channel.queue or (visit.queue if visit is not None else "")
        return Want(channel.uid, channel.uid, agent_id, call, role, "ringing", queue, peer)
    partners = switch.partners(channel)
    if partners:
        return _talking(switch, channel, agent_id, told, partners)
    targets = _targets(switch, channel)
    if targets or channel.uid in switch.state.visits or (channel.app == "Dial" and not channel.bridge):
        return _dialing(switch, channel, agent_id, told, targets)
    if told is not None and told.state != "ringing" and told.call in switch.state.calls:
        return _as_told(switch, told)
    if channel.dialed and channel.state == UP and told is not None and told.call in switch.state.calls:
        return _as_told(switch, told, "talking")  # off the hook; the bridge comes a moment later
    return None


def _as_told(switch: Switch, leg: Leg, state: LegState | None = None) -> Want:
    call = switch.state.calls[leg.call]
    return Want(leg.leg_id, leg.uid, leg.agent_id, call, leg.role, state or leg.state, leg.queue, leg.peer)


def _caller(switch: Switch, channel: Channel, told: Leg | None) -> tuple[Call, Role, str]:
    """For a ringing phone: the call, the role and the other side."""
    source = switch.source(channel)
    if switch.is_party(source) and not switch.is_internal(source):
        call = calls.of_outside(switch, source)
        return call, "agent", call.from_number if call.direction == "inbound" else call.to_number
    if told is not None and told.call in switch.state.calls:
        return switch.state.calls[told.call], told.role, told.peer  # the Local channel that called it is gone first
    call = calls.internal(switch, source)
    return call, "internal", switch.agent_of(source) or source.number


def _talking(switch: Switch, channel: Channel, agent_id: str, told: Leg | None, partners: list[Channel]) -> Want:
    state: LegState = "held" if channel.held else "talking"
    outside = [one for one in partners if not switch.is_internal(one)]
    if not outside:
        call = _between_colleagues(switch, channel, told, partners)
        peer = switch.agent_of(partners[0]) or partners[0].number
        role = _role(switch, channel, agent_id, told, call)
        role = "internal" if role == "agent" else role
        return Want(channel.uid, channel.uid, agent_id, call, role, state, channel.queue, peer)
    known = [one for one in outside if told is not None and one.call == told.call]
    with_call = [one for one in outside if one.call]
    party = (known or with_call or outside)[0]
    call = calls.of_outside(switch, party)
    role = _role(switch, channel, agent_id, told, call)
    peer = call.from_number if call.direction == "inbound" else call.to_number
    queue = channel.queue or party.app_queue
    return Want(channel.uid, channel.uid, agent_id, call, role, state, queue, peer)


def _between_colleagues(switch: Switch, channel: Channel, told: Leg | None, partners: list[Channel]) -> Call:
    """The oldest internal call that anybody here is in: whoever joins comes to it."""
    found = [switch.state.calls.get(one.call) for one in (channel, *partners)]
    running = [call for call in found if call is not None and call.direction == "internal"]
    if running:
        return min(running, key=lambda call: (call.started, call.call_id))
    if told is not None and told.call in switch.state.calls:
        return switch.state.calls[told.call]
    return calls.internal(switch, _first_of(switch, channel))


def _first_of(switch: Switch, channel: Channel) -> Channel:
    """The channel that stands for an internal call: who placed it, or the Local channel of a consultation."""
    source = switch.source(channel) if channel.dialed else channel
    if source.uid != channel.uid and (not switch.is_party(source) or switch.is_internal(source)):
        return source
    for one in switch.connected(channel):
        if local_half(one.name)[1] == "1" and not one.parent:
            return one
    return channel


def _dialing(switch: Switch, channel: Channel, agent_id: str, told: Leg | None, targets: list[Channel]) -> Want:
    if told is not None and told.call in switch.state.calls:
        return _as_told(switch, told)
    outside = [one for one in targets if not switch.is_internal(one)]
    call = calls.of_outside(switch, outside[0]) if outside else calls.internal(switch, channel)
    role = _role(switch, channel, agent_id, told, call)
    if role == "agent" and not outside:
        role = "internal"
    return Want(channel.uid, channel.uid, agent_id, call, role, "dialing", "", channel.exten)


def _role(switch: Switch, channel: Channel, agent_id: str, told: Leg | None, call: Call) -> Role:
    """`consult` for a call that the agent placed while having a customer on another line."""
    if told is not None and told.call == call.call_id:
        return told.role
    placed = told.role == "consult" if told is not None else not channel.dialed
    if placed and switch.customer_leg(agent_id, but=channel.uid) is not None:
        return "consult"
    return "agent"


def _targets(switch: Switch, channel: Channel) -> list[Channel]:
    """The phones and lines that this channel's calls ring, through Local channels."""
    found: list[Channel] = []
    waiting = list(channel.children)
    for uid in waiting[:64]:
        child = switch.channel(uid)
        if child is None:
            continue
        if switch.is_party(child):
            found.append(child)
            continue
        second = switch.twin(child)
        found.append(child)
        if second is not None:
            found += [one for one in map(switch.channel, second.children) if one is not None]
    return [one for one in found if switch.is_party(one)] or found


# ---------------------------------------------------------------- a consultation on the customer's own channel


def _consulting(switch: Switch, channel: Channel, agent_id: str, told: Leg | None) -> list[Want] | None:
    """Both legs of an agent who consults by feature code; None when the consultation is over."""
    aside = switch.state.legs.get(consult_id(channel.uid))
    main = told if told is not None and told.call in switch.state.calls else None
    kept = [_as_told(switch, leg) for leg in (main, aside) if leg is not None and leg.call in switch.state.calls]
    target = switch.channel(channel.consult)
    if target is None:
        # the target hung up; until the switch has put the agent back, the agent is with nobody
        if aside is None or channel.bridge == channel.main_bridge or channel.main_bridge not in switch.state.bridges:
            channel.consult = ""
            return None
        return kept
    beside = switch.connected(target)
    with_target = any(one.uid == channel.uid for one in beside)
    with_customer = main is not None and any(one.call == main.call for one in beside)
    if with_customer and with_target:
        channel.consult = ""  # merged: all three speak
        return None
    if kept and (with_customer or not (with_target or channel.bridge == channel.main_bridge)):
        return kept  # the switch is moving somebody
    wants = [_aside(switch, channel, agent_id, aside, beside)]
    if main is not None:
        state: LegState = "held" if with_target or channel.held else "talking"
        wants.insert(0, _as_told(switch, main, state if channel.bridge else main.state))
    elif told is None:
        wants[:0] = _left_waiting(switch, channel, agent_id)
    return wants


def _aside(switch: Switch, channel: Channel, agent_id: str, aside: Leg | None, beside: list[Channel]) -> Want:
    """The consultation itself; `beside` is the target's channel and all that it is connected with."""
    target = beside[0]
    speaking = [one for one in beside if one.uid != channel.uid and one.bridge and switch.is_party(one)]
    state: LegState = aside.state if aside is not None else "dialing"
    if channel.bridge:
        with_target = any(one.uid == channel.uid for one in beside)
        state = "dialing" if not speaking else "talking" if with_target else "held"
    peer = switch.agent_of(speaking[0]) if speaking else target.exten
    call = calls.internal(switch, target)
    return Want(consult_id(channel.uid), channel.uid, agent_id, call, "consult", state, "", peer)


def _left_waiting(switch: Switch, channel: Channel, agent_id: str) -> list[Want]:
    """The customer's side of a consultation that we did not see begin."""
    for uid in switch.state.bridges.get(channel.main_bridge, ()):
        party = switch.state.channels[uid]
        if switch.is_party(party) and not switch.is_internal(party):
            call = calls.of_outside(switch, party)
            peer = call.from_number if call.direction == "inbound" else call.to_number
            return [Want(channel.uid, channel.uid, agent_id, call, "agent", "held", party.app_queue, peer)]
    return []


# ---------------------------------------------------------------- what is told


def tell(switch: Switch, want: Want) -> Leg:
    """Tell where the leg differs from what was last told of it."""
    leg = switch.state.legs.get(want.leg_id)
    if leg is None:
        return _start(switch, want)
    if leg.call != want.call.call_id:
        _move(switch, leg, want)
    leg.queue = leg.queue or want.queue
    leg.peer = want.peer or leg.peer
    if leg.state != want.state:
        _change(switch, leg, want.state)
    return leg


def _start(switch: Switch, want: Want) -> Leg:
    calls.announce(switch, want.call)
    held = want.state == "held"
    leg = Leg(
        leg_id=want.leg_id,
        uid=want.uid,
        agent_id=want.agent_id,
        call=want.call.call_id,
        role=want.role,
        state="talking" if held else want.state,
        queue=want.queue,
        peer=want.peer,
    )
    kept = switch.state.kept.pop(leg.leg_id, None)
    if kept is not None:
        leg.queue, leg.connected, leg.wrapped = kept.queue, kept.connected, kept.wrapped
    switch.state.legs[leg.leg_id] = leg
    want.call.legs.append(leg.leg_id)
    switch.agent(leg.agent_id).legs.append(leg.leg_id)
    switch.emit(
        events.LegStarted(
            call_id=leg.call,
            leg_id=leg.leg_id,
            agent_id=leg.agent_id,
            role=leg.role,
            state="talking" if want.state == "held" else want.state,
            queue=leg.queue,
            peer=leg.peer,
        )
    )
    if held:
        _change(switch, leg, "held")
    return leg


def _move(switch: Switch, leg: Leg, want: Want) -> None:
    calls.announce(switch, want.call)
    before, leg.call = leg.call, want.call.call_id
    leg.role, leg.peer = want.role, want.peer
    old = switch.state.calls.get(before)
    if old is not None and leg.leg_id in old.legs:
        old.legs.remove(leg.leg_id)
    want.call.legs.append(leg.leg_id)
    switch.emit(events.LegMoved(leg_id=leg.leg_id, call_id=leg.call, from_call_id=before, role=leg.role, peer=leg.peer))


def _change(switch: Switch, leg: Leg, state: LegState) -> None:
    before = leg.state
    if state in ("ringing", "dialing"):
        return  # a phone that was answered does not ring again; its switch moves it about
    leg.state = state
    if before in ("ringing", "dialing"):
        switch.emit(events.LegAnswered(call_id=leg.call, leg_id=leg.leg_id))
    if state == "held":
        switch.emit(events.LegHeld(call_id=leg.call, leg_id=leg.leg_id))
    elif before == "held":
        switch.emit(events.LegRetrieved(call_id=leg.call, leg_id=leg.leg_id))


def clear(switch: Switch, leg: Leg, cause: Cause) -> None:
    """The leg is over; wrap begins if a queue had given the call."""
    del switch.state.legs[leg.leg_id]
    call = switch.state.calls.get(leg.call)
    if call is not None and leg.leg_id in call.legs:
        call.legs.remove(leg.leg_id)
    agent = switch.agent(leg.agent_id)
    if leg.leg_id in agent.legs:
        agent.legs.remove(leg.leg_id)
    if leg.transfer and cause == "hangup":
        cause = "transferred"
    switch.emit(events.LegCleared(call_id=leg.call, leg_id=leg.leg_id, cause=cause))
    if leg.transfer and leg.role == "agent":
        switch.emit(events.TransferReleased(transfer_id=leg.transfer))
    if leg.connected and not leg.wrapped:
        agents.expect_complete(agent, leg.queue)
        agents.start_wrap(switch, agent, leg.queue, leg.call)


_BY_STATUS: dict[str, Cause] = {
    "NOANSWER": "no_answer",
    "BUSY": "busy",
    "CANCEL": "cancelled",
    "CONGESTION": "failed",
    "CHANUNAVAIL": "failed",
    "ABORT": "cancelled",
}


def cause_of(switch: Switch, channel: Channel, leg: Leg, code: int = 0) -> Cause:
    """Why the leg on `channel` is over; `code` is the Q.850 cause of its Hangup, when there is one."""
    if leg.state != "ringing":
        return "hangup"
    if code == 21:
        return "declined"
    if code == 26:
        return "answered_elsewhere"
    if channel.dial_status == "CANCEL" and _answered_by_other(switch, channel):
        return "answered_elsewhere"
    return _BY_STATUS.get(channel.dial_status, "busy" if code == 17 else "cancelled")


def _answered_by_other(switch: Switch, channel: Channel) -> bool:
    parent = switch.channel(channel.parent)
    return parent is not None and bool(parent.got)
