"""Tells a switch's clock that was set from a damaged stamp and from records that are late. Pure; times in microseconds.

A stamp cannot be in the future, and on one connection stamps do not go back. So a record is *suspected* when its stamp is
more than `LEAST` ahead of the estimate, or as far behind it and older than what was heard before. Records that were
held up on their way come late too, but in order, and by less and less; a set clock is off by the same again and again.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct

SECOND: Final = 1_000_000
LEAST: Final = 2 * SECOND  # smaller steps are taken for delays on the way and followed at once
SAME: Final = SECOND // 2  # suspected records whose offsets differ by no more agree with each other
BACKWARDS: Final = SECOND // 2  # threads of a switch disorder their packets by less

# An estimate from so many records over such a time is good enough to doubt a record by; one from fewer only where a record is
# off by more than any delay on the way.
FIRM_RECORDS: Final = 5
FIRM_US: Final = 5 * SECOND
LONGEST_DELAY: Final = 60 * SECOND

# So many suspected records that agree, over such a time, and none that fits: the clock was set.
SURE_AHEAD: Final = (3, 1 * SECOND)
SURE_BACK: Final = (5, 3 * SECOND)

# A second source whose clock differs from the first's is no jump: for so long after the one was heard to fit.
OTHERS_US: Final = 60 * SECOND
MOST_CONNECTORS: Final = 16


class Record(NamedTuple):
    """A stamped record: when it was received, by our clock, what the switch's clock showed, and what we expected it to."""

    received: int
    stamp: int
    expected: int
    connector: str


class Suspicion(Struct):
    """Records that agree with each other and not with the estimate. `gap` is theirs minus the estimate, of the fastest."""

    gap: int
    since: int  # received
    stamp: int  # of the first
    connector: str
    records: int = 1
    jumped: bool = True  # as after a set clock, not as after a delay


class Jumps(Struct):
    """What is remembered between records. `scale` is the site's speed, at least 1: delays weigh as much more."""

    records: int = 0  # that fitted since the estimate began anew
    began: int = 0  # received of the first of these
    received: int = 0  # of the newest
    stamp: int = 0
    heard: dict[str, int] = {}  # connector -> received of its newest
    suspicion: Suspicion | None = None
    position: int = -1  # raw offset of the last jump

    def firm(self, received: int) -> bool:
        """Whether the estimate is good enough to doubt a record by it."""
        return self.records >= FIRM_RECORDS and received - self.began >= FIRM_US

    def least(self, received: int) -> int:
        """From where on a record does not fit."""
        return LEAST if self.firm(received) else LONGEST_DELAY

    def begin_anew(self) -> None:
        """The estimate starts from nothing."""
        self.records, self.suspicion = 0, None
        self.heard.clear()

    def forget_after(self, received: int) -> None:
        """Our clock was set back to this: what was received later by it tells nothing any more."""
        if self.suspicion is not None:
            self.suspicion.since = min(self.suspicion.since, received)
        self.heard = {name: when for name, when in self.heard.items() if when <= received}

    def judge(self, one: Record, scale: float) -> bool:
        """Whether the record fits. If not it is suspected, alone or with those before it."""
        gap = one.stamp - one.expected
        if -LEAST <= gap <= LEAST or abs(gap) <= self.least(one.received) * scale:
            self._fits(one)
            return True
        if gap > 0 and not self.firm(one.received) and _nearer_to_ours(one):
            self.begin_anew()  # what came before told of the past: what already went on when the link came up
            self._fits(one)
            return True
        known = self.suspicion
        if known is not None and abs(gap - known.gap) <= SAME * scale:
            known.records += 1
            known.gap = max(known.gap, gap)
        else:
            jumped = gap > 0 or self._goes_back(one, scale)
            self.suspicion = Suspicion(gap, one.received, one.stamp, one.connector, jumped=jumped)
        return False

    def sure(self, received: int) -> bool:
        """Whether those that are suspected are right and the estimate is wrong."""
        known = self.suspicion
        if known is None:
            return False
        records, span = SURE_AHEAD if known.gap > 0 else SURE_BACK
        return (
            known.records >= records
            and received - known.since >= span
            and all(name == known.connector or received - when > OTHERS_US for name, when in self.heard.items())
        )

    def adopt(self, one: Record) -> None:
        """The suspected ones are right: the estimate is theirs from now on."""
        known = self.suspicion
        assert known is not None
        self.begin_anew()
        self._fits(one)
        self.records, self.began = known.records, known.since

    def _fits(self, one: Record) -> None:
        self.suspicion = None
        if not self.records:
            self.began = one.received
        self.records += 1
        self.received, self.stamp = one.received, one.stamp
        self.heard[one.connector] = one.received
        if len(self.heard) > MOST_CONNECTORS:
            del self.heard[next(iter(self.heard))]

    def _goes_back(self, one: Record, scale: float) -> bool:
        """After a delay stamps go on where they stopped. They do not go back, and the first has not gone far on."""
        went_on, silence = one.stamp - self.stamp, (one.received - self.received) * scale
        return went_on < -BACKWARDS * scale or (self.suspicion is None and went_on > silence / 2)


def _nearer_to_ours(one: Record) -> bool:
    """Whether the stamp is nearer to our clock than what we expected."""
    return abs(one.stamp - one.received) < abs(one.expected - one.received)
