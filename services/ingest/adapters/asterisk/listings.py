"""Answers to CoreShowChannels, QueueStatus and DeviceStateList: what was there before we came, and what is a ghost."""

from __future__ import annotations

from datetime import timedelta

from services.ingest.adapters.asterisk import agents, visits
from services.ingest.adapters.asterisk.model import Listing
from services.ingest.adapters.asterisk.packet import EPOCH
from services.ingest.adapters.asterisk.settle import hang_up
from services.ingest.adapters.asterisk.switch import Switch
from shared import events


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
        channel.app = packet.get("Application")
        channel.dialed = channel.app in ("AppDial", "AppDial2", "AppQueue")
        channel.app_queue = packet.get("ApplicationData").partition(",")[0] if channel.app == "Queue" else ""
    bridge = packet.get("BridgeId")
    if bridge and not channel.bridge:
        switch.enter_bridge(channel, bridge)
    if not known and channel.name.rpartition("-")[0] in switch.state.on_hold:
        channel.held = True


def on_channels_complete(switch: Switch) -> None:
    """CoreShowChannelsComplete: a channel that is not in the listing and was there before it began is a ghost."""
    listing = _finish(switch, "channels")
    if listing is None:
        return
    seen = set(listing.seen)
    for channel in tuple(switch.state.channels.values()):
        if channel.uid not in seen and channel.created < listing.began:
            hang_up(switch, channel)


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
    listing = _finish(switch, "queues")
    if listing is None:
        return
    seen, queues = set(listing.seen), set(listing.queues)
    for key, member in switch.state.members.items():
        if member.present and member.queue in queues and key not in seen:
            agents.remove(switch, member)
    for visit in tuple(switch.state.visits.values()):
        if visit.queue in queues and visit.uid not in seen and visit.joined < listing.began:
            visits.end(switch, visit, "cleared")
    _adopt_wraps(switch, listing)
    for queue, agent_id in listing.in_call:
        _connect(switch, queue, agent_id)
    for agent_id in switch.config.agents:
        if agent_id not in switch.state.agents:
            switch.agent(agent_id)
            switch.emit(events.AgentLoggedOff(agent_id=agent_id), provenance="inferred")


def _connect(switch: Switch, queue: str, agent_id: str) -> None:
    """The agent speaks with a call of this queue already: after-call work will follow."""
    for leg_id in switch.agent(agent_id).legs:
        leg = switch.state.legs[leg_id]
        if leg.role == "agent" and leg.state in ("talking", "held") and leg.queue in ("", queue):
            leg.queue, leg.connected = queue, True


def on_device(switch: Switch) -> None:
    """DeviceStateChange: only holds matter, of channels that were held before we came."""
    device, state = switch.packet.get("Device"), switch.packet.get("State")
    if state != "ONHOLD":
        switch.state.on_hold.pop(device, None)
        return
    switch.state.on_hold[device] = None
    for channel in switch.state.channels.values():
        if channel.app and channel.bridge and not channel.held and channel.name.rpartition("-")[0] == device:
            channel.held = True
            switch.touch(channel.uid)


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


def _finish(switch: Switch, kind: str) -> Listing | None:
    """The listing, if it came in whole: with a packet lost nothing may be concluded from what it does not name."""
    listing = switch.state.listings.pop(kind, None)
    if listing is None or listing.action != switch.packet.get("ActionID"):
        listing = Listing(action="", began=switch.now)
    whole = switch.packet.get("ListItems") == str(listing.items)
    return listing if whole else None
