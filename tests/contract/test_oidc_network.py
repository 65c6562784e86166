"""The way to the identity provider is bad: keys that cannot be fetched, a rotation that is cut, a sign-in that breaks off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

import shared.oidc
from shared.auth import COOKIE, Authenticator, SocketRefused
from shared.authenticator import PROVIDER_AWAY
from shared.clock import FakeClock
from shared.http import create_app
from shared.oidc import AGAIN_S
from tests.contract.test_oidc_browser import back_from, problem, to_provider
from tests.netkit import Proxy, proxied
from tests.oidckit import asking, clock, idp, no_proxy, of, reason
from tests.providerkit import TestProvider
from tests.waiting import PATIENCE_S, beside, until

__all__ = ["clock", "idp", "no_proxy"]  # fixtures

SOON_S = 0.5  # instead of five seconds, where nothing is to come in time


@pytest.fixture
async def way(idp: TestProvider) -> AsyncIterator[Proxy]:
    """To the provider, which calls itself by it."""
    async with proxied(int(idp.issuer.rpartition(":")[2]), seed=17) as made:
        idp.issuer = f"http://{made.address}"
        yield made


@pytest.fixture
def auth(way: Proxy, idp: TestProvider, tmp_path: Path, clock: FakeClock) -> Authenticator:
    return of(idp, tmp_path, clock)


@pytest.fixture
async def browser(auth: Authenticator) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(create_app("test", auth=auth)) as http:
        yield http


def falls_silent(way: Proxy) -> None:
    way.go_silent()


def trickles(way: Proxy) -> None:
    way.down.bytes_per_s = 100


def breaks_off_in_its_answer(way: Proxy) -> None:
    way.down.reset_after = (250, 350)


BAD: dict[str, tuple[Callable[[Proxy], None], str]] = {
    "silent": (falls_silent, "does not answer within 0.5 s"),
    "trickling": (trickles, "does not answer within 0.5 s"),
    "breaking off": (breaks_off_in_its_answer, "cannot be reached"),
}


async def test_a_slow_and_cut_up_way_refuses_nobody(way: Proxy, auth: Authenticator, idp: TestProvider) -> None:
    for one in (way.up, way.down):
        one.latency_s, one.jitter_s, one.pieces = 0.05, 0.05, (1, 7)
    assert (await auth.authenticated(idp.token("wang"))).user == "wang"
    assert auth.check() is None


@pytest.mark.parametrize("name", BAD)
async def test_a_rotation_that_is_cut_leaves_old_keys_and_calls_no_good_token_wrong(
    name: str,
    way: Proxy,
    auth: Authenticator,
    idp: TestProvider,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails, why = BAD[name]
    old = idp.token("wang")
    await auth.authenticated(old)
    idp.rotate("ES256")
    new = idp.token("zhao")
    clock.pause(AGAIN_S)
    fails(way)
    with monkeypatch.context() as soon:
        soon.setattr(shared.oidc, "TIMEOUT_S", SOON_S if "within" in why else PATIENCE_S)
        assert await reason(auth, new) == "provider_away"
    assert why in str(auth.check())
    assert (await auth.authenticated(old)).user == "wang"
    assert await reason(auth, new) == "provider_away", "without asking once more so soon"
    with pytest.raises(SocketRefused) as closed:
        await auth.of_socket({"authorization": f"Bearer {new}"}, {})
    assert closed.value.code == PROVIDER_AWAY, "a feed may come back"
    way.restore()
    clock.pause(AGAIN_S)
    assert (await auth.authenticated(new)).user == "zhao"
    assert (await auth.authenticated(old)).user == "wang"
    assert auth.check() is None


async def test_a_provider_that_comes_back_is_found_again_without_anybody_asking(
    way: Proxy, auth: Authenticator, idp: TestProvider, clock: FakeClock
) -> None:
    assert auth.provider is not None
    provider = auth.provider
    await way.refuse()
    async with beside(provider.run()):
        await until(lambda: provider.failures == 1)
        assert "cannot be reached" in str(auth.check())
        await way.listen()

        async def found() -> bool:
            await clock.advance(0.25)
            return provider.up

        await until(found, "its keys are known")
    assert provider.claims(idp.token("wang"))["name"] == "Wang"


async def test_a_sign_in_that_breaks_off_signs_nobody_in_and_can_be_begun_again(
    way: Proxy, browser: httpx.AsyncClient, idp: TestProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    idp.who = "wang"
    for fails, _ in BAD.values():
        back = await back_from(await to_provider(browser))
        fails(way)
        with monkeypatch.context() as soon:
            soon.setattr(shared.oidc, "TIMEOUT_S", SOON_S)
            assert problem(await browser.get(back)) == "provider"
        way.restore()
        assert COOKIE not in browser.cookies
        assert (await browser.get("/api/v1/me")).status_code == 401
    back = await back_from(await to_provider(browser))
    assert (await browser.get(back)).headers["location"] == "/transfers?q=a"
    assert (await browser.get("/api/v1/me")).json()["user"] == "wang"
