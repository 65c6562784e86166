"""The switch's clock, estimated from what arrives, and the marks that carry it into `floor.events`. Pure.

A switch's stamp can only be late for us, never early. Of all recent records the one that was fastest on its way
tells the offset best, so that

    switch time now = max over recent records of (occurred + (now - received) * speed)

With speed 1 that is the smallest `received - occurred` of the window. Another speed is a simulated floor or a replay.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from services.ingest.running import Running
from shared import events
from shared.clock import EPOCH
from shared.events import Event

_MICROSECOND = timedelta(microseconds=1)

# A mark ahead of an event still on its way would fire a timer that the event was about to stop. 0.1 s covers what a
# connector, the broker and ingest take together on a busy machine; a flag comes that much later and is stamped exactly.
HOLD_BACK_S = 0.1

# "Something runs" for this long after any event: a conversation between two events needs no bookkeeping then.
LIVELY_S = 5.0

# A connector that repeats its LinkUp (a heartbeat) and then falls silent for three beats of the usual 5 s is gone,
# although it could not say so: killed, or its machine or network lost.
SILENCE_S = 15.0


class Link(Struct):
    """What a connector last said of its connection; times in microseconds since 1970."""

    up: bool
    session: str
    data: events.LinkUp | None  # the newest one: what was a replay stays one after its end
    reason: str
    since: int  # switch time
    heard: int  # our time, of any record
    beats: bool = False  # it repeats its LinkUp, so its silence means something


class _State(Struct):
    links: dict[str, Link] = {}
    speed: float = 1.0
    base: int = 0  # received of the first sample: keeps the sums below exact
    samples: list[tuple[int, float]] = []  # received, occurred - speed * (received - base); the second falls
    rough: bool = True  # samples hold only a link record's time, which may be our clock
    running: Running = msgspec.field(default_factory=Running)
    received: int = 0  # newest event, our time
    last_mark: int = 0


class SiteClock:
    """One site's links, clock estimate and marks."""

    def __init__(self, site: str, *, window_s: float = 60.0, mark_s: float = 0.05, idle_mark_s: float = 1.0) -> None:
        self.site = site
        self._window = round(window_s * 1e6)
        self._mark_s = mark_s
        self._idle_mark_s = idle_mark_s
        self._state = _State()

    @property
    def links(self) -> dict[str, Link]:
        """By connector."""
        return self._state.links

    @property
    def made_up(self) -> bool:
        """The switch's time is not a clock on a wall: a simulated floor or a replay."""
        return any(link.data is not None and (link.data.simulated or link.data.replay) for link in self.links.values())

    def heard(self, connector: str, received: datetime) -> None:
        """A record of this connector arrived, whatever was in it."""
        link = self._state.links.get(connector)
        if link is not None:
            link.heard = max(link.heard, _micros(received))

    def is_heartbeat(self, connector: str, session: str, data: events.LinkUp) -> bool:
        """True when the connector only repeats what it said in this session; noted, and no event."""
        link = self._state.links.get(connector)
        if link is None or not link.up or link.session != session or link.data != data:
            return False
        link.beats = True
        return True

    def observe(self, event: Event, session: str = "") -> None:
        """Learn from an event that goes to `floor.events`."""
        state = self._state
        occurred = _micros(event.time)
        received = _micros(event.receivedtime) if event.receivedtime is not None else occurred
        data = event.data
        if isinstance(data, events.LinkUp | events.LinkDown):
            self._link(data, session, occurred, received)
        elif state.rough:
            state.samples.clear()
            state.rough = False
            state.last_mark = 0  # marks until now may have been by our clock
        if not isinstance(data, events.LinkDown) and not (state.rough and state.samples and occurred == received):
            self._sample(occurred, received)
        state.received = max(state.received, received)
        state.running.observe(event.time, data)

    def now(self, wall: datetime) -> datetime | None:
        """The switch's time when ours is `wall`; None while nothing is known."""
        found = self._now(_micros(wall))
        return None if found is None else _time(found)

    def skew_s(self, wall: datetime) -> float | None:
        """Our clock minus the switch's, seconds; None while nothing is known."""
        found = self._now(_micros(wall))
        return None if found is None else (_micros(wall) - found) / 1e6

    def link_is_up(self, wall: datetime) -> bool:
        """Some connector hears the switch, as far as we can tell at `wall`."""
        return any(link.up and not _silent(link, _micros(wall)) for link in self._state.links.values())

    def is_silent(self, connector: str, wall: datetime) -> bool:
        """The connector's heartbeat has stopped without a word."""
        link = self._state.links.get(connector)
        return link is not None and link.up and _silent(link, _micros(wall))

    def interval_s(self, wall: datetime) -> float:
        """Our seconds until the next mark is due: short while anything runs."""
        state = self._state
        lively = bool(state.running.open) or _micros(wall) - state.received < LIVELY_S * 1e6
        return self._mark_s if lively else self._idle_mark_s

    def mark(self, wall: datetime) -> Event | None:
        """The mark at `wall`; None while the link is down, nothing is known, or the switch's time has not moved on."""
        state = self._state
        if not self.link_is_up(wall):
            return None
        at = self._now(_micros(wall) - round(HOLD_BACK_S * 1e6))
        skew = self.skew_s(wall)
        if at is None or skew is None or at <= state.last_mark:
            return None
        state.last_mark = at
        state.running.expire(_time(at))
        return events.make(
            events.Clock(skew_s=round(skew, 6), speed=state.speed),
            id=f"{self.site}:clock:{at}",
            source=f"/sites/{self.site}/clock",
            site=self.site,
            time=_time(at),
            receivedtime=wall,
        )

    def dump(self) -> bytes:
        """The whole state, for the checkpoint."""
        return msgspec.msgpack.encode(self._state)

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave."""
        self._state = msgspec.msgpack.decode(state, type=_State)

    def _link(self, data: events.LinkUp | events.LinkDown, session: str, occurred: int, received: int) -> None:
        state = self._state
        up = isinstance(data, events.LinkUp)
        before = state.links.get(data.connector)
        state.links[data.connector] = Link(
            up=up,
            session=session,
            data=data if isinstance(data, events.LinkUp) else before.data if before else None,
            reason=data.reason if isinstance(data, events.LinkDown) else "",
            since=occurred,
            heard=received,
        )
        if isinstance(data, events.LinkUp):
            if data.speed != state.speed or occurred != received:
                state.samples.clear()
            state.speed = data.speed
            state.rough = True  # the switch's clock may have been set meanwhile: its first event tells
        elif not any(link.up for link in state.links.values()):
            state.running.clear()

    def _sample(self, occurred: int, received: int) -> None:
        state = self._state
        if not state.samples:
            state.base = received
        value = occurred - state.speed * (received - state.base)
        while state.samples and state.samples[-1][1] <= value:
            state.samples.pop()
        state.samples.append((received, value))
        oldest = received - self._window
        while len(state.samples) > 1 and state.samples[0][0] < oldest:
            state.samples.pop(0)

    def _now(self, wall: int) -> int | None:
        state = self._state
        if not state.samples:
            return None
        return round(state.samples[0][1] + state.speed * (wall - state.base))


def _silent(link: Link, wall: int) -> bool:
    return link.beats and wall - link.heard > SILENCE_S * 1e6


def _micros(when: datetime) -> int:
    return (when - EPOCH) // _MICROSECOND


def _time(micros: int) -> datetime:
    return (EPOCH + timedelta(microseconds=micros)).astimezone(UTC)
