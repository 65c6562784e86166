"""What happens to channels, bridges and dials, mirrored. What it means is `settle`'s business."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.ingest.adapters.asterisk import transfers, visits
from services.ingest.adapters.asterisk.model import UP, Channel
from services.ingest.adapters.asterisk.names import local_half
from services.ingest.adapters.asterisk.settle import hang_up
from services.ingest.adapters.asterisk.switch import Switch

BETWEEN_DIGITS: Final = timedelta(seconds=1)  # features.conf: featuredigittimeout
# A transfer follows its Unhold within 7 ms where it was measured; what else the switch says of an Unhold comes later, or soon.
BEFORE_TRANSFER: Final = timedelta(milliseconds=20)
CODE_TO_HOLD: Final = timedelta(milliseconds=300)  # a Hold this soon after a digit was the feature code's doing


def on_new(switch: Switch) -> None:
    """Newchannel."""
    switch.from_packet()


def on_state(switch: Switch) -> None:
    """Newstate. A state below Up after Up is a late packet."""
    channel = switch.from_packet()
    if channel is not None and channel.state != UP:
        channel.state = switch.packet.number("ChannelState")
        switch.touch(channel.uid)


def on_hangup(switch: Switch) -> None:
    """Hangup: the channel is gone."""
    channel = switch.channel(switch.packet.get("Uniqueid"))
    if channel is not None:
        hang_up(switch, channel, switch.packet.number("Cause"))


def on_hangup_request(switch: Switch) -> None:
    """HangupRequest: the channel's own side, a person or a network, ends the call."""
    channel = switch.from_packet()
    if channel is not None:
        channel.hung_up = True


def on_soft_hangup(switch: Switch) -> None:
    """SoftHangupRequest: the switch ends it, here often because another channel of the call ended."""
    channel = switch.from_packet()
    if channel is not None:
        channel.dropped = True


def on_hold(switch: Switch) -> None:
    """Hold. When a feature code was just dialled, the hold is part of the transfer that began with its first digit."""
    channel = switch.from_packet()
    if channel is None:
        return
    switch.state.resuming.pop(channel.uid, None)
    channel.held, channel.hold_at, channel.feature_from = True, switch.now, None
    if channel.digit_last is not None and switch.now - channel.digit_last <= CODE_TO_HOLD:
        channel.feature_from = channel.digit_first
        if channel.code in ("*", "#"):
            transfers.code_dialled(switch, channel)
    switch.touch(channel.uid)


def on_unhold(switch: Switch) -> None:
    """Unhold. Also sent for a transferring phone just before its transfer, when nobody resumed anything: wait for that."""
    channel = switch.from_packet()
    if channel is not None and channel.held:
        channel.unheld = switch.now
        switch.state.resuming[channel.uid] = switch.now


def resumed(switch: Switch, uid: str, at: datetime) -> None:
    """No transfer followed: the channel is off hold since `at`, told after what was told meanwhile."""
    del switch.state.resuming[uid]
    channel, told_at = switch.channel(uid), switch.state.told_at
    if channel is not None:
        channel.held = False
        switch.now = max(at, told_at) if told_at is not None and told_at - at < BEFORE_TRANSFER else at
        switch.touch(uid)


def on_digit(switch: Switch) -> None:
    """DTMFEnd."""
    channel = switch.from_packet()
    if channel is None or switch.packet.get("Direction", "Received") != "Received":
        return
    if channel.digit_last is None or switch.now - channel.digit_last > BETWEEN_DIGITS:
        channel.digit_first, channel.code = switch.now, switch.packet.get("Digit")
    channel.digit_last = switch.now


# ---------------------------------------------------------------- bridges


def on_enter(switch: Switch) -> None:
    """BridgeEnter."""
    channel, bridge = switch.from_packet(), switch.packet.get("BridgeUniqueid")
    if channel is None:
        return
    if channel.bridge != bridge:
        _remember_main(switch, channel)  # its BridgeLeave may come late
    switch.enter_bridge(channel, bridge)
    swapped = switch.packet.get("SwapUniqueid")
    for uid in switch.state.bridges[bridge]:
        other = switch.state.channels[uid]
        if swapped and other.consult == swapped:
            other.consult = channel.uid  # the Local channel between them was optimised away
        _notice_consultation(switch, other)


def on_leave(switch: Switch) -> None:
    """BridgeLeave. Where an agent's phone leaves its customer, it may come back to."""
    channel = switch.from_packet()
    if channel is None or channel.bridge != switch.packet.get("BridgeUniqueid"):
        return
    _remember_main(switch, channel)
    switch.leave_bridge(channel)


def _remember_main(switch: Switch, channel: Channel) -> None:
    leg = switch.state.legs.get(channel.uid)
    if channel.bridge and leg is not None and leg.role == "agent" and not channel.consult:
        channel.main_bridge = channel.bridge


def _notice_consultation(switch: Switch, channel: Channel) -> None:
    """An agent's phone that moved from its customer to a bridge with a new Local channel consults by feature code."""
    if channel.consult or not channel.main_bridge or channel.bridge == channel.main_bridge:
        return
    leg = switch.state.legs.get(channel.uid)
    if channel.main_bridge not in switch.state.bridges or leg is None or leg.transfer:
        return
    for uid in switch.state.bridges[channel.bridge]:
        other = switch.state.channels[uid]
        if local_half(other.name)[1] == "1" and not other.parent:
            channel.consult = uid
            switch.touch(channel.uid)


def on_destroyed(switch: Switch) -> None:
    """BridgeDestroy: whoever is still told to be in it is not."""
    for uid in tuple(switch.state.bridges.get(switch.packet.get("BridgeUniqueid"), ())):
        switch.leave_bridge(switch.state.channels[uid])


# ---------------------------------------------------------------- dials


def on_dial_begin(switch: Switch) -> None:
    """DialBegin. The real phone of a member behind a Local channel is called by that channel's second half."""
    caller, called = switch.from_packet(), switch.from_packet("Dest")
    if called is None:
        return
    if caller is not None and local_half(caller.name)[1] == "2":
        first = switch.twin(caller)
        if first is not None and first.state != UP and first.queue:
            called.queue, called.member = first.queue, first.member
    switch.dial(caller, called)


def on_dial_end(switch: Switch) -> None:
    """DialEnd. An unanswered one comes twice, NOANSWER and CANCEL: the first says why."""
    caller, called = switch.from_packet(), switch.from_packet("Dest")
    if called is None:
        return
    status = switch.packet.get("DialStatus")
    if status == "ANSWER":
        if caller is not None:
            visits.on_answer(switch, caller, called)
    elif not called.dial_status:
        transfers.target_failed(switch, called, status)
    switch.dial_over(caller, called, status)
