"""A pretend manager interface: an AMI server on TCP that speaks the bytes of the recording in tests/recorded/asterisk.

What it answers to listings is what the real switch answered, with the asker's ActionID; what it says of calls is the
recorded stream. It keeps what it sent and what it was asked, by connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import re
from collections.abc import AsyncIterator, Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from services.ingest.connectors.asterisk.ami import Splitter, answer_to, headers_of
from services.ingest.connectors.asterisk.config import Switch, SwitchConfig
from services.ingest.connectors.asterisk.connector import AsteriskConnector
from services.ingest.pipeline import IngestMachine
from shared import topics
from shared.clock import FakeClock, from_epoch
from shared.codec import decode_event, encode
from shared.commands import Command, make
from shared.envelope import Data
from shared.events import CommandAnswered, Event, LinkDown, LinkUp
from shared.memorybus import MemoryBus
from shared.raw import Raw, from_record
from shared.siteconfig import Sites
from tests.recordedasterisk import CONFIG, SITE, packets
from tests.waiting import until

RAW: Final = Path(__file__).parent / "recorded" / "asterisk" / "ami.raw.gz"
USER, PASSWORD = "floorwatch", "wiwimaxi"
LISTINGS: Final = {
    b"rig-3": "CoreShowChannels",
    b"rig-4": "QueueStatus",
    b"rig-5": "QueueSummary",
    b"rig-6": "DeviceStateList",
}
_ACTION_ID: Final = re.compile(rb"\nActionID: ([^\r\n]*)")

Answer = Callable[["Conversation", dict[str, str]], Iterable[bytes]]


@lru_cache(maxsize=1)
def recorded() -> tuple[bytes, tuple[bytes, ...]]:
    """The greeting and the packets, as they were on the wire."""
    greeting, *found = Splitter().feed(gzip.decompress(RAW.read_bytes()))
    return greeting, tuple(found)


@lru_cache(maxsize=1)
def opening() -> dict[str, tuple[bytes, ...]]:
    """What the real switch answered to each listing, at the beginning, when nobody was there."""
    found: dict[str, list[bytes]] = {}
    for packet in recorded()[1]:
        asked = _ACTION_ID.search(packet)
        if asked is not None and (name := LISTINGS.get(asked.group(1))):
            found.setdefault(name, []).append(packet)
    return {name: tuple(answer) for name, answer in found.items()}


@lru_cache(maxsize=1)
def stream() -> tuple[tuple[float, bytes], ...]:
    """What the real switch said by itself after that, with the time of receipt, without its goodbye."""
    asked = set(LISTINGS) | {b"rig-1", b"rig-2"}
    times = [t for t, _ in packets()]
    return tuple(
        (t, packet)
        for t, packet in zip(times, recorded()[1], strict=True)
        if not ((found := _ACTION_ID.search(packet)) and found.group(1) in asked)
        and not packet.startswith((b"Event: FullyBooted", b"Response: Goodbye"))
    )


def packet(**headers: Any) -> bytes:
    """`Name: value` lines and an empty one; an underscore in a name is a hyphen."""
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n"


class Conversation:
    """One connection: what was sent, what was asked."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.sent = bytearray()
        self.asked: list[dict[str, str]] = []
        self.logged_in = False

    async def say(self, *data: bytes) -> None:
        """Send these pieces, one write each."""
        for piece in data:
            self.sent += piece
            self.writer.write(piece)
            await self.writer.drain()

    def cut(self) -> None:
        """The network is gone."""
        self.writer.transport.abort()

    def actions(self, name: str) -> list[dict[str, str]]:
        return [headers for headers in self.asked if headers["Action"] == name]


class PretendSwitch:
    """`answers` holds more actions, or other answers; `deaf` to those of these names; `greets` None: it says nothing at all."""

    def __init__(self) -> None:
        self.talks: list[Conversation] = []
        self.answers: dict[str, Answer] = {}
        self.deaf: set[str] = set()
        self.greets: bytes | None = recorded()[0]
        self.challenge = "1234567"
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def talk(self) -> Conversation:
        """The newest connection."""
        return self.talks[-1]

    async def __aenter__(self) -> PretendSwitch:
        await self.open()
        return self

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """No port any more, and no connection."""
        if self._server is not None:
            self._server.close()
        for talk in self.talks:
            talk.cut()
        await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Conversation(writer)
        self.talks.append(talk)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.greets is not None:
                await talk.say(self.greets)
            while text := await reader.readuntil(b"\r\n\r\n"):
                headers = headers_of(text.rstrip())
                talk.asked.append(headers)
                if headers["Action"] in self.deaf:
                    continue
                await talk.say(*self._answer(talk, headers))
                if headers["Action"] in ("Logoff",) or (headers["Action"] == "Login" and not talk.logged_in):
                    break
        writer.close()

    def _answer(self, talk: Conversation, headers: dict[str, str]) -> Iterable[bytes]:
        name, asked = headers["Action"], headers["ActionID"]
        if name in self.answers:
            return list(self.answers[name](talk, headers))
        if name in opening():
            swapped = b"\nActionID: " + asked.encode()
            return [_ACTION_ID.sub(lambda _: swapped, one) for one in opening()[name]]
        if name == "Challenge":
            return [packet(Response="Success", ActionID=asked, Challenge=self.challenge)]
        if name == "Login":
            right = headers.get("Secret") == PASSWORD or headers.get("Key") == answer_to(self.challenge, PASSWORD)
            talk.logged_in = right and headers["Username"] == USER
            if not talk.logged_in:
                return [packet(Response="Error", ActionID=asked, Message="Authentication failed")]
            booted = packet(Event="FullyBooted", Privilege="system,all", Uptime=9, LastReload=9, Status="Fully Booted")
            return [packet(Response="Success", ActionID=asked, Message="Authentication accepted"), booted]
        if name == "Ping":
            return [packet(Response="Success", ActionID=asked, Ping="Pong", Timestamp=f"{self.now():.6f}")]
        if name == "CoreSettings":
            return [packet(Response="Success", ActionID=asked, AsteriskVersion="20.7.0", AMIversion="9.0.0")]
        if name == "Logoff":
            return [packet(Response="Goodbye", ActionID=asked, Message="Thanks for all the fish.")]
        return [packet(Response="Error", ActionID=asked, Message="Invalid/unknown command: nothing here knows it")]

    def now(self) -> float:
        return stream()[0][0]


