"""Canonical events: what happened on a floor, in the past tense, the same for every switch.

One class per fact. On the wire each is a CloudEvents 1.0 JSON object whose `type` is `floorwatch.<kind>.v1` and whose
`data` is the class below; `shared.codec` reads and writes them. The words are those of CSTA (ECMA-269) and of ACDs.

Ids (`agent_id`, `call_id`, `leg_id`, `transfer_id`) are unique within a site and for as long as the thing lives.
Times are the switch's clock (`Event.time`), aware UTC.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from shared.envelope import Data, Envelope, Index, Moment, Place, beyond, data_types_of, envelopes_for

Direction = Literal["inbound", "outbound", "internal"]
Provenance = Literal["observed", "inferred"]
PrecisionMs = Annotated[int, Meta(ge=0, le=3_600_000)]  # a clock that shows hours; a coarser one is a mistake
Jump = Annotated[float, Meta(ge=-1e10, le=1e10)]  # three centuries, so that a time moved by it still is one


# ---------------------------------------------------------------- the link to the switch


class LinkUp(Data, frozen=True):
    """A connector is logged in to its switch and hears it. Until then, and after `LinkDown`, the site has no data."""

    connector: str
    switch: str = ""  # what the switch says it is, for people
    simulated: bool = False  # a made-up floor; every screen says so
    replay: bool = False  # a recording played back; every screen says so
    speed: float = 1.0  # seconds of switch time in one of ours; other than 1 only for simulated floors and replays
    resumed: bool = False  # it was not heard for a while and lost nothing: what is known still holds


class LinkDown(Data, frozen=True):
    """The connector no longer hears its switch; what the board shows is from before."""

    connector: str
    reason: str = ""


class Clock(Data, frozen=True):
    """The switch's time now (the event's own `time`). Written by ingest, carries no position, moves timers only."""

    skew_s: float = 0.0  # our clock minus the switch's, seconds, smallest seen lately
    speed: float = 1.0  # as in `LinkUp`
    jump: Place = -1  # `rawoffset` of the last `ClockJumped` that it knows of; one not read yet makes the mark unusable


class ClockJumped(Data, frozen=True):
    """The switch's clock was set: times from this event on are `by_s` later than they would have been, this event's first.

    Written by ingest once it is sure; what came before, it put on the old clock. What runs on the floor did not take that
    much longer: its times move with the clock.
    """

    by_s: Jump  # negative when it was set back


class Snapshot(Data, frozen=True):
    """What exists at the switch now, by id, asked for by the connector. What we know and it does not name is a ghost.

    A part that is null was not asked for; any other is of the whole site, also where several connectors share it. The events
    that the listing itself makes true come before it.
    """

    connector: str
    agents: tuple[str, ...] | None = None  # logged on
    calls: tuple[str, ...] | None = None
    legs: tuple[str, ...] | None = None
    queues: dict[str, tuple[str, ...]] | None = None  # queue -> its waiting calls; others were not asked for


# ---------------------------------------------------------------- agents: what they declared


class AgentSeen(Data, frozen=True):
    """Evidence of an agent without a change, such as a heartbeat: what is shown still holds.

    With `lease_s` the source promises to speak of this agent again within that many seconds; if it does not, nobody knows.
    """

    agent_id: str
    lease_s: float | None = None  # the promise, in seconds; null when there is none


class AgentLoggedOn(Data, frozen=True):
    """The agent logged on, and is ready unless `AgentNotReady` follows.

    Sent again with the whole truth when name, team or queues change: that is not a second log-on and changes no state.
    """

    agent_id: str
    name: str = ""
    team: str = ""
    queues: tuple[str, ...] = ()  # queues the agent serves now


class AgentLoggedOff(Data, frozen=True):
    agent_id: str


class AgentReady(Data, frozen=True):
    """The agent declared to be available for calls. Ends a wrap that has no `until`."""

    agent_id: str


class AgentNotReady(Data, frozen=True):
    """The agent declared a break (pause, auxiliary state)."""

    agent_id: str
    reason: str = ""


class WrapStarted(Data, frozen=True):
    """After-call work began. With `until` the engine ends it then (a timer); without, at `WrapEnded` or `AgentReady`."""

    agent_id: str
    call_id: str = ""
    queue: str = ""
    until: Moment | None = None

    def __post_init__(self) -> None:
        if self.until is not None and (why := beyond(self.until)):
            raise ValueError(why)


class WrapEnded(Data, frozen=True):
    agent_id: str


# ---------------------------------------------------------------- calls and their legs


class CallStarted(Data, frozen=True):
    """A call exists. Calls first heard of by another event are adopted without it."""

    call_id: str
    direction: Direction = "inbound"
    from_number: str = ""
    to_number: str = ""
    attributes: dict[
        str, str
    ] = {}  # what else the switch says of it, such as priority or service; at most 20 short texts


class CallQueued(Data, frozen=True):
    """The call entered a queue: a queue visit begins. A call can visit several, one after the other."""

    call_id: str
    queue: str
    from_number: str = ""
    position: Index | None = None  # 1 is next


class CallDequeued(Data, frozen=True):
    """The queue visit ended.

    `answered`: an agent has it. `abandoned`: the customer left. `timed_out`, `overflowed`: the queue gave it up.
    `cleared`: the switch ended it. `moved`: taken out by a person or a rule.
    """

    call_id: str
    queue: str
    reason: Literal["answered", "abandoned", "timed_out", "overflowed", "cleared", "moved"]
    agent_id: str = ""  # who answered; where it is not said, the first agent whose leg ends


class LegStarted(Data, frozen=True):
    """A phone of an agent (`agent_id` "": of nobody knows whom) takes part in a call, first by ringing or by dialling.

    `role` is `agent` for the customer's conversation, `consult` for a conversation between colleagues on the way to a
    transfer (on the transferring side), `internal` for any other call between colleagues, a consulted one's included.
    `state` is `ringing` when this phone alerts, `dialing` when this phone placed the call and waits for the other.
    """

    call_id: str
    leg_id: str
    agent_id: str
    role: Literal["agent", "consult", "internal"] = "agent"
    state: Literal["ringing", "dialing", "talking"] = "ringing"
    queue: str = ""  # the queue that offers the call
    peer: str = ""  # the other party's number, or agent


class LegAnswered(Data, frozen=True):
    """Both ends can talk."""

    call_id: str
    leg_id: str


class LegHeld(Data, frozen=True):
    """The agent put the other party on hold."""

    call_id: str
    leg_id: str


class LegRetrieved(Data, frozen=True):
    call_id: str
    leg_id: str


class LegMoved(Data, frozen=True):
    """The leg is now part of another call, as the consulted agent's is when an attended transfer completes."""

    leg_id: str
    call_id: str  # the call it is part of from now on
    from_call_id: str = ""
    role: Literal["agent", "consult", "internal"] = "agent"
    peer: str = ""


