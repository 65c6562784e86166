"""Facts that the alerts service publishes on `incidents`: every line of every incident's history. CloudEvents, as events are.

Times of what people do are the alerts service's clock; `started_at` and `switch_time` are the switch's. Both aware UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from shared.codec import decode
from shared.envelope import Data, Envelope, data_types_of, envelopes_for
from shared.facts import Severity, Subject

IncidentState = Literal["open", "acknowledged", "resolved"]


class IncidentChanged(Data, frozen=True):
    """One line of an incident's history. An incident's lines come in the order of `seq`, which begins at 1 and has no gap.

    A line may come more than once, with the same id: drop a `seq` that you have passed. `state` and `owner` are those after this
    line; severity, summaries and labels are those that the incident had when it was published.
    """

    number: int  # the incident's, as people use it
    seq: int  # of this line in the incident's history, from 1
    kind: str  # opened, flag_joined, flag_cleared, reopened, acknowledged, assigned, raised, held, told, note, resolved, …
    at: datetime  # when it happened, by the alerts service's clock
    by: str  # who did it; `floorwatch` when no person did
    state: IncidentState  # after this line
    owner: str  # who has it after this line; empty: nobody
    rule: str
    severity: Severity  # the highest of its flags, or what its age or their number made of it
    subject: Subject
    subject_id: str
    summary_en: str
    summary_zh: str
    started_at: datetime  # since when the condition of its first flag holds, by the switch's clock
    opened_at: datetime  # when the incident was opened, by the alerts service's clock
    note: str = ""  # what the person wrote; callers' numbers in it are hidden
    flag_id: str = ""  # of the flag that this line is about
    switch_time: datetime | None = None  # of that flag's beginning or end, by the switch's clock
    details: dict[str, Any] = {}  # what else the line says: of `told` whom and why, of `resolved` the cause
    labels: dict[str, str] = {}  # what the incident's flags have in common: agent, queue, …
    simulated: bool = False
    replay: bool = False


class IncidentFact(Envelope, frozen=True, kw_only=True, omit_defaults=True):
    """One published line."""

    data: IncidentChanged


DATA_TYPES: Final[tuple[type[Data], ...]] = data_types_of(__name__)
ENVELOPES: Final[dict[type[Data], type[IncidentFact]]] = envelopes_for(IncidentFact, DATA_TYPES)

_decoder: msgspec.json.Decoder[IncidentFact] = msgspec.json.Decoder(ENVELOPES[IncidentChanged])


def make(data: IncidentChanged, *, site: str) -> IncidentFact:
    """The fact that carries `data`; its id is the same whenever the line is published again."""
    return ENVELOPES[IncidentChanged](
        data=data,
        specversion="1.0",
        id=f"incident/{data.number}/{data.seq}",
        source="/alerts",
        site=site,
        time=data.at,
    )


def decode_incident(raw: bytes) -> IncidentFact:
    """The fact in `raw`. Raises InvalidInput (`not_json`, `invalid_event`) naming the field that is wrong."""
    return decode(_decoder, raw)
