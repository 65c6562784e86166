"""Transfers: from the moment the agent asks to the moment customer and target share media, or never do.

Attended ones begin with the consultation and end with AttendedTransfer, or when the agent is back with the customer.
Once the agent let go (`pending`), of a blind one at once, what counts is whom the customer is connected with next.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from services.ingest.adapters.asterisk import calls
from services.ingest.adapters.asterisk.model import Call, Channel, Leg, Transfer
from services.ingest.adapters.asterisk.switch import Switch
from shared import events

# The switch takes the other side off hold by itself just before it transfers; measured within a millisecond.
SAME_MOMENT: Final = timedelta(milliseconds=100)


# ---------------------------------------------------------------- asking


def on_blind(switch: Switch) -> None:
    """BlindTransfer, by AMI, feature code or REFER: the agent is out at once."""
    packet = switch.packet
    channel = switch.from_packet("Transferer")
    leg = switch.state.legs.get(channel.uid) if channel is not None else None
    if channel is None or leg is None or leg.transfer:
        return  # not an agent's doing, or told twice
    call = switch.state.calls[leg.call]
    number = packet.get("Extension")
    asked = _asked(switch, channel)
    transfer = _begin(switch, call, leg, _kind(switch, number), number, asked)
    result = packet.get("Result", "Success")
    if result != "Success":
        _end(switch, transfer, "failed", result.lower())
        return
    _let_go(switch, transfer)


def _asked(switch: Switch, channel: Channel) -> datetime:
    """When the agent began: with the first digit of the feature code, where one was dialled."""
    since = channel.feature_from
    still = channel.held or (channel.unheld is not None and switch.now - channel.unheld <= SAME_MOMENT)
    return since if since is not None and still else switch.now


def _kind(switch: Switch, number: str) -> Literal["blind", "queue"]:
    return "queue" if number in switch.state.extens else "blind"


def consult_started(switch: Switch, leg: Leg, main: Leg) -> None:
    """An agent with a customer calls somebody: the clock of the transfer runs."""
    channel = switch.channel(leg.uid)
    call = switch.state.calls.get(main.call)
    if channel is None or call is None or call.direction == "internal":
        return
    same_channel = leg.uid == main.uid
    target = switch.channel(channel.consult) if same_channel else channel
    number = target.exten if target is not None else ""
    began = (channel.feature_from or channel.hold_at) if same_channel else channel.created
    listed = target is not None and bool(target.app)  # it began before we came, by the whole second
    if began is None:
        began = target.created if target is not None else switch.now
    transfer = _begin(switch, call, main, "attended", number, began, precision_ms=1000 if listed else 0)
    transfer.consult_leg, transfer.consult_call = leg.leg_id, leg.call
    transfer.consult_uid = channel.consult if same_channel else channel.uid


def _begin(
    switch: Switch,
    call: Call,
    main: Leg,
    kind: Literal["blind", "attended", "queue"],
    number: str,
    at: datetime,
    precision_ms: int = 0,
) -> Transfer:
    call.transfers += 1
    transfer = Transfer(
        transfer_id=f"{call.call_id}-t{call.transfers}",
        kind=kind,
        agent_id=main.agent_id,
        call=call.call_id,
        main=main.uid,
        stage="consult",
        to_agent=number if number in switch.state.agents or number in switch.config.agents else "",
        to_queue=switch.state.extens.get(number, ""),
        to_number=number,
    )
    switch.state.transfers[transfer.transfer_id] = transfer
    calls.announce(switch, call)
    switch.emit(
        events.TransferRequested(
            transfer_id=transfer.transfer_id,
            call_id=call.call_id,
            kind=kind,
            from_agent=transfer.agent_id,
            to_agent=transfer.to_agent,
            to_queue=transfer.to_queue,
            to_number=number,
        ),
        at,
        provenance="inferred" if precision_ms else "observed",
        precision_ms=precision_ms,
    )
    return transfer


# ---------------------------------------------------------------- on the way


def phone_rings(switch: Switch, channel: Channel) -> None:
    """A phone or line is called: perhaps the target of a transfer."""
    for transfer in _looking_for(switch, channel):
        if not transfer.ringing:
            transfer.ringing = True
            agent_id = switch.agent_of(channel)
            switch.emit(events.TransferRinging(transfer_id=transfer.transfer_id, to_agent=agent_id))


def target_failed(switch: Switch, channel: Channel, status: str) -> None:
    """The call to this channel ended without an answer; the dialplan may try somebody else."""
    if status != "CANCEL":
        for transfer in _looking_for(switch, channel):
            transfer.status = status


def _looking_for(switch: Switch, channel: Channel) -> list[Transfer]:
    """The transfers for which this channel is called: by the consulting channel, or later by the customer's."""
    if not switch.state.transfers:
        return []
    source = switch.source(channel)
    return [
        one
        for one in switch.state.transfers.values()
        if (source.call == one.call if one.stage == "pending" else source.uid == one.consult_uid)
    ]


def consult_answered(switch: Switch, leg: Leg) -> None:
    """The agent speaks with the target."""
    for transfer in switch.state.transfers.values():
        if transfer.consult_leg == leg.leg_id and not transfer.answered:
            transfer.consult_call = leg.call
            _answered(switch, transfer, leg.peer if leg.peer in switch.state.agents else "")


def _answered(switch: Switch, transfer: Transfer, agent_id: str) -> None:
    transfer.answered = True
    switch.emit(events.TransferAnswered(transfer_id=transfer.transfer_id, to_agent=agent_id))