class LegCleared(Data, frozen=True):
    call_id: str
    leg_id: str
    cause: Literal[
        "hangup", "no_answer", "busy", "declined", "cancelled", "answered_elsewhere", "transferred", "failed"
    ] = "hangup"


class CallCleared(Data, frozen=True):
    """The call is over for everybody; legs and queue visits still open end with it."""

    call_id: str
    cleared_by: Literal["customer", "agent", "switch", ""] = ""


# ---------------------------------------------------------------- transfers, timed in legs


class TransferRequested(Data, frozen=True):
    """The agent asked for the transfer: the clock of the 7 s rule starts (`requested`).

    Sent again for the same `transfer_id` when its kind or target becomes known later; that starts no clock anew.
    """

    transfer_id: str
    call_id: str
    kind: Literal["blind", "attended", "queue"]
    from_agent: str
    to_agent: str = ""
    to_queue: str = ""
    to_number: str = ""


class TransferRinging(Data, frozen=True):
    """The target's phone alerts (`ringing`)."""

    transfer_id: str
    to_agent: str = ""


class TransferAnswered(Data, frozen=True):
    """The target answered (`answered`)."""

    transfer_id: str
    to_agent: str = ""


class TransferBridged(Data, frozen=True):
    """Customer and target share media (`bridged`): the transfer is complete and its total is known."""

    transfer_id: str
    to_agent: str = ""


class TransferReleased(Data, frozen=True):
    """The agent who asked is out of the conversation (`released`)."""

    transfer_id: str


class TransferEnded(Data, frozen=True):
    """The transfer ended without customer and target ever sharing media: a case of its own, not a missing value."""

    transfer_id: str
    outcome: Literal["failed", "cancelled", "abandoned"]  # cancelled: by the agent; abandoned: the customer left
    reason: str = ""


# ---------------------------------------------------------------- listening


class ListenStarted(Data, frozen=True):
    """Somebody listens to an agent's phone or a call. Such a leg is never a call and counts in no figure."""

    listen_id: str
    agent_id: str = ""
    call_id: str = ""
    listener: str = ""
    ticket: str = ""  # the `fork_id` of the order that this listener belongs to; "" where none of ours can be told


class ListenEnded(Data, frozen=True):
    listen_id: str


# ---------------------------------------------------------------- what became of commands


class CommandAnswered(Data, frozen=True):
    """What a connector did with a command from `switch.commands`.

    `taken` is said before the switch is asked, so that what follows on the switch can be told from what nobody ordered; then
    `done` or `failed`. `refused`: it cannot be carried out here. `expired`: it came too late to be carried out. No word of the
    switch: `time` is its clock as far as that is known, else ours, and says nothing of it.
    """

    command_id: str
    action: str  # the kind of the command, such as `listen_start`
    outcome: Literal["taken", "done", "failed", "refused", "expired"]
    reason: str = ""
    fork_id: str = ""
    agent_id: str = ""
    call_id: str = ""


# ---------------------------------------------------------------- the envelope


class Event(Envelope, frozen=True, kw_only=True, omit_defaults=True):
    """One canonical event. Build it with `make`, read it with `shared.codec`.

    `time` is when it happened by the switch's clock, `receivedtime` when a connector heard it, by ours.
    """

    data: Data
    receivedtime: Moment | None = None
    provenance: Provenance = "observed"
    precisionms: PrecisionMs = 0  # resolution of `time`; 0 is better than a millisecond


DATA_TYPES: tuple[type[Data], ...] = data_types_of(__name__)
ENVELOPES: dict[type[Data], type[Event]] = envelopes_for(Event, DATA_TYPES)


def make(data: Data, **envelope: Any) -> Event:
    """The event that carries `data`; the keywords are the fields of `Event`, `specversion` aside."""
    return ENVELOPES[type(data)](data=data, specversion="1.0", **envelope)
