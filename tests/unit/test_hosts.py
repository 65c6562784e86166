"""By which names a service may be asked, so that a page of another site whose name comes to mean this machine reads nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse

from shared.errors import SettingsError
from shared.hosts import Hosts
from shared.http import create_app
from shared.settings import AlertsSettings, IngestSettings, MonitorSettings, load

MACHINE = socket.gethostname()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8600",
        "192.168.7.20:8600",
        "[::1]:8600",
        "[fe80::1%25eth0]:8600",
        "localhost",
        "LOCALHOST:8600",
        "localhost.:8600",
        MACHINE,
        f"{MACHINE.upper()}:8600",
        f"{MACHINE.partition('.')[0]}.local:8600",
        "",  # no browser leaves it out
    ],
)
def test_whoever_asks_by_an_address_or_a_name_of_this_machine_is_answered(host: str) -> None:
    assert Hosts().ours(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8600",
        "localhost.evil.example:8600",
        "127.0.0.1.evil.example",
        f"{MACHINE}.evil.example",
        "localhost@evil.example",
        "[evil.example]:8600",
        "127.0.0.1 evil.example",
        ".",
    ],
)
def test_other_names_are_not_ours(host: str) -> None:
    assert not Hosts().ours(host)


def test_names_can_be_listed() -> None:
    hosts = Hosts(["Floor.Example.org"])
    assert hosts.ours("floor.example.org:8600")
    assert hosts.ours("FLOOR.example.org.")
    assert not hosts.ours("evil.floor.example.org")
    assert not hosts.ours("example.org")
    assert Hosts(["*"]).ours("anything.example")


@pytest.mark.parametrize("kind", [MonitorSettings, IngestSettings, AlertsSettings])
def test_every_service_reads_the_same_list(
    monkeypatch: pytest.MonkeyPatch, kind: type[MonitorSettings | IngestSettings | AlertsSettings]
) -> None:
    monkeypatch.delenv("AUTH_USERS_FILE", raising=False)
    monkeypatch.setenv("FLOORWATCH_ALLOWED_HOSTS", "floor.example.org, wall")
    hosts = Hosts.of(load(kind))
    assert hosts.ours("floor.example.org:8602")
    assert hosts.ours("wall:8600")
    assert hosts.ours("localhost:8600")
    assert not hosts.ours("evil.example")


@pytest.mark.parametrize("value", ["http://floor.example.org", "floor.example.org:8600", "a b", "*.example.org"])
def test_what_is_no_name_is_said_at_start_up(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FLOORWATCH_ALLOWED_HOSTS", value)
    with pytest.raises(SettingsError, match="FLOORWATCH_ALLOWED_HOSTS: expected names without port"):
        load(MonitorSettings)


def test_the_name_that_a_service_listens_on_is_one_of_its_names() -> None:
    assert Hosts.of(MonitorSettings(host="floor-7")).ours("floor-7:8600")
    assert not Hosts.of(MonitorSettings(host="0.0.0.0")).ours("floor-7:8600")


def test_with_users_a_page_of_another_name_has_no_cookie_so_any_name_will_do_unless_some_are_listed() -> None:
    users = Path("users.yaml")
    assert Hosts.of(MonitorSettings(users_file=users)).ours("floor.example.org")
    listed = Hosts.of(MonitorSettings(users_file=users, allowed_hosts=("floor.example.org",)))
    assert listed.ours("floor.example.org")
    assert not listed.ours("evil.example")


@pytest.fixture
def app() -> FastAPI:
    app = create_app("monitor")

    @app.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://evil.example:8600", raise_server_exceptions=False) as client:
        yield client


def test_a_page_whose_name_came_to_mean_this_machine_reads_nothing(client: TestClient) -> None:
    answer = client.get("/api/v1/me", headers={"origin": "http://evil.example:8600"})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert "'evil.example'" in answer.json()["detail"]
    assert "FLOORWATCH_ALLOWED_HOSTS" in answer.json()["detail"]
    assert client.get("/").status_code == 421
    assert client.post("/api/v1/tickets").status_code == 421
    assert client.get("/api/v1/me", headers={"host": "127.0.0.1:8600"}).status_code == 200


def test_it_opens_no_feed(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("ws://evil.example:8600/ws", headers={"origin": "http://evil.example:8600"}),
    ):
        pass
    assert refused.value.status_code == 421
    with client.websocket_connect("ws://localhost:8600/ws", headers={"origin": "http://localhost:8600"}) as feed:
        assert feed.receive_text() == "hello"


def test_probes_come_by_whatever_name_they_know(client: TestClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
