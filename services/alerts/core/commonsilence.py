"""Whether sites fell silent together: one cause, such as an ingest that is dead, is one trouble and not one for each site. Pure.

A site is silent with another one when both were heard last at about the same time. While one site speaks, ingest lives: then the
rest must be many to be one trouble. It follows from when sites were heard alone, on which all instances of the service agree to
a second or so; what stands already stands as long as its sites do, so none of them ends what another one has raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

ALL: Final = "ingest_silent"
MANY: Final = "sites_silent"
COMMON: Final = (ALL, MANY)  # the weightier first

TOGETHER: Final = timedelta(
    seconds=10
)  # a site that speaks is heard each second, a quiet one beside a busy one every few
LEAST_MANY: Final = 3


class Quiet(Struct, frozen=True):
    """A site that was heard once: when last, from when on its silence counts, and after how long it is trouble."""

    heard: datetime
    since: datetime
    limit: timedelta

    @property
    def trouble_at(self) -> datetime:
        return self.since + self.limit

    @property
    def slack(self) -> timedelta:
        """By how much two last words of one time may differ: always less than what makes silence."""
        return min(TOGETHER, self.limit / 3)


class Together(Struct, frozen=True):
    """`sites` fell silent together, by `rule`; `started`: the last that was heard of any, `raised`: when that was trouble."""

    rule: str
    sites: tuple[str, ...]
    started: datetime
    raised: datetime


def fallen(sites: Mapping[str, Quiet], now: datetime) -> Together | None:
    """What has become trouble now. `sites`: those that are to be heard, without those that are silent for themselves."""
    found = [_with(one, sites) for one in sites.values() if now > one.trouble_at]
    for rule in COMMON:
        for names in sorted(found, key=lambda names: (-len(names), sorted(names))):
            if holds(rule, len(names), len(sites)):
                overdue = [sites[name].trouble_at for name in names if now > sites[name].trouble_at]
                started = max(sites[name].heard for name in names)
                return Together(rule, tuple(sorted(names)), started, min(overdue))
    return None


def still_silent(started: datetime, sites: Mapping[str, Quiet]) -> tuple[str, ...]:
    """Those that were not heard since a common silence that `started` then."""
    return tuple(sorted(name for name, one in sites.items() if one.heard <= started + one.slack))


def holds(rule: str, silent: int, expected: int) -> bool:
    """Whether so many of so many sites are one trouble: all of at least two; or at least three and more than half."""
    if rule == ALL:
        return silent == expected >= 2
    return silent >= LEAST_MANY and 2 * silent > expected


def _with(one: Quiet, sites: Mapping[str, Quiet]) -> frozenset[str]:
    """Who was heard last when `one` was."""
    return frozenset(
        name for name, other in sites.items() if abs(other.heard - one.heard) <= min(one.slack, other.slack)
    )
