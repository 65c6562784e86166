"""One connection to a switch: reading, asking and being answered, keeping alive. It ends with LinkFailed, whatever happened.

session = Session(streams, clock, take, where="pbx:5038", name="19ab")
reading = asyncio.create_task(session.read())          # every packet goes to `take`, then to whoever waits for it
answer = await session.ask("Ping")
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, Final

from services.ingest.connectors.asterisk.ami import GREETING, Headers, Splitter, action, answer_to, headers_of
from services.ingest.connectors.asterisk.config import Switch, SwitchConfig
from services.ingest.connectors.asterisk.failures import LinkFailed, What, of_connecting
from services.ingest.connectors.common.within import within
from shared.clock import Clock
from shared.errors import FloorwatchError
from shared.ports import keep_alive

Take = Callable[[bytes, datetime], Awaitable[None]]

CHUNK_BYTES: Final = 64 << 10
SLOW_REFUSAL_S: Final = 2.0  # a switch waits a second before it refuses a login
_MOST_HEARD: Final = 1000


class ActionFailed(FloorwatchError):
    """The switch answered an action with an error; the message is the switch's."""


class Heard:
    """Packets that somebody waits for; None ends them. More than anybody can need are not kept."""

    def __init__(self, tokens: tuple[bytes, ...]) -> None:
        self.tokens = tokens
        self.packets: asyncio.Queue[Headers | None] = asyncio.Queue()

    def add(self, headers: Headers) -> None:
        if self.packets.qsize() < _MOST_HEARD:
            self.packets.put_nowait(headers)


