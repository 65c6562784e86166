"""Commands for one site, read from `switch.commands`, each carried out once and answered. The same for every connector.

    reader = CommandReader(bus, clock, "hq", handlers={ListenStart: start, ListenStop: stop}, tell=connector.tell, who="asterisk")
    background.start("commands", reader.run())

A handler gets the command's data and returns when it is carried out, or raises CommandFailed, or CommandRefused for what
cannot be carried out here at all. `tell` writes an answer to `switch.raw` as a record of kind `link` and returns once the
broker has it.

Reading begins at the end of the topic: what was wanted before nobody waits for. Commands of one fork or agent are
carried out one after the other, those of different ones side by side, `AT_ONCE` at a time.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog

from services.ingest.connectors.common.within import within
from shared.backoff import Backoff
from shared.bus import Bus, Partition, Reader, Record
from shared.clock import Clock
from shared.commands import Command, ListenStop, decode_command
from shared.deadletter import dead_letter
from shared.envelope import Data, kind_of
from shared.errors import BusError, FloorwatchError, InvalidInput, OffsetLost
from shared.events import CommandAnswered
from shared.topics import SWITCH_COMMANDS

Handler = Callable[[Any], Awaitable[None]]
Tell = Callable[[CommandAnswered], Awaitable[None]]

REMEMBERED: Final = 10_000  # ids; commands expire within seconds, and this many are minutes' worth of a large floor's
AT_ONCE: Final = 16  # commands that wait for the switch side by side
TAKEN_AT_MOST: Final = 256  # commands that are under way or wait for their turn; more stay on the topic
LIMIT_S: Final = 15.0  # for one command; connectors have shorter limits for what they ask their switch
_POLL_S: Final = 0.5
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 10.0

log = structlog.get_logger()


class CommandFailed(FloorwatchError):
    """The switch did not do it. The message says why, in words for the person who wanted it."""


class CommandRefused(FloorwatchError):
    """It cannot be carried out by this connector, now or later."""


class CommandReader:
    """`bus` must be nobody else's to write to: dead letters go there. `who` names the connector in them and in logs.

    `listening` is set once reading began. `answers` counts by action and outcome, for metrics; `unreadable` what was put aside.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        site: str,
        handlers: Mapping[type[Data], Handler],
        tell: Tell,
        *,
        who: str,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._site = site
        self._handlers = handlers
        self._tell = tell
        self._who = who
        self._limit_s = limit_s
        self._log = log.bind(site=site, connector=who)
        self._next: dict[Partition, int] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._room = asyncio.Semaphore(TAKEN_AT_MOST)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._last: dict[str, asyncio.Task[None]] = {}  # by fork or agent: the command that the next one waits for
        self._tasks: set[asyncio.Task[None]] = set()
        self.listening = asyncio.Event()
        self.answers: Counter[tuple[str, str]] = Counter()
        self.unreadable = 0

    async def run(self) -> None:
        """Until cancelled; what is under way is given up then. While the broker is away it is tried again, and then read on."""
        backoff = Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        try:
            while True:
                try:
                    reader = await self._open()
                    backoff.worked()
                    try:
                        await self._read(reader)
                    finally:
                        await reader.close()
                except BusError as exc:
                    wait_s = backoff.next_s()
                    self._log.warning("commands cannot be read; trying again", why=str(exc), wait_s=round(wait_s, 2))
                    await self._clock.sleep(wait_s)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open(self) -> Reader:
        """A reader at the end of the topic, or where the last one was. Raises BusError."""
        reader = await self._bus.read([SWITCH_COMMANDS], start="latest")
        try:
            bounds = await reader.bounds()
            if self._next:
                # past the end: the topic was made anew meanwhile, and all that it holds is newer
                known = {place: self._next.get(place, 0) for place in bounds}
                await reader.seek(
                    {
                        place: max(first, known[place] if known[place] <= end else first)
                        for place, (first, end) in bounds.items()
                    }
                )
            else:
                self._next = {place: end for place, (_, end) in bounds.items()}
                await reader.seek(self._next)
        except BaseException:
            await reader.close()
            raise
        self.listening.set()
        return reader

    async def _read(self, reader: Reader) -> None:
        """Until the broker fails. Raises BusError."""
        while True:
            try:
                records = await reader.getmany(timeout_s=_POLL_S)
            except OffsetLost as exc:
                self._log.warning("the commands' topic was made anew or cut", why=str(exc))
                raise
            for record in records:
                await self._take(record)
                self._next[record.topic, record.partition] = record.offset + 1

    async def _take(self, record: Record) -> None:
        """Begin to carry out the command in `record`, if it is ours and new. Raises BusError when it cannot be put aside."""
        if record.key.decode(errors="replace") != self._site:
            return
        try:
            command = decode_command(record.value)
            if command.site != self._site:
                raise InvalidInput("wrong_site", f"$.site: {command.site!r} in a record of key {self._site!r}")
        except InvalidInput as exc:
            await self._put_aside(record, exc)
            return
        if command.id in self._seen:
            return
        self._seen[command.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        await self._room.acquire()
        # a stop that came in time is carried out however long its start takes
        late = self._is_late(command)
        key = (
            getattr(command.data, "fork_id", "") or getattr(command.data, "agent_id", "") or kind_of(type(command.data))
        )
        task = asyncio.create_task(self._in_turn(command, self._last.get(key), late=late), name=f"command {command.id}")
        self._tasks.add(task)
        self._last[key] = task
        task.add_done_callback(lambda done: self._done(key, done))

    def _done(self, key: str, task: asyncio.Task[None]) -> None:
        self._room.release()
        self._tasks.discard(task)
        if self._last.get(key) is task:
            del self._last[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("a command could not be answered", error=str(error), exc_info=error)

    async def _in_turn(self, command: Command, before: asyncio.Task[None] | None, *, late: bool) -> None:
        if before is not None:
            await asyncio.wait([before])
        async with self._turns:
            if not isinstance(command.data, ListenStop):
                late = late or self._is_late(command)
            try:
                await self._carry_out(command, late=late)
            except BusError as exc:
                self._log.error("a command's answer cannot be written", command=command.id, why=str(exc))

    async def _carry_out(self, command: Command, *, late: bool) -> None:
        """Raises BusError when an answer cannot be written. Without `taken` being written nothing is carried out."""
        handler = self._handlers.get(type(command.data))
        if late:
            await self._answer(command, "expired", "it was read too late to be carried out")
            return
        if handler is None:
            await self._answer(command, "refused", f"{self._who} cannot do this")
            return
        await self._answer(command, "taken")
        try:
            await within(self._clock, self._limit_s, handler(command.data))
        except CommandRefused as exc:
            await self._answer(command, "refused", str(exc))
        except CommandFailed as exc:
            await self._answer(command, "failed", str(exc))
        except TimeoutError as exc:
            await self._answer(command, "failed", str(exc))
        except BusError as exc:
            await self._answer(command, "failed", f"the broker is away: {exc}")
        except Exception:  # noqa: BLE001  (a fault of ours must not leave somebody waiting, nor end the connector)
            self._log.exception("carrying out a command failed unexpectedly", command=command.id)
            await self._answer(command, "failed", "an internal error of the connector; its log says more")
        else:
            await self._answer(command, "done")

    async def _answer(self, command: Command, outcome: Any, reason: str = "") -> None:
        data = command.data
        action = kind_of(type(data))
        await self._tell(
            CommandAnswered(
                command_id=command.id,
                action=action,
                outcome=outcome,
                reason=reason,
                fork_id=getattr(data, "fork_id", ""),
                agent_id=getattr(data, "agent_id", ""),
                call_id=getattr(data, "call_id", ""),
            )
        )
        self.answers[action, outcome] += 1
        say = self._log.warning if outcome in ("failed", "refused", "expired") else self._log.info
        say("command", command=command.id, action=action, outcome=outcome, reason=reason, by=command.by)

    async def _put_aside(self, record: Record, why: InvalidInput) -> None:
        self._log.warning(
            "a command cannot be used and was put aside",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=why.reason,
            error=str(why),
        )
        self.unreadable += 1
        letter = dead_letter(record, why, f"{self._who} commands")
        try:
            await self._bus.publish(letter.topic, letter.value, key=letter.key, headers=letter.headers)
            await self._bus.flush()
        except InvalidInput as exc:  # with its headers it no longer fits; its place in the topic is in the log above
            self._log.error("a dead letter could not be written", offset=record.offset, error=str(exc))

    def _is_late(self, command: Command) -> bool:
        return self._clock.now() > command.expires
