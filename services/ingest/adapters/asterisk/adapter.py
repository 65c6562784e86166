"""The Asterisk adapter: one AMI packet in, the canonical events that it makes true out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

import msgspec

from services.ingest.adapters.asterisk import agents, anew, channels, clock, listens, listings, transfers, visits
from services.ingest.adapters.asterisk.model import State
from services.ingest.adapters.asterisk.packet import Packet, read
from services.ingest.adapters.asterisk.settle import settle
from services.ingest.adapters.asterisk.switch import Switch
from services.ingest.adapters.base import Emitter
from shared.errors import InvalidInput
from shared.events import Event
from shared.raw import Raw
from shared.siteconfig import SiteConfig

# A switch repeats a packet, if at all, at once; no two real ones agree in every byte, microsecond stamp included.
REMEMBERED_PACKETS: Final = 256

Handler = Callable[[Switch], None]

_CHANNEL: Final = ("Channel", "Uniqueid")
_DEST: Final = ("DestChannel", "DestUniqueid")
_MEMBER: Final = ("Queue", "Interface")
_CALLER: Final = ("Queue", *_CHANNEL)

# The events that we read, what does so, and the headers without which they mean nothing. All others are passed over.
HANDLERS: Final = MappingProxyType[str, tuple[Handler, tuple[str, ...]]](
    {
        "Newchannel": (channels.on_new, _CHANNEL),
        "Newstate": (channels.on_state, (*_CHANNEL, "ChannelState")),
        "Hangup": (channels.on_hangup, _CHANNEL),
        "HangupRequest": (channels.on_hangup_request, _CHANNEL),
        "SoftHangupRequest": (channels.on_soft_hangup, _CHANNEL),
        "Hold": (channels.on_hold, _CHANNEL),
        "Unhold": (channels.on_unhold, _CHANNEL),
        "DTMFEnd": (channels.on_digit, _CHANNEL),
        "BridgeEnter": (channels.on_enter, (*_CHANNEL, "BridgeUniqueid")),
        "BridgeLeave": (channels.on_leave, (*_CHANNEL, "BridgeUniqueid")),
        "BridgeDestroy": (channels.on_destroyed, ("BridgeUniqueid",)),
        "DialBegin": (channels.on_dial_begin, _DEST),
        "DialEnd": (channels.on_dial_end, (*_DEST, "DialStatus")),
        "BlindTransfer": (transfers.on_blind, ("TransfererChannel", "TransfererUniqueid")),
        "AttendedTransfer": (visits.on_attended, ("Result",)),
        "ChanSpyStart": (listens.on_start, ("SpyerChannel", "SpyerUniqueid")),
        "ChanSpyStop": (listens.on_stop, ("SpyerUniqueid",)),
        "QueueMemberAdded": (agents.on_member, _MEMBER),
        "QueueMemberRemoved": (agents.on_removed, _MEMBER),
        "QueueMemberPause": (agents.on_pause, _MEMBER),
        "QueueMemberStatus": (listings.on_member_status, _MEMBER),
        "QueueCallerJoin": (visits.on_join, _CALLER),
        "QueueCallerLeave": (visits.on_leave, _CALLER),
        "QueueCallerAbandon": (visits.on_abandon, _CALLER),
        "AgentCalled": (visits.on_called, (*_MEMBER, *_DEST)),
        "AgentConnect": (visits.on_connect, _MEMBER),
        "AgentComplete": (agents.on_complete, _MEMBER),
        "CoreShowChannel": (listings.on_channel, _CHANNEL),
        "CoreShowChannelsComplete": (listings.on_channels_complete, ()),
        "QueueParams": (listings.on_params, ("Queue",)),
        "QueueMember": (listings.on_member, ("Queue",)),
        "QueueEntry": (listings.on_entry, _CALLER),
        "QueueStatusComplete": (listings.on_queues_complete, ()),
        "DeviceStateChange": (listings.on_device, ("Device", "State")),
        "Shutdown": (listings.on_shutdown, ()),
    }
)


_EVENTS: Final = MappingProxyType({event.lower(): event for event in HANDLERS})
_BLOCKS: Final = (
    "",
    "Dest",
    "Transferer",
    "Transferee",
    "OrigTransferer",
    "SecondTransferer",
    "TransferTarget",
    "Spyer",
    "Spyee",
)
_BLOCK: Final = ("Channel", "ChannelState", "CallerIDNum", "Exten", "Context", "Uniqueid", "Linkedid")
_HEADERS: Final = MappingProxyType(
    {
        name.lower(): name
        for name in (
            *(block + name for block in _BLOCKS for name in _BLOCK),
            *(name for _, needed in HANDLERS.values() for name in needed),
            *(
                "ActionID",
                "Application",
                "ApplicationData",
                "BridgeId",
                "Cause",
                "DestType",
                "Digit",
                "Direction",
                "Duration",
            ),
            *(
                "Extension",
                "InCall",
                "LastCall",
                "ListItems",
                "Location",
                "MemberName",
                "Name",
                "Paused",
                "PausedReason",
            ),
            *("Position", "Reason", "Result", "StateInterface", "Status", "SwapUniqueid", "Wait", "Wrapuptime"),
        )
    }
)


def _missing(packet: Packet, needed: tuple[str, ...]) -> str:
    """The first header without which the packet means nothing, and that it does not have; "" when it has all."""
    for name in needed:
        if not packet.headers.get(name) and not (name == "Interface" and packet.headers.get("Location")):
            return name
    return ""


class AsteriskAdapter:
    """One site's Asterisk. Agents are known by their queue memberships, so nothing of them needs to be configured."""

    def __init__(self, site: str, config: SiteConfig) -> None:
        self.site = site
        self._config = config
        self._state = State()
        self._stamp: datetime | None = None

    @property
    def stamp(self) -> datetime | None:
        """The Timestamp of the packet fed last; None when it had none."""
        return self._stamp

    @property
    def state(self) -> State:
        """The mirror of the switch, for whoever has to find a channel in it; not to be changed."""
        return self._state

    def clock_jumped(self, by: timedelta, since: datetime) -> None:
        """The switch's clock was set by `by`; `since` is the first stamp of the new time."""
        clock.jumped(self._state, by, since, self._stamp or since)

    def feed(self, raw: Raw) -> list[Event]:
        """The events that the AMI packet `raw.value` (its text, or a JSON object of its headers) makes true.

        Raises InvalidInput: `not_ami`, `bad_timestamp`, `time_out_of_range`, `missing_header`. Nothing is changed then.
        """
        self._stamp = None
        if raw.kind == "link":
            return []
        packet = read(raw)
        state, known = self._state, self._checked(packet)
        if anew.began(state, raw.session):
            anew.forget(state)
        if packet.stamped:
            self._stamp = packet.time
            clock.learn(state, packet, raw)
        elif known is not None and clock.must_wait(state, packet, raw):
            state.waiting.append(raw)
            return []
        emitter = Emitter(raw)
        if state.resuming:
            self._resume(packet, emitter)
        for one in clock.let_go(state, packet, raw, read_by_us=known is not None):
            self._apply_waited(one, emitter)
        if known is not None and not (packet.stamped and self._repeated(raw.value)):
            self._apply(packet, emitter)
        for event in emitter.events:
            if not isinstance(event.data, listens.LISTENING):  # no listener moves what a call's events are put after
                state.told_at = event.time
        return emitter.events

    def _checked(self, packet: Packet) -> tuple[Handler, tuple[str, ...]] | None:
        """Who reads the packet; None for nobody. Raises InvalidInput `missing_header`.

        Versions and converters differ in the case of names. Where some did, those that may be missing are read so too.
        """
        state, event = self._state, _EVENTS.get(packet.event.lower())
        if event is None:
            return None
        known, packet.event = HANDLERS[event], event
        if state.drifts:
            packet.fold(_HEADERS)
        missing = _missing(packet, known[1])
        if missing:
            packet.fold(_HEADERS)
            if _missing(packet, known[1]):
                raise InvalidInput("missing_header", f"{packet.event} without {missing}")
            state.drifts = True
        return known

    def _resume(self, packet: Packet, emitter: Emitter) -> None:
        """Whatever comes now, those that were taken off hold a while ago were not for a transfer's sake."""
        now = clock.time_of(self._state, packet)
        for uid, at in tuple(self._state.resuming.items()):
            if abs(now - at) > channels.BEFORE_TRANSFER:
                switch = Switch(self._state, self._config, packet, emitter)
                channels.resumed(switch, uid, at)
                settle(switch)

    def _apply_waited(self, raw: Raw, emitter: Emitter) -> None:
        """One that was good when it came: it is read as it was then, names in another case put right."""
        packet = read(raw)
        self._checked(packet)
        self._apply(packet, emitter)

    def _apply(self, packet: Packet, emitter: Emitter) -> None:
        clock.place(self._state, packet)
        switch = Switch(self._state, self._config, packet, emitter)
        if self._state.leaving:
            visits.let_leave(switch)
        HANDLERS[packet.event][0](switch)
        settle(switch)

    def dump(self) -> bytes:
        """The whole state as MessagePack."""
        return msgspec.msgpack.encode(self._state)

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave. Raises msgspec.ValidationError for another version's."""
        self._state = msgspec.msgpack.decode(state, type=State)

    def _repeated(self, value: bytes) -> bool:
        recent = self._state.recent
        digest = int.from_bytes(blake2b(value, digest_size=8).digest(), "big")
        if digest in recent:
            return True
        recent[digest] = None
        if len(recent) > REMEMBERED_PACKETS:
            del recent[next(iter(recent))]
        return False
