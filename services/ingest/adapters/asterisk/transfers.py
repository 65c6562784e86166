"""Transfers: from the moment the agent asks to the moment customer and target share media, or never do.

Attended ones begin with the consultation and end with AttendedTransfer, or when the agent is back with the customer.
Once the agent let go (`pending`), of a blind one at once, what counts is whom the customer is connected with next.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from services.ingest.adapters.asterisk import calls
from services.ingest.adapters.asterisk.model import UP, Call, Channel, Leg, Transfer
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
    if call.direction == "internal":
        return  # no customer waits for it
    number = packet.get("Extension")
    transfer = _by_code(switch, channel)
    if transfer is None:
        transfer = _begin(switch, call, leg, _kind(switch, number), number, _asked(switch, channel))
    else:
        _aim(switch, transfer, _kind(switch, number), number)
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


def code_dialled(switch: Switch, channel: Channel) -> None:
    """The agent dialled a feature code and the customer was put on hold: of all features only transfers do that."""
    leg = switch.state.legs.get(channel.uid)
    call = switch.state.calls.get(leg.call) if leg is not None else None
    if leg is None or call is None or leg.role != "agent" or leg.transfer or call.direction == "internal":
        return
    if channel.digit_first is not None and not channel.consult and _by_code(switch, channel) is None:
        transfer = _begin(switch, call, leg, "attended", "", channel.digit_first)
        transfer.stage = "code"


def _by_code(switch: Switch, channel: Channel) -> Transfer | None:
    mine = (one for one in switch.state.transfers.values() if one.stage == "code" and one.main == channel.uid)
    return next(mine, None)


def give_up_codes(switch: Switch) -> None:
    """An agent who is back with the customer and has called nobody named no valid target.

    The switch also ends the hold just before it transfers, so this waits until that moment is over.
    """
    for transfer in [one for one in switch.state.transfers.values() if one.stage == "code"]:
        channel = switch.channel(transfer.main)
        if channel is None or channel.held or channel.unheld is None or channel.consult:
            continue
        if switch.now - channel.unheld > SAME_MOMENT:
            _end(switch, transfer, "failed", "no valid target", channel.unheld)


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
    transfer = _by_code(switch, channel)
    if transfer is None:
        transfer = _begin(switch, call, main, "attended", number, began, precision_ms=1000 if listed else 0)
    else:
        _aim(switch, transfer, "attended", number)
        transfer.stage = "consult"
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
    _ask(switch, transfer, at, precision_ms)
    return transfer


def _ask(switch: Switch, transfer: Transfer, at: datetime, precision_ms: int = 0) -> None:
    switch.emit(
        events.TransferRequested(
            transfer_id=transfer.transfer_id,
            call_id=transfer.call,
            kind=transfer.kind,
            from_agent=transfer.agent_id,
            to_agent=transfer.to_agent,
            to_queue=transfer.to_queue,
            to_number=transfer.to_number,
        ),
        at,
        provenance="inferred" if precision_ms else "observed",
        precision_ms=precision_ms,
    )


def _aim(switch: Switch, transfer: Transfer, kind: Literal["blind", "attended", "queue"], number: str) -> None:
    """The target is known now: say so."""
    transfer.kind, transfer.to_number = kind, number
    transfer.to_agent = number if number in switch.state.agents or number in switch.config.agents else ""
    transfer.to_queue = switch.state.extens.get(number, "")
    _ask(switch, transfer, switch.now)


def joined_queue(switch: Switch, channel: Channel, call_id: str, queue: str) -> None:
    """The customer, or the agent who consults, came to a queue: that is the target."""
    for transfer in switch.state.transfers.values():
        pending = transfer.stage == "pending" and transfer.call == call_id
        asking = transfer.stage == "consult" and transfer.consult_uid == channel.uid
        if (pending or asking) and not transfer.to_queue:
            transfer.to_queue = queue
            transfer.kind = "queue" if transfer.kind == "blind" else transfer.kind
            _ask(switch, transfer, switch.now)


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
    # Both parties were connected with the agent, so now they are with each other, even if a packet of how was lost.
    if (
        transfer.transfer_id in switch.state.transfers
        and transfer.answered
        and switch.packet.get("DestType") in _JOINED
    ):
        switch.state.transfers.pop(transfer.transfer_id)
        switch.emit(events.TransferBridged(transfer_id=transfer.transfer_id, to_agent=transfer.to_agent))


_JOINED: Final = ("Bridge", "Link", "Threeway")


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
            if agent_id == transfer.agent_id and not other.queue:
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


def note_cause(switch: Switch, channel: Channel, code: int) -> None:
    """The consulting channel is gone and reached nobody; `code` may say why."""
    for transfer in switch.state.transfers.values():
        if transfer.consult_uid == channel.uid and not channel.hung_up and not transfer.answered:
            transfer.status = transfer.status or _BY_CODE.get(code, "")


def attempt_over(switch: Switch, channel: Channel, code: int) -> None:
    """An agent's phone that placed a call which never came to ring: with a customer on hold, a consultation that failed.

    A call to a feature code ends too, but the switch answered it.
    """
    status = _BY_CODE.get(code, "")
    agent_id = switch.agent_of(channel)
    if not agent_id or channel.dialed or channel.state == UP or channel.hung_up or not status:
        return
    main = switch.customer_leg(agent_id, but=channel.uid)
    call = switch.state.calls.get(main.call) if main is not None else None
    if main is not None and call is not None and main.state == "held" and call.direction != "internal":
        transfer = _begin(switch, call, main, "attended", channel.exten, channel.created)
        _end(switch, transfer, "failed", _REASONS.get(status, ""))


# Q.850 causes of a Hangup, as the words of a DialEnd
_BY_CODE: Final[dict[int, str]] = {
    **dict.fromkeys((1, 3, 20, 27, 28), "CHANUNAVAIL"),
    17: "BUSY",
    **dict.fromkeys((18, 19), "NOANSWER"),
    21: "BUSY",
    **dict.fromkeys((34, 38, 42), "CONGESTION"),
}


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
    switch: Switch,
    transfer: Transfer,
    outcome: Literal["failed", "cancelled", "abandoned"],
    reason: str = "",
    at: datetime | None = None,
) -> None:
    switch.state.transfers.pop(transfer.transfer_id, None)
    switch.emit(events.TransferEnded(transfer_id=transfer.transfer_id, outcome=outcome, reason=reason), at)
