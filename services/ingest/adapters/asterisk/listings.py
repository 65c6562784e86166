"""Answers to CoreShowChannels, QueueStatus and DeviceStateList: what was there before we came, and what is a ghost."""

from __future__ import annotations

import math
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from services.ingest.adapters.asterisk import agents, listens, visits
from services.ingest.adapters.asterisk.model import RINGING, UP, Channel, Listing
from services.ingest.adapters.asterisk.names import CARRIES_SOUND, device_of, local_half, tech_of
from services.ingest.adapters.asterisk.packet import EPOCH
from services.ingest.adapters.asterisk.settle import hang_up, settle
from services.ingest.adapters.asterisk.switch import Switch
from shared import events

SETTLED_STATE: Final = timedelta(seconds=2)


def on_channel(switch: Switch) -> None:
    """CoreShowChannel."""
    packet = switch.packet
    listing = _count(switch, "channels")
    uid = packet.get("Uniqueid")
    listing.seen.append(uid)
    known = switch.channel(uid) is not None
    channel = switch.from_packet()
    if channel is None:
        return
    if not known:
        channel.app = packet.get("Application") or "None"
        channel.created -= _duration(packet.get("Duration"))
        channel.dialed = channel.app in ("AppDial", "AppDial2", "AppQueue")
        channel.app_queue = packet.get("ApplicationData").partition(",")[0] if channel.app == "Queue" else ""
    bridge = packet.get("BridgeId")
    if bridge and not channel.bridge:
        switch.enter_bridge(channel, bridge)
    if not known and device_of(channel.name) in switch.state.on_hold:
        channel.held = True
    if packet.get("Application") in listens.SPIES:
        listens.on_listed(switch, channel, packet.get("ApplicationData"))


def _duration(text: str) -> timedelta:
    """`01:02:03`, whole seconds since the channel was created."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return timedelta()
    hours, minutes, seconds = map(int, parts)
    return timedelta(hours=min(hours, 9999), minutes=minutes, seconds=seconds)


def on_channels_complete(switch: Switch) -> None:
    """CoreShowChannelsComplete: a channel that is not in the listing and was there before it began is a ghost."""
    listing, whole = _finish(switch, "channels")
    seen = set(listing.seen)
    for channel in tuple(switch.state.channels.values()):
        if whole and channel.uid not in seen and channel.created < listing.began:
            waiting = switch.state.visits.get(channel.uid)
            if waiting is not None and not waiting.told:
                visits.drop(switch, waiting)
            hang_up(switch, channel)
    for channel in switch.state.channels.values():
        _adopt_consultation(switch, channel)
        switch.touch(channel.uid)
    settle(switch)
    if switch.state.members:  # else agents are still to be listed
        listens.adopt(switch)
    if whole:
        switch.state.kept.clear()
        known = tuple(call.call_id for call in switch.state.calls.values() if call.announced)
        _say_whole(switch, listing, calls=known, legs=tuple(switch.state.legs))


def _say_whole(switch: Switch, listing: Listing, **parts: Any) -> None:
    """What exists at the switch. The listing took a while: what was news meanwhile is none of its business."""
    took_ms = math.ceil((switch.now - listing.began) / timedelta(milliseconds=1))
    switch.emit(events.Snapshot(connector=switch.connector, **parts), precision_ms=max(0, took_ms))


def _adopt_consultation(switch: Switch, customer: Channel) -> None:
    """A lone outside party in a bridge whose agent's phone sits with a Local channel elsewhere: they are consulting."""
    if not customer.app or len(switch.state.bridges.get(customer.bridge, ())) != 1 or not switch.is_party(customer):
        return
    for channel in switch.state.channels.values():
        beside = switch.state.bridges.get(channel.bridge, ())
        same_call = channel.linked == customer.linked and channel.uid != customer.uid
        if not same_call or not channel.app or not channel.dialed or not switch.is_party(channel):
            continue
        for uid in beside:
            if local_half(switch.state.channels[uid].name)[1] == "1":
                channel.main_bridge, channel.consult = customer.bridge, uid
                switch.touch(channel.uid)


def on_params(switch: Switch) -> None:
    """QueueParams: the queue exists."""
    _count(switch, "queues").queues.append(switch.packet.get("Queue"))


def on_member(switch: Switch) -> None:
    """QueueMember."""
    packet = switch.packet
    listing = _count(switch, "queues")
    queue, interface = packet.get("Queue"), packet.get("Location") or packet.get("Interface")
    listing.seen.append(f"{queue}\t{interface}")
    new = f"{queue}\t{interface}" not in switch.state.members
    agents.on_listed(switch)
    agent_id = switch.agent_named(queue, interface)
    if packet.get("InCall") == "1":
        listing.in_call.append((queue, agent_id))
    last = packet.number("LastCall")
    if new and last:
        _note_wrap(switch, listing, agent_id, queue, last)


def _note_wrap(switch: Switch, listing: Listing, agent_id: str, queue: str, last: int) -> None:
    """Whose last call ended less than a wrap-up time ago is still in wrap.

    With `shared_lastcall` all queues of a member name the same LastCall: then only the shortest wrap-up time is certain.
    """
    seconds = agents.wrap_up_s(switch, switch.agent(agent_id), queue)
    known = listing.wraps.get(agent_id)
    if known is None or last > known[0] or (last == known[0] and seconds < known[1]):
        listing.wraps[agent_id] = (last, seconds, queue)


