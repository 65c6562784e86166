"""Discrete events: what the people and calls of the simulated floor do is written as generators that wait.

A process yields seconds to sleep, or a `Wait` for a signal with a limit; it gets back whether the signal came in time.
Time is whole milliseconds since midnight of the first day. Nothing here knows a wall clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator
from typing import NamedTuple

Millis = int


class Signal:
    """Something that happens once; whoever waits for it goes on at that moment."""

    def __init__(self) -> None:
        self.fired = False
        self._waiting: list[tuple[_Running, int]] = []

    def fire(self, kernel: Kernel) -> None:
        """Wake everyone who waits, in the order in which they began to."""
        if self.fired:
            return
        self.fired = True
        for running, turn in self._waiting:
            kernel.wake(running, turn, fired=True)
        self._waiting.clear()

    def add(self, running: _Running, turn: int) -> None:
        """Wake this process when the signal comes, unless something else has before."""
        self._waiting.append((running, turn))


class Wait(NamedTuple):
    """Wait for `signal`, at most `limit_s` seconds."""

    signal: Signal
    limit_s: float


Process = Generator[float | Wait, bool, None]


class _Running:
    """A process and which of its waits is the current one: a timeout of an earlier wait is void."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.turn = 0


class Kernel:
    """The clock and the agenda."""

    def __init__(self, start: Millis) -> None:
        self.now = start
        self._agenda: list[tuple[Millis, int, _Running, int, bool]] = []
        self._order = 0

    def spawn(self, process: Process, delay_s: float = 0.0) -> None:
        """Begin `process` after `delay_s`."""
        self._put(self.now + _millis(delay_s), _Running(process), 0, fired=False)

    def wake(self, running: _Running, turn: int, *, fired: bool) -> None:
        """Let a waiting process go on now, after those already due."""
        self._put(self.now, running, turn, fired=fired)

    def next_at(self) -> Millis | None:
        """When something happens next."""
        return self._agenda[0][0] if self._agenda else None

    def run(self, until: Millis) -> None:
        """Do all that is due up to and including `until`."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, running, turn, fired = heapq.heappop(self._agenda)
            self.now = at
            if turn == running.turn:
                self._step(running, fired)
        self.now = max(self.now, until)

    def _step(self, running: _Running, fired: bool) -> None:
        try:
            wish = next(running.process) if running.turn == 0 else running.process.send(fired)
        except StopIteration:
            running.turn = -1
            return
        running.turn += 1
        if isinstance(wish, Wait):
            if wish.signal.fired:
                self._put(self.now, running, running.turn, fired=True)
                return
            wish.signal.add(running, running.turn)
            self._put(self.now + _millis(wish.limit_s), running, running.turn, fired=False)
        else:
            self._put(self.now + _millis(wish), running, running.turn, fired=False)

    def _put(self, at: Millis, running: _Running, turn: int, *, fired: bool) -> None:
        self._order += 1
        heapq.heappush(self._agenda, (at, self._order, running, turn, fired))


def _millis(seconds: float) -> Millis:
    return max(0, round(seconds * 1000))
