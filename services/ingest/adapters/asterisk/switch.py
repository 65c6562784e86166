"""The mirror of the switch: channels, bridges, Local pairs and dials, and the questions asked of them.

Nothing here tells anybody anything: handlers change the mirror and mark what they touched, `legs.settle` then says what
that made true. So the order in which the switch's threads send their packets matters little.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from services.ingest.adapters.asterisk.model import UP, Agent, Channel, Leg, State
from services.ingest.adapters.asterisk.names import device_of, ident_of, is_phone, local_half
from services.ingest.adapters.asterisk.packet import Packet
from services.ingest.adapters.base import Emitter
from shared.envelope import Data
from shared.events import Provenance
from shared.siteconfig import SiteConfig

REMEMBERED_HANGUPS: Final = 2000
DEEPEST_CHAIN: Final = 16  # Local channels calling Local channels; a loop in the dialplan must not become one here


class Switch:
    """State, and what one packet does to it."""

    def __init__(self, state: State, config: SiteConfig, packet: Packet, emitter: Emitter) -> None:
        self.state = state
        self.config = config
        self.packet = packet
        self.now = packet.time
        self.shift = packet.shift
        self.dirty: dict[str, None] = {}
        self.ending: dict[str, Channel] = {}  # calls that lost their last party, and that party
        self._emitter = emitter

    @property
    def connector(self) -> str:
        """Who heard the packet."""
        return self._emitter.raw.connector

    def emit(
        self, data: Data, at: datetime | None = None, *, provenance: Provenance = "observed", precision_ms: int = 0
    ) -> None:
        """Tell `data`, which happened now or, known only now, at `at`."""
        precision = max(precision_ms, self.packet.precision_ms)
        self._emitter.emit(at or self.now, data, provenance=provenance, precision_ms=precision)

    def touch(self, uid: str) -> None:
        """Something about this channel changed."""
        if uid:
            self.dirty[uid] = None

    # ------------------------------------------------------------ channels

    def channel(self, uid: str) -> Channel | None:
        """The channel, if it is alive and known."""
        return self.state.channels.get(uid)

    def from_packet(self, prefix: str = "") -> Channel | None:
        """The channel of the packet's snapshot block `prefix`, learnt now if it is new; None when hung up or not named."""
        get = self.packet.headers.get
        uid = get(prefix + "Uniqueid", "")
        name = get(prefix + "Channel", "")
        if not uid or not name or uid in self.state.gone:
            return None
        known = self.state.channels.get(uid)
        state = self.packet.number(prefix + "ChannelState")
        number = self.packet.get(prefix + "CallerIDNum")
        if known is None:
            known = Channel(uid=uid, name=name, linked=get(prefix + "Linkedid", ""), created=self.now, state=state)
            self.state.channels[uid] = known
            stem, _ = local_half(name)
            if stem:
                self.state.locals.setdefault(stem, []).append(uid)
            self.touch(uid)
        elif state == UP and known.state != UP:
            known.state = UP
            self.touch(uid)
        known.number = number or known.number
        known.exten = self.packet.get(prefix + "Exten") or known.exten
        known.context = self.packet.get(prefix + "Context") or known.context
        return known

    def remove(self, channel: Channel) -> None:
        """The channel is gone: unlink it everywhere."""
        state, uid = self.state, channel.uid
        self.leave_bridge(channel)
        for child in channel.children:
            self.touch(child)
        parent = state.channels.get(channel.parent)
        if parent is not None and uid in parent.children:
            parent.children.remove(uid)
            self.touch(parent.uid)
        stem, _ = local_half(channel.name)
        halves = state.locals.get(stem)
        if halves is not None and uid in halves:
            halves.remove(uid)
            for other in halves:
                self.touch(other)
            if not halves:
                del state.locals[stem]
        state.channels.pop(uid, None)
        state.gone[uid] = None
        while len(state.gone) > REMEMBERED_HANGUPS:
            del state.gone[next(iter(state.gone))]

    # ------------------------------------------------------------ bridges

    def enter_bridge(self, channel: Channel, bridge: str) -> None:
        if channel.bridge != bridge:
            self.leave_bridge(channel)
            channel.bridge = bridge
            self.state.bridges.setdefault(bridge, []).append(channel.uid)
        channel.state = UP if is_phone(channel.name) else channel.state
        for uid in self.state.bridges[bridge]:
            self.touch(uid)

    def leave_bridge(self, channel: Channel) -> None:
        bridge = channel.bridge
        if not bridge:
            return
        members = self.state.bridges.get(bridge, [])
        for uid in members:
            self.touch(uid)
        if channel.uid in members:
            members.remove(channel.uid)
        if not members:
            self.state.bridges.pop(bridge, None)
        channel.bridge = ""

    # ------------------------------------------------------------ dials

    def dial(self, parent: Channel | None, child: Channel) -> None:
        """`parent` calls `child`."""
        child.dialed = True
        child.dial_status = ""
        if parent is not None and parent.uid != child.uid:
            child.parent = parent.uid
            if not parent.children:
                parent.got = ""
            if child.uid not in parent.children:
                parent.children.append(child.uid)
            self.touch(parent.uid)
        self.touch(child.uid)

    def dial_over(self, parent: Channel | None, child: Channel, status: str) -> None:
        """The call to `child` ended with `status`; ANSWER means that it goes on."""
        caller = parent or self.state.channels.get(child.parent)
        if caller is not None:
            if child.uid in caller.children:
                caller.children.remove(child.uid)
            if status == "ANSWER":
                caller.got, caller.last_dial = child.uid, ""
            elif status != "CANCEL":
                caller.last_dial = status
            self.touch(caller.uid)
        if status == "ANSWER":
            if parent is not None:
                child.parent = parent.uid
            child.state = UP
        elif not child.dial_status and child.state != UP:
            child.dial_status = status
        self.touch(child.uid)

    # ------------------------------------------------------------ questions

    def twin(self, channel: Channel) -> Channel | None:
        """The other half of a Local channel."""
        stem, _ = local_half(channel.name)
        for uid in self.state.locals.get(stem, ()):
            if uid != channel.uid:
                return self.state.channels.get(uid)
        return None

    def connected(self, channel: Channel) -> list[Channel]:
        """Every channel that shares media with this one, through bridges and Local pairs; itself first."""
        seen = {channel.uid: None}
        found = [channel]
        for one in found:
            for uid in self._neighbours(one):
                if uid not in seen:
                    seen[uid] = None
                    other = self.state.channels.get(uid)
                    if other is not None:
                        found.append(other)
        return found

    def _neighbours(self, channel: Channel) -> Iterator[str]:
        if channel.bridge:
            yield from self.state.bridges.get(channel.bridge, ())
        other = self.twin(channel)
        if other is not None:
            yield other.uid

    def partners(self, channel: Channel) -> list[Channel]:
        """The phones and lines that `channel` speaks with now."""
        return (
            [one for one in self.connected(channel) if one.uid != channel.uid and one.bridge and self.is_party(one)]
            if channel.bridge
            else []
        )

    def source(self, channel: Channel) -> Channel:
        """Who a called channel is called for: the phone or line at the top of the dials, or the Local channel where they end."""
        for _ in range(DEEPEST_CHAIN):
            parent = self.state.channels.get(channel.parent)
            if parent is None:
                return self._first_of_chain(channel)
            if self.is_party(parent):
                return parent
            first = self.twin(parent) or parent
            if not first.parent:
                outside = [one for one in self.connected(first) if self.is_party(one) and not self.is_internal(one)]
                return outside[0] if outside else first
            channel = first
        return channel

    def _first_of_chain(self, channel: Channel) -> Channel:
        """For a channel that was already ringing when we came: the one whose id all of the chain carry, if it is alive."""
        first = self.state.channels.get(channel.linked)
        unheard = channel.dialed and not channel.parent and is_phone(channel.name)
        return first if first is not None and unheard and self.is_party(first) else channel

    def is_party(self, channel: Channel) -> bool:
        """A person's phone or line, as opposed to the switch's own channels and listeners."""
        return is_phone(channel.name) and not channel.spy

    def agent_of(self, channel: Channel) -> str:
        """The agent whose phone this is; "" when it is no agent's."""
        if not self.is_party(channel):
            return ""
        ident = ident_of(device_of(channel.name))
        return ident if ident in self.state.agents or ident in self.config.agents else channel.member

    def is_internal(self, channel: Channel) -> bool:
        """An agent's phone, or one that shows its own extension as its number, as house phones do."""
        if self.agent_of(channel):
            return True
        ident = ident_of(device_of(channel.name))
        return ident.isdigit() and ident == channel.number

    def agent_named(self, queue: str, interface: str) -> str:
        """The agent behind a queue member's interface."""
        member = self.state.members.get(f"{queue}\t{interface}")
        return member.agent_id if member is not None else ident_of(interface)

    def agent(self, agent_id: str) -> Agent:
        """What was last said of an agent."""
        found = self.state.agents.get(agent_id)
        if found is None:
            found = self.state.agents[agent_id] = Agent(agent_id=agent_id)
        return found

    def customer_leg(self, agent_id: str, *, but: str) -> Leg | None:
        """The agent's conversation with a customer on another channel than `but`."""
        for leg_id in self.agent(agent_id).legs:
            leg = self.state.legs[leg_id]
            if leg.uid != but and leg.role == "agent" and leg.state in ("talking", "held"):
                return leg
        return None