def _adopt_wraps(switch: Switch, listing: Listing) -> None:
    busy = {agent_id for _, agent_id in listing.in_call}
    for agent_id, (last, seconds, queue) in listing.wraps.items():
        until = EPOCH + timedelta(seconds=last + seconds) + switch.shift
        if until > switch.now and agent_id not in busy:
            switch.emit(events.WrapStarted(agent_id=agent_id, queue=queue, until=until), provenance="inferred")


def on_entry(switch: Switch) -> None:
    """QueueEntry."""
    _count(switch, "queues").seen.append(switch.packet.get("Uniqueid"))
    visits.on_listed(switch)


def on_queues_complete(switch: Switch) -> None:
    """QueueStatusComplete: members and waiting calls of the listed queues that were not listed are no more."""
    listing, whole = _finish(switch, "queues")
    seen, queues = set(listing.seen), set(listing.queues) if whole else set()
    for key, member in switch.state.members.items():
        if member.present and member.queue in queues and key not in seen:
            agents.remove(switch, member)
    for visit in tuple(switch.state.visits.values()):
        if visit.queue in queues and visit.uid not in seen and visit.joined < listing.began:
            visits.drop(switch, visit)
    _adopt_wraps(switch, listing)
    for channel in switch.state.channels.values():
        if channel.app and switch.agent_of(channel):
            switch.touch(channel.uid)
    settle(switch)
    listens.adopt(switch)
    for queue, agent_id in listing.in_call:
        _connect(switch, queue, agent_id)
    for agent_id in switch.config.agents:
        if agent_id not in switch.state.agents:
            switch.agent(agent_id)
            switch.emit(events.AgentLoggedOff(agent_id=agent_id), provenance="inferred")
    if whole:
        _say_who(switch, listing, queues)


def _say_who(switch: Switch, listing: Listing, queues: set[str]) -> None:
    """Every listed member is there; who is logged on, and who waits in the listed queues."""
    state = switch.state
    listed = dict.fromkeys(state.members[key].agent_id for key in listing.seen if key in state.members)
    for agent_id in listed:
        if switch.agent(agent_id).logged_on:
            switch.emit(events.AgentSeen(agent_id=agent_id))
    on = tuple(agent.agent_id for agent in state.agents.values() if agent.logged_on)
    waiting: dict[str, list[str]] = {queue: [] for queue in listing.queues}
    for visit in state.visits.values():
        if visit.queue in waiting and visit.told:
            waiting[visit.queue].append(visit.call)
    _say_whole(switch, listing, agents=on, queues={queue: tuple(calls) for queue, calls in waiting.items()})


def _connect(switch: Switch, queue: str, agent_id: str) -> None:
    """The agent speaks with a call of this queue already: after-call work will follow."""
    for leg_id in switch.agent(agent_id).legs:
        leg = switch.state.legs[leg_id]
        if leg.role == "agent" and leg.state in ("talking", "held") and leg.queue in ("", queue):
            leg.queue, leg.connected = queue, True


def on_device(switch: Switch) -> None:
    """DeviceStateChange: holds matter, of channels that were held before we came, and that a device has no call."""
    device, state = switch.packet.get("Device"), switch.packet.get("State")
    if tech_of(device) in CARRIES_SOUND:
        return
    _use(switch, device, state)
    if state != "ONHOLD":
        switch.state.on_hold.pop(device, None)
        return
    switch.state.on_hold[device] = None
    for channel in switch.state.channels.values():
        if channel.app and channel.bridge and not channel.held and device_of(channel.name) == device:
            channel.held = True
            switch.touch(channel.uid)


def on_member_status(switch: Switch) -> None:
    """QueueMemberStatus: of a member that nobody told us of, or of a phone that has no call."""
    agents.on_status(switch)
    state = _STATUS.get(switch.packet.get("Status"), "")
    _use(switch, switch.packet.get("StateInterface") or switch.packet.get("Interface"), state)


def _use(switch: Switch, device: str, state: str) -> None:
    """A device that was in use and is no more has no call: a channel of it that had one was hung up, and we missed it.

    Device states come a moment late, and a called phone counts only from when it rings; so young channels are left alone.
    """
    in_use = switch.state.in_use
    if state in _IN_USE:
        in_use[device] = None
    if state != "NOT_INUSE" or device not in in_use:
        return  # some drivers call every device free unless they are told to count calls
    del in_use[device]
    for channel in tuple(switch.state.channels.values()):
        mine = not channel.bridge and channel.state in (RINGING, UP) and device_of(channel.name) == device
        if mine and switch.now - channel.created > SETTLED_STATE:
            hang_up(switch, channel)


_STATUS: Final = MappingProxyType({"1": "NOT_INUSE", "2": "INUSE", "3": "BUSY", "6": "RINGING", "7": "RINGINUSE"})
_IN_USE: Final = frozenset({"INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD"})


def on_shutdown(switch: Switch) -> None:
    """Shutdown: the switch ends, and every channel with it."""
    for channel in tuple(switch.state.channels.values()):
        hang_up(switch, channel)


def _count(switch: Switch, kind: str) -> Listing:
    action = switch.packet.get("ActionID")
    listing = switch.state.listings.get(kind)
    if listing is None or listing.action != action:
        listing = switch.state.listings[kind] = Listing(action=action, began=switch.now)
    listing.items += 1
    return listing


def _finish(switch: Switch, kind: str) -> tuple[Listing, bool]:
    """The listing, and whether it came in whole: else nothing may be concluded from what it does not name."""
    listing = switch.state.listings.pop(kind, None)
    if listing is None or listing.action != switch.packet.get("ActionID"):
        listing = Listing(action="", began=switch.now)
    return listing, switch.packet.get("ListItems") == str(listing.items)
