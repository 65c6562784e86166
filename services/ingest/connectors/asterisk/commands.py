"""What commands mean in AMI: listening through ChanSpy on an AudioSocket channel, and agents in queues.

Listening needs `write=originate,call`, the modules chan_audiosocket and app_chanspy, and a relay that the switch can reach.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from services.ingest.connectors.asterisk.ami import Headers
from services.ingest.connectors.asterisk.channels import LEG, Fork, Mirror
from services.ingest.connectors.asterisk.config import MEDIA, SwitchConfig
from services.ingest.connectors.asterisk.failures import LinkFailed
from services.ingest.connectors.asterisk.session import ActionFailed, Heard, Session
from services.ingest.connectors.common.commands import CommandFailed, CommandRefused, Handler
from shared.clock import Clock
from shared.commands import AgentLogoff, AgentPause, AgentUnpause, ListenMode, ListenStart, ListenStop, Mode, Resync
from shared.envelope import Data

# q: no beep, u: that channel and no other, E and S: leave with it; D: its voice left and what it hears right; d: mode keys
SPLIT, MIXED, SPEAKING = "quDES", "quES", "qudES"
_KEYS: Final[Mapping[Mode, str]] = {"listen": "4", "whisper": "5", "barge": "6"}
_SERVER_BYTES: Final = 49  # what the switch keeps of the relay's address

_FORBIDDEN: Final = ("permission denied", "access forbidden")
_GONE: Final = ("no such channel", "channel not found", "not found", "not there")


class Commands:
    """Carries commands out in the session that there is now. `linked` waits for it, and raises CommandFailed if there is none."""

    def __init__(
        self,
        config: SwitchConfig,
        clock: Clock,
        mirror: Mirror,
        linked: Callable[[], Awaitable[Session]],
        resync: Callable[[], Awaitable[None]],
    ) -> None:
        self._config = config
        self._clock = clock
        self._mirror = mirror
        self._linked = linked
        self._resync = resync

    def handlers(self) -> dict[type[Data], Handler]:
        """By kind of command."""
        return {
            ListenStart: self.listen_start,
            ListenMode: self.listen_mode,
            ListenStop: self.listen_stop,
            AgentPause: self.agent_pause,
            AgentUnpause: self.agent_unpause,
            AgentLogoff: self.agent_logoff,
            Resync: self.resync,
        }

    # ------------------------------------------------------------ listening

    async def listen_start(self, command: ListenStart) -> None:
        """Originate the leg, and return when it hears the channel that was meant."""
        fork_id, media = self._checked(command)
        session = await self._linked()
        running = self._mirror.forks.get(fork_id)
        if running is not None and running.hears:
            return
        target = self._mirror.target_of(command)
        if "," in target.name:
            raise CommandRefused("the channel's name has a comma in it, which ChanSpy cannot be given")
        options = SPEAKING if command.speaks else SPLIT if command.audio == "split" else MIXED
        wanted = {
            "Channel": f"AudioSocket/{media}/{fork_id}/c(slin)",
            "Application": "ChanSpy",
            "Data": f"{target.name},{options}",
            "ChannelId": f"{LEG}{fork_id}",
            "CallerID": "Listen <listen>",
            "Async": "true",
        }
        with session.hearing(fork_id.encode()) as heard:
            try:
                await self._ask(session, "Originate", wanted)
                name = await self._begun(session, heard, fork_id, target.uid, media)
            except BaseException:
                # whatever it was: a leg that nobody knows of must not go on hearing
                await self._hang_up(session, f"{LEG}{fork_id}", quietly=True)
                raise
        fork = self._mirror.forks.setdefault(fork_id, Fork(name))
        fork.name, fork.hears, fork.speaks = name, True, command.speaks
        if command.mode != "listen":
            await self._switch_to(session, name, command.mode)

    async def _begun(self, session: Session, heard: Heard, fork_id: str, target: str, media: str) -> str:
        """The name of the leg's channel, once it hears. Raises CommandFailed."""
        end = self._clock.monotonic() + self._config.begin_s
        while True:
            try:
                packet = await session.next_of(heard, end - self._clock.monotonic())
            except TimeoutError:
                raise CommandFailed(f"the switch did not begin to listen within {self._config.begin_s:g} s") from None
            except LinkFailed as exc:
                raise CommandFailed(f"the link to the switch was lost: {exc.reason}") from None
            event = packet.get("Event", "")
            if event == "OriginateResponse" and packet.get("Response") == "Failure":
                raise CommandFailed(_not_connected(packet.get("Reason", ""), media))
            if event == "ChanSpyStart" and packet.get("SpyerUniqueid") == f"{LEG}{fork_id}":
                if packet.get("SpyeeUniqueid") != target:
                    raise CommandFailed("the switch tapped another channel than was asked for; it was ended at once")
                return packet.get("SpyerChannel", "")
            if event == "Hangup" and packet.get("Uniqueid") == f"{LEG}{fork_id}":
                raise CommandFailed("no such call: it ended, or the switch's ChanSpy refused it")

    async def listen_mode(self, command: ListenMode) -> None:
        """A key of ChanSpy, pressed in the leg."""
        session = await self._linked()
        fork = self._mirror.forks.get(_uuid(command.fork_id))
        if fork is None or not fork.hears:
            raise CommandFailed("this listening leg is over")
        if not fork.speaks:
            raise CommandRefused("this leg hears only: speaking needs a leg that was begun for it")
        await self._switch_to(session, fork.name, command.mode)

    async def _switch_to(self, session: Session, channel: str, mode: Mode) -> None:
        wanted = {"Channel": channel, "Digit": _KEYS[mode], "Receive": "true"}
        await self._ask(session, "PlayDTMF", wanted, gone="this listening leg is over")

    async def listen_stop(self, command: ListenStop) -> None:
        """Hang the leg up; one that is over is done."""
        fork_id = _uuid(command.fork_id)
        session = await self._linked()
        fork = self._mirror.forks.get(fork_id)
        await self._hang_up(session, fork.name if fork is not None and fork.name else f"{LEG}{fork_id}")

    async def _hang_up(self, session: Session, channel: str, *, quietly: bool = False) -> None:
        """By name or Uniqueid. `quietly`: nobody waits for how it went."""
        try:
            await self._ask(session, "Hangup", {"Channel": channel})
        except _Gone:
            return
        except CommandFailed:
            if not quietly:
                raise

    def _checked(self, command: ListenStart) -> tuple[str, str]:
        """The fork's id and the relay's `host:port`. Raises CommandRefused."""
        if command.mode != "listen" and not command.speaks:
            raise CommandRefused("a leg that hears only cannot begin in another mode than listen")
        if command.speaks and (command.side != "agent" or command.audio != "mixed"):
            raise CommandRefused(
                "a leg that speaks taps the agent's channel, mixed: a customer's would be spoken to alone"
            )
        found = MEDIA.fullmatch(self._config.media or command.media)
        if found is None or len(found.group(1)) > _SERVER_BYTES:
            raise CommandRefused("media is no address of a relay that this switch can be told: audiosocket://host:port")
        return _uuid(command.fork_id), found.group(1)

    # ------------------------------------------------------------ agents

    async def agent_pause(self, command: AgentPause) -> None:
        """QueuePause in the named queue, or wherever the agent serves."""
        reason = {"Reason": command.reason} if command.reason else {}
        await self._pause(command.agent_id, command.queue, {"Paused": "true", **reason})

    async def agent_unpause(self, command: AgentUnpause) -> None:
        """QueuePause, the other way."""
        await self._pause(command.agent_id, command.queue, {"Paused": "false"})

    async def _pause(self, agent_id: str, queue: str, how: Headers) -> None:
        session = await self._linked()
        for name, interface in self._memberships(agent_id, queue):
            await self._ask(session, "QueuePause", {"Queue": name, "Interface": interface, **how})

    async def agent_logoff(self, command: AgentLogoff) -> None:
        """QueueRemove from the named queue, or from all."""
        session = await self._linked()
        fixed = []
        for name, interface in self._memberships(command.agent_id, command.queue):
            try:
                await self._ask(session, "QueueRemove", {"Queue": name, "Interface": interface})
            except _Gone:
                continue
            except CommandFailed as exc:
                if "not dynamic" not in str(exc).lower():
                    raise
                fixed.append(name)
        if fixed:
            raise CommandFailed(f"a fixed member in queues.conf, which cannot be logged off: {', '.join(fixed)}")

    def _memberships(self, agent_id: str, queue: str) -> list[tuple[str, str]]:
        found = self._mirror.memberships(agent_id, queue)
        if not found:
            raise CommandFailed("the agent is in no queue" if not queue else f"the agent is not in queue {queue}")
        return found

    async def resync(self, _command: Resync) -> None:
        """Ask for all listings, and return when they came."""
        await self._linked()
        await self._resync()

    # ------------------------------------------------------------ asking

    async def _ask(self, session: Session, name: str, headers: Headers, *, gone: str = "") -> Headers:
        """The switch's answer. Raises CommandFailed in words for people, CommandRefused for what AMI cannot carry."""
        try:
            return await session.ask(name, headers)
        except ActionFailed as exc:
            said = str(exc)
            if any(words in said.lower() for words in _FORBIDDEN):
                raise CommandFailed(f"the manager user may not {name} (write= in manager.conf): {said}") from None
            if any(words in said.lower() for words in _GONE):
                raise _Gone(gone or said) from None
            if "invalid/unknown command" in said.lower():
                raise CommandFailed(f"this switch has no {name}: the module that brings it is not loaded") from None
            raise CommandFailed(f"the switch refused {name}: {said}") from None
        except TimeoutError:
            raise CommandFailed(f"the switch did not answer {name} in time") from None
        except LinkFailed as exc:
            raise CommandFailed(f"the link to the switch was lost: {exc.reason}") from None
        except ValueError as exc:
            raise CommandRefused(f"it cannot be said to the switch: {exc}") from None


class _Gone(CommandFailed):
    """What the action is about is no more."""


def _uuid(text: str) -> str:
    """The fork's id in its usual spelling. Raises CommandRefused."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise CommandRefused("fork_id is no UUID, which AudioSocket needs") from None


def _not_connected(reason: str, media: str) -> str:
    """OriginateResponse's Reason, which for an AudioSocket channel says little."""
    if reason in ("0", "8"):
        return f"the switch could not connect to the relay at {media}, or has no AudioSocket channel (chan_audiosocket)"
    return f"the switch could not begin the listening leg (reason {reason or 'none given'})"
