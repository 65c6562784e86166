"""How often one user or address may ask: 429 says when to come back, others are not concerned, and memory has a bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from shared.auth import Authenticator
from shared.clock import FakeClock, SystemClock
from shared.http import create_app
from shared.limits import Limits, party
from shared.pacing import Pacing
from shared.settings import MonitorSettings
from tests.authkit import bearer, settings, token

NARROW = {"reads_per_minute": 60, "writes_per_minute": 10, "sign_in_failures_per_minute": 3, "unknown_per_minute": 10}


class Served:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        how: dict[str, Any] = settings(folder)
        self.app: FastAPI = create_app(
            "monitor",
            auth=Authenticator.of(MonitorSettings(**how), SystemClock()),
            limits=Limits(self.clock, MonitorSettings(**NARROW)),
        )

    @asynccontextmanager
    async def at(self, address: str) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody who comes from there."""
        transport = httpx.ASGITransport(self.app, client=(address, 40_000))
        here = "http://127.0.0.1"
        async with httpx.AsyncClient(transport=transport, base_url=here, headers={"origin": here}) as http:
            yield http


@pytest.fixture
def service(tmp_path: Path) -> Served:
    return Served(tmp_path)


async def test_who_reads_too_often_is_told_when_to_come_back_and_nobody_else_is(service: Served) -> None:
    async with service.at("192.0.2.1") as http, service.at("192.0.2.2") as elsewhere:
        for _ in range(60):
            assert (await http.get("/api/v1/me", headers=bearer("viewer"))).status_code == 200
        with capture_logs() as said:
            for _ in range(3):
                refused = await http.get("/api/v1/me", headers=bearer("viewer"))
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["title"] == "Too many requests"
        assert "viewer had 60 reads within a minute; try again in 1 s" in refused.json()["detail"]
        assert [line["who"] for line in said] == ["viewer"], "said once, not for each"
        assert (await http.get("/api/v1/me", headers=bearer("auditor"))).status_code == 200
        assert (await elsewhere.get("/api/v1/me", headers=bearer("viewer"))).status_code == 200
        await service.clock.advance(1.0)
        assert (await http.get("/api/v1/me", headers=bearer("viewer"))).status_code == 200


async def test_tickets_are_counted_apart_from_what_is_read(service: Served) -> None:
    async with service.at("192.0.2.1") as http:
        found = [(await http.post("/api/v1/tickets", headers=bearer("viewer"))).status_code for _ in range(100)]
        assert set(found) == {201}, "more than writes are"
        assert (await http.get("/api/v1/me", headers=bearer("viewer"))).status_code == 200


async def test_too_many_failures_to_sign_in_shut_an_address_out_for_a_while_even_with_a_good_token(
    service: Served,
) -> None:
    async with service.at("192.0.2.1") as http, service.at("192.0.2.2") as elsewhere:
        for _ in range(20):
            assert (await http.post("/api/v1/session", json={"token": token("viewer")})).status_code == 200
        wrong = {"token": token("viewer", secret="another secret of thirty-two chars")}
        assert [(await http.post("/api/v1/session", json=wrong)).status_code for _ in range(4)] == [401, 401, 401, 429]
        right = await http.post("/api/v1/session", json={"token": token("viewer")})
        assert (right.status_code, right.headers["retry-after"]) == (429, "20")
        assert "set-cookie" not in right.headers
        assert (await elsewhere.post("/api/v1/session", json={"token": token("viewer")})).status_code == 200
        await service.clock.advance(20.0)
        assert (await http.post("/api/v1/session", json={"token": token("viewer")})).status_code == 200


async def test_whoever_nobody_knows_is_counted_by_address(service: Served) -> None:
    async with service.at("2001:db8::1") as http, service.at("2001:db8::ffff") as neighbour:
        found = [(await http.get("/api/v1/me")).status_code for _ in range(11)]
        assert found == [401] * 10 + [429]
        assert (await neighbour.get("/api/v1/me")).status_code == 429, "one subscriber has 2**64 addresses"
        assert (await http.get("/api/v1/me", headers=bearer("viewer"))).status_code == 200
        assert (await http.get("/healthz")).status_code == 200


def test_an_address_of_ipv6_is_its_subscribers_and_one_of_ipv4_itself() -> None:
    assert party("192.0.2.1") == party("::ffff:192.0.2.1") == "192.0.2.1"
    assert party("2001:db8:1:2::3") == party("2001:db8:1:2:ffff::") != party("2001:db8:1:3::3")
    assert party("testclient") == "testclient"


@given(st.integers(1, 50), st.integers(1, 20), st.lists(st.tuples(st.integers(0, 200), st.floats(0, 5)), max_size=300))
def test_a_pace_holds_no_more_than_it_may_and_lets_nobody_have_more_for_that(
    per_minute: int, most: int, asked: list[tuple[int, float]]
) -> None:
    pacing, now = Pacing(per_minute, most_keys=most), 0.0
    for key, later in asked:
        now += later
        assert pacing.wait_s(str(key), now) == pacing.take(str(key), now)
        assert len(pacing) <= most


def test_forty_thousand_addresses_cost_what_twenty_thousand_do() -> None:
    pacing = Pacing(30)
    for number in range(40_000):
        assert pacing.take(str(number), 0.0) == 0
    assert len(pacing) == 20_000
