"""Plausible floors: histories in which people and phones only do what they can, interleaved as anybody likes.

`PlausibleFloor` offers the moves that are possible now and tells the events of the one that is made. Whoever drives it
chooses: hypothesis (`plausible`), a state machine, or a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from hypothesis import strategies as st

from shared import events
from shared.envelope import Data
from tests.floorkit import at

QUEUES = ("sales", "support")
AGENTS = ("1", "2", "3", "4")
MOST_CALLS = 4
PAUSES = (0.0, 0.25, 1.0, 2.0, 5.0, 7.0, 8.0, 20.0, 46.0, 61.0)

Told = list[tuple[float, Data]]  # seconds since the floor opened, and what happened
Move = Callable[[], None]


@dataclass
class Desk:
    on: bool = False
    away: bool = False
    wrap: bool = False
    until: float | None = None
    listen: str = ""


@dataclass
class Phone:
    """A leg."""

    leg: str
    agent: str
    state: str  # ringing, talking, held
    queue: str = ""


@dataclass
class Handover:
    transfer: str
    kind: str
    by: str  # agent
    to: str  # agent
    consult: str = ""  # call
    own: str = ""  # the consulting agent's leg in it
    other: str = ""  # and the colleague's
    step: str = "requested"  # then ringing, then talking


@dataclass
class Customer:
    """A customer's call, or one between colleagues."""

    call: str
    direction: str
    waits: str = ""  # queue
    phones: dict[str, Phone] = field(default_factory=dict)  # by agent
    handover: Handover | None = None


