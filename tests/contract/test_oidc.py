"""People and programs of an identity provider, a real one over HTTP: its keys and their rotation, signing in and out."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from shared.auth import COOKIE, Authenticator
from shared.clock import FakeClock
from shared.errors import SettingsError
from shared.http import create_app
from shared.livefile import LOOK_EVERY_S
from shared.oidc import AGAIN_S, FRESH_S, Provider
from shared.service import Background
from shared.sessions import SignInFailed
from shared.settings import ServiceSettings
from shared.tokens import KeyUnknown, NotAuthenticated
from tests.authkit import SECRET, bearer, users_file
from tests.providerkit import CLIENT, Key, TestProvider, a_provider, rsa_key, settings
from tests.waiting import until

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


# ---------------------------------------------------------------- tokens of programs


async def test_a_token_says_who_and_the_policy_what_they_may(auth: Authenticator, idp: TestProvider) -> None:
    who = await auth.authenticated(idp.token("wang"))
    assert (who.user, who.name, who.roles, who.scope.sites) == ("wang", "Wang", {"supervisor"}, {"hq"})
    assert who.may("floor.act")
    assert not who.may("events.write")
    assert (await auth.authenticated(idp.token("sun"))).roles == {"auditor"}
    assert await reason(auth, idp.token("eve")) == "unknown_user"
    assert await reason(auth, idp.token("wang", aud="another")) == "invalid"
    assert await reason(auth, idp.token("wang", exp=1)) == "expired"
    assert idp.asked["/keys"] == 1, "for all of them together"


async def test_a_person_is_called_by_the_claim_that_is_set(idp: TestProvider, tmp_path: Path, clock: FakeClock) -> None:
    by_mail = of(idp, tmp_path, clock, oidc_user_claim="email")
    mail = {"email": "wang@example.org"}
    assert (await by_mail.authenticated(idp.token("wang", **mail, email_verified=True))).user == "wang@example.org"
    assert await reason(by_mail, idp.token("wang", **mail, email_verified=False)) == "invalid"
    assert await reason(by_mail, idp.token("wang")) == "invalid"
    for odd in ("", "a b", "a\nb", "x" * 200, 5, ["wang"], "<b>", "a/b", "local"):
        assert await reason(by_mail, idp.token("wang", email=odd)) in ("invalid", "unknown_user")


async def test_the_same_name_in_the_users_file_is_somebody_else(
    idp: TestProvider, tmp_path: Path, clock: FakeClock
) -> None:
    both = of(idp, tmp_path, clock, users_file=users_file(tmp_path))
    idp.people["admin"] = {"groups": ["operations"]}
    assert await reason(both, idp.token("admin")) == "unknown_user"
    assert (await both.authenticated(bearer("admin", clock=clock)["authorization"][7:])).roles == {"admin"}
    assert (await both.authenticated(idp.token("wang"))).roles == {"supervisor"}


async def test_our_own_tokens_are_not_the_providers_and_the_other_way_round(
    idp: TestProvider, tmp_path: Path, clock: FakeClock, auth: Authenticator
) -> None:
    ours = bearer("wang", clock=clock)["authorization"][7:]
    assert await reason(auth, ours) == "unknown_user", "there is no users file"
    assert await reason(auth, idp.token("wang", iss="floorwatch")) == "invalid"
    assert await reason(auth, idp.token("wang", iss="floorwatch-session")) == "invalid"
    session = auth.session(await auth.authenticated(idp.token("wang")))
    assert (await auth.authenticated(session)).user == "wang"
    other = of(idp, tmp_path, clock, auth_secret="another" * 8)
    assert await reason(other, session) == "invalid"
    async with a_provider(clock) as second:
        assert await reason(of(second, tmp_path, clock), session) == "invalid", "it is of another provider"


# ---------------------------------------------------------------- keys


async def test_a_new_key_is_looked_for_once_it_is_used_and_an_old_one_goes_on_until_it_is_gone(
    auth: Authenticator, idp: TestProvider, clock: FakeClock
) -> None:
    old = idp.token("wang")
    await auth.authenticated(old)
    clock.pause(AGAIN_S)
    idp.rotate("ES256")
    assert (await auth.authenticated(idp.token("zhao"))).user == "zhao"
    assert (await auth.authenticated(old)).user == "wang"
    assert idp.asked["/keys"] == 2
    idp.forget_old()
    assert (await auth.authenticated(old)).user == "wang", "nobody has looked again yet"
    clock.pause(AGAIN_S)
    idp.rotate()
    assert (await auth.authenticated(idp.token("zhao"))).user == "zhao"
    assert await reason(auth, old) == "invalid"


async def test_forged_keys_do_not_make_us_ask_the_provider_again_and_again(
    auth: Authenticator, idp: TestProvider, clock: FakeClock
) -> None:
    await auth.authenticated(idp.token("wang"))
    for number in range(50):
        assert await reason(auth, idp.token("wang", key=Key(f"made-up-{number}", "RS256", rsa_key(98)))) == "invalid"
    assert idp.asked["/keys"] == 1
    clock.pause(AGAIN_S)
    forged = [idp.token("wang", key=Key(f"made-up-{number}", "RS256", rsa_key(98))) for number in range(50)]
    found = await asyncio.gather(*(auth.authenticated(one) for one in forged), return_exceptions=True)
    assert all(isinstance(one, KeyUnknown) for one in found)
    assert idp.asked["/keys"] == 2, "those who come at once wait for one answer"


async def test_known_keys_go_on_while_the_provider_is_away(
    auth: Authenticator, idp: TestProvider, clock: FakeClock
) -> None:
    await auth.authenticated(idp.token("wang"))
    assert auth.check() is None
    idp.away = True
    clock.pause(AGAIN_S)
    idp.rotate()
    with capture_logs() as logs:
        assert await reason(auth, idp.token("wang")) == "invalid"
    assert [one["consequence"] for one in logs if one["log_level"] == "warning"] == ["its known keys go on"]
    assert (await auth.authenticated(idp.token("wang", key=idp.keys[0]))).user == "wang"
    assert "answers 503" in str(auth.check())


async def test_while_no_key_was_ever_known_the_provider_is_away_and_not_the_token_wrong(
    auth: Authenticator, idp: TestProvider, clock: FakeClock
) -> None:
    idp.away = True
    assert await reason(auth, idp.token("wang")) == "provider_away"
    assert "answers 503" in str(auth.check())
    idp.away = False
    clock.pause(AGAIN_S)
    assert (await auth.authenticated(idp.token("wang"))).user == "wang"
    assert auth.check() is None


async def test_keys_are_fetched_at_the_start_every_few_minutes_and_soon_after_a_failure(
    idp: TestProvider, tmp_path: Path, clock: FakeClock
) -> None:
    made = Provider(ServiceSettings(**settings(idp)), clock)
    idp.away = True
    running = asyncio.create_task(made.run())

    async def asked(times: int, after_s: float) -> None:
        await clock.advance(after_s)
        await until(lambda: idp.asked.get("/.well-known/openid-configuration", 0) == times)
        await until(lambda: made._asking is None)
        await clock.advance(0)

    await asked(1, 0)
    assert made.check() is not None
    await asked(2, 1)
    idp.away = False
    await asked(3, 2)
    assert made.check() is None
    idp.rotate()
    idp.forget_old()
    await asked(4, FRESH_S)
    assert made.keys.ids == {"key-1"}
    running.cancel()


@pytest.mark.parametrize(
    ("lies", "why"),
    [
        ({"issuer": "https://evil.example"}, "it calls itself 'https://evil.example'"),
        ({"jwks_uri": "file:///etc/passwd"}, "its jwks_uri is no https address"),
        ({"jwks_uri": 5}, "its description cannot be used"),
        ({"jwks_uri": "http://127.0.0.1:1/keys"}, "cannot be reached"),
        ({"padding": "x" * (600 << 10)}, "answers with more than"),
    ],
)
async def test_a_provider_that_cannot_be_trusted_is_not(
    idp: TestProvider, tmp_path: Path, clock: FakeClock, lies: dict[str, Any], why: str
) -> None:
    auth = of(idp, tmp_path, clock)
    idp.lies = lies
    assert await reason(auth, idp.token("wang")) == "provider_away"
    assert why in str(auth.check())


async def test_readiness_says_what_is_out_of_order_although_people_can_sign_in(
    auth: Authenticator, idp: TestProvider, clock: FakeClock
) -> None:
    async with Background() as background:
        app = create_app("test", auth=auth, registry=CollectorRegistry(), background=background)
        async with asking(app) as http:
            await until(lambda: idp.asked.get("/keys") == 1 and auth.check() is None)
            assert (await http.get("/readyz")).json()["checks"]["identity provider"] == {"ok": True}
            idp.away = True
            clock.pause(AGAIN_S)
            assert (
                await http.get("/api/v1/me", headers=idp.bearer("wang", key=Key("x", "RS256", rsa_key(98))))
            ).status_code == 401
            answer = await http.get("/readyz")
            assert answer.status_code == 200
            assert answer.json()["checks"]["identity provider"]["ok"] is True
            assert "0:00:10 ago go on" in answer.json()["checks"]["identity provider"]["reason"]


# ---------------------------------------------------------------- what changes while somebody is there


async def test_a_change_of_the_policy_counts_at_once(
    auth: Authenticator, idp: TestProvider, tmp_path: Path, clock: FakeClock
) -> None:
    who = await auth.authenticated(idp.token("wang"))
    session = auth.session(who)
    assert auth.current(who) == who
    policy_file(tmp_path, POLICY.replace("[supervisor]", "[inspector]") + "roles: {inspector: [floor.read]}\n")
    clock.pause(LOOK_EVERY_S)
    changed = auth.current(who)
    assert changed is not None
    assert (changed.roles, changed.permissions) == ({"inspector"}, ("floor.read",))
    assert auth.of_token(session).roles == {"inspector"}
    for text in (
        POLICY + "blocked: [wang]\n",
        POLICY.replace("supervisors", "x"),
        POLICY + "tokens_since: 2099-03-02T09:00:30Z\n",
    ):
        policy_file(tmp_path, text)
        clock.pause(LOOK_EVERY_S)
        assert auth.current(who) is None
        assert await reason(auth, session) in ("revoked", "unknown_user")


async def test_what_is_open_ends_with_its_token(auth: Authenticator, idp: TestProvider, clock: FakeClock) -> None:
    who = await auth.authenticated(idp.token("wang"))
    clock.pause(299)
    assert auth.current(who) == who
    clock.pause(1)
    assert auth.current(who) is None


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"policy_file": None}, "AUTH_POLICY_FILE is not set"),
        ({"oidc_audience": (), "oidc_client_id": ""}, "AUTH_OIDC_AUDIENCE: whom tokens of .* must be for"),
        ({"oidc_ca_file": Path("/nowhere/ca.pem")}, "AUTH_OIDC_CA_FILE: /nowhere/ca.pem cannot be used"),
    ],
)
async def test_a_provider_that_is_half_set_up_is_told_of_at_the_start(
    idp: TestProvider, tmp_path: Path, clock: FakeClock, more: dict[str, Any], why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        of(idp, tmp_path, clock, **more)


# ---------------------------------------------------------------- by browser


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8600") as http:
        yield http


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
    async with httpx.AsyncClient() as there:
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
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "x", "/a\nb"]
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


def test_without_a_provider_there_is_no_way_to_one() -> None:
    from starlette.testclient import TestClient

    with TestClient(create_app("test"), base_url="http://127.0.0.1") as http:
        assert http.get("/api/v1/session").json() == {"mode": "local", "links": False, "provider": None}
        for path in ("provider", "callback"):
            assert http.get(f"/api/v1/session/{path}").status_code == 404


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return
