"""One clock for all packets. Answers to actions carry no Timestamp, and our clock is not the switch's.

A stamp can only be late for us, never early, so of the recent ones the smallest `received - stamp` tells best how far our
clock is ahead. A packet without a stamp happened that much before its receipt.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from services.ingest.adapters.asterisk.model import State
from services.ingest.adapters.asterisk.packet import Packet
from shared.raw import Raw
from shared.timeshift import move_times

WINDOW: Final = timedelta(seconds=60)
# On logging in the answers to our questions come before anything that is stamped. They wait for the first stamp this long;
# the next packet after that, of any kind, lets them go.
LONGEST_WAIT: Final = timedelta(seconds=1)
MOST_WAITING: Final = 20_000
DISORDER: Final = timedelta(milliseconds=500)  # by which packets of the first moment may be older than the first


def learn(state: State, packet: Packet, raw: Raw) -> None:
    """Note how far our clock is from the switch's. In a new session only its own stamps count, once there is one."""
    ahead = raw.received - (packet.time - packet.shift)
    if raw.session != state.session:
        state.session = raw.session
        state.ahead.clear()
    while state.ahead and state.ahead[-1][1] >= ahead:
        state.ahead.pop()
    state.ahead.append((raw.received, ahead))
    while raw.received - state.ahead[0][0] > WINDOW:
        del state.ahead[0]


def place(state: State, packet: Packet) -> None:
    """Put a packet without a stamp on the switch's clock, as far as that is known."""
    if not packet.stamped and state.ahead:
        packet.time -= state.ahead[0][1]


def time_of(state: State, packet: Packet) -> datetime:
    """When the packet was sent, by the switch's clock; `place` has not been called yet."""
    return packet.time if packet.stamped or not state.ahead else packet.time - state.ahead[0][1]


def must_wait(state: State, packet: Packet, raw: Raw) -> bool:
    """Whether this is an answer that came before anything told the switch's clock."""
    if packet.stamped or state.ahead or state.stampless or not packet.headers.get("ActionID"):
        return False
    return not state.waiting or (len(state.waiting) < MOST_WAITING and not _waited(state, raw))


def let_go(state: State, packet: Packet, raw: Raw, *, read_by_us: bool) -> list[Raw]:
    """The answers that need wait no more, now that this packet came.

    News without a stamp means that the switch stamps nothing: then receipt is all we have.
    """
    unstamped_news = read_by_us and not packet.stamped and not packet.headers.get("ActionID")
    state.stampless = not state.ahead and (state.stampless or unstamped_news)
    if not state.waiting or not (state.ahead or state.stampless or _waited(state, raw)):
        return []
    found, state.waiting = state.waiting, []
    return found


def _waited(state: State, raw: Raw) -> bool:
    return bool(state.waiting) and raw.received - state.waiting[0].received >= LONGEST_WAIT


def jumped(state: State, by: timedelta, since: datetime, now: datetime) -> None:
    """The switch's clock was set by `by`: what was noted before `since` by the new clock, moves with it."""
    new_from = since - DISORDER

    def move(at: datetime) -> datetime:
        is_new = at >= new_from and (by > timedelta() or at <= now)
        return at if is_new else at + by

    move_times(state, move, {State: frozenset({"ahead", "waiting"})})
    del state.ahead[:-1]  # the others tell of the old clock
