"""What every service's HTTP side promises."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from prometheus_client import CollectorRegistry, Counter, Histogram
from pydantic import BaseModel
from starlette.testclient import TestClient, WebSocketDenialResponse

from shared.errors import SettingsError
from shared.http import Background, Problem, create_app, mount_web
from tests.waiting import PATIENCE_S


class Note(BaseModel):
    text: str


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def app(registry: CollectorRegistry, tmp_path: Path) -> FastAPI:
    reasons: dict[str, str | None] = {"bus": None, "feed": None}

    async def feed() -> str | None:
        return reasons["feed"]

    app = create_app("monitor", registry=registry, checks={"bus": lambda: reasons["bus"], "feed": feed})
    app.state.reasons = reasons

    @app.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("hunter2 inside")

    @app.get("/api/v1/taken")
    async def taken() -> None:
        raise Problem(409, "ann has it", title="Already acknowledged", owner="ann")

    @app.post("/api/v1/notes/{number}")
    async def notes(number: int, note: Note) -> dict[str, int]:
        return {"number": number}

    @app.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")

    web = tmp_path / "web"
    (web / "vendor").mkdir(parents=True)
    (web / "index.html").write_text("<h1>board</h1>")
    (web / "board.js").write_text("export {}")
    (web / "vendor" / "charts-1.2.js").write_text("export {}")
    mount_web(app, web)
    return app


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:8600", raise_server_exceptions=False)


def test_alive_and_ready_are_different_questions(app: FastAPI, client: TestClient) -> None:
    assert client.get("/readyz").json() == {
        "status": "ready",
        "service": "monitor",
        "checks": {"bus": {"ok": True}, "feed": {"ok": True}},
    }
    app.state.reasons["feed"] = "no marks for 4 s"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"bus": {"ok": True}, "feed": {"ok": False, "reason": "no marks for 4 s"}}
    assert client.get("/healthz").json()["status"] == "alive"


async def test_readiness_names_a_background_task_that_died() -> None:
    async with Background() as background:
        app = create_app("monitor", background=background)

        async def pump() -> None:
            raise ValueError("broke")

        background.start("pump", pump())
        assert await asyncio.wait_for(background.failed(), PATIENCE_S) == "pump: broke"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["tasks"] == {"ok": False, "reason": "pump: broke"}


def test_metrics_are_those_of_the_registry_that_was_passed_in(client: TestClient, registry: CollectorRegistry) -> None:
    Counter("monitor_events_total", "Events seen.", registry=registry).inc(3)
    answer = client.get("/metrics")
    assert "monitor_events_total 3.0" in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")


def test_metrics_do_not_say_when_each_counter_began(client: TestClient, registry: CollectorRegistry) -> None:
    Counter("monitor_facts", "Facts.", ["kind"], registry=registry).labels("call_ended").inc()
    Histogram("pump_batch_seconds", "Batches.", registry=registry).observe(0.1)
    answer = client.get("/metrics").text
    assert 'monitor_facts_total{kind="call_ended"} 1.0' in answer
    assert "pump_batch_seconds_count 1.0" in answer
    assert "_created" not in answer


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/nothing", {"status": 404, "title": "Not Found"}),
        ("DELETE", "/api/v1/broken", {"status": 405, "title": "Method Not Allowed"}),
        (
            "GET",
            "/api/v1/taken",
            {"status": 409, "title": "Already acknowledged", "detail": "ann has it", "owner": "ann"},
        ),
    ],
)
def test_errors_are_problem_documents(client: TestClient, method: str, path: str, expected: dict[str, object]) -> None:
    answer = client.request(method, path)
    assert answer.status_code == expected["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {"type": "about:blank", "instance": path, **expected}


def test_a_wrong_request_names_each_wrong_field(client: TestClient) -> None:
    answer = client.post("/api/v1/notes/x", json={})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [(error["in"], error["field"]) for error in answer.json()["errors"]] == [
        ("path", "number"),
        ("body", "text"),
    ]


def test_an_unexpected_error_gives_an_id_and_nothing_of_its_inside(client: TestClient) -> None:
    answer = client.get("/api/v1/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", answer.json()["instance"])
    assert "hunter2" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/board.js", "/api/v1/nothing", "/healthz"])
def test_every_answer_forbids_scripts_from_elsewhere_and_inline(client: TestClient, path: str) -> None:
    policy = client.get(path).headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_page_files_are_asked_for_again_and_vendored_ones_kept(client: TestClient) -> None:
    page = client.get("/")
    assert page.text == "<h1>board</h1>"
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
    assert "immutable" in client.get("/vendor/charts-1.2.js").headers["cache-control"]
    assert client.get("/static/monitor/board.js").status_code == 200
    assert client.get("/api/v1/taken").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8600", 200),
        (None, 200),
        ("http://elsewhere.example", 403),
        ("http://board:9999", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_pages_of_another_origin_cannot_change_anything(client: TestClient, origin: str | None, status: int) -> None:
    headers = {"origin": origin} if origin else {}
    assert client.post("/api/v1/notes/1", json={"text": "x"}, headers=headers).status_code == status


def test_pages_of_another_origin_cannot_follow_the_feed(client: TestClient) -> None:
    with client.websocket_connect("ws://127.0.0.1:8600/ws", headers={"origin": "http://127.0.0.1:8600"}) as feed:
        assert feed.receive_text() == "hello"
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("ws://127.0.0.1:8600/ws", headers={"origin": "http://elsewhere.example"}),
    ):
        pass
    assert refused.value.status_code == 403


def test_pages_know_where_services_are_whose_secrets_are_elsewhere(
    registry: CollectorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_DB_URL_FILE", "/nowhere/alerts-db-url")  # which is in another container
    monkeypatch.setenv("ALERTS_PORT", "9002")
    app = create_app("ingest", registry=registry)
    mount_web(app, tmp_path)
    assert '"alerts": 9002' in TestClient(app, base_url="http://127.0.0.1").get("/static/ports.js").text
    monkeypatch.setenv("ALERTS_PORT", "nine")
    with pytest.raises(SettingsError, match="ALERTS_PORT: expected a port, got 'nine'"):
        mount_web(app, tmp_path)
