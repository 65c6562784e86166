"""How much may be sent to whom, and what becomes of what is not taken: limits, retries, fail-over. Pure.

A limit is a token bucket that is kept as one moment, the one at which it is full again, so that instances that share a database
share the bucket, and a restart forgets nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct

Language = Literal["en", "zh", "both"]
Form = Literal["short", "long"]
Health = Literal["ok", "failing", "dead"]

# 5 s covers a restart of the other side, the rest an outage; after 40 minutes the page is the only place left
RETRIES: Final = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800))
RETRIES_BEFORE_ANOTHER: Final = 3  # where somebody else can be told instead, two and a half minutes are enough
JITTER: Final = 0.2  # of the time: what failed together is not tried again together
LONGEST_RETRY_AFTER: Final = timedelta(hours=1)  # whoever asks for more is asked again all the same


# a clock that is set back by more holds up no message; clocks of two instances differ by less, tests of a receiver make less
SET_BACK: Final = timedelta(minutes=5)


class Limit(Struct, frozen=True):
    """At most `burst` messages at once, and one more for each `every` that has passed.

    As it is, 20 in any minute: what the robots of DingTalk and WeCom take before they block for ten minutes.
    """

    burst: int = 10
    every: timedelta = timedelta(seconds=6)

    def left(self, full_at: datetime | None, now: datetime) -> int:
        """How many messages may go now."""
        if full_at is None or full_at <= now or self._ahead(full_at, now):
            return self.burst
        used = -((now - full_at) // self.every)
        return max(0, self.burst - used)

    def free_at(self, full_at: datetime | None, now: datetime) -> datetime | None:
        """From when on a message may go; None: at any time."""
        if full_at is None or self._ahead(full_at, now):
            return None
        return full_at - (self.burst - 1) * self.every

    def spent(self, full_at: datetime | None, now: datetime) -> datetime:
        """When it is full again, after one more message."""
        if full_at is None or self._ahead(full_at, now):
            full_at = now
        return max(full_at, now) + self.every

    def _ahead(self, full_at: datetime, now: datetime) -> bool:
        """So far off that the clock was set back, or the file has another limit now: nobody waits for that."""
        return full_at > now + self.burst * self.every + SET_BACK


def retries(schedule: Sequence[timedelta], *, can_fall_over: bool, dead: bool) -> Sequence[timedelta]:
    """After which times a message is tried again. A dead channel that another one stands in for gets one attempt each."""
    if not can_fall_over:
        return schedule
    return () if dead else schedule[:RETRIES_BEFORE_ANOTHER]


def delay(wait: timedelta, asked: timedelta | None, seed: str) -> timedelta:
    """How long to wait really: a little less, by chance, unless the other side `asked` for longer. `seed`: of the chance."""
    chance = zlib.crc32(seed.encode()) / 2**32
    return max(wait * (1 - JITTER * chance), min(asked or timedelta(0), LONGEST_RETRY_AFTER))


def instead_of(receiver: str, then: Mapping[str, str], avoid: str = "") -> str:
    """Who is told instead of `receiver`; "": nobody. `avoid`: the receiver whom the message is about."""
    seen = {receiver}
    found = then.get(receiver, "")
    while found == avoid != "" and found not in seen:
        seen.add(found)
        found = then.get(found, "")
    return "" if found in seen else found


def falls_over_to(receiver: str, other: str, then: Mapping[str, str]) -> bool:
    """Whether what `receiver` does not take may end at `other`."""
    seen: set[str] = set()
    while receiver and receiver not in seen:
        seen.add(receiver)
        receiver = then.get(receiver, "")
        if receiver == other:
            return True
    return False


def who_hears(receivers: Sequence[str], then: Mapping[str, str], about: str) -> list[str]:
    """Who of `receivers` is told that `about`, a receiver, cannot be reached: not it, nor who falls over to it.

    With nobody left whom it falls over to is told, else those who fall over to it: they may well be reached themselves.
    """
    if not about:
        return list(receivers)
    others = [name for name in receivers if name != about]
    apart = [name for name in others if not falls_over_to(name, about, then)]
    if apart:
        return apart
    successor = instead_of(about, then)
    if successor and not falls_over_to(successor, about, then):
        return [successor]
    return others


def loop_in(then: Mapping[str, str]) -> str:
    """A receiver that falls over to itself in the end; "" when there is none."""
    return next((name for name in then if falls_over_to(name, name, then)), "")
