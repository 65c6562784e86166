"""ChanSpy: somebody listens. The switch reports every listen; the listener's channel is no call.

A listening leg that we ordered has the Uniqueid `listen-` and the fork's UUID, which is the ticket of the listen.
"""

from __future__ import annotations

import re
from typing import Final

from services.ingest.adapters.asterisk import calls
from services.ingest.adapters.asterisk.legs import consult_id
from services.ingest.adapters.asterisk.model import Channel
from services.ingest.adapters.asterisk.names import device_of, ident_of, is_phone
from services.ingest.adapters.asterisk.settle import clear
from services.ingest.adapters.asterisk.switch import Switch
from shared import events
from shared.events import Provenance

LISTENING: Final = (events.ListenStarted, events.ListenEnded)
SPIES: Final = frozenset({"ChanSpy", "ExtenSpy"})  # the applications with which somebody listens
_TICKET: Final = re.compile(r"listen-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_LAST: Final = re.compile(r"-(0x)?[0-9a-f]+(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?$")  # of a channel's name: new each time


def on_start(switch: Switch) -> None:
    """ChanSpyStart: Spyer listens to Spyee. A spy that wanders on to another channel starts anew."""
    spyer, spyee = switch.from_packet("Spyer"), switch.from_packet("Spyee")
    if spyer is not None:
        no_party(switch, spyer)
        _begin(switch, spyer, spyee, switch.packet.get("SpyeeUniqueid"))


def on_stop(switch: Switch) -> None:
    """ChanSpyStop."""
    listen_id = _id(switch.packet.get("SpyerUniqueid"), switch.packet.get("SpyeeUniqueid"))
    if switch.state.listens.pop(listen_id, None) is not None:
        switch.emit(events.ListenEnded(listen_id=listen_id))


def on_listed(switch: Switch, spyer: Channel, data: str) -> None:
    """CoreShowChannel of a channel that listens: of a listen that began before we came nothing else tells.

    `data` is what ChanSpy was given: the channel, by its name, the beginning of it, or its Uniqueid; then options.
    """
    no_party(switch, spyer)
    switch.state.spying[spyer.uid] = data.partition(",")[0]


def adopt(switch: Switch) -> None:
    """Calls and agents are listed: tell whom the listed listeners listen to. Where that is not clear, they listen to nobody
    known."""
    spying, switch.state.spying = switch.state.spying, {}
    for uid, named in spying.items():
        spyer = switch.channel(uid)
        if spyer is None or uid in switch.state.listens.values():
            continue
        spyee = _named(switch, named, spyer)
        _begin(switch, spyer, spyee, spyee.uid if spyee is not None else "", "inferred")


def no_party(switch: Switch, spyer: Channel) -> None:
    """The channel belongs to a listener: it is no agent's phone, and in no call, from now on."""
    spyer.spy = True
    for leg_id in (consult_id(spyer.uid), spyer.uid):
        clear(switch, spyer, leg_id)
    calls.leave(switch, spyer)


def ticket_of(uid: str) -> str:
    """The fork that a listener's Uniqueid names; "" for one that is none of ours."""
    found = _TICKET.fullmatch(uid)
    return found.group(1).lower() if found else ""


def _begin(
    switch: Switch, spyer: Channel, spyee: Channel | None, spyee_uid: str, provenance: Provenance = "observed"
) -> None:
    listen_id = _id(spyer.uid, spyee_uid)
    if listen_id in switch.state.listens:
        return
    switch.state.listens[listen_id] = spyer.uid
    agent_id, call_id = _whom(switch, spyee)
    started = events.ListenStarted(
        listen_id=listen_id,
        agent_id=agent_id,
        call_id=call_id,
        listener=_listener(spyer),
        ticket=ticket_of(spyer.uid),
    )
    switch.emit(started, provenance=provenance)


def _id(spyer: str, spyee: str) -> str:
    return f"{spyer}:{spyee}"


def _listener(spyer: Channel) -> str:
    """The number of a phone that listens, or its extension; for sound that goes elsewhere, where it goes."""
    if spyer.number.isdigit():
        return spyer.number
    return ident_of(device_of(spyer.name)) if is_phone(spyer.name) else _LAST.sub("", spyer.name)


def _named(switch: Switch, named: str, spyer: Channel) -> Channel | None:
    """The one channel that ChanSpy's first argument means; None when none or several may be meant."""
    exact = switch.channel(named)
    if exact is not None or not named:
        return exact
    channels = [one for one in switch.state.channels.values() if one.uid != spyer.uid]
    by_name = [one for one in channels if one.name == named]
    found = by_name or [one for one in channels if one.name.startswith(named)]
    return found[0] if len(found) == 1 else None


def _whom(switch: Switch, spyee: Channel | None) -> tuple[str, str]:
    """The agent and the call that are listened to; on a customer's channel, whoever speaks with the customer."""
    if spyee is None:
        return "", ""
    leg = switch.state.legs.get(spyee.uid)
    if leg is not None:
        return leg.agent_id, leg.call
    for other in switch.partners(spyee):
        leg = switch.state.legs.get(other.uid)
        if leg is not None:
            return leg.agent_id, leg.call
    return switch.agent_of(spyee), spyee.call
