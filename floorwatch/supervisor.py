"""A tiny supervisor: starts programs in stages, restarts those that die, stops all of them, leaves none behind.

Stages start one after the other, the programs of a stage together. A program that dies is started again after a back-off; when
one of a stage marked `vital` dies, everything is stopped and started anew, because what it held is gone (the embedded broker
keeps its records in memory).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from floorwatch.processes import Child, Program, rotate, spawn
from shared.clock import Clock
from shared.errors import FloorwatchError

Say = Callable[[str], None]

BACK_OFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # the last one for ever
STEADY_S: Final = 60.0  # a program that ran this long begins at the first back-off again
PATIENCE_S: Final = 60.0  # for readiness; a start on a slow, busy machine takes 15 s
STOP_S: Final = 6.0  # then SIGKILL, for programs that promise no time themselves
GRACE_S: Final = 2.0  # more than a program promises: it ends by its own force first, and says what hung
ORPHAN_STOP_S: Final = 1.0  # without their broker services wait in vain to hand over what they hold
_PROBE_EVERY_S: Final = 0.05
_SETTLED_S: Final = 0.3  # a program without a readiness check counts as up after this


@dataclass(frozen=True)
class Stage:
    """Programs that start together; `then` runs when all of them are ready."""

    programs: Sequence[Program]
    then: Callable[[], Awaitable[None]] | None = None
    vital: bool = False


class StartFailed(FloorwatchError):
    """A program ended, or did not become ready, while it was started. The message has the end of its log."""


class Supervisor:
    """`run` until a signal; `say` gets every line for people."""

    def __init__(self, stages: Sequence[Stage], *, log_dir: Path, clock: Clock, say: Say) -> None:
        self._stages = stages
        self._log_dir = log_dir
        self._clock = clock
        self._say = say
        self._running: dict[str, Child] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._vital_died = asyncio.Event()

    async def run(self, *, started: Callable[[], None]) -> None:
        """Start everything, call `started`, keep it running. Returns after SIGINT, SIGTERM or SIGHUP, with everything stopped.

        Raises StartFailed, also with everything stopped, when the first start does not succeed.
        """
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        asked = False

        def ask() -> None:
            nonlocal asked
            if asked:  # the second time somebody is in a hurry
                self._kill_all()
            else:
                asked = True
                task.cancel()

        for number in signals:
            loop.add_signal_handler(number, ask)
        try:
            self._make_logs()
            await self._start_all()
            started()
            await self._keep_going()
        except asyncio.CancelledError:
            if not asked:
                raise
            self._say("stopping ... (once more ends everything at once)")
        finally:
            await self._stop_all()
            for number in signals:
                loop.remove_signal_handler(number)

    def _make_logs(self) -> None:
        """A folder of logs that begin anew. Raises StartFailed."""
        try:
            self._log_dir.mkdir(parents=True, exist_ok=True)
            for stage in self._stages:
                for program in stage.programs:
                    rotate(self._log_dir / f"{program.name}.log")
        except OSError as exc:
            raise StartFailed(f"{self._log_dir} cannot be written: {exc.strerror or exc}") from exc

    async def _keep_going(self) -> None:
        """Wait for a vital program to die, then make everything anew; again and again."""
        failures = 0
        while True:
            await self._vital_died.wait()
            await self._stop_all(ORPHAN_STOP_S)
            while True:
                await self._clock.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                try:
                    await self._start_all()
                except StartFailed as exc:
                    failures += 1
                    self._say(f"{exc}\ntrying again")
                    await self._stop_all(ORPHAN_STOP_S)
                else:
                    failures = 0
                    self._say("everything runs again, with an empty broker: what was on the board before is gone")
                    break

    async def _start_all(self) -> None:
        self._vital_died.clear()
        for stage in self._stages:
            starts = [asyncio.create_task(self._start(program)) for program in stage.programs]
            try:
                await asyncio.gather(*starts)
            finally:
                for task in starts:
                    task.cancel()
                await asyncio.gather(*starts, return_exceptions=True)
            if stage.then is not None:
                await stage.then()
            for program in stage.programs:
                keeper = asyncio.create_task(self._keep(program, vital=stage.vital))
                self._keepers.add(keeper)
                keeper.add_done_callback(self._keepers.discard)

    async def _start(self, program: Program) -> None:
        """Start it and wait until it is ready. Raises StartFailed."""
        begun = self._clock.monotonic()
        self._running.pop(program.name, None)
        try:
            child = self._running[program.name] = await spawn(program, self._log_dir)
        except OSError as exc:  # no room for its log, no memory, no process more
            raise StartFailed(f"{program.name} cannot be started: {exc}") from exc
        reason = "it has not been asked yet"
        while True:
            if child.ended:
                raise StartFailed(f"{child.name} ended with {child.how_it_ended} while starting{self._log_of(child)}")
            waited = self._clock.monotonic() - begun
            if program.ready is None:
                if waited > _SETTLED_S:
                    break
            else:
                found = await program.ready()
                if found is None:
                    break
                reason = found
            if waited > PATIENCE_S:
                raise StartFailed(f"{child.name} is not ready after {PATIENCE_S:.0f} s: {reason}{self._log_of(child)}")
            await self._clock.sleep(_PROBE_EVERY_S)
        self._say(f"  {program.name:<10} up   {self._clock.monotonic() - begun:4.1f} s")

    async def _keep(self, program: Program, *, vital: bool) -> None:
        """Start it again whenever it ends."""
        failures = 0
        while True:
            child = self._running[program.name]
            begun = self._clock.monotonic()
            await child.wait()
            what = f"{child.name} ended with {child.how_it_ended}{self._log_of(child)}"
            if vital:
                self._say(f"{what}\nstopping the rest and starting everything anew, for {child.name} held it all")
                self._vital_died.set()
                return
            if self._clock.monotonic() - begun > STEADY_S:
                failures = 0
            failures = await self._start_again(program, what, failures)

    async def _start_again(self, program: Program, what: str, failures: int) -> int:
        """Try until it is up; the number of failures in a row."""
        while True:
            pause = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            failures += 1
            self._say(f"{what}\nstarting {program.name} again in {pause:g} s")
            await self._clock.sleep(pause)
            try:
                await self._start(program)
            except StartFailed as exc:
                what = str(exc)
                if (child := self._running.get(program.name)) is not None:
                    await child.stop(_patience(program))
            else:
                return failures

    def _log_of(self, child: Child) -> str:
        lines = child.last_lines()
        said = "".join(f"\n    | {line}" for line in lines) if lines else "\n    | (it said nothing)"
        return f"; the end of {child.log_path}:{said}"

    async def _stop_all(self, patience_s: float | None = None) -> None:
        """The last stage first; what depends on a program ends before it."""
        keepers = list(self._keepers)
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        for stage in reversed(self._stages):
            children = [child for name, child in self._running.items() if name in {p.name for p in stage.programs}]
            await asyncio.gather(*(child.stop(patience_s or _patience(child.program)) for child in children))
        self._running.clear()

    def _kill_all(self) -> None:
        for child in self._running.values():
            child.signal(signal.SIGKILL)


def _patience(program: Program) -> float:
    """For how long it is waited for after SIGTERM."""
    return STOP_S if program.ends_within_s is None else program.ends_within_s + GRACE_S
