"""The monitor's side of the rewind worker: starts it when it is needed, asks it one thing at a time, and ends it.

It is ended after minutes without a question, and killed when an answer takes too long; the next question starts another. Those
who wait are few: who comes when enough do is sent away at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import sys
from collections.abc import Callable
from typing import Final

import structlog

from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.rewind.protocol import Answer, AskFloor, AskRange, Configure, answers, framed, receive
from shared.errors import FloorwatchError
from shared.siteconfig import Sites

log = structlog.get_logger()

MEMORY_BYTES: Final = 3 << 30  # of addresses, of which it uses a part
MOST_WAITING: Final = 6  # of three users at least
_ENDING_S: Final = 2.0
_READ_LIMIT: Final = 1 << 20


class Busy(FloorwatchError):
    """No answer for now: come back after `retry_s`."""

    def __init__(self, why: str, retry_s: int) -> None:
        super().__init__(why)
        self.retry_s = retry_s


class RewindProcess:
    """One worker at the most. `rules` gives the rule book in force."""

    def __init__(
        self, bootstrap: str, sites: Sites, rules: Callable[[], RuleBook], *, limit_s: float, idle_s: float
    ) -> None:
        self._bootstrap = bootstrap
        self._sites = sites
        self._rules = rules
        self.limit_s = limit_s
        self._idle_s = idle_s
        self._process: asyncio.subprocess.Process | None = None
        self._told: RuleBook | None = None  # what the worker goes by
        self._turn = asyncio.Lock()
        self.waiting = 0  # questions, the one being answered among them
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False
        self._ending: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's, while there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def ask(self, question: AskRange | AskFloor) -> Answer:
        """The worker's answer. Raises Busy."""
        if self.waiting >= MOST_WAITING:
            raise Busy("others are rewinding", 2)
        self.waiting += 1
        try:
            async with self._turn:
                return await self._ask(question)
        finally:
            self.waiting -= 1

    async def _ask(self, question: AskRange | AskFloor) -> Answer:
        if self._closed:
            raise Busy("this monitor ends", 5)
        if self._idle is not None:
            self._idle.cancel()
        try:
            async with asyncio.timeout(self.limit_s):
                process = await self._running()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(framed(question))
                await process.stdin.drain()
                frame = await receive(process.stdout)
        except TimeoutError:
            await self._end(at_once=True)
            log.warning("rewind_took_too_long", site=question.site, limit_s=self.limit_s, consequence="given up")
            raise Busy(f"it took longer than {self.limit_s:g} s and was given up", 5) from None
        except (OSError, ValueError):
            frame = None
        except asyncio.CancelledError:
            await self._end(at_once=True)  # its answer would be taken for the next one's
            raise
        if frame is None:
            await self._end(at_once=True)
            log.error("the rewind worker ended before it answered", site=question.site)
            raise Busy("the worker ended before it answered", 5)
        self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._rest)
        return answers.decode(frame)

    async def _running(self) -> asyncio.subprocess.Process:
        rules = self._rules()
        if self._process is None or self._process.returncode is not None:
            self._told = None
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.monitor.rewind.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_READ_LIMIT,
            )
        if self._told is not rules:
            assert self._process.stdin is not None
            told = Configure(self._bootstrap, self._sites, pickle.dumps(rules.rules), MEMORY_BYTES)
            self._process.stdin.write(framed(told))
            self._told = rules
        return self._process

    def _rest(self) -> None:
        self._ending = asyncio.ensure_future(self._end())

    async def close(self) -> None:
        """The monitor ends."""
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        await self._end()

    async def _end(self, *, at_once: bool = False) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, OSError):
            if at_once:
                process.kill()
            elif process.stdin is not None:
                process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _ENDING_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
