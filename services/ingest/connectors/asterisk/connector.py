"""One switch: kept logged in to, heard into `switch.raw`, asked what there is, told what to do.

One connection serves for everything. What it says goes to the outbox in the order in which it came, byte for byte, before
anybody here looks at it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from services.ingest.connectors.asterisk.backoff import LoginBackoff
from services.ingest.connectors.asterisk.channels import Mirror
from services.ingest.connectors.asterisk.commands import Commands
from services.ingest.connectors.asterisk.config import Switch
from services.ingest.connectors.asterisk.failures import ADVICE, LinkFailed, What
from services.ingest.connectors.asterisk.session import ActionFailed, Session, connect
from services.ingest.connectors.common.commands import CommandFailed, CommandReader
from services.ingest.connectors.common.outbox import Outbox
from services.ingest.connectors.common.within import within
from services.ingest.links import link_value
from shared.bus import Bus
from shared.clock import Clock
from shared.events import CommandAnswered, LinkDown, LinkUp
from shared.siteconfig import SiteConfig
from shared.waiting import wait

VENDOR: Final = "asterisk"
LISTINGS: Final = ("CoreShowChannels", "QueueStatus", "QueueSummary", "DeviceStateList")
STEADY_S: Final = 10.0  # a link that held so long was a good one: the next failure is a first one
GOODBYE_S: Final = 2.0
FLOOD_S: Final = 2.0  # without room for so long the board is told
LATE_S: Final = 1.0  # behind by no more than this it is told that it is over
HELD: Final = 1000  # packets kept until the login is accepted,
HELD_BYTES: Final = 1 << 20  # or so much: nobody knows yet who speaks
LINKED_S: Final = 3.0  # how long a command waits for a link that is coming up

log = structlog.get_logger()


class AsteriskConnector:
    """`bus` is for what is written, `command_bus` for commands; both are its own."""

    def __init__(
        self,
        switch: Switch,
        bus: Bus,
        command_bus: Bus,
        clock: Clock,
        floor: SiteConfig,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.switch = switch
        self._config = switch.config
        self._clock = clock
        self._log = log.bind(site=switch.site, connector=switch.config.connector, switch=switch.where)
        self.outbox = Outbox(bus, clock, site=switch.site, vendor=VENDOR, connector=switch.config.connector)
        self.outbox.begin(self._new_name())
        self.mirror = Mirror(switch.site, floor)
        self.commands = CommandReader(
            command_bus,
            clock,
            switch.site,
            Commands(switch.config, clock, self.mirror, self._linked, self.resync).handlers(),
            self.answer,
            who=switch.config.connector,
        )
        self._backoff = LoginBackoff(chance)
        self._reading: Session | None = None  # the connection that there is
        self._session: Session | None = None  # the same, once its login was accepted
        self._link: LinkUp | None = None  # what was said of the link that is up
        self._synced = asyncio.Event()  # the first listing of this session came, so the mirror knows what there is
        self._unlisted = asyncio.Event()
        self._resyncing = asyncio.Lock()
        self._linked_at = 0.0
        self._said = 0
        self._flooded = False
        self._held: deque[tuple[bytes, datetime]] = deque()
        self._held_bytes = 0
        self._accepted = asyncio.Event()
        self.failure: LinkFailed | None = None  # why there is no link; None: there is one, or it was not tried yet
        self.failures: Counter[What] = Counter()
        self.logins = 0
        self.resyncs = 0
        self._before = (0, 0)  # packets and bytes of earlier connections

    # ------------------------------------------------------------ running

    async def run(self) -> None:
        """Until cancelled. Raises only what is a fault of ours."""
        work: list[Coroutine[Any, Any, None]] = [self.outbox.run(), self._keep_linked(), self._watch_room()]
        if self._config.commands:
            work.append(self.commands.run())
        await _all(work)

    async def stop(self) -> None:
        """Say that nobody listens to the switch any more. `run` has ended, except for the outbox's work, which is done here."""
        if self._link is None:
            return
        writing = asyncio.create_task(self.outbox.run())
        try:
            self._link = None
            await within(self._clock, GOODBYE_S, self._say_goodbye())
        except TimeoutError:
            self._log.warning("the link_down could not be written; readers will notice the silence")
        finally:
            writing.cancel()
            await asyncio.wait([writing])

    async def _say_goodbye(self) -> None:
        number = await self._say(self._down_of(LinkFailed("connector stopped", self.switch.where)))
        await self.outbox.written(number)

    def check(self) -> str | None:
        """For readiness: why the switch is not heard."""
        if self.failure is not None:
            return str(self.failure)
        return None if self._link is not None else "not logged in yet"

    @property
    def is_up(self) -> bool:
        return self._link is not None

    async def _keep_linked(self) -> None:
        while True:
            await self.outbox.room()
            try:
                await self._one_session()
            except LinkFailed as exc:
                if self._link is not None and self._clock.monotonic() - self._linked_at >= STEADY_S:
                    self._backoff.worked()
                await self._lost(exc)
                pause = self._backoff.next_s(exc.what)
                self._log.info("trying again", wait_s=round(pause, 1))
                await self._clock.sleep(pause)

    async def _one_session(self) -> None:
        """From connecting to the end. Raises LinkFailed."""
        name = self._new_name()
        streams = await connect(self.switch, self._clock)
        session = Session(
            streams, self._clock, self._take, where=self.switch.where, name=f"fw-{name}", answer_s=self._config.answer_s
        )
        self._held.clear()
        self._held_bytes = 0
        self._accepted.clear()
        self._reading = session
        reading = asyncio.create_task(session.read())
        try:
            await session.log_in(self.switch)
            await self._linked_up(session, name, await session.version())
            await _all([_passing_on(reading), self._keep_alive(session), self._keep_synced()])
        finally:
            self._session = None
            self._synced.clear()
            reading.cancel()
            await asyncio.wait([reading])
            session.leave()
            self._before, self._reading = self.heard, None

    @property
    def heard(self) -> tuple[int, int]:
        """Packets and bytes that came."""
        packets, size = self._before
        return (
            (packets, size) if self._reading is None else (packets + self._reading.packets, size + self._reading.bytes)
        )

    # ------------------------------------------------------------ what the switch says

    async def _take(self, packet: bytes, received: datetime) -> None:
        """A packet came. Those before the login is accepted wait: of an attempt that fails nothing is news."""
        if not self._accepted.is_set():
            self._held.append((packet, received))
            self._held_bytes += len(packet)
            if len(self._held) >= HELD or self._held_bytes >= HELD_BYTES:
                await self._accepted.wait()
            return
        await self._carry(packet, received)

    async def _carry(self, packet: bytes, received: datetime) -> None:
        await self.outbox.room()
        if self._config.commands:
            self.mirror.feed(self.outbox.next_raw(packet, "event", received))
        await self.outbox.put(packet, received=received)
        if packet.startswith(b"Event: FullyBooted"):
            self._unlisted.set()  # if it was asked while it still began, what it listed then was not all

    async def _linked_up(self, session: Session, name: str, version: str) -> None:
        """The login is accepted: say so, then hand on what came until now, and from now on everything at once."""
        self.outbox.begin(name)
        self.mirror.begin()
        self._session, self._flooded, self.failure = session, False, None
        self.logins += 1
        self._linked_at = self._clock.monotonic()
        self._link = LinkUp(connector=self._config.connector, switch=version)
        self._log.info("logged in", version=version)
        await self._say(self._link)
        while self._held:
            packet, received = self._held.popleft()
            await self._carry(packet, received)
        self._accepted.set()

    async def _lost(self, failure: LinkFailed) -> None:
        """Say once that there is no link, and why; again when the reason is another one."""
        known, was_up = self.failure, self._link is not None
        if self._flooded and failure.what == "connection lost":
            # a switch closes a connection that is not read: writetimeout in manager.conf
            failure = LinkFailed("too many events", failure.where, "the switch closed it, for it was not read")
        self.failure, self._link = failure, None
        self.failures[failure.what] += 1
        if was_up or known is None or known.what != failure.what:
            self._log.warning("no link to the switch", why=str(failure), advice=ADVICE[failure.what])
            await self._say(self._down_of(failure))

    # ------------------------------------------------------------ keeping it

    async def _keep_alive(self, session: Session) -> None:
        """Ask whether the switch is there, and pass it on as a heartbeat. Raises LinkFailed."""
        while True:
            await session.ping()
            if self._link is not None and not self._flooded:
                await self._say(self._link)
            await self._clock.sleep(self._config.ping_s)

    async def _keep_synced(self) -> None:
        """Ask what there is: now, and again and again, for AMI numbers no events and a lost one shows only so."""
        while True:
            self._unlisted.clear()
            await self.resync()
            await wait(self._unlisted, self._clock, self._clock.now() + timedelta(seconds=self._config.resync_s))

    async def resync(self) -> None:
        """Ask for every listing, one after the other. Raises CommandFailed when none came."""
        async with self._resyncing:
            session = self._session
            if session is None:
                raise CommandFailed("there is no link to the switch")
            refused = []
            for name in LISTINGS:
                try:
                    await session.ask_list(name, limit_s=self._config.list_s)
                except (ActionFailed, TimeoutError) as exc:
                    refused.append(f"{name}: {exc}")
            self.resyncs += 1
            if session is self._session:
                self._synced.set()
        if refused:
            self._log.warning("the switch does not list everything", why="; ".join(refused))
        if len(refused) == len(LISTINGS):
            raise CommandFailed(refused[0])

    async def _watch_room(self) -> None:
        """Tell the board when the switch says more than can be written, and when that is over."""
        while True:
            await self._clock.sleep(FLOOD_S / 2)
            if self._link is None:
                continue
            if not self._flooded and self.outbox.blocked_s >= FLOOD_S:
                self._flooded = True
                self.failures["too many events"] += 1
                failure = LinkFailed("too many events", self.switch.where)
                self._log.warning(
                    "the board is behind", why=str(failure), advice=ADVICE[failure.what], late_s=self.outbox.late_s
                )
                self.outbox.put_first(self._link_value(self._down_of(failure)))
            elif self._flooded and not self.outbox.blocked_s and self.outbox.late_s <= LATE_S:
                self._flooded = False
                self._log.warning("the board is up to date again")
                self._link = LinkUp(connector=self._link.connector, switch=self._link.switch, resumed=True)
                await self._say(self._link)

    # ------------------------------------------------------------ saying

    async def _linked(self) -> Session:
        """The session, once what there is at the switch is known. Raises CommandFailed."""
        if self._session is not None and not self._synced.is_set():
            try:
                await within(self._clock, LINKED_S, self._synced.wait())
            except TimeoutError:
                raise CommandFailed("the link to the switch is only coming up") from None
        if self._session is None:
            why = f": {self.failure.reason}" if self.failure is not None else ""
            raise CommandFailed(f"there is no link to the switch{why}")
        return self._session

    async def answer(self, answered: CommandAnswered) -> None:
        """Write what became of a command; return when the broker has it."""
        await self.outbox.written(await self._say(answered))

    async def _say(self, data: LinkUp | LinkDown | CommandAnswered) -> int:
        return await self.outbox.put(lambda: self._link_value(data), kind="link")

    def _link_value(self, data: LinkUp | LinkDown | CommandAnswered) -> bytes:
        self._said += 1
        source = f"/{VENDOR}/{self.switch.site}/{self.outbox.session}"
        return link_value(data, id=f"{self.outbox.session}-link-{self._said}", source=source)

    def _down_of(self, failure: LinkFailed) -> LinkDown:
        return LinkDown(connector=self._config.connector, reason=failure.reason)

    def _new_name(self) -> str:
        """Of a session: no other one, of this process or an earlier one, began in the same millisecond."""
        return f"{int(self._clock.now().timestamp() * 1000):x}"


async def _passing_on(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    task.result()


async def _all(work: list[Coroutine[Any, Any, None]]) -> None:
    """Do all of it until one fails; raises what that raised, when the others have ended."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError("a task of the connector ended by itself")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
