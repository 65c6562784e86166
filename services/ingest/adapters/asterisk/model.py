"""The adapter's picture of the switch, as plain structs, so that a checkpoint is one encode of one value."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct, field

from shared.raw import Raw

LegState = Literal["ringing", "dialing", "talking", "held"]
Role = Literal["agent", "consult", "internal"]

UP = 6  # AST_STATE_UP
RINGING = 5  # AST_STATE_RINGING: this phone alerts


class Channel(Struct, gc=False):
    """A channel as its events describe it. Times are switch time, shifted. Other channels are named by their Uniqueid."""

    uid: str
    name: str
    linked: str
    created: datetime
    state: int = 0
    number: str = ""  # CallerIDNum
    exten: str = ""
    context: str = ""
    bridge: str = ""
    # who called this channel, and whom it calls
    dialed: bool = False
    parent: str = ""
    children: list[str] = field(default_factory=list)
    dial_status: str = (
        ""  # how the call to this channel ended; the first word counts, a second DialEnd is only clean-up
    )
    got: str = ""  # which of those it called last answered
    last_dial: str = ""  # why the last one it called could not be reached
    queue: str = ""  # the queue that rings it
    member: str = ""  # the agent whom the queue reaches by it
    # what a person did at it
    held: bool = False
    hung_up: bool = False  # its own side asked to end the call
    dropped: bool = False  # the switch did
    hold_at: datetime | None = None
    digit_first: datetime | None = None
    digit_last: datetime | None = None
    code: str = ""  # the first of these digits
    feature_from: datetime | None = None  # first digit of the feature code that put the other side on hold
    unheld: datetime | None = None
    # an attended transfer in which this same channel moves between two bridges
    main_bridge: str = ""
    consult: str = ""  # the channel that stands for the consulted party
    spy: bool = False
    call: str = ""
    app: str = ""  # what it did when a listing named it; only for channels that were there before us
    app_queue: str = ""  # the queue, if that was Queue


class Member(Struct, gc=False):
    """A queue member; `present` false once it was removed."""

    queue: str
    interface: str
    agent_id: str
    name: str = ""
    paused: bool = False
    reason: str = ""
    wrap_up_s: int = 0  # the member's own, 0 for the queue's
    present: bool = True
    told: datetime | None = None  # the last stamp of a word about it: an older word does not count


class Agent(Struct, gc=False):
    """What was last said of an agent."""

    agent_id: str
    name: str = ""
    queues: tuple[str, ...] = ()
    logged_on: bool = False
    paused: bool = False
    reason: str = ""
    members: list[str] = field(default_factory=list)  # keys of its memberships, past ones too
    legs: list[str] = field(default_factory=list)
    wrap_until: datetime | None = None
    completing: list[str] = field(default_factory=list)  # queues whose AgentComplete is still to come though wrap began


class Call(Struct, gc=False):
    """A call: of a customer while any outside party is in it, else internal."""

    call_id: str
    direction: Literal["inbound", "outbound", "internal"]
    started: datetime
    from_number: str = ""
    to_number: str = ""
    members: list[str] = field(default_factory=list)  # outside parties; of an internal call everybody
    legs: list[str] = field(default_factory=list)
    announced: bool = False
    transfers: int = 0
    agent_hung_up: bool = False


class Leg(Struct, gc=False):
    """An agent's phone in a call, as it was last told."""

    leg_id: str
    uid: str
    agent_id: str
    call: str
    role: Role
    state: LegState
    queue: str = ""
    peer: str = ""
    connected: bool = False  # a queue gave this agent the call: wrap follows
    wrapped: bool = False
    transfer: str = ""  # the transfer by which the agent gives the call away


class Kept(Struct, gc=False):
    """What no listing says of a leg that is told anew."""

    queue: str
    connected: bool
    wrapped: bool


class Visit(Struct, gc=False):
    """A channel waiting in a queue."""

    uid: str
    call: str
    queue: str
    joined: datetime
    answered: bool = False
    answered_by: str = ""
    left: datetime | None = None  # it left the queue, and why is not known yet
    told: bool = True  # since the link came up last


class Transfer(Struct, gc=False):
    """A transfer that runs.

    `code`: the agent dialled a feature code, the target is not known yet. `consult`: the agent calls the target or speaks
    with it. `aside`: no more, but the agent is not back with the customer. `pending`: the agent let go.
    """

    transfer_id: str
    kind: Literal["blind", "attended", "queue"]
    agent_id: str
    call: str
    main: str  # the agent's channel in the customer's call
    stage: Literal["code", "consult", "aside", "pending"]
    consult_leg: str = ""
    consult_uid: str = ""
    consult_call: str = ""
    to_agent: str = ""
    to_queue: str = ""
    to_number: str = ""
    ringing: bool = False
    answered: bool = False
    status: str = ""  # how the last attempt to reach the target ended


class Listing(Struct, gc=False):
    """An answer of several packets that is still coming in."""

    action: str
    began: datetime
    items: int = 0
    seen: list[str] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    in_call: list[tuple[str, str]] = field(default_factory=list)  # queue, agent
    wraps: dict[str, tuple[int, float, str]] = field(default_factory=dict)  # agent -> LastCall, wrap-up time, queue


class State(Struct, gc=False):
    """Everything."""

    channels: dict[str, Channel] = field(default_factory=dict)
    bridges: dict[str, list[str]] = field(default_factory=dict)
    locals: dict[str, list[str]] = field(default_factory=dict)  # name up to the `;` -> both halves
    gone: dict[str, None] = field(default_factory=dict)  # lately hung up, so that a late packet revives nothing
    members: dict[str, Member] = field(default_factory=dict)  # "queue\tinterface"
    agents: dict[str, Agent] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    visits: dict[str, Visit] = field(default_factory=dict)
    leaving: dict[str, None] = field(default_factory=dict)  # channels whose visit has `left`
    transfers: dict[str, Transfer] = field(default_factory=dict)
    listens: dict[str, str] = field(default_factory=dict)  # listen id -> spying channel
    spying: dict[str, str] = field(default_factory=dict)  # channels listed as spying, not told yet -> whom, as listed
    extens: dict[str, str] = field(default_factory=dict)  # extension -> the queue it leads to
    told_at: datetime | None = None  # of the last event told, but for listens
    resuming: dict[str, datetime] = field(default_factory=dict)  # channels that Unhold was said of a moment ago
    on_hold: dict[str, None] = field(default_factory=dict)  # devices that said ONHOLD
    in_use: dict[str, None] = field(default_factory=dict)  # devices that said so
    listings: dict[str, Listing] = field(default_factory=dict)
    session: str = ""  # the one that `ahead` is of
    sessions: list[str] = field(default_factory=list)  # the last ones, newest last
    kept: dict[str, Kept] = field(default_factory=dict)  # of legs to be told anew
    ahead: list[tuple[datetime, timedelta]] = field(
        default_factory=list
    )  # received, how far our clock is ahead; rising
    drifts: bool = False  # its headers are spelt in another case than ours
    stampless: bool = False  # the switch puts no Timestamp on its news
    waiting: list[Raw] = field(default_factory=list)  # answers that came before anything told the switch's clock
    recent: dict[int, None] = field(default_factory=dict)  # digests of the last stamped packets
