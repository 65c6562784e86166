"""The HTTP API of ingest: for integrators, and for the page that shows them what arrives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from services.ingest.adapters.cloudevents import ACCEPTED, Reader
from services.ingest.adapters.registry import ADAPTERS
from services.ingest.deadletters import KEPT, RecentDeadLetters
from services.ingest.pipeline import IngestMachine
from services.ingest.views import Sources, sources_at
from shared import schemas, topics
from shared.apidoc import problem
from shared.auth import Principal, authed
from shared.bus import MAX_RECORD_BYTES, Bus
from shared.clock import Clock
from shared.errors import BusError, InvalidInput
from shared.problems import Problem
from shared.raw import Raw

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]

Viewer = Annotated[Principal, Depends(authed("floor.read"))]
Operator = Annotated[Principal, Depends(authed("operations.read"))]
Sender = Annotated[Principal, Depends(authed("events.write"))]
_READING = [Depends(authed("floor.read"))]

_HEADERS_BYTES = 2000  # what the record's headers may take of the broker's limit
_BODY_LIMIT = MAX_RECORD_BYTES - _HEADERS_BYTES
_reader = Reader(ACCEPTED)

_BODY = {
    "requestBody": {
        "required": True,
        "description": "One CloudEvent or an array of them (docs/events.md); for another vendor its own bytes.",
        "content": {
            "application/json": {
                "schema": {},  # what cannot be used is taken too, and told of in `problem`
                "example": {
                    "specversion": "1.0",
                    "type": "floorwatch.agent_ready.v1",
                    "id": "42",
                    "source": "/pbx-a",
                    "time": "2026-03-02T09:15:00Z",
                    "data": {"agent_id": "1007"},
                },
            }
        },
    }
}


_VENDORS = {"enum": sorted(ADAPTERS)}


class Refusal(BaseModel):
    """Why a record cannot be used."""

    reason: str
    message: str


class Written(BaseModel):
    """What was written to `switch.raw`."""

    events: int = Field(description="CloudEvents in the body; 1 for another vendor's record")
    topic: str
    site: str
    problem: Refusal | None = Field(
        None,
        description="set when ingest will refuse the record: it was written all the same, and is a dead letter now",
    )


class DeadLetter(BaseModel):
    """A record that could not be used."""

    at: datetime = Field(description="when it was refused, the broker's clock")
    site: str
    vendor: str
    connector: str
    reason: str = Field(description="a short stable word")
    message: str = Field(description="what is wrong, and where")
    pump: str = Field(description="who refused it: ingest, or a later reader")
    topic: str
    partition: int
    offset: int
    size: int = Field(description="bytes of the record")
    value: str = Field(description="its first 4096 bytes, callers' numbers masked; what is not text is escaped")


class DeadLetterList(BaseModel):
    """The newest first."""

    dead_letters: list[DeadLetter]


class SchemaList(BaseModel):
    """Message types by topic."""

    topics: dict[str, list[str]]


def router_for(machine: IngestMachine, dead_letters: RecentDeadLetters, bus: Bus, clock: Clock) -> APIRouter:
    """The endpoints over these parts."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/sources", tags=["what arrives"])
    async def sources(who: Viewer) -> Sources:
        """Every connector heard of: its link, clock and counts."""
        found = sources_at(machine, clock.now())
        return Sources(now=found.now, sources=[one for one in found.sources if who.scope.site(one.site)])

    @router.get("/dead-letters", tags=["what arrives"])
    async def last_dead_letters(who: Operator, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> DeadLetterList:
        """The last records that could not be used, and why."""
        found = [one for one in dead_letters.last(KEPT) if who.scope.whole(one.site)][:limit]
        return DeadLetterList(dead_letters=[DeadLetter(**msgspec.structs.asdict(one)) for one in found])

    @router.post("/raw/{site}", status_code=202, tags=["feed"], openapi_extra=_BODY, responses=_PROBLEMS)
    async def write_raw(
        who: Sender,
        site: Name,
        request: Request,
        vendor: Annotated[str, Query(description="whose words they are", json_schema_extra=_VENDORS)] = "generic",
        connector: Annotated[
            str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="who writes, unique within the site")
        ] = "http",
    ) -> Written:
        """Write one record, untouched, to `switch.raw`: one event, or a batch that is taken whole or not at all.

        202 says that the broker has it. Whether it could be used shows in `problem`, and among the dead letters.
        """
        if vendor not in ADAPTERS:
            raise Problem(422, f"vendor {vendor!r} has no adapter; there are {', '.join(ADAPTERS)}")
        if not who.scope.site(site):
            raise Problem(403, f"{who.user} may not send events of site {site}", title="Not allowed")
        body = await _body(request)
        count, problem = _judge(body, site) if vendor == "generic" else (1, None)
        raw = Raw(value=body, vendor=vendor, site=site, connector=connector, received=clock.now())
        try:
            await bus.publish(topics.SWITCH_RAW, body, key=site, headers=raw.headers())
            await bus.flush()
        except BusError as exc:
            raise Problem(503, f"the broker did not take it, send it again: {exc}") from exc
        return Written(events=count, topic=topics.SWITCH_RAW.name, site=site, problem=problem)

    @router.get("/schemas", tags=["feed"], dependencies=_READING)
    async def schema_list() -> SchemaList:
        """The types of message on each topic; `switch.raw` is the form to send."""
        found = {topic.name: sorted(messages) for topic, messages in schemas.MESSAGES.items()}
        return SchemaList(topics={topics.SWITCH_RAW.name: sorted(_reader.forms), **found})

    @router.get(
        "/schemas/{type}",
        tags=["feed"],
        dependencies=_READING,
        responses=problem(404, "no such topic, or no such type on it"),
    )
    async def schema(type: str, topic: str = topics.FLOOR_EVENTS.name) -> dict[str, Any]:
        """The JSON Schema (2020-12) of one type on one topic."""
        forms: dict[str, dict[str, Any]] = {one.name: dict(messages) for one, messages in schemas.MESSAGES.items()}
        forms[topics.SWITCH_RAW.name] = dict(_reader.forms)
        if topic not in forms:
            raise Problem(404, f"topic {topic!r} has no schemas; there are {', '.join(forms)}")
        if type not in forms[topic]:
            raise Problem(404, f"{topic} has no type {type!r}; GET /api/v1/schemas lists them")
        return schemas.schema_of(forms[topic][type], type)

    return router


