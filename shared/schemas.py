"""JSON Schemas of messages, made from the classes themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args, get_type_hints

import msgspec

from shared import events, facts, incidentfacts, topics
from shared.envelope import Data, Envelope, cloud_type
from shared.topics import Topic


def _by_type(envelopes: dict[type[Data], Any], kinds: tuple[type[Data], ...]) -> dict[str, type[Envelope]]:
    return {cloud_type(kind): envelopes[kind] for kind in kinds}


# Two topics may use one type word for different things: an event `transfer_ended` is not the record of that name.
MESSAGES: dict[Topic, dict[str, type[Envelope]]] = {
    topics.FLOOR_EVENTS: _by_type(dict(events.ENVELOPES), events.DATA_TYPES),
    topics.FLOOR_FLAGS: _by_type(dict(facts.ENVELOPES), facts.FLAG_TYPES),
    topics.FLOOR_RECORDS: _by_type(dict(facts.ENVELOPES), facts.RECORD_TYPES),
    topics.INCIDENTS: _by_type(dict(incidentfacts.ENVELOPES), incidentfacts.DATA_TYPES),
}


def schema_of(envelope: type[msgspec.Struct], title: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one kind of message: its envelope with its `data`."""
    (schema,), parts = msgspec.json.schema_components([envelope], ref_template="#/$defs/{name}")
    for struct in (envelope, get_type_hints(envelope)["data"]):
        _name_times(struct, parts[struct.__name__]["properties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema, "$defs": parts}


def _name_times(struct: type[msgspec.Struct], properties: dict[str, Any]) -> None:
    """msgspec calls a time a string; say that it is one with a zone."""
    for name, hint in get_type_hints(struct).items():
        if hint is datetime or datetime in get_args(hint):
            properties[name] = {"type": "string", "format": "date-time", "pattern": r"(Z|[+-]\d\d:\d\d)$"} | (
                {"description": "RFC 3339 with a time zone"} if hint is datetime else {"description": "may be left out"}
            )