class Session:
    """`take` gets each packet with the time of its receipt, and is waited for: while it has no room nothing is read.

    `name` begins the ids of all actions of this connection.
    """

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        clock: Clock,
        take: Take,
        *,
        where: str,
        name: str,
        answer_s: float = 5.0,
    ) -> None:
        self._reader, self._writer = streams
        self._clock = clock
        self._take = take
        self._where = where
        self._name = name
        self._answer_s = answer_s
        self._splitter = Splitter()
        self._actions = 0
        self._answers: dict[str, asyncio.Future[Headers]] = {}
        self._hearing: list[Heard] = []
        self._greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failure: LinkFailed | None = None
        self._shut_down = False
        self._heard = clock.monotonic()
        self.taking = False  # it waits for `take`, so nothing is read
        self.greeting = ""
        self.packets = 0
        self.bytes = 0

    # ------------------------------------------------------------ reading

    async def read(self) -> None:
        """Until the connection is over. Raises LinkFailed; whoever waits for an answer gets it too."""
        try:
            while True:
                data = await self._reader.read(CHUNK_BYTES)
                self._heard = self._clock.monotonic()
                if not data:
                    cut = len(self._splitter.rest)
                    detail = f"cut within a packet, of which {cut} bytes came" if cut else ""
                    what: What = "switch shut down" if self._shut_down else "connection lost"
                    raise LinkFailed(what, self._where, detail)
                await self._split(data)
        except (OSError, EOFError) as exc:
            raise self._fail(of_connecting(exc, self._where)) from exc
        except LinkFailed as exc:
            raise self._fail(exc) from exc.__cause__
        finally:
            self._fail(LinkFailed("connection lost", self._where))

    async def _split(self, data: bytes) -> None:
        self.bytes += len(data)
        received = self._clock.now()
        for packet in self._splitter.feed(data):
            self.packets += 1
            self.taking = True
            try:
                await self._take(packet, received)
            finally:
                self.taking = False
                self._heard = self._clock.monotonic()
            self._dispatch(packet)
        if self._splitter.broken:
            raise LinkFailed("no manager port", self._where, self._splitter.broken)

    def _dispatch(self, packet: bytes) -> None:
        if packet.startswith(GREETING) and not self._greeted.done():
            self.greeting = packet.decode("utf-8", "replace").strip()
            self._greeted.set_result(None)
            return
        self._shut_down = self._shut_down or packet.startswith((b"Event: Shutdown\r", b"Event: Shutdown\n"))
        heard = [one for one in self._hearing if all(token in packet for token in one.tokens)]
        is_answer = packet.lstrip().startswith(b"Response:")
        if not (heard or is_answer):
            return
        headers = headers_of(packet)
        waiting = self._answers.pop(headers.get("ActionID", ""), None) if is_answer else None
        if waiting is not None and not waiting.done():
            waiting.set_result(headers)
        for one in heard:
            one.add(headers)

    def _fail(self, failure: LinkFailed) -> LinkFailed:
        """The first failure counts. Everybody who waits hears of it."""
        if self._failure is None:
            self._failure = failure
            for waiting in self._answers.values():
                _refuse(waiting, failure)
            _refuse(self._greeted, failure)
            self._answers.clear()
            for one in self._hearing:
                one.packets.put_nowait(None)
        return self._failure

    # ------------------------------------------------------------ asking

    async def ask(
        self, name: str, headers: Headers | None = None, *, action_id: str = "", limit_s: float = 0.0
    ) -> Headers:
        """The answer to action `name`. Raises ActionFailed, LinkFailed, TimeoutError, ValueError for what AMI cannot carry."""
        if self._failure is not None:
            raise self._failure
        action_id = action_id or self.next_id()
        wanted: asyncio.Future[Headers] = asyncio.get_running_loop().create_future()
        self._answers[action_id] = wanted
        try:
            self._writer.write(action(name, action_id, headers or {}))
            answer = await within(self._clock, limit_s or self._answer_s, wanted)
        except (OSError, RuntimeError) as exc:
            if isinstance(exc, TimeoutError):
                raise
            raise self._fail(LinkFailed("connection lost", self._where, str(exc))) from exc
        finally:
            self._answers.pop(action_id, None)
        if answer.get("Response") == "Error":
            raise ActionFailed(answer.get("Message", "no reason given"))
        return answer

    async def ask_list(self, name: str, *, limit_s: float) -> None:
        """Ask for a listing, and return when the last of its packets was taken. Raises like `ask`."""
        action_id = self.next_id()
        begun = self._clock.monotonic()
        with self.hearing(f"ActionID: {action_id}".encode(), b"Complete") as heard:
            await self.ask(name, action_id=action_id)
            while True:
                packet = await self.next_of(heard, limit_s - (self._clock.monotonic() - begun))
                if packet.get("Event", "").endswith("Complete") and packet.get("ActionID") == action_id:
                    return

    def next_id(self) -> str:
        """An ActionID that nobody had."""
        self._actions += 1
        return f"{self._name}-{self._actions}"

    @contextlib.contextmanager
    def hearing(self, *tokens: bytes) -> Iterator[Heard]:
        """The packets from now on that have all these bytes in them, for `next_of`."""
        heard = Heard(tokens)
        self._hearing.append(heard)
        try:
            yield heard
        finally:
            self._hearing.remove(heard)

    async def next_of(self, heard: Heard, limit_s: float) -> Headers:
        """The next packet that was heard. Raises TimeoutError, and LinkFailed when the link is over."""
        packet = await within(self._clock, max(0.0, limit_s), heard.packets.get())
        if packet is None:
            raise self._failure or LinkFailed("connection lost", self._where)
        return packet

    # ------------------------------------------------------------ beginning, staying, ending

    async def log_in(self, switch: Switch) -> None:
        """Log in and subscribe. Raises LinkFailed."""
        config = switch.config
        words = {"Username": config.user, "Events": config.events}
        try:
            await within(self._clock, config.connect_s, asyncio.shield(self._greeted))
            if config.login == "challenge":
                challenge = await self.ask("Challenge", {"AuthType": "MD5"})
                proof = {"AuthType": "MD5", "Key": answer_to(challenge.get("Challenge", ""), switch.password)}
            else:
                proof = {"Secret": switch.password}
            await self.ask("Login", {**words, **proof}, limit_s=config.connect_s + SLOW_REFUSAL_S)
        except ActionFailed as exc:
            # the switch closes behind such an answer, which is not what it is about
            raise LinkFailed("wrong user or password", self._where, str(exc)) from None
        except TimeoutError as exc:
            what: What = "no answer" if self.greeting else "no manager port"
            raise LinkFailed(what, self._where, str(exc)) from None

    async def version(self) -> str:
        """What the switch is, for people; by its greeting where its user may not ask. Raises LinkFailed."""
        try:
            answer = await self.ask("CoreSettings")
        except (ActionFailed, TimeoutError):
            answer = {}
        version = answer.get("AsteriskVersion", "")
        return f"Asterisk {version}" if version else self.greeting.replace(" Call Manager/", ", AMI ")

    async def ping(self) -> None:
        """See whether the switch is there. Raises LinkFailed when it says nothing at all for as long as an answer may take.

        While `take` has no room nothing is read, so silence means nothing.
        """
        asked = self._clock.monotonic()
        while True:
            try:
                await self.ask("Ping")
                return
            except ActionFailed:
                return  # an answer all the same
            except TimeoutError:
                if not self.taking and self._heard <= asked:
                    silent = f"nothing for {self._clock.monotonic() - self._heard:.0f} s"
                    raise self._fail(LinkFailed("no answer", self._where, silent)) from None
                asked = self._clock.monotonic()

    def leave(self) -> None:
        """Say goodbye if it can still be said, and close."""
        if self._failure is None and not self._writer.is_closing():
            self._writer.write(action("Logoff", self.next_id(), {}))
        self._writer.close()


def _refuse(waiting: asyncio.Future[Any], failure: LinkFailed) -> None:
    if not waiting.done():
        waiting.set_exception(failure)
        waiting.exception()  # nobody may be waiting any more


async def connect(switch: Switch, clock: Clock) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open the connection. Raises LinkFailed."""
    config = switch.config
    try:
        opening = asyncio.open_connection(config.host, config.port, ssl=_tls(config), limit=CHUNK_BYTES)
        streams = await within(clock, config.connect_s, opening)
    except (OSError, TimeoutError) as exc:
        raise of_connecting(exc, switch.where) from exc
    # where nothing is sent for long, networks forget a connection
    keep_alive(streams[1].get_extra_info("socket"), idle_s=10, every_s=5)
    return streams


def _tls(config: SwitchConfig) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=config.tls_ca_file or None) if config.tls else None