# ---------------------------------------------------------------- the end


def on_attended(switch: Switch) -> None:
    """AttendedTransfer. Its target headers may be missing or name a Local channel, so the agent's channels say which."""
    if switch.packet.get("Result", "Success") != "Success":
        return  # the agent is, or will be, back with the customer, or the customer is gone: seen by itself
    uids = {switch.packet.get("OrigTransfererUniqueid"), switch.packet.get("SecondTransfererUniqueid")} - {""}
    transfer = next((one for one in switch.state.transfers.values() if uids & {one.main, one.consult_uid}), None)
    if transfer is None:
        transfer = _late(switch, uids)
    if transfer is None:
        return
    _let_go(switch, transfer)
    if switch.packet.get("DestType") == "App":
        _take_over(switch, transfer)
    meet(switch, transfer)


def _late(switch: Switch, uids: set[str]) -> Transfer | None:
    """A transfer whose beginning we did not see."""
    for uid in sorted(uids):
        leg = switch.state.legs.get(uid)
        call = switch.state.calls.get(leg.call) if leg is not None else None
        given = leg is None or leg.transfer or leg.role != "agent"
        if leg is not None and not given and call is not None and call.direction != "internal":
            return _begin(switch, call, leg, "attended", "", switch.now)
    return None


def _let_go(switch: Switch, transfer: Transfer) -> None:
    """The agent's part is over, or as good as: their channels are on the way out."""
    transfer.stage = "pending"
    for leg_id in (transfer.main, transfer.consult_leg):
        leg = switch.state.legs.get(leg_id)
        if leg is not None:
            leg.transfer = transfer.transfer_id


def _take_over(switch: Switch, transfer: Transfer) -> None:
    """The agent let go while the target still rang: the customer's channel takes the place of the consulting one."""
    calling, customer = switch.channel(transfer.consult_uid), switch.from_packet("Transferee")
    if calling is None or customer is None:
        return
    for uid in tuple(calling.children):
        child = switch.channel(uid)
        if child is not None:
            switch.dial(customer, child)
    calling.children.clear()


def meet(switch: Switch, transfer: Transfer) -> None:
    """If the customer is now connected with somebody other than the agent's channels, the transfer is complete."""
    call = switch.state.calls.get(transfer.call)
    for uid in tuple(call.members) if call is not None else ():
        customer = switch.channel(uid)
        if customer is None:
            continue
        for other in switch.partners(customer):
            if other.uid in (transfer.main, transfer.consult_uid) or (call is not None and other.uid in call.members):
                continue
            agent_id = switch.agent_of(other)
            if agent_id == transfer.agent_id:
                _end(switch, transfer, "failed", "returned to the agent")
                return
            _complete(switch, transfer, other, agent_id)
            return


def _complete(switch: Switch, transfer: Transfer, target: Channel, agent_id: str) -> None:
    call = switch.state.calls[transfer.call]
    if not agent_id and not switch.is_internal(target):
        calls.join(switch, target, call)  # two outside parties now have one call
    if not transfer.answered:
        _answered(switch, transfer, agent_id)
    _let_go(switch, transfer)
    switch.state.transfers.pop(transfer.transfer_id, None)
    switch.emit(events.TransferBridged(transfer_id=transfer.transfer_id, to_agent=agent_id))


def consult_over(switch: Switch, leg: Leg) -> None:
    """The consultation ended and no AttendedTransfer was seen, yet or at all."""
    for transfer in tuple(switch.state.transfers.values()):
        if transfer.consult_leg == leg.leg_id and transfer.stage == "consult":
            transfer.stage = "aside"
            resolve(switch, transfer)


def resolve(switch: Switch, transfer: Transfer) -> None:
    """After a consultation: is the agent back with the customer, out of the call, or did both parties meet?"""
    call = switch.state.calls.get(transfer.call)
    if call is None or not call.members:
        return  # the customer is gone, which ends the transfer as abandoned
    meet(switch, transfer)
    if transfer.transfer_id not in switch.state.transfers:
        return
    main = switch.channel(transfer.main)
    if main is None:
        _let_go(switch, transfer)
    elif any(one.call == call.call_id for one in switch.partners(main)):
        if not transfer.answered and transfer.status:
            _end(switch, transfer, "failed", _REASONS.get(transfer.status, transfer.status.lower()))
        else:
            _end(switch, transfer, "cancelled")


def end_of_call(switch: Switch, call: Call, last: Channel) -> None:
    """The customer is gone before it came to the bridge."""
    for transfer in [one for one in switch.state.transfers.values() if one.call == call.call_id]:
        if last.hung_up or not transfer.status:
            _end(switch, transfer, "abandoned" if last.hung_up else "failed", "the call ended")
        else:
            _end(switch, transfer, "failed", _REASONS.get(transfer.status, transfer.status.lower()))


_REASONS: Final[dict[str, str]] = {
    "NOANSWER": "no answer",
    "BUSY": "busy",
    "CONGESTION": "congestion",
    "CHANUNAVAIL": "not reachable",
}


def _end(
    switch: Switch, transfer: Transfer, outcome: Literal["failed", "cancelled", "abandoned"], reason: str = ""
) -> None:
    switch.state.transfers.pop(transfer.transfer_id, None)
    switch.emit(events.TransferEnded(transfer_id=transfer.transfer_id, outcome=outcome, reason=reason))
