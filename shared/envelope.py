"""The CloudEvents 1.0 envelope that events and facts share: one tagged class per kind, decoded in a single pass."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

# Of any switch, simulated floor or recording. What lies outside is a broken clock or an attack, and sums with it might leave
# the calendar.
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

Moment = Annotated[datetime, Meta(tz=True)]
Place = Annotated[int, Meta(ge=-1, le=2**63 - 1)]  # no longer than Kafka's own, nor than a checkpoint can hold
Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of every payload. An undeclared field is an error: it is a misspelling or another version.

    `gc=False` here and in the envelope: they are made by the thousand, form no cycles, and the collector would walk them all.
    """


def beyond(when: datetime) -> str:
    """Why this is no time of ours; "" when it is one."""
    return "" if EARLIEST <= when <= LATEST else f"{when.isoformat()} is not between {EARLIEST.year} and {LATEST.year}"


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What every message on `floor.*` carries beside its `data`.

    `rawpartition`, `rawoffset` and `rawindex` are its position: the record of `switch.raw` that caused it, and which of
    that record's products it is. A replay makes the same products with the same positions and ids, so a consumer
    drops a position it has passed. -1 means that it has none.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    site: str
    time: Moment
    data: Data
    rawpartition: Place = -1
    rawoffset: Place = -1
    rawindex: Index = 0
    traceparent: str = ""  # of flags: what they go back to, `shared.tracing`


E = TypeVar("E", bound=Envelope)


def kind_of(data_type: type[Data]) -> str:
    """`CallQueued` -> `call_queued`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", data_type.__name__).lower()


def cloud_type(data_type: type[Data]) -> str:
    """The CloudEvents `type` of a payload: `floorwatch.call_queued.v1`."""
    return f"floorwatch.{kind_of(data_type)}.v1"


def data_types_of(module: str) -> tuple[type[Data], ...]:
    """The payload classes that `module` defines, in the order in which it does."""
    members = vars(sys.modules[module]).values()
    return tuple(m for m in members if isinstance(m, type) and issubclass(m, Data) and m.__module__ == module)


def envelopes_for(base: type[E], data_types: Iterable[type[Data]]) -> dict[type[Data], type[E]]:
    """For each payload class the envelope class that is tagged with its CloudEvents type."""
    return {data_type: _envelope(base, data_type) for data_type in data_types}


def _envelope(base: type[E], data_type: type[Data]) -> type[E]:
    return msgspec.defstruct(  # type: ignore[return-value]
        data_type.__name__ + base.__name__,
        [("data", data_type)],
        bases=(base,),
        tag_field="type",
        tag=cloud_type(data_type),
        frozen=True,
        kw_only=True,
        omit_defaults=True,
    )
