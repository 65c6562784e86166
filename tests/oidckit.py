"""A provider with a few people, a policy for them, and authenticators that know it; as fixtures of tests of signing in there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from shared.auth import Authenticator
from shared.clock import FakeClock
from shared.settings import ServiceSettings
from shared.tokens import NotAuthenticated
from tests.authkit import SECRET
from tests.providerkit import TestProvider, a_provider, settings

__all__ = ["POLICY", "T0", "asking", "auth", "clock", "idp", "no_proxy", "of", "policy_file", "reason"]

T0 = datetime(2099, 3, 2, 9, 0, tzinfo=UTC)  # no cookie of a test is over
POLICY = """
grants:
  - {claim: groups, value: supervisors, roles: [supervisor], sites: [hq]}
  - {claim: groups, value: operations, roles: [operations]}
  - {user: sun, roles: [auditor]}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
async def idp(clock: FakeClock) -> AsyncIterator[TestProvider]:
    async with a_provider(clock) as made:
        made.people = {
            "wang": {"groups": ["supervisors", "others"]},
            "zhao": {"groups": ["operations"]},
            "eve": {"groups": []},
        }
        yield made


def policy_file(folder: Path, text: str = POLICY) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def of(idp: TestProvider, folder: Path, clock: FakeClock, **more: Any) -> Authenticator:
    how = {"auth_secret": SECRET, "run_dir": folder} | settings(idp) | more
    how.setdefault("policy_file", folder / "policy.yaml")
    if how["policy_file"] is not None and not how["policy_file"].exists():
        policy_file(folder)
    return Authenticator.of(ServiceSettings(**how), clock)


@pytest.fixture
def auth(idp: TestProvider, tmp_path: Path, clock: FakeClock) -> Authenticator:
    return of(idp, tmp_path, clock)


async def reason(auth: Authenticator, token: str) -> str:
    with pytest.raises(NotAuthenticated) as told:
        await auth.authenticated(token)
    return told.value.reason


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8600") as http:
        yield http


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return