class Wired:
    """A connector at the pretend switch, on a bus in memory, in a time that stands still until told."""

    def __init__(self, switch: PretendSwitch, **settings: Any) -> None:
        self.switch = switch
        self.clock = FakeClock(from_epoch(stream()[0][0] - 0.01))
        switch.now = lambda: self.clock.now().timestamp()  # type: ignore[method-assign]
        self.bus = MemoryBus(self.clock)
        password = settings.pop("password", PASSWORD)
        values = {"host": "127.0.0.1", "port": switch.port, "user": USER, "password_env": "X", **settings}
        self.connector = AsteriskConnector(
            Switch(SITE, SwitchConfig(**values), password), self.bus, self.bus, self.clock, CONFIG, chance=lambda: 0.0
        )
        self._task: asyncio.Task[None] | None = None
        self._sent = 0

    async def start(self) -> None:
        await self.bus.create(topics.ALL)
        self._task = asyncio.create_task(self.connector.run())

    async def up(self) -> None:
        """Started, logged in, and what there is listed."""
        await self.start()
        await until(lambda: self.connector.resyncs, "listings came")
        await until(lambda: self.connector.outbox.waiting == 0)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
            await self.connector.stop()

    async def pass_s(self, seconds: float) -> None:
        """Time passes in small steps, between which what came over the network is worked on."""
        while seconds > 0:
            await self.clock.advance(min(0.5, seconds))
            seconds -= 0.5
            for _ in range(20):
                await asyncio.sleep(0.0005)

    async def heard(self, size: int) -> None:
        """So many bytes came in all, and were written."""
        await until(lambda: self.connector.heard[1] >= size, eager=50, every_s=0.001)
        await until(lambda: self.connector.outbox.waiting == 0, eager=50, every_s=0.001)

    # ------------------------------------------------------------ what was written

    def raws(self) -> list[Raw]:
        return [
            from_record(r.value, r.headers, r.partition, r.offset, r.written)
            for r in self.bus.records(topics.SWITCH_RAW)
        ]

    def stream_of(self, session: str = "") -> bytes:
        """The bytes of the switch in the records of one session, or of all, in their order."""
        return b"".join(raw.value for raw in self.raws() if raw.kind == "event" and session in ("", raw.session))

    def links(self) -> list[LinkUp | LinkDown]:
        """What was said of the link, without heartbeats."""
        found: list[LinkUp | LinkDown] = []
        for event in self.events():
            if isinstance(event.data, LinkUp | LinkDown):
                found.append(event.data)
        return found

    def events(self) -> list[Event]:
        machine = IngestMachine(Sites({SITE: CONFIG}))
        return [decode_event(encode(event)) for raw in self.raws() for event in machine.apply(raw)]

    # ------------------------------------------------------------ commands

    async def send(self, data: Data, *, expires_s: float = 5.0) -> Command:
        self._sent += 1
        now = self.clock.now()
        command = make(
            data,
            id=f"k{self._sent}",
            source="/test",
            site=SITE,
            time=now,
            expires=now + (from_epoch(expires_s) - from_epoch(0)),
        )
        await self.bus.publish(topics.SWITCH_COMMANDS, encode(command), key=SITE)
        return command

    def answers(self, command: Command) -> list[CommandAnswered]:
        found = [event.data for event in self.events() if isinstance(event.data, CommandAnswered)]
        return [one for one in found if one.command_id == command.id]

    async def done(self, command: Command) -> CommandAnswered:
        """Its last answer."""
        found: list[CommandAnswered] = await until(
            lambda: [one for one in self.answers(command) if one.outcome != "taken"], f"{command.data}"
        )
        return found[-1]


@contextlib.asynccontextmanager
async def wired(**settings: Any) -> AsyncIterator[Wired]:
    """A pretend switch and a connector to it, not started."""
    async with PretendSwitch() as switch:
        both = Wired(switch, **settings)
        try:
            yield both
        finally:
            await both.stop()
