"""Commands to a switch, on the topic `switch.commands`: CloudEvents, keyed by site, carried out by the site's connector.

A command is carried out once, and answered by `shared.events.CommandAnswered`. One that is read after `expires` is answered
`expired` and not carried out: nobody waits for it any more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import Meta

from shared.codec import decode
from shared.envelope import Data, Envelope, data_types_of, envelopes_for

Mode = Literal["listen", "whisper", "barge"]
Side = Literal["agent", "customer"]


class ListenStart(Data, frozen=True):
    """Fork a call's sound to `media`. The switch's listening leg is named after `fork_id`, so that it can be told from others.

    `side`: whose channel is tapped. The agent's ends with the agent's part in the call; the customer's survives transfers.
    `audio` `split`: two channels, the tapped party's own voice left and what it hears right; `mixed`: both in one.
    A fork that `speaks` can be switched to whisper (the tapped party alone hears it) and barge (both do): it taps the agent's
    channel and is mixed.
    """

    fork_id: str  # UUID
    call_id: str
    leg_id: str  # the agent's leg; "" when the customer's channel is tapped and no agent is in the call
    agent_id: str
    side: Side
    audio: Literal["split", "mixed"]
    media: str  # where the sound goes: audiosocket://host:port
    speaks: bool = False
    mode: Mode = "listen"  # in which it begins


class ListenMode(Data, frozen=True):
    """Switch a fork that speaks to another mode, without a new leg."""

    fork_id: str
    mode: Mode


class ListenStop(Data, frozen=True):
    """End the fork's leg. One that is over is `done`."""

    fork_id: str


class AgentPause(Data, frozen=True):
    """Make the agent not ready, in one queue or, with "", in all."""

    agent_id: str
    queue: str = ""
    reason: str = ""


class AgentUnpause(Data, frozen=True):
    """Make the agent ready."""

    agent_id: str
    queue: str = ""


class AgentLogoff(Data, frozen=True):
    """Take the agent out of one queue or, with "", of all."""

    agent_id: str
    queue: str = ""


class Resync(Data, frozen=True):
    """Ask the switch what there is now: a snapshot follows."""


class Command(Envelope, frozen=True, kw_only=True, omit_defaults=True):
    """One command. `id` is the `command_id` of its answers; `by` is the user who wants it, "" for the service itself."""

    expires: Annotated[datetime, Meta(tz=True)]
    by: str = ""


DATA_TYPES: tuple[type[Data], ...] = data_types_of(__name__)
ENVELOPES: dict[type[Data], type[Command]] = envelopes_for(Command, DATA_TYPES)

_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Union[tuple(ENVELOPES.values())])  # noqa: UP007  (known only at run time)


def make(data: Data, **envelope: Any) -> Command:
    """The command that carries `data`; the keywords are the fields of `Command`, `specversion` aside."""
    return ENVELOPES[type(data)](data=data, specversion="1.0", **envelope)


def decode_command(raw: bytes) -> Command:
    """The command in `raw`. Raises InvalidInput `not_json`, `invalid_event`."""
    return decode(_decoder, raw)
