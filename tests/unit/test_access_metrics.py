"""What operators see of who is kept out, of files that cannot be used, and of certificates: asked of running apps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from services.monitor.app import Monitor
from shared import users as users_module
from shared.auth import Authenticator, authed
from shared.clock import FakeClock, SystemClock
from shared.http import create_app
from shared.limits import Limits
from shared.memorybus import MemoryBus
from shared.settings import MonitorSettings
from tests.authkit import USERS, bearer, settings, token
from tests.floorkit import CONFIG, RULES
from tests.oidckit import clock, idp, no_proxy, of, policy_file
from tests.providerkit import TestProvider
from tests.servingkit import Authority, served, tls_of
from tests.waiting import until

__all__ = ["clock", "idp", "no_proxy"]

HERE = "http://127.0.0.1:8600"


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE, headers={"origin": HERE}) as http:
        yield http


def read(text: str) -> dict[str, float]:
    """Samples by name and labels."""
    return {
        sample.name + "".join(f"|{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def told(http: httpx.AsyncClient) -> dict[str, float]:
    return read((await http.get("/metrics")).text)


def watched(auth: Authenticator, limits: Limits | None = None) -> FastAPI:
    return create_app("monitor", registry=CollectorRegistry(), auth=auth, limits=limits)


async def test_who_is_refused_is_counted_by_why_and_who_signs_in_too(tmp_path: Path) -> None:
    app = create_app(
        "monitor",
        registry=CollectorRegistry(),
        auth=Authenticator.of(MonitorSettings(**settings(tmp_path)), SystemClock()),
        limits=Limits(FakeClock(), MonitorSettings(sign_in_failures_per_minute=2)),
    )
    app.add_api_route("/api/v1/audits", list, dependencies=authed_for("audit.read"))
    async with asking(app) as http:
        before = await told(http)
        assert {
            name for name, value in before.items() if name.startswith(("auth_", "http_too_often")) and value
        } == set()
        assert before["auth_refusals_total|ticket"] == before["auth_sign_ins_total|signed_in"] == 0
        await http.get("/api/v1/me")
        await http.get("/api/v1/me", headers=bearer("nobody"))
        await http.get("/api/v1/me", headers=bearer("viewer", hours=-1))
        assert (await http.get("/api/v1/audits", headers=bearer("viewer"))).status_code == 403
        for given in (token("viewer"), "nonsense", token("nobody"), "again"):
            await http.post("/api/v1/session", json={"token": given})
        after = await told(http)
    changed = {name: value for name, value in after.items() if name.startswith(("auth", "http_too")) and value}
    assert changed == {
        "auth_refusals_total|missing": 1,
        "auth_refusals_total|unknown_user": 1,
        "auth_refusals_total|expired": 1,
        "auth_refusals_total|not_allowed": 1,
        "auth_sign_ins_total|signed_in": 1,
        "auth_sign_ins_total|invalid": 1,
        "auth_sign_ins_total|unknown_user": 1,
        "http_too_often_total|sign_in_failures": 1,
    }


def authed_for(permission: Any) -> list[Any]:
    from fastapi import Depends

    return [Depends(authed(permission))]


def test_websockets_of_nobody_count_for_their_address(tmp_path: Path) -> None:
    how = settings(tmp_path) | {"unknown_per_minute": 10}
    app = Monitor(MonitorSettings(**how), MemoryBus(), FakeClock(), CONFIG, RULES, CollectorRegistry()).app()

    def code(path: str) -> int:
        with http.websocket_connect(path) as feed, pytest.raises(WebSocketDisconnect) as closed:
            feed.receive_text()
        return closed.value.code

    with TestClient(app) as http:
        assert [code("/api/v1/feed?ticket=guessed") for _ in range(12)] == [4401] * 10 + [4508] * 2
        assert http.get("/api/v1/me").status_code == 429, "of requests and WebSockets together"
        found = read(http.get("/metrics").text)
    assert (found["auth_refusals_total|ticket"], found["http_too_often_total|unknown"]) == (12, 3)


@pytest.mark.parametrize("pieces", [False, True], ids=["with its length", "in pieces"])
async def test_a_long_body_of_nobody_is_not_read(tmp_path: Path, pieces: bool) -> None:
    app, taken = watched(Authenticator.of(MonitorSettings(**settings(tmp_path)), SystemClock())), 0

    @app.post("/api/v1/long", dependencies=authed_for("floor.read"))
    async def long(request: Request, body: dict[str, str]) -> int:
        return len(body["text"])

    async def parts() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'{"text": "'
        for _ in range(20):
            taken += 1
            yield b"x" * 8192
        yield b'"}'

    async with asking(app) as http:
        content: Any = parts() if pieces else b'{"text": "' + b"x" * 163_840 + b'"}'
        headers = {"content-type": "application/json"}
        refused = await http.post("/api/v1/long", content=content, headers=headers)
        assert (refused.status_code, refused.json()["reason"]) == (401, "missing")
        if pieces:
            assert taken == 4, "nothing beyond the first that were too much"
            content = parts()
        done = await http.post("/api/v1/long", content=content, headers=headers | bearer("viewer"))
        assert (done.status_code, done.json()) == (200, 163_840)


async def test_a_users_or_policy_file_that_cannot_be_used_is_told_of_until_it_can(tmp_path: Path) -> None:
    clock = FakeClock()
    policy = policy_file(tmp_path)
    how = settings(tmp_path) | {"policy_file": policy}
    users = how["users_file"]
    app = watched(Authenticator.of(MonitorSettings(**how), clock))
    name, read_at = "floorwatch_file_usable", "floorwatch_file_read_timestamp_seconds"

    async def later() -> dict[str, float]:
        await clock.advance(users_module.LOOK_EVERY_S)
        return await told(http)

    async with asking(app) as http:
        began = await told(http)
        assert (began[f"{name}|users"], began[f"{name}|policy"]) == (1, 1)
        users.write_text("users: [", encoding="utf-8")
        wrong = await later()
        assert (wrong[f"{name}|users"], wrong[f"{name}|policy"]) == (0, 1), "though nobody asked for anything"
        assert wrong[f"{read_at}|users"] == began[f"{read_at}|users"], "what is in force is the old one"
        users.write_text(USERS, encoding="utf-8")
        policy.unlink()
        found = await later()
        assert (found[f"{name}|users"], found[f"{name}|policy"]) == (1, 0)
        assert found[f"{read_at}|users"] == began[f"{read_at}|users"] + 2 * users_module.LOOK_EVERY_S


async def test_the_provider_is_up_or_not_and_failures_count(
    idp: TestProvider, tmp_path: Path, clock: FakeClock
) -> None:
    auth = of(idp, tmp_path, clock, oidc_label="login")
    async with asking(watched(auth)) as http:
        assert (await told(http))["auth_provider_up|login"] == 0, "it was not asked yet"
        assert auth.provider is not None
        await auth.provider.metadata()
        assert (await told(http))["auth_provider_up|login"] == 1
        idp.away = True
        await clock.advance(60.0)
        assert not await auth.provider.looked_again()
        found = await told(http)
    assert (found["auth_provider_up|login"], found["auth_provider_failures_total|login"]) == (0, 1)


async def test_a_certificate_says_when_it_ends_and_whether_the_newest_could_be_used(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = tls_of(authority.sign())
    app = create_app("monitor", registry=CollectorRegistry())
    async with served(app, tls=tls) as port, httpx.AsyncClient(verify=authority.trusting()) as http:

        async def now() -> dict[str, float]:
            return read((await http.get(f"https://127.0.0.1:{port}/metrics")).text)

        found = await now()
        assert found["floorwatch_certificate_expiry_timestamp_seconds|port"] == tls.expires.timestamp()
        assert found["floorwatch_file_usable|certificate"] == 1
        (tmp_path / "server.pem").write_text("half of it", encoding="utf-8")
        tls.look()
        assert (await now())["floorwatch_file_usable|certificate"] == 0
        authority.sign()
        tls.look()
        assert (await now())["floorwatch_file_usable|certificate"] == 1


async def test_handshakes_that_never_end_count_for_their_address_and_leave_room_when_they_are_over(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    app = create_app(
        "monitor",
        registry=CollectorRegistry(),
        limits=Limits(SystemClock(), MonitorSettings(max_http_connections_each=5, trusted_proxies=())),
    )
    async with (
        served(app, tls=tls_of(authority.sign())) as port,
        httpx.AsyncClient(verify=authority.trusting()) as http,
    ):
        url = f"https://127.0.0.1:{port}/metrics"

        async def answered() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await http.get(url, headers={"connection": "close"})).status_code == 200
            return False

        assert all([await answered() for _ in range(8)]), "one that is over leaves its place"
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b"", "hung up on at once"
        assert not await answered()
        for _, one in silent:
            one.close()
        await until(answered, "whoever is gone makes room")
        assert read((await http.get(url)).text)["http_connections_refused_total"] >= 2
        writer.close()
