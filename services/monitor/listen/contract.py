"""What monitor and relay tell each other: orders on `listen.orders`, reports on `listen.reports`, CloudEvents keyed by site.

A *fork* is one copy of a call's sound that the switch sends to the relay; a *listen* is one person who hears forks, one after the
other. An order says how things are to be, whole, so the newest of each fork and listen is all that a relay needs to know
after a restart. Times are our clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import Meta

from shared.codec import decode
from shared.commands import Mode, Side
from shared.envelope import Data, Envelope, data_types_of, envelopes_for

ListenState = Literal["starting", "live", "waiting", "ended"]
ForkEnd = Literal["closed", "hung_up", "no_sound", "never_came", "bad_audio"]
Leaving = Literal["closed", "lost", "slow", "ended"]
Moment = Annotated[datetime, Meta(tz=True)]  # one without a zone cannot be compared


# ---------------------------------------------------------------- orders: monitor to relay


class ForkOrdered(Data, frozen=True):
    """The switch was or will be told to send this fork; a connection that names another is refused."""

    fork_id: str
    call_id: str
    agent_id: str
    side: Side
    audio: Literal["split", "mixed"]
    speaks: bool
    expires: Moment  # when it is no longer to be waited for, if it did not come


class ForkEnded(Data, frozen=True):
    """Close it: nobody is to hear it any more."""

    fork_id: str
    reason: str


class ListenOrdered(Data, frozen=True):
    """Who hears what now. The order with the greatest `version` counts."""

    listen_id: str
    version: int
    user: str
    state: ListenState
    reason: str  # why it is in this state, one of `model.REASONS`; while live why it only listens again, mostly ""
    mode: Mode
    fork_id: str  # what is heard; "" while there is nothing
    speak_fork_id: str  # where the microphone goes; "" in mode listen
    call_id: str
    agent_id: str
    muted: str  # "": the sound passes; "hold": the site's policy keeps back what is said on hold
    until: Moment  # when the relay ends it whatever happens: moved on every few seconds for as long as it can be written down


# ---------------------------------------------------------------- reports: relay to monitor


class RelayStarted(Data, frozen=True):
    """A relay began anew: the forks and listeners that another `run` of it had are gone."""

    relay: str
    run: str


class ForkUp(Data, frozen=True):
    """The first sound of a fork came."""

    fork_id: str
    relay: str
    run: str
    rate_hz: int
    channels: int


class ForkDown(Data, frozen=True):
    """A fork that was up or expected is over. `closed`: the relay closed it (`detail` says why), `hung_up`: the switch did,
    `no_sound`: it closed before its first frame, `never_came`, `bad_audio`: refused, see `detail`."""

    fork_id: str
    relay: str
    run: str
    how: ForkEnd
    detail: str
    frames: int
    discarded: int
    seconds: float


class ForkRefused(Data, frozen=True):
    """A connection named a fork that nobody ordered, or one that had its connection already."""

    fork_id: str
    relay: str
    peer: str


class ListenerJoined(Data, frozen=True):
    """The browser's connection is there."""

    listen_id: str
    relay: str
    run: str


class ListenerHeard(Data, frozen=True):
    """How much this listener was sent of this fork since it joined it; every few seconds and at its end."""

    listen_id: str
    fork_id: str
    bytes: int
    seconds: float
    discarded: int  # frames that came too late for this listener, or that it did not take in time


class ListenerLeft(Data, frozen=True):
    """The browser's connection is over: `closed` by the listener, `lost` when it fell silent, `slow`, `ended` by an order."""

    listen_id: str
    relay: str
    run: str
    how: Leaving


class Order(Envelope, frozen=True, kw_only=True, omit_defaults=True):
    """One order."""

    time: Moment


class Report(Envelope, frozen=True, kw_only=True, omit_defaults=True):
    """One report."""


ORDER_TYPES: tuple[type[Data], ...] = (ForkOrdered, ForkEnded, ListenOrdered)
REPORT_TYPES: tuple[type[Data], ...] = tuple(kind for kind in data_types_of(__name__) if kind not in ORDER_TYPES)
ORDERS: dict[type[Data], type[Order]] = envelopes_for(Order, ORDER_TYPES)
REPORTS: dict[type[Data], type[Report]] = envelopes_for(Report, REPORT_TYPES)

_orders: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Union[tuple(ORDERS.values())])  # noqa: UP007
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Union[tuple(REPORTS.values())])  # noqa: UP007


def order(data: Data, **envelope: Any) -> Order:
    """The order that carries `data`; the keywords are the fields of the envelope."""
    return ORDERS[type(data)](data=data, specversion="1.0", **envelope)


def report(data: Data, **envelope: Any) -> Report:
    """The report that carries `data`; the keywords are the fields of the envelope."""
    return REPORTS[type(data)](data=data, specversion="1.0", **envelope)


def decode_order(raw: bytes) -> Order:
    """The order in `raw`. Raises InvalidInput."""
    return decode(_orders, raw)


def decode_report(raw: bytes) -> Report:
    """The report in `raw`. Raises InvalidInput."""
    return decode(_reports, raw)
