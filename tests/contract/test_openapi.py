"""The OpenAPI document of each service says what the service answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.openapi.models import OpenAPI
from prometheus_client import CollectorRegistry

from services.alerts.app import AlertsService
from services.ingest.app import Ingest
from services.monitor.app import Monitor
from shared.clock import SystemClock
from shared.db import Database
from shared.events import AgentLoggedOn, CallQueued, CallStarted, Clock, LegStarted, LinkUp, TransferRequested
from shared.memorybus import MemoryBus
from shared.settings import AlertsSettings, IngestSettings, MonitorSettings, load
from tests.contract.test_monitor import running
from tests.floorkit import CONFIG, RULES, SITE


def monitor() -> FastAPI:
    return Monitor(load(MonitorSettings), MemoryBus(), SystemClock(), CONFIG, RULES, CollectorRegistry()).app()


def ingest() -> FastAPI:
    bus = MemoryBus()
    return Ingest(load(IngestSettings), bus, bus, SystemClock(), CONFIG, CollectorRegistry()).app()


def alerts(tmp_path: Path) -> FastAPI:
    settings = load(AlertsSettings)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    return AlertsService(settings, bus=MemoryBus(), database=database, clock=SystemClock(), sites=CONFIG).app()


@pytest.fixture(params=["monitor", "ingest", "alerts"])
def document(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    app = {"monitor": monitor, "ingest": ingest}[request.param]() if request.param != "alerts" else alerts(tmp_path)
    return app.openapi()


def refs(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for one in part.values():
            yield from refs(one)
    elif isinstance(part, list):
        for one in part:
            yield from refs(one)


def test_it_is_valid_and_whole(document: dict[str, Any]) -> None:
    OpenAPI.model_validate(document)
    schemas = document["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in refs(document)} <= set(schemas)


def test_every_answer_is_described_and_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], f"{method} {path} says nothing"
            for status, response in operation["responses"].items():
                content = response.get("content")
                if status == "204":
                    continue
                assert content, f"{method} {path} {status} has no form"
                if status.startswith("2") or path == "/readyz":
                    form = content.get("application/json")
                    assert form is None or form["schema"], f"{method} {path} {status}: any JSON at all"
                else:
                    assert content == {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    }, f"{method} {path} {status}"


def fits(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether `value` has the form; of JSON Schema as much as our structs need."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return any(fits(value, one, schemas) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    match schema.get("type"):
        case "object":
            known = schema.get("properties", {})
            other = schema.get("additionalProperties", {})
            return (
                isinstance(value, dict)
                and set(schema.get("required", ())) <= set(value)
                and (not known or set(value) <= set(known))
                and all(fits(one, known.get(name, other), schemas) for name, one in value.items())
            )
        case "array":
            return isinstance(value, list) and all(fits(one, schema.get("items", {}), schemas) for one in value)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number":
            return isinstance(value, int | float)
        case "null":
            return value is None
    return not schema


async def test_what_the_monitor_answers_has_the_documented_form() -> None:
    async with running(MemoryBus()) as floor:
        await floor.happens(
            0,
            LinkUp(connector="test"),
            AgentLoggedOn(agent_id="1", queues=("sales",)),
            CallStarted(call_id="c"),
            CallQueued(call_id="c", queue="sales"),
            LegStarted(call_id="c", leg_id="l", agent_id="1"),
            TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"),
        )
        await floor.happens(9, Clock())
        document = (await floor.http.get("/api/openapi.json")).json()
        for path, url in (
            ("/api/v1/floor", "/api/v1/floor"),
            ("/api/v1/agents/{site}/{agent_id}", f"/api/v1/agents/{SITE}/1"),
            ("/api/v1/queues/{site}/{queue}", f"/api/v1/queues/{SITE}/sales"),
            ("/api/v1/queues/{site}/{queue}/intervals", f"/api/v1/queues/{SITE}/sales/intervals"),
            ("/api/v1/sites/{site}/figures", f"/api/v1/sites/{SITE}/figures"),
            ("/api/v1/sites/{site}/anomalies", f"/api/v1/sites/{SITE}/anomalies"),
            ("/api/v1/rules", "/api/v1/rules"),
            ("/healthz", "/healthz"),
            ("/readyz", "/readyz"),
        ):
            schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            found = (await floor.http.get(url)).json()
            assert fits(found, schema, document["components"]["schemas"]), f"{url} is not as documented: {found}"
        assert not fits({"epoch": 1}, {"$ref": "#/components/schemas/Snapshot"}, document["components"]["schemas"])
