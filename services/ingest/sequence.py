"""Duplicates and gaps per source, from the numbers that connectors put on their records."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Struct

# Two sessions overlap while a connector is replaced; more at a time are not a connector any more.
SESSIONS_PER_SOURCE = 4
SOURCES = 2000


class Verdict(NamedTuple):
    """`duplicate`: seen before, drop it. `missed`: records that should have come before it, 0 for none."""

    duplicate: bool
    missed: int


GOOD = Verdict(duplicate=False, missed=0)
DUPLICATE = Verdict(duplicate=True, missed=0)


class _State(Struct):
    """Source -> session -> the last number; oldest entries first."""

    sources: dict[str, dict[str, int]] = {}


class SequenceCheck:
    """The last number of each (site, connector, session).

    Numbers count up by one within a session. Equal or smaller is a duplicate, a jump is a gap. A session not seen
    before starts anew, wherever its numbers begin: reading may have begun in the middle of it.
    """

    def __init__(self) -> None:
        self._state = _State()

    def check(self, site: str, connector: str, session: str, seq: int | None) -> Verdict:
        """Judge one record and remember it. A record without a number is always good."""
        if seq is None:
            return GOOD
        sessions = self._sessions(f"{site}\0{connector}")
        last = sessions.get(session)
        if last is None:
            while len(sessions) >= SESSIONS_PER_SOURCE:
                del sessions[next(iter(sessions))]
        elif seq <= last:
            return DUPLICATE
        sessions[session] = seq
        if last is None or seq == last + 1:
            return GOOD
        return Verdict(duplicate=False, missed=seq - last - 1)

    def _sessions(self, source: str) -> dict[str, int]:
        sources = self._state.sources
        found = sources.get(source)
        if found is None:
            while len(sources) >= SOURCES:
                del sources[next(iter(sources))]
            found = sources[source] = {}
        return found

    def dump(self) -> bytes:
        """The whole state, for the checkpoint."""
        return msgspec.msgpack.encode(self._state)

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave."""
        self._state = msgspec.msgpack.decode(state, type=_State)
