"""The switch's clock, estimated from what arrives, and the marks that carry it into `floor.events`. Pure.

A switch's stamp can only be late for us, never early. Of all recent records the one that was fastest on its way
tells the offset best, so that

    switch time now = max over recent records of (occurred + (now - received) * speed)

With speed 1 that is the smallest `received - occurred` of the window. Another speed is a simulated floor or a replay. Where the
switch's clock runs slower than ours, that maximum grows old, so the newer half of the samples says how much it has lost since.

A stamp that does not fit is cut to the estimate until it is certain that the clock was set (`jumps`): then `ClockJumped` goes
before the first event of the new clock, and the estimate moves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from services.ingest.holdback import MOST_S
from services.ingest.jumps import LEAST, MOST_CONNECTORS, Jumps, Record
from services.ingest.restamp import Offset, after_jump, on_old_clock
from services.ingest.running import Running
from shared import events
from shared.clock import EPOCH
from shared.envelope import LATEST
from shared.events import Event
from shared.raw import Raw

OnJump = Callable[[timedelta, datetime], None]

_MICROSECOND = timedelta(microseconds=1)
_LATEST = (
    LATEST - EPOCH
) // _MICROSECOND  # whoever stamps it, no time leaves the calendar: a fast floor would, received in 1970

# A mark ahead of an event still on its way would fire a timer that the event was about to stop. This covers what a connector,
# the broker and ingest take together on a busy machine; where events are known to come sooner, `holdback` says less.
HOLD_BACK_S = MOST_S

# "Something runs" for this long after any event: a conversation between two events needs no bookkeeping then.
LIVELY_S = 5.0

# Records without events tell the time as well; one in so long is enough.
SAMPLE_US = 500_000

# A drift shows as ever lower samples, jitter hardly ever as so many in a row; a smaller loss is covered by HOLD_BACK_S, a
# larger one in a second is no drift.
DRIFT_SAMPLES = 10
DRIFT_LEAST_S = 0.05
DRIFT_MOST = 0.1

# A connector receives its records in their order. One received so much before its last tells that our clock was set back.
OUR_LEAST_US = 500_000

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
    jumps: Jumps = msgspec.field(default_factory=Jumps)
    restamped: int = 0  # events whose time did not fit and was cut
    jumped: int = 0  # how often the clock was set
    ours: dict[str, int] = {}  # connector -> received of its last record
    set_back: bool = False  # our clock was, since a record fitted


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

    @property
    def restamped(self) -> int:
        """Events whose time did not fit the switch's clock and was cut to it; only grows."""
        return self._state.restamped

    @property
    def jumped(self) -> int:
        """How often the switch's clock was set; only grows."""
        return self._state.jumped

    def place(self, raw: Raw, found: list[Event], stamp: datetime | None, on_jump: OnJump) -> list[Event]:
        """The events of `raw` as they go out, on the one clock that they all are of; `observe` each of them then.

        `stamp` is what the switch's clock showed, where the record says so. Events that do not fit are cut to our estimate
        and marked inferred. Once it is certain that the clock was set `ClockJumped` comes first, and `on_jump` is told by how
        much, and the first time of the new clock.
        """
        state, received = self._state, _micros(raw.received)
        expected = None if state.rough else self._now(received)
        if expected is None:
            return found
        scale = max(1.0, state.speed)
        if raw.kind == "link":
            told = _told_time(found)
            if told is None or abs(told - expected) <= LEAST * scale:
                return [_in_switch_time(event, expected) for event in found]
            if state.set_back:
                self._set(told, received)
                return found
            return self._jump(raw, found, told - expected, told, told, on_jump)
        if stamp is not None:
            one = Record(received, _micros(stamp), expected, raw.connector)
            if state.jumps.judge(one, scale):
                state.set_back = False
                if not found and received - state.samples[-1][0] > SAMPLE_US:
                    self._sample(one.stamp, received)
                return found  # no time in it is later than its stamp
            if state.jumps.sure(received):
                return self._adopt(raw, found, one, on_jump)
        known = state.jumps.suspicion
        if known is not None and not known.jumped:
            return found
        offset = Offset(expected, state.jumps.least(received) * scale, 0 if known is None else known.gap)
        placed = [on_old_clock(event, offset) for event in found]
        state.restamped += sum(a is not b for a, b in zip(placed, found, strict=True))
        return placed

    def heard(self, connector: str, received: datetime) -> None:
        """A record of this connector arrived, whatever was in it. One received before its last tells that our clock was set."""
        state, at = self._state, _micros(received)
        if at < state.ours.pop(connector, at) - OUR_LEAST_US:
            state.set_back, state.received = True, at
            state.jumps.forget_after(at)
            for link in state.links.values():
                link.heard = min(link.heard, at)
        state.ours[connector] = at
        if len(state.ours) > MOST_CONNECTORS:
            del state.ours[next(iter(state.ours))]
        own = state.links.get(connector)
        if own is not None:
            own.heard = max(own.heard, at)

    def is_heartbeat(self, connector: str, session: str, data: events.LinkUp) -> bool:
        """True when the connector only repeats what it said in this session; noted, and no event."""
        link = self._state.links.get(connector)
        if link is None or not link.up or link.session != session or link.data != data:
            return False
        link.beats = True
        return True

    def observe(self, event: Event, session: str = "") -> None:
        """Learn from an event that goes to `floor.events`; what became of a command is none of the switch's."""
        if isinstance(event.data, events.CommandAnswered):
            return
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
        if not isinstance(data, events.LinkDown | events.ClockJumped) and not (
            state.samples and occurred == received and (state.rough or isinstance(data, events.LinkUp))
        ):
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

    def lag_s(self, time: datetime, wall: datetime) -> float | None:
        """Our seconds since the switch's clock showed `time`, at `wall`; None while nothing is known."""
        found = self._now(_micros(wall))
        return None if found is None else (found - _micros(time)) / 1e6 / self._state.speed

    def bears_out(self, since: datetime, by_s: float) -> bool:
        """Whether what was received since then, when our clock was set ahead by `by_s`, fits the estimate as it is."""
        state = self._state
        if not state.samples or state.jumps.received < _micros(since):
            return False
        return state.samples[0][1] - state.samples[-1][1] < by_s * 1e6 * state.speed / 2

    def mark(self, wall: datetime, hold_back_s: float = HOLD_BACK_S) -> Event | None:
        """The mark at `wall`; None while the link is down, nothing is known, or the switch's time has not moved on."""
        state = self._state
        if not self.link_is_up(wall):
            return None
        at = self._now(_micros(wall) - round(hold_back_s * 1e6))
        skew = self.skew_s(wall)
        if at is None or skew is None or at <= state.last_mark:
            return None
        state.last_mark = at
        state.running.expire(_time(at))
        return events.make(
            events.Clock(skew_s=round(skew, 6), speed=state.speed, jump=state.jumps.position),
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
        still_down = before is not None and not before.up and not up
        state.links[data.connector] = Link(
            up=up,
            session=session,
            data=data if isinstance(data, events.LinkUp) else before.data if before else None,
            reason=data.reason if isinstance(data, events.LinkDown) else "",
            since=before.since if before is not None and still_down else occurred,
            heard=received,
        )
        if isinstance(data, events.LinkUp):
            if data.speed != state.speed or occurred != received or not state.jumps.firm(received):
                state.rough = True  # the first event tells the switch's clock better
                state.jumps.begin_anew()
                if data.speed != state.speed or occurred != received:
                    state.samples.clear()
            state.speed = data.speed
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
        known = state.jumps.suspicion
        if known is not None and known.jumped:
            return  # until it is certain what became of the clock, the old estimate holds
        oldest = received - self._window
        while len(state.samples) > 1 and state.samples[0][0] < oldest:
            state.samples.pop(0)

    def _now(self, wall: int) -> int | None:
        state = self._state
        if not state.samples:
            return None
        return min(max(0, round(self._best() + state.speed * (wall - state.base))), _LATEST)

    def _best(self) -> float:
        """The highest sample, less what the switch's clock has lost since then against ours."""
        samples, speed = self._state.samples, self._state.speed
        first, last = samples[0], samples[-1]
        if len(samples) < DRIFT_SAMPLES:
            return first[1]
        newer = samples[bisect_left(samples, ((first[0] + last[0]) / 2,))]
        lost, span = first[1] - newer[1], newer[0] - first[0]
        if lost < DRIFT_LEAST_S * 1e6 * speed or lost > DRIFT_MOST * speed * span:
            return first[1]
        return newer[1] - lost / span * (last[0] - newer[0])

    def _adopt(self, raw: Raw, found: list[Event], one: Record, on_jump: OnJump) -> list[Event]:
        """What was suspected is the switch's clock now."""
        state = self._state
        known = state.jumps.suspicion
        assert known is not None
        state.jumps.adopt(one)
        if known.jumped and not state.set_back:
            return self._jump(raw, found, known.gap, one.stamp, known.stamp, on_jump)
        state.set_back = False
        self._set(one.expected + known.gap, one.received)  # slower on their way, or our clock was set: not the switch's
        return found

    def _jump(self, raw: Raw, found: list[Event], by: int, at: int, since: int, on_jump: OnJump) -> list[Event]:
        """The clock was set by so much and shows `at` now; `since` is the first time of it that we saw."""
        state, received = self._state, _micros(raw.received)
        expected = self._now(received)
        assert expected is not None
        self._set(expected + by, received)
        state.running.move(timedelta(microseconds=by))
        for link in state.links.values():
            link.since += by
        state.jumps.position = raw.offset
        state.jumped += 1
        on_jump(timedelta(microseconds=by), _time(since))
        return after_jump(raw, found, timedelta(microseconds=by), _time(at))

    def _set(self, expected: int, received: int) -> None:
        """The estimate is this now, and marks begin anew."""
        self._state.samples.clear()
        self._sample(expected, received)
        self._state.last_mark = 0


def _told_time(found: list[Event]) -> int | None:
    """The switch's time where a connector knows it as its link comes up."""
    for event in found:
        if isinstance(event.data, events.LinkUp) and event.time != event.receivedtime:
            return _micros(event.time)
    return None


def _in_switch_time(event: Event, expected: int) -> Event:
    """What became of a command, told by a connector that does not know the switch's clock, by what that shows."""
    if isinstance(event.data, events.CommandAnswered) and event.time == event.receivedtime:
        return msgspec.structs.replace(event, time=_time(expected))
    return event


def _silent(link: Link, wall: int) -> bool:
    return link.beats and wall - link.heard > SILENCE_S * 1e6


def _micros(when: datetime) -> int:
    return (when - EPOCH) // _MICROSECOND


def _time(micros: int) -> datetime:
    return (EPOCH + timedelta(microseconds=micros)).astimezone(UTC)
