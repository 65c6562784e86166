"""After a packet: tell what became true of everything it touched."""

from __future__ import annotations

from typing import Literal

from services.ingest.adapters.asterisk import calls, legs, transfers, visits
from services.ingest.adapters.asterisk.model import RINGING, Call, Channel
from services.ingest.adapters.asterisk.switch import Switch
from shared import events

ClearedBy = Literal["customer", "agent", "switch"]


def settle(switch: Switch) -> None:
    """Derive anew the legs of every phone that is connected with a touched channel, and tell the differences."""
    if switch.state.transfers:
        transfers.give_up_codes(switch)
    if not switch.dirty and not switch.ending:
        return
    near = _near(switch)
    for channel in near:
        _legs_of(switch, channel)
        if channel.dialed and channel.state == RINGING and switch.state.transfers:
            transfers.phone_rings(switch, channel)
    for transfer in tuple(switch.state.transfers.values()):
        if transfer.stage == "aside":
            transfers.resolve(switch, transfer)
        elif transfer.stage == "pending" and _touched(transfer.call, near):
            transfers.meet(switch, transfer)
    while switch.ending:
        call_id = next(iter(switch.ending))
        last = switch.ending.pop(call_id)
        call = switch.state.calls.get(call_id)
        if call is not None and not call.members:
            end_call(switch, call, last)


def _touched(call_id: str, near: list[Channel]) -> bool:
    return any(channel.call == call_id for channel in near)


def _near(switch: Switch) -> list[Channel]:
    """Touched channels and all that they are connected with, call or are called by, oldest first."""
    found: dict[str, Channel] = {}
    waiting = [channel for channel in map(switch.channel, switch.dirty) if channel is not None]
    switch.dirty.clear()
    for channel in waiting:
        if channel.uid in found:
            continue
        found[channel.uid] = channel
        waiting += [one for one in switch.connected(channel) if one.uid not in found]
        linked = [channel.parent, *channel.children, channel.consult]
        waiting += [one for one in map(switch.channel, linked) if one is not None and one.uid not in found]
    return sorted(found.values(), key=lambda channel: (channel.created, not channel.dialed, channel.uid))


def _legs_of(switch: Switch, channel: Channel) -> None:
    wants = legs.wanted(switch, channel)
    ids = {want.leg_id for want in wants}
    for leg_id in (legs.consult_id(channel.uid), channel.uid):
        if leg_id not in ids:
            clear(switch, channel, leg_id)
    for want in wants:
        before = switch.state.legs.get(want.leg_id)
        state = before.state if before is not None else ""
        if want.call.direction == "internal":
            party = channel if want.uid == want.leg_id else switch.channel(channel.consult)
            if party is not None:
                calls.join(switch, party, want.call)
        leg = legs.tell(switch, want)
        if want.call.direction != "internal" and want.uid == want.leg_id:
            calls.leave(switch, channel)
        if before is None:
            if leg.role == "consult":
                main = switch.customer_leg(leg.agent_id, but="" if leg.leg_id != leg.uid else leg.uid)
                if main is not None:
                    transfers.consult_started(switch, leg, main)
            elif leg.state == "ringing":
                transfers.phone_rings(switch, channel)
        if leg.role == "consult" and leg.state == "talking" and state != "talking":
            transfers.consult_answered(switch, leg)


def clear(switch: Switch, channel: Channel, leg_id: str, code: int = 0) -> None:
    """The leg is over, if there was one."""
    leg = switch.state.legs.get(leg_id)
    if leg is None:
        return
    call = switch.state.calls.get(leg.call)
    if call is not None and leg.state in ("talking", "held"):
        call.agent_hung_up = channel.hung_up
    if leg.role == "consult":
        transfers.consult_over(switch, leg)
    legs.clear(switch, leg, legs.cause_of(switch, channel, leg, code))


def hang_up(switch: Switch, channel: Channel, code: int = 0) -> None:
    """The channel is gone: its legs first, then its part in calls and queues."""
    ids = (legs.consult_id(channel.uid), channel.uid)
    for leg_id in ids:
        switch.state.kept.pop(leg_id, None)
    gone = [switch.state.legs[leg_id] for leg_id in ids if leg_id in switch.state.legs]
    switch.remove(channel)
    transfers.note_cause(switch, channel, code)
    if not gone:
        transfers.attempt_over(switch, channel, code)
    for leg in gone:
        clear(switch, channel, leg.leg_id, code)
    visits.on_hangup(switch, channel)
    calls.leave(switch, channel)
    switch.state.spying.pop(channel.uid, None)
    for listen_id in [one for one, uid in switch.state.listens.items() if uid == channel.uid]:
        del switch.state.listens[listen_id]
        switch.emit(events.ListenEnded(listen_id=listen_id))


def end_call(switch: Switch, call: Call, last: Channel) -> None:
    """Nobody is left of those whose call it is: its transfers, visits and legs end, then the call."""
    visits.end_of_call(switch, call, last)
    transfers.end_of_call(switch, call, last)
    for leg_id in tuple(call.legs):
        leg = switch.state.legs[leg_id]
        channel = switch.channel(leg.uid)
        if leg.state in ("talking", "held"):
            call.agent_hung_up = channel is not None and channel.hung_up
        if leg.role == "consult":
            transfers.consult_over(switch, leg)
        legs.clear(switch, leg, "cancelled" if leg.state == "ringing" else "hangup")
    switch.state.calls.pop(call.call_id, None)
    if call.announced:
        switch.emit(events.CallCleared(call_id=call.call_id, cleared_by=_cleared_by(call, last)))


def _cleared_by(call: Call, last: Channel) -> ClearedBy:
    if last.hung_up:
        return "agent" if call.direction == "internal" else "customer"
    return "agent" if call.agent_hung_up else "switch"
