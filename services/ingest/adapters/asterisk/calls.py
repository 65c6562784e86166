"""Which call a channel belongs to. A call ends when its last party leaves; `settle` then tells."""

from __future__ import annotations

from services.ingest.adapters.asterisk.model import Call, Channel
from services.ingest.adapters.asterisk.switch import Switch
from shared import events
from shared.events import Direction


def of_outside(switch: Switch, channel: Channel) -> Call:
    """The call of an outside party; one begins if it has none. It keeps its id through transfers and queues.

    The id is the Linkedid, which is the Uniqueid of the oldest channel, unless a call of that id runs: the target
    of a consultation carries the Linkedid of the customer's call.
    """
    known = switch.state.calls.get(channel.call)
    if known is not None:
        return known
    call_id = channel.linked if channel.linked and channel.linked not in switch.state.calls else channel.uid
    if channel.dialed:
        call = _begin(switch, call_id, "outbound")
        call.to_number = channel.number or channel.exten
    else:
        call = _begin(switch, call_id, "inbound")
        call.from_number, call.to_number = channel.number, channel.exten
    join(switch, channel, call)
    return call


def internal(switch: Switch, first: Channel) -> Call:
    """The call between colleagues that `first` placed or stands for."""
    known = switch.state.calls.get(first.uid)
    if known is not None:
        return known
    call = _begin(switch, first.uid, "internal")
    call.from_number, call.to_number = first.number, first.exten
    return call


def _begin(switch: Switch, call_id: str, direction: Direction) -> Call:
    call = switch.state.calls[call_id] = Call(call_id=call_id, direction=direction, started=switch.now)
    return call


def join(switch: Switch, channel: Channel, call: Call) -> None:
    """`channel` is now a party of `call`, and of no other."""
    if channel.call != call.call_id:
        leave(switch, channel)
        channel.call = call.call_id
        call.members.append(channel.uid)
        switch.ending.pop(call.call_id, None)


def leave(switch: Switch, channel: Channel) -> None:
    """`channel` is a party of no call any more."""
    call = switch.state.calls.get(channel.call)
    channel.call = ""
    if call is not None and channel.uid in call.members:
        call.members.remove(channel.uid)
        if not call.members:
            switch.ending[call.call_id] = channel


def announce(switch: Switch, call: Call) -> None:
    """Tell that the call exists, once, when the floor first has to do with it."""
    if not call.announced:
        call.announced = True
        switch.emit(
            events.CallStarted(
                call_id=call.call_id,
                direction=call.direction,
                from_number=call.from_number,
                to_number=call.to_number,
            )
        )
