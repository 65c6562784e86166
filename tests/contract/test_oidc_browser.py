"""Signing in at an identity provider by browser and out again, and what somebody may try on the way; a real provider."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from shared.auth import COOKIE, Authenticator
from shared.clock import FakeClock
from shared.http import create_app
from shared.sessions import Identity, SignInFailed, sign_session
from shared.tokens import NotAuthenticated
from tests.oidckit import asking, auth, clock, idp, no_proxy, of, policy_file
from tests.providerkit import CLIENT, TestProvider

__all__ = ["auth", "clock", "idp", "no_proxy"]  # fixtures


@pytest.fixture
async def browser(auth: Authenticator) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(create_app("test", auth=auth)) as http:
        yield http


async def to_provider(browser: httpx.AsyncClient, next_: str = "/transfers?q=a") -> httpx.URL:
    answer = await browser.get(f"/api/v1/session/provider?{urlencode({'next': next_})}")
    assert answer.status_code == 303
    return httpx.URL(answer.headers["location"])


async def back_from(url: httpx.URL) -> str:
    """Where the provider sends the browser."""
    async with httpx.AsyncClient(verify=False) as there:
        answer = await there.get(url)
    assert answer.status_code == 302
    return str(answer.headers["location"])


def problem(answer: httpx.Response) -> str:
    where = urlsplit(answer.headers["location"])
    assert (answer.status_code, where.path) == (303, "/login.html")
    assert COOKIE not in answer.cookies
    return parse_qs(where.query)["problem"][0]


async def test_somebody_signs_in_at_the_provider_and_out(
    browser: httpx.AsyncClient, idp: TestProvider, clock: FakeClock
) -> None:
    assert (await browser.get("/api/v1/me")).json()["reason"] == "missing"
    ways = (await browser.get("/api/v1/session")).json()
    assert ways == {
        "mode": "users",
        "links": False,
        "provider": {"label": "127.0.0.1", "begin": "/api/v1/session/provider", "sign_out": None},
    }
    there = await to_provider(browser)
    asked = dict(there.params)
    assert asked["redirect_uri"] == "http://127.0.0.1:8600/api/v1/session/callback"
    assert (asked["scope"], asked["code_challenge_method"]) == ("openid profile email", "S256")
    idp.who = "wang"
    back = await back_from(there)
    answer = await browser.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/transfers?q=a")
    (kept,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{COOKIE}=")]
    assert "HttpOnly" in kept
    assert "SameSite=strict" in kept
    assert [name for name in browser.cookies if name != COOKIE] == [], "what was kept for the way is gone"
    me = (await browser.get("/api/v1/me")).json()
    assert (me["user"], me["roles"], me["scope"]["sites"]) == ("wang", ["supervisor"], ["hq"])
    assert me["expires"] == "2099-03-02T19:00:00Z"
    assert (await browser.get("/api/v1/session")).json()["provider"][
        "sign_out"
    ] == f"{idp.issuer}/out?client_id={CLIENT}"
    assert problem(await browser.get(back)) == "state", "the way back is good once"
    assert (await browser.delete("/api/v1/session", headers={"origin": "http://127.0.0.1:8600"})).status_code == 204
    assert (await browser.get("/api/v1/me")).json()["reason"] == "missing"


async def test_a_session_ends_by_itself(browser: httpx.AsyncClient, idp: TestProvider, clock: FakeClock) -> None:
    idp.who = "wang"
    await browser.get(await back_from(await to_provider(browser)))
    kept = {"cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    clock.pause(10 * 3600)
    assert (await browser.get("/api/v1/me", headers=kept)).json()["reason"] == "expired"


async def test_two_tabs_may_begin_at_once(browser: httpx.AsyncClient, idp: TestProvider) -> None:
    idp.who = "wang"
    first, second = await to_provider(browser, "/a"), await to_provider(browser, "/b")
    assert (await browser.get(await back_from(second))).headers["location"] == "/b"
    assert (await browser.get(await back_from(first))).headers["location"] == "/a"


def _name_of(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()[:16]


async def test_nobody_is_signed_in_by_a_way_back_that_somebody_else_began(
    browser: httpx.AsyncClient, auth: Authenticator, idp: TestProvider, clock: FakeClock
) -> None:
    idp.who = "eve"
    async with asking(create_app("test", auth=auth)) as attacker:
        stolen = await back_from(await to_provider(attacker))
    assert problem(await browser.get(stolen)) == "state"
    own = await to_provider(browser)
    state = own.params["state"]
    code = httpx.URL(stolen).params["code"]
    mixed = f"/api/v1/session/callback?{urlencode({'code': code, 'state': state})}"
    assert problem(await browser.get(mixed)) == "provider", "the code is of another verifier"
    begun = await to_provider(browser)
    (kept,) = [
        value for name, value in browser.cookies.items() if name == f"floorwatch-{_name_of(begun.params['state'])}"
    ]
    with pytest.raises(SignInFailed, match="of another sign-in"):
        await auth.came_back({"state": state, "code": code}, kept)
    late = await back_from(await to_provider(browser))
    clock.pause(601)
    assert problem(await browser.get(late)) == "state"


async def test_a_way_back_is_good_once(browser: httpx.AsyncClient, idp: TestProvider) -> None:
    idp.who = "wang"
    back = await back_from(await to_provider(browser))
    kept = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    assert (await browser.get(back)).headers["location"] == "/transfers?q=a"
    assert problem(await browser.get(back)) == "state", "what it needs is taken from the browser"
    assert problem(await browser.get(back, headers={"cookie": kept})) == "provider", "also with it: the code was used"


async def test_what_the_provider_says_is_checked(browser: httpx.AsyncClient, idp: TestProvider) -> None:
    idp.who = "wang"

    async def told() -> str:
        return problem(await browser.get(await back_from(await to_provider(browser))))

    for wrong in (
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"azp": "x"},
        {"exp": 1},
    ):
        idp.id_token_claims = wrong
        assert await told() == "token", wrong
    idp.id_token_claims = {}
    idp.answers_with = "access_denied"
    assert await told() == "declined"
    idp.answers_with = None
    idp.who = "eve"
    assert await told() == "no_access"
    back = httpx.URL(await back_from(await to_provider(browser)))
    assert problem(await browser.get(back.copy_merge_params({"iss": "https://evil.example"}))) == "state"
    back = httpx.URL(await back_from(await to_provider(browser)))
    idp.away = True
    assert problem(await browser.get(back)) == "provider"


async def test_groups_that_only_userinfo_tells_are_asked_for(browser: httpx.AsyncClient, idp: TestProvider) -> None:
    idp.who, idp.thin = "wang", {"groups"}
    await browser.get(await back_from(await to_provider(browser)))
    assert (await browser.get("/api/v1/me")).json()["roles"] == ["supervisor"]
    assert idp.asked["/userinfo"] == 1
    idp.people["wang"]["sub"] = "id-of-zhao"
    idp.id_token_claims = {"sub": "id-of-wang"}
    assert problem(await browser.get(await back_from(await to_provider(browser)))) == "provider", (
        "it is of somebody else"
    )


@pytest.mark.parametrize(
    "wanted",
    [
        *("https://evil.example/", "//evil.example", "///evil.example", "////evil.example", "/\\evil.example"),
        *("javascript:alert(1)", "", "x", "/a\nb"),
    ],
)
async def test_nobody_is_led_elsewhere_afterwards(browser: httpx.AsyncClient, idp: TestProvider, wanted: str) -> None:
    idp.who = "wang"
    answer = await browser.get(await back_from(await to_provider(browser, wanted)))
    assert answer.headers["location"] == "/"


async def test_a_provider_that_is_away_is_told_of_on_the_page(browser: httpx.AsyncClient, idp: TestProvider) -> None:
    idp.away = True
    answer = await browser.get("/api/v1/session/provider?next=/hall")
    assert problem(answer) == "provider"
    assert parse_qs(urlsplit(answer.headers["location"]).query)["next"] == ["/hall"]
    assert (await browser.get("/api/v1/me", headers=idp.bearer("wang"))).status_code == 503


async def test_more_groups_than_a_cookie_holds_are_said_to_be_too_many(
    idp: TestProvider, tmp_path: Path, clock: FakeClock
) -> None:
    policy = policy_file(tmp_path, "grants:\n  - {claim: groups, value: a, roles: [viewer], sites_from: sites}")
    auth = of(idp, tmp_path, clock, policy_file=policy)
    idp.people["many"] = {"groups": ["a"], "sites": [f"site-number-{number}" for number in range(400)]}
    idp.who = "many"
    async with asking(create_app("test", auth=auth)) as browser:
        assert problem(await browser.get(await back_from(await to_provider(browser)))) == "invalid"
        me = await browser.get("/api/v1/me", headers=idp.bearer("many"))
        assert len(me.json()["scope"]["sites"]) == 400, "programs have no cookie"


async def test_no_cookie_is_longer_than_a_browser_keeps(browser: httpx.AsyncClient) -> None:
    """Chromium drops one of more than 4096 bytes, its name included, and says nothing of it."""
    now, kept = datetime(2026, 11, 22, 9, tzinfo=UTC), list[int]()
    for letters in range(2600, 3000):
        who = Identity("wang", "n" * letters, frozenset(), now, now + timedelta(hours=10))
        with suppress(NotAuthenticated):
            kept.append(len(COOKIE) + len(sign_session("s" * 32, "https://login.example.org", who)))
    assert 3900 < max(kept) <= 4096
    for wanted in ("/" + "客" * 999, "/" + "🎧" * 999, "/" + "x" * 999):
        answer = await browser.get(f"/api/v1/session/provider?{urlencode({'next': wanted})}")
        assert answer.status_code == 303
        name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
        assert len(name) + len(value) <= 4096


async def test_without_a_provider_there_is_no_way_to_one() -> None:
    async with asking(create_app("test")) as http:
        assert (await http.get("/api/v1/session")).json() == {"mode": "local", "links": False, "provider": None}
        for path in ("provider", "callback"):
            assert (await http.get(f"/api/v1/session/{path}")).status_code == 404
