"""A pretend Asterisk for tests: sends the packets that the real one sends for a story, in its order, to an adapter.

The order and the headers were taken from the recording in tests/recorded/asterisk and from Asterisk's source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from services.ingest.adapters.asterisk import AsteriskAdapter
from shared import events
from shared.envelope import Data
from shared.events import Event
from shared.raw import Raw
from shared.siteconfig import QueueConfig, SiteConfig

START = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)
CONFIG = SiteConfig(queues={"sales": QueueConfig(wrap_up_s=6), "support": QueueConfig(wrap_up_s=10)})

D = TypeVar("D", bound=Data)


class Chan:
    """A channel of the pretend switch."""

    def __init__(self, name: str, uid: str, linked: str, number: str, exten: str, state: int) -> None:
        self.name, self.uid, self.linked, self.number, self.exten, self.state = name, uid, linked, number, exten, state
        self.bridge = ""

    def block(self, prefix: str = "") -> dict[str, str]:
        return {
            f"{prefix}Channel": self.name,
            f"{prefix}ChannelState": str(self.state),
            f"{prefix}CallerIDNum": self.number or "<unknown>",
            f"{prefix}Exten": self.exten,
            f"{prefix}Context": "internal",
            f"{prefix}Uniqueid": self.uid,
            f"{prefix}Linkedid": self.linked,
        }


class Pbx:
    """Time moves with `at`; everything sent lands in `events`."""

    def __init__(self, config: SiteConfig = CONFIG, *, stamps: bool = True) -> None:
        self.adapter = AsteriskAdapter("hq", config)
        self.events: list[Event] = []
        self.raws: list[Raw] = []
        self.now = 0.0
        self.session = "s"
        self.ahead = 0.0  # our clock minus the switch's
        self._stamps = stamps
        self._count = 0
        self._bridges = 0
        self.twos: dict[str, Chan] = {}  # by a Local channel's first half its second

    # ------------------------------------------------------------ what was told

    def told(self, kind: type[D]) -> list[D]:
        return [event.data for event in self.events if isinstance(event.data, kind)]

    def one(self, kind: type[D]) -> D:
        found = self.told(kind)
        assert len(found) == 1, f"{kind.__name__} told {len(found)} times"
        return found[0]

    def when(self, kind: type[Data]) -> list[float]:
        """Seconds since the start of each event of `kind`."""
        return [(event.time - START).total_seconds() for event in self.events if isinstance(event.data, kind)]

    def story(self, *kinds: type[Data]) -> Iterator[Data]:
        for event in self.events:
            if not kinds or isinstance(event.data, kinds):
                yield event.data

    def states(self, agent_id: str) -> list[str]:
        """What the agent's legs did, one word each, in order."""
        legs: dict[str, str] = {}
        found: list[str] = []
        for data in self.story():
            match data:
                case events.LegStarted(agent_id=agent, leg_id=leg_id) if agent == agent_id:
                    legs[leg_id] = data.role
                    found.append(f"{data.role} {data.state}")
                case events.LegAnswered(leg_id=leg_id) if leg_id in legs:
                    found.append(f"{legs[leg_id]} talking")
                case events.LegHeld(leg_id=leg_id) if leg_id in legs:
                    found.append(f"{legs[leg_id]} held")
                case events.LegRetrieved(leg_id=leg_id) if leg_id in legs:
                    found.append(f"{legs[leg_id]} retrieved")
                case events.LegMoved(leg_id=leg_id) if leg_id in legs:
                    legs[leg_id] = data.role
                    found.append(f"{data.role} moved")
                case events.LegCleared(leg_id=leg_id) if leg_id in legs:
                    found.append(f"{legs.pop(leg_id)} cleared {data.cause}")
        return found

    # ------------------------------------------------------------ sending

    def at(self, seconds: float) -> Pbx:
        self.now = seconds
        return self

    def send(self, event: str, *blocks: dict[str, str], **headers: Any) -> list[Event]:
        packet: dict[str, Any] = {"Event": event}
        moment = START + timedelta(seconds=self.now)
        if self._stamps:
            packet["Timestamp"] = f"{moment.timestamp():.6f}"
        for block in blocks:
            packet |= block
        packet |= {name.replace("_", "-"): str(value) for name, value in headers.items()}
        return self.feed(json.dumps(packet).encode(), moment + timedelta(seconds=self.ahead))

    def reply(self, event: str, *blocks: dict[str, str], **headers: Any) -> list[Event]:
        """A packet of an answer to an action: without a stamp."""
        stamps, self._stamps = self._stamps, False
        found = self.send(event, *blocks, ActionID="a-1", **headers)
        self._stamps = stamps
        return found

    def feed(self, value: bytes, received: datetime | None = None) -> list[Event]:
        raw = Raw(
            value=value,
            vendor="asterisk",
            site="hq",
            connector="test",
            received=received or START + timedelta(seconds=self.now + self.ahead),
            session=self.session,
            seq=len(self.raws),
            partition=0,
            offset=len(self.raws),
        )
        self.raws.append(raw)
        found = self.adapter.feed(raw)
        self.events += found
        self.now += 0.000_01
        return found

    # ------------------------------------------------------------ agents

    def member(
        self, agent: str, queue: str, *, interface: str = "", name: str = "", event: str = "Added", **more: Any
    ) -> None:
        self.send(
            f"QueueMember{event}",
            Queue=queue,
            MemberName=name or f"Agent {agent}",
            Interface=interface or f"PJSIP/{agent}",
            StateInterface=f"PJSIP/{agent}",
            **{"Paused": 0, "PausedReason": "", "Wrapuptime": 0, "LastCall": 0, "InCall": 0, "Status": 1, **more},
        )

    # ------------------------------------------------------------ channels and bridges

    def new(self, name: str, number: str = "", *, of: Chan | None = None, exten: str = "s", state: int = 0) -> Chan:
        uid = f"1000.{self._count}"
        self._count += 1
        chan = Chan(f"{name}-{self._count:08x}", uid, of.linked if of else uid, number, exten, state)
        self.send("Newchannel", chan.block())
        return chan

    def local(self, exten: str, *, of: Chan, context: str = "agents") -> tuple[Chan, Chan]:
        halves = []
        stem = f"Local/{exten}@{context}-{self._count:08x}"
        for half in "12":
            uid = f"1000.{self._count}"
            self._count += 1
            chan = Chan(f"{stem};{half}", uid, of.linked, "", exten, 0 if half == "1" else 4)
            self.send("Newchannel", chan.block())
            halves.append(chan)
        self.send("LocalBridge", halves[0].block("LocalOne"), halves[1].block("LocalTwo"))
        return halves[0], halves[1]

    def up(self, chan: Chan) -> None:
        chan.state = 6
        self.send("Newstate", chan.block())

    def enter(self, chan: Chan, bridge: str, **headers: str) -> None:
        chan.bridge = bridge
        self.send("BridgeEnter", chan.block(), BridgeUniqueid=bridge, **headers)

    def leave(self, chan: Chan) -> None:
        bridge, chan.bridge = chan.bridge, ""
        self.send("BridgeLeave", chan.block(), BridgeUniqueid=bridge)

    def bridge(self, *chans: Chan) -> str:
        self._bridges += 1
        bridge = f"bridge-{self._bridges}"
        for chan in chans:
            self.enter(chan, bridge)
        return bridge

    def hangup(self, *chans: Chan, cause: int = 16) -> None:
        for chan in chans:
            if chan.bridge:
                self.leave(chan)
            self.send("Hangup", chan.block(), Cause=cause)

    def hang_up_by(self, first: Chan, *others: Chan) -> None:
        """The person at `first` hangs up; the others are released."""
        self.send("HangupRequest", first.block())
        for chan in (first, *others):
            if chan.bridge:
                self.leave(chan)
        for chan in others:
            self.send("SoftHangupRequest", chan.block())
        self.hangup(first, *others)

    # ------------------------------------------------------------ dialling

    def ring(self, caller: Chan | None, called: Chan) -> None:
        blocks = [caller.block()] if caller else []
        self.send("DialBegin", *blocks, called.block("Dest"), DialString=called.name)
        called.state = 5
        self.send("Newstate", called.block())

    def dial(self, caller: Chan, device: str) -> Chan:
        """`caller` calls the phone `device`, which rings."""
        phone = self.new(f"PJSIP/{device}", device, of=caller)
        self.ring(caller, phone)
        return phone

    def dial_end(self, caller: Chan | None, called: Chan, status: str) -> None:
        blocks = [caller.block()] if caller else []
        self.send("DialEnd", *blocks, called.block("Dest"), DialStatus=status)

    def answer(self, caller: Chan, called: Chan) -> str:
        self.up(called)
        self.dial_end(caller, called, "ANSWER")
        if caller.state != 6:
            self.up(caller)
        return self.bridge(called, caller)

    def refuse(self, caller: Chan, called: Chan, status: str) -> None:
        self.dial_end(caller, called, status)
        if status == "NOANSWER":
            self.dial_end(caller, called, "CANCEL")
        self.hangup(called, cause=17 if status == "BUSY" else 0)

    # ------------------------------------------------------------ queues

    def customer(self, number: str = "+4512345678", *, exten: str = "801") -> Chan:
        chan = self.new("PJSIP/carrier", number, exten=exten, state=4)
        self.up(chan)
        return chan

    def join(self, chan: Chan, queue: str, exten: str = "801") -> None:
        chan.exten = exten
        self.send("QueueCallerJoin", chan.block(), Queue=queue, Position=1, Count=1)

    def offer(self, chan: Chan, queue: str, agent: str, interface: str = "") -> tuple[Chan, Chan]:
        """The queue rings an agent. Returns what the queue calls and the phone: the same, or a Local half and the phone."""
        interface = interface or f"PJSIP/{agent}"
        if not interface.startswith("Local/"):
            phone = self.new(f"PJSIP/{agent}", agent, of=chan)
            self._called(chan, phone, queue, interface)
            self.ring(chan, phone)
            return phone, phone
        one, two = self.local(agent, of=chan)
        self._called(chan, one, queue, interface)
        self.send("DialBegin", chan.block(), one.block("Dest"), DialString=one.name)
        phone = self.new(f"PJSIP/{agent}", agent, of=chan)
        self.ring(two, phone)
        self.twos[one.uid] = two
        return one, phone

    def _called(self, chan: Chan, called: Chan, queue: str, interface: str) -> None:
        self.send("AgentCalled", chan.block(), called.block("Dest"), Queue=queue, Interface=interface, MemberName="x")

    def connect(self, chan: Chan, queue: str, offered: tuple[Chan, Chan], interface: str = "") -> str:
        """The agent answers; returns the customer's bridge."""
        called, phone = offered
        interface = interface or f"PJSIP/{phone.number}"
        two = self.twos.get(called.uid)
        self.up(phone)
        if two is not None:
            self.dial_end(two, phone, "ANSWER")
            self.up(called)
        self.dial_end(chan, called, "ANSWER")
        self.send("QueueCallerLeave", chan.block(), Queue=queue, Position=1, Count=0)
        self.send(
            "AgentConnect",
            chan.block(),
            called.block("Dest"),
            Queue=queue,
            Interface=interface,
            MemberName="x",
            HoldTime=1,
            RingTime=1,
        )
        if two is not None:
            self.up(two)
            self.bridge(phone, two)
        return self.bridge(called, chan)

    def complete(self, queue: str, interface: str, *blocks: dict[str, str], reason: str = "caller") -> None:
        self.send(
            "AgentComplete",
            *blocks,
            Queue=queue,
            Interface=interface,
            MemberName="x",
            HoldTime=1,
            TalkTime=1,
            Reason=reason,
        )

    def queue_call(self, queue: str, agent: str, number: str = "+4512345678") -> tuple[Chan, Chan, str]:
        """A customer who speaks with `agent`: customer, phone, bridge."""
        customer = self.customer(number)
        self.join(customer, queue)
        offered = self.offer(customer, queue, agent)
        bridge = self.connect(customer, queue, offered)
        return customer, offered[1], bridge

    # ------------------------------------------------------------ holding and transferring

    def hold(self, chan: Chan) -> None:
        self.send("Hold", chan.block(), MusicClass="default")

    def resume(self, chan: Chan) -> None:
        """A person takes the call off hold; the music ends a moment later."""
        self.unhold(chan)
        self.now += 0.03
        self.send("MusicOnHoldStop", chan.block())

    def unhold(self, chan: Chan) -> None:
        self.send("Unhold", chan.block())

    def blind(self, agent: Chan, customer: Chan, exten: str, *, result: str = "Success") -> None:
        """BlindTransfer; the switch says Unhold before it even if nobody was on hold."""
        self.unhold(agent)
        headers = {"Result": result, "BridgeUniqueid": agent.bridge, "IsExternal": "Yes", "Extension": exten}
        self.send("BlindTransfer", agent.block("Transferer"), customer.block("Transferee"), **headers)
        if result == "Success":
            customer.exten = exten
            self.leave(customer)
            self.leave(agent)
            self.hangup(agent)

    def attended(
        self, first: Chan, second: Chan, *blocks: dict[str, str], dest: str = "Bridge", result: str = "Success"
    ) -> None:
        self.send(
            "AttendedTransfer",
            first.block("OrigTransferer"),
            second.block("SecondTransferer"),
            *blocks,
            Result=result,
            DestType=dest,
        )

    def refer(self, first: Chan, second: Chan, target: Chan, customer: Chan) -> None:
        """REFER with Replaces: the target takes the agent's place in the customer's bridge."""
        bridge = first.bridge
        self.unhold(first)
        self.unhold(second)
        self.leave(target)
        self.leave(first)
        self.enter(target, bridge, SwapUniqueid=first.uid)
        self.send("SoftHangupRequest", second.block())
        self.leave(second)
        self.attended(first, second, customer.block("Transferee"), target.block("TransferTarget"))
        self.hangup(first, second)

    def atxfer(self, agent: Chan, target: str) -> tuple[Chan, Chan, str]:
        """Attended transfer by feature code `*2`: digits, hold, a Local channel, another bridge. The target is not called yet."""
        for digit in "*2":
            self.send("DTMFEnd", agent.block(), Digit=digit, Direction="Received", DurationMs=0)
            self.now += 0.1
        self.hold(agent)
        for digit in target:
            self.send("DTMFEnd", agent.block(), Digit=digit, Direction="Received", DurationMs=0)
            self.now += 0.05
        one, two = self.local(target, of=agent, context="internal")
        bridge = self.bridge(one)
        self.leave(agent)
        self.enter(agent, bridge)
        return one, two, bridge

    def atxfer_answer(self, one: Chan, two: Chan, phone: Chan) -> None:
        self.up(phone)
        self.dial_end(two, phone, "ANSWER")
        self.up(one)
        self.dial_end(None, one, "ANSWER")
        self.up(two)
        self.bridge(phone, two)

    def back(self, agent: Chan, bridge: str, *gone: Chan) -> None:
        """The switch puts the transferring agent back with the customer."""
        self.hangup(*gone)
        self.leave(agent)
        self.enter(agent, bridge)
        self.resume(agent)
