"""ChanSpy: somebody listens. The switch reports every listen; the listener's channel is no call."""

from __future__ import annotations

from services.ingest.adapters.asterisk.model import Channel
from services.ingest.adapters.asterisk.names import device_of, ident_of
from services.ingest.adapters.asterisk.settle import clear
from services.ingest.adapters.asterisk.switch import Switch
from shared import events


def on_start(switch: Switch) -> None:
    """ChanSpyStart: Spyer listens to Spyee. A spy that wanders on to another channel starts anew."""
    spyer, spyee = switch.from_packet("Spyer"), switch.from_packet("Spyee")
    if spyer is None:
        return
    spyer.spy = True
    clear(switch, spyer, spyer.uid)
    listen_id = _id(switch)
    if listen_id in switch.state.listens:
        return
    switch.state.listens[listen_id] = spyer.uid
    agent_id, call_id = _whom(switch, spyee)
    listener = ident_of(device_of(spyer.name))
    switch.emit(
        events.ListenStarted(listen_id=listen_id, agent_id=agent_id, call_id=call_id, listener=spyer.number or listener)
    )


def on_stop(switch: Switch) -> None:
    """ChanSpyStop."""
    listen_id = _id(switch)
    if switch.state.listens.pop(listen_id, None) is not None:
        switch.emit(events.ListenEnded(listen_id=listen_id))


def _id(switch: Switch) -> str:
    return f"{switch.packet.get('SpyerUniqueid')}:{switch.packet.get('SpyeeUniqueid')}"


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