class PlausibleFloor:
    """`told` grows with each move. `apart`: seconds between the events of one move, 0 for all in one moment."""

    def __init__(self, apart: float = 0.0, repeats: bool = True) -> None:
        """`repeats`: log-ons are told again when queues change."""
        self.told: Told = []
        self.now = 0.0
        self._apart = apart
        self._repeats = repeats
        self._number = 0
        self.desks = {agent: Desk() for agent in AGENTS}
        self.calls: dict[str, Customer] = {}
        self.leftover: list[Handover] = []  # consultations whose customer is gone

    # ------------------------------------------------------------ the driver's side

    def pass_time(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 3)

    def move(self, choice: int) -> None:
        """Do one of the things that can happen now; three of four times something about a call."""
        found: list[Move] = []
        if choice % 4:
            found += [self._arrive] if len(self.calls) < MOST_CALLS else []
            for call in tuple(self.calls.values()):
                found += self._call_moves(call)
            found += [partial(self._hang_up_leftover, one) for one in self.leftover]
        if not found:
            for agent, desk in self.desks.items():
                found += self._desk_moves(agent, desk)
        found[choice // 4 % len(found)]()

    def close(self) -> None:
        """Every call and wrap comes to its end; agents stay as they declared."""
        while self.leftover:
            self.pass_time(1.0)
            self._hang_up_leftover(self.leftover[0])
        for call in tuple(self.calls.values()):
            self.pass_time(1.0)
            if call.handover is not None and call.handover.kind == "attended":
                self._cancel(call)
                self.pass_time(1.0)
            self._customer_leaves(call)
        for agent, desk in self.desks.items():
            self.pass_time(1.0)
            if desk.wrap:
                self._wrap_end(agent)
            if desk.listen:
                self._listen_end(agent)

    # ------------------------------------------------------------ agents

    def _desk_moves(self, agent: str, desk: Desk) -> list[Move]:
        if not desk.on:
            return [partial(self.log_on, agent)]
        if desk.until is not None and desk.until < self.now:
            desk.wrap, desk.until = False, None
        found = [partial(self._log_off, agent), partial(self._listen_end if desk.listen else self._listen_start, agent)]
        found.append(partial(self._ready if desk.away else self._not_ready, agent))
        if desk.wrap:
            found += [partial(self._wrap_end, agent), partial(self._ready, agent)]
        if self._repeats:
            found.append(partial(self.log_on, agent))
        if self._free(agent) and len(self.calls) < MOST_CALLS:
            found.append(partial(self._dial, agent))
        return found

    def log_on(self, agent: str) -> None:
        desk = self.desks[agent]
        desk.on, desk.away = True, desk.away and desk.on
        self._number += 1
        self._tell(events.AgentLoggedOn(agent_id=agent, queues=QUEUES[: self._number % 3]))

    def _log_off(self, agent: str) -> None:
        desk = self.desks[agent]
        desk.on = desk.away = desk.wrap = False
        desk.until = None
        self._tell(events.AgentLoggedOff(agent_id=agent))

    def _ready(self, agent: str) -> None:
        desk = self.desks[agent]
        desk.away = False
        if desk.until is None:
            desk.wrap = False
        self._tell(events.AgentReady(agent_id=agent))

    def _not_ready(self, agent: str) -> None:
        self.desks[agent].away = True
        self._number += 1
        self._tell(events.AgentNotReady(agent_id=agent, reason=("tea", "lunch")[self._number % 2]))

    def _wrap(self, agent: str, call: Customer, queue: str) -> None:
        """After-call work; every third ends by a timer, after every fifth conversation there is none."""
        self._number += 1
        desk = self.desks[agent]
        if not desk.on or self._number % 5 == 0:
            return
        until = round(self.now + 6.0, 3) if self._number % 3 == 0 and not desk.wrap else None
        if desk.wrap and desk.until is not None:
            return  # one switch ends wraps in one way
        desk.wrap, desk.until = True, until
        self._tell(
            events.WrapStarted(
                agent_id=agent, call_id=call.call, queue=queue, until=None if until is None else at(until)
            )
        )

    def _wrap_end(self, agent: str) -> None:
        desk = self.desks[agent]
        desk.wrap, desk.until = False, None
        self._tell(events.WrapEnded(agent_id=agent))

    def _listen_start(self, agent: str) -> None:
        self.desks[agent].listen = self._id("listen")
        self._tell(events.ListenStarted(listen_id=self.desks[agent].listen, agent_id=agent))

    def _listen_end(self, agent: str) -> None:
        self._tell(events.ListenEnded(listen_id=self.desks[agent].listen))
        self.desks[agent].listen = ""

    def _free(self, agent: str) -> bool:
        desk = self.desks[agent]
        return desk.on and not desk.away and not self._phones(agent)

    def _phones(self, agent: str) -> list[Phone]:
        found = [call.phones[agent] for call in self.calls.values() if agent in call.phones]
        busy = [one.handover for one in self.calls.values() if one.handover is not None] + self.leftover
        return found + [Phone(one.own, agent, "") for one in busy if one.consult and agent in (one.by, one.to)]

    # ------------------------------------------------------------ calls

    def _arrive(self) -> None:
        call = Customer(self._id("call"), "inbound")
        self.calls[call.call] = call
        self._tell(events.CallStarted(call_id=call.call, from_number="+861000000001"))
        self._enter(call, QUEUES[self._number % 2])

    def _dial(self, agent: str) -> None:
        call = Customer(self._id("call"), "outbound")
        self.calls[call.call] = call
        phone = call.phones[agent] = Phone(self._id("leg"), agent, "ringing")
        self._tell(
            events.CallStarted(call_id=call.call, direction="outbound"),
            events.LegStarted(call_id=call.call, leg_id=phone.leg, agent_id=agent, state="dialing"),
        )

    def _call_moves(self, call: Customer) -> list[Move]:
        free = [agent for agent in self.desks if self._free(agent)]
        phone = next(iter(call.phones.values()), None)
        if call.handover is not None and call.handover.kind != "queue":
            return self._handover_moves(call, call.handover, phone)
        if phone is None:
            found = [partial(self._ring, call, agent) for agent in free] if call.waits else []
            found.append(partial(self._customer_leaves, call))
            if call.waits:
                found.append(partial(self._time_out, call))
            else:
                found += [partial(self._enter, call, queue) for queue in QUEUES]
            return found
        if phone.state == "ringing":
            return [
                partial(self._answer, call, phone),
                partial(self._no_answer, call, phone),
                partial(self._customer_leaves, call),
            ]
        found = [
            partial(self._retrieve if phone.state == "held" else self._hold, call, phone),
            partial(self._hang_up, call, phone),
            partial(self._customer_leaves, call),
        ]
        if phone.state == "talking":
            found += [partial(self._to_queue, call, phone, queue) for queue in QUEUES]
            found += [partial(self._blind, call, phone, agent) for agent in free]
        return found + [partial(self._attended, call, phone, agent) for agent in free]

    def _enter(self, call: Customer, queue: str) -> None:
        call.waits = queue
        self._tell(events.CallQueued(call_id=call.call, queue=queue))

    def _time_out(self, call: Customer) -> None:
        self._tell(events.CallDequeued(call_id=call.call, queue=call.waits, reason="timed_out"))
        call.waits = ""
        if call.handover is not None:
            self._tell(events.TransferEnded(transfer_id=call.handover.transfer, outcome="failed"))
            call.handover = None

    def _ring(self, call: Customer, agent: str) -> None:
        phone = call.phones[agent] = Phone(self._id("leg"), agent, "ringing", call.waits)
        self._tell(events.LegStarted(call_id=call.call, leg_id=phone.leg, agent_id=agent, queue=call.waits))
        if call.handover is not None:
            self._tell(events.TransferRinging(transfer_id=call.handover.transfer, to_agent=agent))

    def _answer(self, call: Customer, phone: Phone) -> None:
        phone.state = "talking"
        said: list[Data] = [events.LegAnswered(call_id=call.call, leg_id=phone.leg)]
        if call.waits:
            said.append(
                events.CallDequeued(call_id=call.call, queue=call.waits, reason="answered", agent_id=phone.agent)
            )
            self._number += 1
            if self._number % 2:
                said.reverse()
        call.waits = ""
        self._tell(*said)
        self._bridged(call, phone.agent)

    def _bridged(self, call: Customer, agent: str) -> None:
        if call.handover is not None:
            transfer, call.handover = call.handover.transfer, None
            self._tell(
                events.TransferAnswered(transfer_id=transfer, to_agent=agent),
                events.TransferBridged(transfer_id=transfer, to_agent=agent),
            )

    def _no_answer(self, call: Customer, phone: Phone) -> None:
        del call.phones[phone.agent]
        self._tell(events.LegCleared(call_id=call.call, leg_id=phone.leg, cause="no_answer"))
        if call.handover is not None and not call.waits:
            self._tell(events.TransferEnded(transfer_id=call.handover.transfer, outcome="failed", reason="no answer"))
            call.handover = None
        if call.direction == "outbound":
            self._clear(call, "agent")

    def _hold(self, call: Customer, phone: Phone) -> None:
        phone.state = "held"
        self._tell(events.LegHeld(call_id=call.call, leg_id=phone.leg))

    def _retrieve(self, call: Customer, phone: Phone) -> None:
        phone.state = "talking"
        self._tell(events.LegRetrieved(call_id=call.call, leg_id=phone.leg))

    def _hang_up(self, call: Customer, phone: Phone) -> None:
        self._tell(events.LegCleared(call_id=call.call, leg_id=phone.leg))
        self._clear(call, "agent")
        self._wrap(phone.agent, call, phone.queue)

    def _customer_leaves(self, call: Customer) -> None:
        """Waiting, talking or in the middle of a transfer; every second time the call's end stands for those of its legs."""
        self._number += 1
        if call.waits:
            self._tell(events.CallDequeued(call_id=call.call, queue=call.waits, reason="abandoned"))
        if self._number % 2:
            for phone in call.phones.values():
                self._tell(events.LegCleared(call_id=call.call, leg_id=phone.leg, cause="cancelled"))
        if call.handover is not None:
            self._tell(events.TransferEnded(transfer_id=call.handover.transfer, outcome="abandoned"))
            if call.handover.consult:
                self.leftover.append(call.handover)
        talked = [phone for phone in call.phones.values() if phone.state != "ringing"]
        self._clear(call, "customer")
        for phone in talked:
            self._wrap(phone.agent, call, phone.queue)

    def _clear(self, call: Customer, by: str) -> None:
        del self.calls[call.call]
        self._tell(events.CallCleared(call_id=call.call, cleared_by=by))  # type: ignore[arg-type]

    # ------------------------------------------------------------ handing over

    def _request(self, call: Customer, kind: str, by: str, agent: str = "", queue: str = "") -> Handover:
        call.handover = Handover(self._id("transfer"), kind, by, agent)
        self._tell(
            events.TransferRequested(
                transfer_id=call.handover.transfer,
                call_id=call.call,
                kind=kind,  # type: ignore[arg-type]
                from_agent=by,
                to_agent=agent,
                to_queue=queue,
            )
        )
        return call.handover

    def _let_go(self, call: Customer, phone: Phone, transfer: str) -> None:
        del call.phones[phone.agent]
        self._tell(
            events.LegCleared(call_id=call.call, leg_id=phone.leg, cause="transferred"),
            events.TransferReleased(transfer_id=transfer),
        )
        self._wrap(phone.agent, call, phone.queue)

    def _to_queue(self, call: Customer, phone: Phone, queue: str) -> None:
        handover = self._request(call, "queue", phone.agent, queue=queue)
        self._let_go(call, phone, handover.transfer)
        self._enter(call, queue)

    def _blind(self, call: Customer, phone: Phone, agent: str) -> None:
        handover = self._request(call, "blind", phone.agent, agent)
        self._let_go(call, phone, handover.transfer)

    def _attended(self, call: Customer, phone: Phone, agent: str) -> None:
        if phone.state == "talking":
            self._hold(call, phone)
        handover = self._request(call, "attended", phone.agent, agent)
        handover.consult, handover.own = self._id("consult"), self._id("leg")
        self._tell(
            events.CallStarted(call_id=handover.consult, direction="internal"),
            events.LegStarted(
                call_id=handover.consult,
                leg_id=handover.own,
                agent_id=phone.agent,
                role="consult",
                state="dialing",
                peer=agent,
            ),
        )

    def _handover_moves(self, call: Customer, handover: Handover, phone: Phone | None) -> list[Move]:
        leaves = partial(self._customer_leaves, call)
        if handover.kind == "blind":
            if phone is None:
                return [leaves, partial(self._ring, call, handover.to)] if self._free(handover.to) else [leaves]
            return [leaves, partial(self._answer, call, phone), partial(self._no_answer, call, phone)]
        found: list[Move] = [leaves, partial(self._cancel, call)]
        if handover.step == "requested":
            found.append(partial(self._consult_rings, handover))
        elif handover.step == "ringing":
            found.append(partial(self._consult_answered, handover))
        else:
            found.append(partial(self._complete, call, handover))
        return found

    def _consult_rings(self, handover: Handover) -> None:
        handover.step, handover.other = "ringing", self._id("leg")
        self._tell(
            events.LegStarted(
                call_id=handover.consult, leg_id=handover.other, agent_id=handover.to, role="internal", peer=handover.by
            ),
            events.TransferRinging(transfer_id=handover.transfer, to_agent=handover.to),
        )

    def _consult_answered(self, handover: Handover) -> None:
        handover.step = "talking"
        self._tell(
            events.LegAnswered(call_id=handover.consult, leg_id=handover.own),
            events.LegAnswered(call_id=handover.consult, leg_id=handover.other),
            events.TransferAnswered(transfer_id=handover.transfer, to_agent=handover.to),
        )

    def _complete(self, call: Customer, handover: Handover) -> None:
        phone = call.phones[handover.by]
        call.handover = None
        call.phones[handover.to] = Phone(handover.other, handover.to, "talking", phone.queue)
        self._tell(
            events.LegMoved(leg_id=handover.other, call_id=call.call, from_call_id=handover.consult),
            events.TransferBridged(transfer_id=handover.transfer, to_agent=handover.to),
            events.LegCleared(call_id=handover.consult, leg_id=handover.own, cause="transferred"),
            events.CallCleared(call_id=handover.consult, cleared_by="switch"),
        )
        self._let_go(call, phone, handover.transfer)

    def _cancel(self, call: Customer) -> None:
        """The agent goes back to the customer."""
        handover, call.handover = call.handover, None
        assert handover is not None
        phone = call.phones[handover.by]
        self._end_consultation(handover)
        self._tell(events.TransferEnded(transfer_id=handover.transfer, outcome="cancelled"))
        self._retrieve(call, phone)

    def _hang_up_leftover(self, handover: Handover) -> None:
        self.leftover.remove(handover)
        self._end_consultation(handover)

    def _end_consultation(self, handover: Handover) -> None:
        legs = [leg for leg in (handover.other, handover.own) if leg]
        self._tell(*(events.LegCleared(call_id=handover.consult, leg_id=leg) for leg in legs))
        self._tell(events.CallCleared(call_id=handover.consult, cleared_by="agent"))

    # ------------------------------------------------------------ telling

    def _id(self, what: str) -> str:
        self._number += 1
        return f"{what}{self._number}"

    def _tell(self, *said: Data) -> None:
        for data in said:
            self.told.append((self.now, data))
            self.pass_time(self._apart)


def played(floor: PlausibleFloor, heads: int, steps: Iterable[tuple[float, int]], *, closed: bool) -> Told:
    """What a floor tells where `heads` agents log on and then these pauses and choices follow."""
    for agent in AGENTS[:heads]:
        floor.log_on(agent)
    for pause, choice in steps:
        floor.pass_time(pause)
        floor.move(choice)
    if closed:
        floor.close()
    return floor.told


@st.composite
def plausible(
    draw: st.DrawFn, *, apart: float = 0.0, repeats: bool = True, most: int = 60, closed: bool = False
) -> Told:
    """A plausible history of up to `most` moves; `closed`: with every call at its end.

    Half of them are chosen move by move, so that they shrink well; half come from a seed, so that much happens in them.
    """
    floor, heads = PlausibleFloor(apart, repeats), draw(st.integers(1, len(AGENTS)))
    if draw(st.booleans()):
        steps = draw(st.lists(st.tuples(st.sampled_from(PAUSES), st.integers(0, 2**16)), max_size=most))
    else:
        chance = Random(draw(st.integers(0, 2**32)))
        steps = [(chance.choice(PAUSES), chance.randrange(2**16)) for _ in range(draw(st.integers(10, most)))]
    return played(floor, heads, steps, closed=closed)