_PROBLEMS = (
    problem(400, "not JSON, or empty")
    | problem(413, "larger than a record may be")
    | problem(422, "a parameter is wrong")
    | problem(503, "the broker did not take it")
)


async def _body(request: Request) -> bytes:
    """The body, read no further than a record may be long. Raises Problem."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > _BODY_LIMIT:
            raise Problem(413, f"a record holds at most {_BODY_LIMIT} bytes; send smaller batches")
    if not parts.strip():
        raise Problem(400, "the body is empty; expected a CloudEvent as JSON, or an array of them")
    return bytes(parts)


def _judge(body: bytes, site: str) -> tuple[int, Refusal | None]:
    """How many events, and what is wrong with them. Raises Problem when they are no JSON at all."""
    try:
        events = _reader.read(body)
    except InvalidInput as exc:
        if exc.reason == "not_json":
            raise Problem(400, str(exc), reason=exc.reason) from exc
        return _count(body), Refusal(reason=exc.reason, message=str(exc))
    for index, event in enumerate(events):
        if event.site and event.site != site:
            message = f"event {index}: $.site: {event.site!r} in a record of site {site!r}"
            return len(events), Refusal(reason="wrong_site", message=message)
        if event.time is None:
            return len(events), Refusal(reason="invalid_event", message=f"event {index}: $.time is missing")
    return len(events), None


def _count(body: bytes) -> int:
    found = msgspec.json.decode(body)
    return len(found) if isinstance(found, list) else 1
