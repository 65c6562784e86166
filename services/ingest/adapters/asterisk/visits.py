"""Queue visits: a channel joins a queue, is offered to agents, and leaves it one way or another."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from services.ingest.adapters.asterisk import calls, transfers
from services.ingest.adapters.asterisk.model import Call, Channel, Visit
from services.ingest.adapters.asterisk.switch import Switch
from shared import events
from shared.events import Provenance

MOMENT: Final = timedelta(milliseconds=250)  # in which packets about the same thing come, whatever their order

Reason = Literal["answered", "abandoned", "timed_out", "overflowed", "cleared", "moved"]


def on_join(switch: Switch) -> None:
    """QueueCallerJoin. For a transferred member behind a Local channel it names that channel, not the customer's."""
    channel = switch.from_packet()
    if channel is not None:
        begin(switch, channel, switch.packet.get("Queue"), switch.packet.number("Position"))


def on_listed(switch: Switch) -> None:
    """QueueEntry: joined `Wait` seconds ago."""
    packet = switch.packet
    uid = packet.get("Uniqueid")
    known = switch.state.visits.get(uid)
    channel = switch.from_packet()
    if known is not None and known.queue == packet.get("Queue"):
        _tell(switch, known)
    elif channel is not None:
        begin(switch, channel, packet.get("Queue"), packet.number("Position"), packet.number("Wait"))


def begin(switch: Switch, channel: Channel, queue: str, position: int, waited_s: int = 0) -> None:
    """`channel` waits in `queue`."""
    before = switch.state.visits.get(channel.uid)
    if before is not None:
        if before.queue == queue and before.left is None:
            return
        end(switch, before, "moved" if before.left is None else _given_up(switch, before))
    call = call_of(switch, channel)
    joined = switch.now - timedelta(seconds=waited_s)
    provenance: Provenance = "inferred" if waited_s else "observed"
    calls.announce(switch, call)
    switch.state.visits[channel.uid] = Visit(uid=channel.uid, call=call.call_id, queue=queue, joined=joined)
    if channel.exten:
        switch.state.extens[f"{channel.exten}"] = queue
    switch.emit(
        events.CallQueued(call_id=call.call_id, queue=queue, from_number=call.from_number, position=position or None),
        joined,
        provenance=provenance,
        precision_ms=1000 if waited_s else 0,
    )
    switch.touch(channel.uid)
    transfers.joined_queue(switch, channel, call.call_id, queue)


def _tell(switch: Switch, visit: Visit) -> None:
    """Tell a visit anew that was told in an earlier session only."""
    call = switch.state.calls.get(visit.call)
    if visit.told or call is None:
        return
    visit.told = True
    calls.announce(switch, call)
    queued = events.CallQueued(call_id=visit.call, queue=visit.queue, from_number=call.from_number)
    switch.emit(queued, visit.joined, provenance="inferred")


def call_of(switch: Switch, channel: Channel) -> Call:
    """The call that waits when this channel does."""
    party = switch.is_party(channel)
    if party and not switch.is_internal(channel):
        return calls.of_outside(switch, channel)
    if not party:
        near = [one for one in switch.connected(channel) if switch.is_party(one) and not switch.is_internal(one)]
        if near:
            return calls.of_outside(switch, near[0])
    first = channel if party else switch.twin(channel) or channel
    call = calls.internal(switch, first)
    calls.join(switch, first, call)
    return call


def on_leave(switch: Switch) -> None:
    """QueueCallerLeave. Whoever answered was told before, as was an abandoned call; else the queue gave it up."""
    visit = switch.state.visits.get(switch.packet.get("Uniqueid"))
    if visit is None or visit.queue != switch.packet.get("Queue"):
        return
    if not visit.answered:
        _leave(switch, visit)
    elif visit.answered_by:
        end(switch, visit, "answered", visit.answered_by)
    # else AgentConnect, which follows, says who


def on_abandon(switch: Switch) -> None:
    """QueueCallerAbandon. Newer Asterisks say it of every call that nobody answered: of one that timed out as well."""
    visit = switch.state.visits.get(switch.packet.get("Uniqueid"))
    if visit is not None and visit.queue == switch.packet.get("Queue"):
        _leave(switch, visit)


def _leave(switch: Switch, visit: Visit) -> None:
    """Nobody answered, as far as we know. Without a sign of why, the packets of the next moment may still bring one."""
    reason = _given_up(switch, visit)
    if reason in ("abandoned", "cleared"):
        end(switch, visit, reason)
    elif visit.left is None:
        visit.left = switch.now
        switch.state.leaving[visit.uid] = None


def let_leave(switch: Switch) -> None:
    """End the visits whose callers left a moment ago without an answer."""
    for uid in tuple(switch.state.leaving):
        visit = switch.state.visits.get(uid)
        if visit is None or visit.left is None:
            del switch.state.leaving[uid]
        elif switch.now - visit.left > MOMENT:
            end(switch, visit, _given_up(switch, visit))


