"""A busy floor whose truth is known: so many events a second, among them transfers, some of them slow.

    plan = Plan(["north", "south"], rate=5000, lasts_s=12)
    async with pouring(plan, Canonical(bus)) as load:       # in real time, from now on
        ...
    plan.slow                                               # transfer id -> when it must be flagged, the floor's clock

What happens is a function of the plan alone. Transfers that were asked for before the floor is watched are part of it, so that
some become slow from the first moment on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from shared import events, topics
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.codec import encode
from shared.envelope import Data
from shared.errors import BusError
from shared.raw import Raw

LIMIT_S: Final = 7.0  # of the rule slow_transfer that ships
SLOW_S: Final = 8.25  # what a slow transfer takes here
QUICK_S: Final = 2.0
_CALL_EVENTS: Final = 9
_CALL_LASTS_S: Final = 5.0
_TRANSFERS_A_SECOND: Final = 20.0  # every other one is slow, while there is time for that
_STEP_S: Final = 0.02
_MARK_S: Final = 0.05
_HOLD_BACK_S: Final = 0.1


class Happening(NamedTuple):
    """`at_s` is the floor's clock, from the beginning of the load on."""

    at_s: float
    number: int
    site: str
    data: Data


class Plan:
    """What happens on `sites`, `rate` events a second for all of them together."""

    def __init__(
        self, sites: list[str], *, rate: float, lasts_s: float, transfers_a_second: float = _TRANSFERS_A_SECOND
    ) -> None:
        self.sites = sites
        self.rate = rate
        self.lasts_s = lasts_s
        self._transfers_a_second = transfers_a_second
        self.slow: dict[str, float] = {}
        self._number = 0
        self.happenings = sorted(self._all())

    @property
    def ends_s(self) -> float:
        """When the last thing happens."""
        return self.happenings[-1].at_s

    def _all(self) -> Iterator[Happening]:
        for site in self.sites:
            yield self._at(-10.0, site, events.LinkUp(connector="load"))
        calls = int(self.rate * self.lasts_s / _CALL_EVENTS)
        for number in range(calls):
            site = self.sites[number % len(self.sites)]
            yield from self._call(number, number * self.lasts_s / calls, site)
        each = self._transfers_a_second
        for number in range(round(-(LIMIT_S - 0.2) * each), round(self.lasts_s * each)):
            at_s = number / each
            yield from self._transfer(number, at_s, slow=number % 2 == 0 and at_s + LIMIT_S <= self.lasts_s)

    def _call(self, number: int, at_s: float, site: str) -> Iterator[Happening]:
        agents = int(self.rate / _CALL_EVENTS * (_CALL_LASTS_S + 2)) + 1
        call, leg, agent = f"c{number}", f"l{number}", str(1000 + number % agents)
        for after_s, data in (
            (0.0, events.CallStarted(call_id=call)),
            (0.0, events.CallQueued(call_id=call, queue="sales")),
            (0.4, events.LegStarted(call_id=call, leg_id=leg, agent_id=agent)),
            (0.9, events.LegAnswered(call_id=call, leg_id=leg)),
            (0.9, events.CallDequeued(call_id=call, queue="sales", reason="answered", agent_id=agent)),
            (2.5, events.LegHeld(call_id=call, leg_id=leg)),
            (3.5, events.LegRetrieved(call_id=call, leg_id=leg)),
            (_CALL_LASTS_S, events.LegCleared(call_id=call, leg_id=leg)),
            (_CALL_LASTS_S, events.CallCleared(call_id=call)),
        ):
            yield self._at(at_s + after_s, site, data)

    def _transfer(self, number: int, at_s: float, *, slow: bool) -> Iterator[Happening]:
        site = self.sites[number // 2 % len(self.sites)]
        transfer, call, agent = f"t{number}", f"tc{number}", f"x{number % 400}"
        yield self._at(at_s, site, events.CallStarted(call_id=call))
        request = events.TransferRequested(transfer_id=transfer, call_id=call, kind="blind", from_agent=agent)
        yield self._at(at_s, site, request)
        over_s = at_s + (SLOW_S if slow else QUICK_S)
        yield self._at(over_s, site, events.TransferBridged(transfer_id=transfer, to_agent="9"))
        yield self._at(over_s + 0.5, site, events.CallCleared(call_id=call))
        if slow:
            self.slow[transfer] = at_s + LIMIT_S

    def _at(self, at_s: float, site: str, data: Data) -> Happening:
        self._number += 1
        return Happening(round(at_s, 3), self._number, site, data)


class Outlet(Protocol):
    """Where the load goes."""

    async def happens(self, what: Happening, time: datetime) -> None: ...

    async def mark(self, site: str, time: datetime, speed: float) -> None: ...

    async def flush(self) -> None: ...


class Canonical:
    """To `floor.events`, as ingest would write it; each site has a partition of `switch.raw` of its own."""

    def __init__(self, bus: Bus, sites: list[str]) -> None:
        self._bus = bus
        self._numbers = {site: number for number, site in enumerate(sites)}
        self._offsets = dict.fromkeys(sites, 0)
        self._unflushed: list[tuple[str, bytes]] = []

    async def happens(self, what: Happening, time: datetime) -> None:
        offset = self._offsets[what.site]
        self._offsets[what.site] = offset + 1
        made = events.make(
            what.data,
            id=f"{what.site}:{offset}",
            source="/load",
            site=what.site,
            time=time,
            rawpartition=self._numbers[what.site],
            rawoffset=offset,
        )
        self._unflushed.append((what.site, encode(made)))

    async def mark(self, site: str, time: datetime, speed: float) -> None:
        mark = events.make(events.Clock(speed=speed), id="", source="/load", site=site, time=time)
        self._unflushed.append((site, encode(mark)))

    async def flush(self) -> None:
        """Raises BusError; what was not acknowledged is sent again the next time, with the same positions."""
        for site, value in self._unflushed:
            await self._bus.publish(topics.FLOOR_EVENTS, value, key=site)
        await self._bus.flush()
        self._unflushed.clear()


class FromTheSwitch:
    """To `switch.raw`, as a connector of the vendor `generic` would write it. Ingest makes the marks."""

    def __init__(self, bus: Bus, sites: list[str]) -> None:
        self._bus = bus
        self._seq = dict.fromkeys(sites, 0)
        self._unflushed: list[Raw] = []

    async def happens(self, what: Happening, time: datetime) -> None:
        is_link = isinstance(what.data, events.LinkUp)
        seq = self._seq[what.site]
        self._seq[what.site] = seq + 1
        made = events.make(what.data, id=f"{what.site}:{seq}", source="/load", site=what.site, time=time)
        raw = Raw(
            value=encode(made),
            vendor="generic",
            site=what.site,
            connector="load",
            received=time,
            kind="link" if is_link else "event",
            session="one",
            seq=seq,
        )
        self._unflushed.append(raw)

    async def mark(self, site: str, time: datetime, speed: float) -> None:
        pass

    async def flush(self) -> None:
        """Raises BusError; what was not acknowledged is sent again the next time, with the same numbers."""
        for raw in self._unflushed:
            await self._bus.publish(topics.SWITCH_RAW, raw.value, key=raw.site, headers=raw.headers())
        await self._bus.flush()
        self._unflushed.clear()


class Planned(Protocol):
    """What is to happen, in its order."""

    sites: list[str]

    @property
    def happenings(self) -> Sequence[Happening]: ...


class Load:
    """A plan while it happens. `began` is the floor's and our time of its second 0; `latest_s`: how late the broker had something
    at most, of what the plan has after that second."""

    def __init__(self, plan: Planned, outlet: Outlet, clock: Clock) -> None:
        self.plan = plan
        self.outlet = outlet
        self.clock = clock
        self.began = clock.now()
        self.poured = 0
        self.latest_s = 0.0
        self.done = asyncio.Event()

    def at(self, at_s: float) -> datetime:
        """The floor's clock at this second of the plan."""
        return self.began + timedelta(seconds=at_s)

    def now_s(self) -> float:
        """Which second of the plan it is."""
        return (self.clock.now() - self.began).total_seconds()

    async def until(self, at_s: float) -> None:
        """Wait for a second of the plan."""
        await self.clock.sleep(at_s - self.now_s())

    async def run(self) -> None:
        """Pour, then mark the time for ever. A broker that is away is waited for, as a connector does."""
        plan = self.plan.happenings
        marked = -1.0
        flushed = 0  # of the plan
        while True:
            now_s = self.now_s()
            while self.poured < len(plan) and plan[self.poured].at_s <= now_s:
                what = plan[self.poured]
                await self.outlet.happens(what, self.at(what.at_s))
                self.poured += 1
            if now_s - marked >= _MARK_S:
                marked = now_s
                for site in self.plan.sites:
                    await self.outlet.mark(site, self.at(now_s - _HOLD_BACK_S), 1.0)
            with contextlib.suppress(BusError):
                await self.outlet.flush()
                if flushed < self.poured:
                    self.latest_s = max(self.latest_s, self.now_s() - max(0.0, plan[flushed].at_s))
                    flushed = self.poured
                if self.poured == len(plan):
                    self.done.set()
            await self.clock.sleep(_STEP_S)


@contextlib.asynccontextmanager
async def pouring(plan: Planned, outlet: Outlet) -> AsyncIterator[Load]:
    """The plan happens from now on, until the end of the block."""
    load = Load(plan, outlet, SystemClock())
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
