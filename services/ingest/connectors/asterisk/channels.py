"""Which channel a command means. The connector's own mirror of the switch: ingest's adapter, fed with the same packets.

So calls, legs and agents have the same ids here as on the floor, by the same rules.
"""

from __future__ import annotations

from typing import Final

import structlog
from msgspec import Struct

from services.ingest.adapters.asterisk.adapter import AsteriskAdapter
from services.ingest.adapters.asterisk.model import Channel, State
from services.ingest.adapters.asterisk.names import device_of, ident_of, is_phone, local_half
from services.ingest.connectors.asterisk.ami import headers_of
from services.ingest.connectors.common.commands import CommandFailed
from shared.commands import ListenStart
from shared.errors import InvalidInput
from shared.raw import Raw
from shared.siteconfig import SiteConfig

LEG: Final = "listen-"  # and the fork's id: the Uniqueid of a listening leg of ours
_TOKEN: Final = LEG.encode()
_DEEPEST: Final = 16  # Local channels in a row

log = structlog.get_logger()


class Fork(Struct):
    """A listening leg of ours, as the switch tells of it."""

    name: str  # of its channel
    hears: bool = False
    speaks: bool = False  # its mode can be switched


class Mirror:
    """What there is at the switch now."""

    def __init__(self, site: str, config: SiteConfig) -> None:
        self._site = site
        self._config = config
        self._adapter = AsteriskAdapter(site, config)
        self.forks: dict[str, Fork] = {}  # by fork id
        self.faults = 0

    def begin(self) -> None:
        """A new session: what ended meanwhile nobody told."""
        self.forks.clear()

    def feed(self, raw: Raw) -> None:
        """Learn from a packet. One that cannot be read is the adapter's in ingest to refuse."""
        if _TOKEN in raw.value:
            self._note_fork(headers_of(raw.value))
        try:
            self._adapter.feed(raw)
        except InvalidInput:
            return
        except Exception:  # a fault in reading must not end the carrying
            self.faults += 1
            log.exception("a packet broke the connector's mirror, which begins anew", site=self._site, seq=raw.seq)
            self._adapter = AsteriskAdapter(self._site, self._config)

    def _note_fork(self, headers: dict[str, str]) -> None:
        event = headers.get("Event", "")
        prefix = "Spyer" if event.startswith("ChanSpy") else ""
        uid, name = headers.get(f"{prefix}Uniqueid", ""), headers.get(f"{prefix}Channel", "")
        if not uid.startswith(LEG):
            return
        fork_id = uid.removeprefix(LEG)
        if event == "Hangup":
            self.forks.pop(fork_id, None)
        elif event in ("Newchannel", "ChanSpyStart", "CoreShowChannel"):
            fork = self.forks.setdefault(fork_id, Fork(name))
            fork.name = name
            listed = headers.get("Application") == "ChanSpy"
            fork.hears = fork.hears or listed or event == "ChanSpyStart"
            if listed:
                fork.speaks = "d" in headers.get("ApplicationData", "").rpartition(",")[2]

    # ------------------------------------------------------------ whom a command means

    @property
    def state(self) -> State:
        """The adapter's; not to be changed."""
        return self._adapter.state

    def target_of(self, command: ListenStart) -> Channel:
        """The channel to tap. Raises CommandFailed when it is not there, or not certain."""
        return self._agents(command) if command.side == "agent" else self._customers(command)

    def _agents(self, command: ListenStart) -> Channel:
        """The agent's own phone, not the Local channel by which the queue calls it."""
        if command.leg_id:
            leg = self.state.legs.get(command.leg_id)
            uid = leg.uid if leg is not None else command.leg_id.partition("/")[0]
            found = self.state.channels.get(uid)
            if found is None or not is_phone(found.name):
                raise CommandFailed("the agent's part in the call is over")
            return found
        legs = [leg for leg in self.state.legs.values() if leg.call == command.call_id]
        uids = {leg.uid for leg in legs if not command.agent_id or leg.agent_id == command.agent_id}
        if len(uids) == 1 and (found := self.state.channels.get(uids.pop())) is not None:
            return found
        raise CommandFailed("the agent is not in this call any more" if not uids else "several agents are in this call")

    def _customers(self, command: ListenStart) -> Channel:
        """The outside party of the call; of several the one that the agent speaks with."""
        state = self.state
        call = state.calls.get(command.call_id)
        if call is not None and call.direction == "internal":
            raise CommandFailed("a call between colleagues has no customer to listen to")
        members = [] if call is None else call.members
        found = [state.channels[uid] for uid in members if uid in state.channels and is_phone(state.channels[uid].name)]
        if len(found) > 1:
            beside = {one.uid for one in self._beside(command.leg_id.partition("/")[0])}
            found = [one for one in found if one.uid in beside] or [one for one in found if one.uid == command.call_id]
        if not found:  # the call was there before us: its id is the Uniqueid of its oldest channel
            first = state.channels.get(command.call_id)
            own = first is not None and is_phone(first.name) and not self._is_agents(first)
            found = [first] if first is not None and own else []
        if len(found) != 1:
            raise CommandFailed("the call is over" if not found else "several customers are in this call")
        return found[0]

    def _is_agents(self, channel: Channel) -> bool:
        return any(ident_of(device_of(channel.name)) == agent for agent in self.state.agents)

    def _beside(self, uid: str) -> list[Channel]:
        """Who is in the same bridge, Local channels walked through."""
        state, found, seen, places = self.state, [], {uid}, [uid]
        for _ in range(_DEEPEST):
            around = [
                one for place in places if place in state.channels for one in self._bridged(state.channels[place])
            ]
            places = []
            for one in (state.channels[name] for name in around if name not in seen):
                seen.add(one.uid)
                stem, _half = local_half(one.name)
                if not stem:
                    found.append(one)
                places += [other for other in state.locals.get(stem, ()) if other not in seen]
        return found

    def _bridged(self, channel: Channel) -> list[str]:
        return list(self.state.bridges.get(channel.bridge, ())) if channel.bridge else []

    def memberships(self, agent_id: str, queue: str = "") -> list[tuple[str, str]]:
        """Queue and interface of each membership that the agent has now, in one queue or in all."""
        return [
            (member.queue, member.interface)
            for member in self.state.members.values()
            if member.present and member.agent_id == agent_id and queue in ("", member.queue)
        ]
