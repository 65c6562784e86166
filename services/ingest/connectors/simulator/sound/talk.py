"""Two people speak in turns: with pauses, now and then into each other, never twice the same way."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Literal, NamedTuple, Protocol

from services.ingest.connectors.simulator.sound.music import room
from services.ingest.connectors.simulator.sound.pcm import Sound
from services.ingest.connectors.simulator.sound.voices import Line, Voice

Party = Literal[0, 1]


class Talk(Protocol):
    """A conversation; positions are frames since it began, holds left out, and never go back."""

    def says(self, party: Party, position: int) -> Sound[int]:
        """What one of the two says in this frame."""
        ...


class Turn(NamedTuple):
    """Somebody says a line, from frame `begins` to before `ends`."""

    begins: int
    ends: int
    party: Party
    line: Line


class Conversation:
    """The same `key` is the same conversation. Turns are made up as they are needed and forgotten when they are over."""

    def __init__(self, key: str, first: Voice, second: Voice, *, greets: bool = True) -> None:
        """`greets`: the first says what they say to everybody who calls, the second what they call for."""
        self._chance = Random(key)
        self._voices = (first, second)
        self._turns: deque[Turn] = deque()
        self._end = 0
        self._next: Party = 0
        self._bags: tuple[list[Line], list[Line]] = ([first.first], [second.first]) if greets else ([], [])

    def says(self, party: Party, position: int) -> Sound[int]:
        while self._end <= position + 50:  # so far ahead that nobody begins in the past, speaking into another's words
            self._turns.append(self._turn())
        while self._turns[0].ends <= position:
            self._turns.popleft()
        for turn in self._turns:
            if turn.party == party and turn.begins <= position < turn.ends:
                return turn.line.frames[position - turn.begins]
        return room(position + 25 * party)

    def _turn(self) -> Turn:
        party, line = self._next, self._line(self._next)
        begins = max(0, self._end + self._pause())
        self._end = begins + line.length
        self._next = party if self._chance.random() < 0.12 else 1 if party == 0 else 0
        return Turn(begins, self._end, party, line)

    def _line(self, party: Party) -> Line:
        bag = self._bags[party]
        if not bag:
            bag.extend(self._voices[party].rest)
            self._chance.shuffle(bag)
        return bag.pop()

    def _pause(self) -> int:
        """Frames until somebody speaks: mostly half a second, sometimes somebody has to look something up."""
        kind = self._chance.random()
        if kind < 0.1:
            return -8
        return round(self._chance.uniform(60, 140) if kind > 0.88 else self._chance.uniform(12, 40))
