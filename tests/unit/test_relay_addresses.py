"""Where the relay is said to be, and from which pages it is asked."""

from __future__ import annotations

import pytest
from fastapi import WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse

from services.monitor.listen.addresses import connects_to, media_url, relay_url
from shared.hosts import Hosts
from shared.http import create_app
from shared.settings import MonitorSettings, RelaySettings

RELAY = RelaySettings(port=9603, media_port=9604, media_host="127.0.0.1", media_url="")
HERE = MonitorSettings(relay_url="")
ELSEWHERE = MonitorSettings(relay_url="wss://floor.example.org/relay/")


def test_switches_are_told_what_is_set_else_where_the_relay_listens() -> None:
    assert media_url(RELAY) == "audiosocket://127.0.0.1:9604"
    assert media_url(RelaySettings(media_host="0.0.0.0", media_port=1, media_url="")) == "audiosocket://127.0.0.1:1"
    assert media_url(RelaySettings(media_host="fd00::1", media_port=1, media_url="")) == "audiosocket://[fd00::1]:1"
    assert media_url(RelaySettings(media_url="audiosocket://10.0.0.9:8604")) == "audiosocket://10.0.0.9:8604"


@pytest.mark.parametrize(
    ("host", "url", "source"),
    [
        ("floor.example:8600", "ws://floor.example:9603", "ws://floor.example:9603"),
        ("10.0.0.9", "ws://10.0.0.9:9603", "ws://10.0.0.9:9603"),
        ("[::1]:8600", "ws://[::1]:9603", "ws://*:9603"),
        ("a; script-src *", "ws://127.0.0.1:9603", ""),
        ("a b", "ws://127.0.0.1:9603", ""),
        ("", "ws://127.0.0.1:9603", ""),
    ],
)
def test_pages_find_it_on_their_own_host(host: str, url: str, source: str) -> None:
    assert relay_url(HERE, RELAY, host) == url
    assert relay_url(HERE, RELAY, host, "https") == url.replace("ws:", "wss:")
    assert connects_to(HERE, RELAY)(host) == source


def test_or_where_the_setting_says() -> None:
    assert relay_url(ELSEWHERE, RELAY, "floor.example:8600") == "wss://floor.example.org/relay"
    assert connects_to(ELSEWHERE, RELAY)("floor.example:8600") == "wss://floor.example.org"


def test_the_policy_of_pages_names_it_and_nothing_else() -> None:
    app = create_app("monitor", connect=connects_to(HERE, RELAY))
    policy = TestClient(app, base_url="http://127.0.0.1:8600").get("/healthz").headers["content-security-policy"]
    assert "connect-src 'self' ws://127.0.0.1:9603;" in policy
    plain = TestClient(create_app("alerts")).get("/healthz").headers["content-security-policy"]
    assert "connect-src 'self';" in plain


@pytest.mark.parametrize(
    ("origin", "opens"),
    [
        ("http://127.0.0.1:8600", True),
        ("https://127.0.0.1", True),
        ("https://floor.example.org", True),  # listed
        ("http://evil.example:8603", False),
        ("http://127.0.0.1.evil.example", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_the_relays_sockets_open_for_pages_of_its_host_alone(origin: str, opens: bool) -> None:
    app = create_app("relay", names=Hosts(["floor.example.org"]), pages_elsewhere=True)

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")

    with TestClient(app, base_url="http://127.0.0.1:8603") as http:
        if opens:
            with http.websocket_connect("ws://127.0.0.1:8603/ws", headers={"origin": origin}) as socket:
                assert socket.receive_text() == "hello"
        else:
            with (
                pytest.raises(WebSocketDenialResponse) as refused,
                http.websocket_connect("ws://127.0.0.1:8603/ws", headers={"origin": origin}),
            ):
                pass
            assert refused.value.status_code == 403
        assert http.post("/api/v1/tickets", headers={"origin": "http://127.0.0.1:8600"}).status_code == 403