def _given_up(switch: Switch, visit: Visit, gone: Channel | None = None) -> Reason:
    """Why a visit ended that nobody answered. A caller who leaves says so first, by HangupRequest."""
    call, waiting = switch.state.calls.get(visit.call), switch.channel(visit.uid) or gone
    # Who waits may be the far end of a Local channel; that gets no HangupRequest of its own.
    parties = [waiting, *map(switch.channel, call.members if call is not None else ())]
    if any(one.hung_up for one in parties if one is not None):
        return "abandoned"
    if waiting is not None and waiting.dropped:
        return "cleared"
    pressed = waiting.digit_last if waiting is not None else None
    if pressed is not None and (visit.left or switch.now) - pressed < timedelta(seconds=1):
        return "moved"  # left with a key
    if not any(member.present and member.queue == visit.queue for member in switch.state.members.values()):
        return "overflowed"  # nobody serves the queue
    return "timed_out"


def on_called(switch: Switch) -> None:
    """AgentCalled: the queue offers the call to a member. What it calls may be a Local channel before the real phone."""
    caller, offered = switch.from_packet(), switch.from_packet("Dest")
    if offered is None:
        return
    queue = switch.packet.get("Queue")
    offered.queue, offered.member = queue, switch.agent_named(queue, switch.packet.get("Interface"))
    switch.dial(caller, offered)


def on_answer(switch: Switch, caller: Channel, offered: Channel) -> None:
    """DialEnd ANSWER: while a channel waits in a queue, nobody but the queue calls phones for it."""
    visit = switch.state.visits.get(caller.uid)
    if visit is not None:
        offered.queue = offered.queue or visit.queue
        visit.answered, visit.answered_by = True, offered.member or switch.agent_of(offered)
        if visit.left is not None:
            end(switch, visit, "answered", visit.answered_by)


def on_connect(switch: Switch) -> None:
    """AgentConnect: the agent has the call. From here on after-call work is due."""
    caller, phone = switch.from_packet(), switch.from_packet("Dest")
    queue = switch.packet.get("Queue")
    agent = switch.agent(switch.agent_named(queue, switch.packet.get("Interface")))
    call_id = ""
    if caller is not None:
        visit = switch.state.visits.get(caller.uid)
        call_id = visit.call if visit is not None else call_of(switch, caller).call_id
        if visit is not None:
            end(switch, visit, "answered", agent.agent_id)
    for leg_id in agent.legs:
        leg = switch.state.legs[leg_id]
        mine = phone is not None and leg.uid == phone.uid
        if mine or (leg.call == call_id and leg.queue in (queue, "")):
            leg.queue, leg.connected, leg.wrapped = queue, True, False


def end(switch: Switch, visit: Visit, reason: Reason, agent_id: str = "") -> None:
    """The visit is over."""
    _tell(switch, visit)
    switch.state.visits.pop(visit.uid, None)
    switch.state.leaving.pop(visit.uid, None)
    switch.touch(visit.uid)
    left = events.CallDequeued(call_id=visit.call, queue=visit.queue, reason=reason, agent_id=agent_id)
    switch.emit(left, visit.left)


def drop(switch: Switch, visit: Visit) -> None:
    """A listing does not name it: it is over since we do not know when. What was not told in this session needs no end."""
    if visit.told:
        end(switch, visit, "cleared")
    else:
        switch.state.visits.pop(visit.uid, None)
        switch.touch(visit.uid)


def on_attended(switch: Switch) -> None:
    """AttendedTransfer. Completed while the consulting line still waits in a queue, the customer takes its place there."""
    transfers.on_attended(switch)
    waiting = switch.state.visits.get(switch.packet.get("SecondTransfererUniqueid"))
    customer = switch.from_packet("Transferee")
    if waiting is not None and customer is not None and switch.packet.get("DestType") == "App":
        end(switch, waiting, "moved")
        begin(switch, customer, waiting.queue, 0)


def end_of_call(switch: Switch, call: Call, last: Channel) -> None:
    """The call is over while it waits."""
    for visit in [visit for visit in switch.state.visits.values() if visit.call == call.call_id]:
        end(switch, visit, _gone(switch, visit, last))


def on_hangup(switch: Switch, channel: Channel) -> None:
    """The waiting channel is gone."""
    visit = switch.state.visits.get(channel.uid)
    if visit is not None:
        end(switch, visit, _gone(switch, visit, channel))


def _gone(switch: Switch, visit: Visit, last: Channel) -> Reason:
    if last.hung_up:
        return "abandoned"
    return _given_up(switch, visit, last) if visit.left is not None else "cleared"
