"""What holds for every answer of every service: headers that keep browsers from harm, and no change that another page made."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from shared.auth import COOKIE
from shared.limits import SAFE
from tests.authkit import bearer, token
from tests.contract.test_permissions import SERVICES, app_of, asking, filled, routes

ROOT = Path(__file__).resolve().parents[2]
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PAGES = {
    "monitor": ROOT / "services" / "monitor" / "web",
    "ingest": ROOT / "services" / "ingest" / "web",
    "alerts": ROOT / "services" / "alerts" / "web",
}
HERE = "http://127.0.0.1"


@pytest.fixture(params=SERVICES, scope="module")
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    found = app_of(request.param, tmp_path_factory.mktemp(request.param))

    @found.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("inside")

    found.router.routes.insert(0, found.router.routes.pop())  # before the pages, which answer everything else
    return found


def check(answer: httpx.Response, what: str) -> None:
    """Raises AssertionError naming the answer and the header."""
    for name, value in HEADERS.items():
        assert answer.headers.get(name) == value, f"{what}: {name}"
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy, what
    assert "unsafe" not in policy, what
    assert "camera=()" in answer.headers["permissions-policy"], what
    assert "strict-transport-security" not in answer.headers, f"{what}: only by TLS"
    if str(answer.url.path).startswith("/api/") or answer.status_code >= 400:
        assert "no-store" in answer.headers["cache-control"], what
    assert "server" not in answer.headers, what


async def test_every_answer_of_every_route_keeps_browsers_from_harm(app: FastAPI) -> None:
    seen: set[int] = set()
    async with asking(app) as http:
        for method, path, _ in routes(app):
            if method == "WS":
                continue
            for headers in ({}, bearer("admin")):
                answer = await http.request(method, filled(path), headers=headers)
                check(answer, f"{method} {path} {answer.status_code}")
                seen.add(answer.status_code)
        odd = [
            ("GET", "/nowhere", {}),
            ("GET", "/api/v1/nowhere", {}),
            ("DELETE", "/healthz", {}),
            ("GET", "/api/v1/broken", {}),
            ("POST", "/api/v1/session", {"origin": "http://evil.example"}),
            ("POST", "/api/v1/session", {"content-length": "999999999"}),
            ("POST", "/api/v1/session", {"content-type": "text/plain"}),
        ]
        for method, path, headers in odd:
            with capture_logs():  # a traceback for people takes seconds
                answer = await http.request(method, path, headers=headers)
            check(answer, f"{method} {path} {headers} {answer.status_code}")
            seen.add(answer.status_code)
    assert {200, 401, 403, 404, 405, 413, 422, 500} <= seen | ({200} if app.state.service == "relay" else set())


def test_a_name_that_is_none_of_ours_is_refused_with_the_same_headers(tmp_path: Path) -> None:
    with TestClient(_with_names(tmp_path), base_url="http://evil.example") as http:
        answer = http.get("/api/v1/me")
    assert answer.status_code == 421
    check(answer, "421")


def _with_names(folder: Path) -> FastAPI:
    from prometheus_client import CollectorRegistry

    from services.monitor.app import Monitor
    from shared.clock import SystemClock
    from shared.memorybus import MemoryBus
    from shared.settings import MonitorSettings
    from tests.floorkit import CONFIG, RULES

    how: dict[str, Any] = {"run_dir": folder}  # nobody signs in there
    return Monitor(MonitorSettings(**how), MemoryBus(), SystemClock(), CONFIG, RULES, CollectorRegistry()).app()


class Inline(HTMLParser):
    """Finds what a Content-Security-Policy without `unsafe-inline` would not let run or show."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self._script = tag == "script" and "src" not in names and names.get("type") != "application/json"
        self.found += [f"<{tag} {name}>" for name in names if name == "style" or name.startswith("on")]
        self.found += ["<style>"] if tag == "style" else []
        for name in ("src", "href", "action"):
            if re.match(r"(https?:)?//|javascript:", names.get(name) or "") and tag != "a":
                self.found.append(f"<{tag} {name}={names[name]}>")

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.found.append(f"<script>{data.strip()[:40]}")


@pytest.mark.parametrize("service", PAGES)
async def test_no_page_has_anything_inline_or_from_elsewhere(service: str, tmp_path: Path) -> None:
    pages = [f"/{file.relative_to(PAGES[service])}" for file in PAGES[service].rglob("*.html")]
    assert pages
    async with asking(app_of(service, tmp_path)) as http:
        for path in [*pages, "/", "/login.html"]:
            answer = await http.get(path)
            assert answer.status_code == 200, path
            check(answer, path)
            inline = Inline()
            inline.feed(answer.text)
            assert inline.found == [], path


FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {},
)


async def test_no_route_takes_a_change_by_cookie_that_no_page_of_ours_made(app: FastAPI) -> None:
    """Walks every route that changes something; a new one is among them."""
    unsafe = [(method, path) for method, path, _ in routes(app) if method not in SAFE | {"WS"}]
    assert len(unsafe) >= 3
    async with asking(app) as http:
        http.cookies.set(COOKIE, token("admin"))
        for method, path in unsafe:
            for headers in FOREIGN:
                answer = await http.request(method, filled(path), headers=headers, json={})
                assert answer.status_code == 403, f"{method} {path} {headers}"
                assert "permission" not in answer.json(), "refused for where it came from"
            for headers in ({"origin": HERE}, {"sec-fetch-site": "same-origin"}):
                answer = await http.request(method, filled(path), headers=headers, json={})
                assert answer.status_code != 403 or "permission" in answer.json(), f"{method} {path} {headers}"
            http.cookies.set(COOKIE, token("admin"))  # signing out took it


async def test_a_program_with_a_token_need_not_say_where_it_comes_from(app: FastAPI) -> None:
    async with asking(app) as http:
        http.cookies.set(COOKIE, token("viewer"))
        assert (await http.post("/api/v1/tickets", headers=bearer("viewer"))).status_code == 201


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_cookie_is_for_our_pages_alone_and_by_tls_for_tls_alone(tmp_path: Path, scheme: str) -> None:
    transport = httpx.ASGITransport(app_of("alerts", tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://127.0.0.1") as http:
        entered = await http.post("/api/v1/session", json={"token": token("viewer")})
        left = await http.delete("/api/v1/session", headers={"origin": f"{scheme}://127.0.0.1"})
    for answer in (entered, left):
        parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/"} <= parts
        assert not any(part.startswith("domain") for part in parts), "of this host alone"
    assert ("secure" in entered.headers["set-cookie"].lower()) is (scheme == "https")
    assert ("strict-transport-security" in entered.headers) is (scheme == "https")
