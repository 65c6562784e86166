"""People and programs of an identity provider, a real one over HTTP: its keys and their rotation, signing in and out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from shared.auth import Authenticator
from shared.clock import FakeClock
from shared.errors import SettingsError
from shared.http import create_app
from shared.livefile import LOOK_EVERY_S
from shared.oidc import AGAIN_S, FRESH_S, Provider
from shared.service import Background
from shared.settings import ServiceSettings
from shared.tokens import KeyUnknown
from tests.authkit import bearer, users_file
from tests.oidckit import POLICY, T0, asking, auth, clock, idp, no_proxy, of, policy_file, reason
from tests.providerkit import Key, TestProvider, a_provider, rsa_key, settings
from tests.waiting import until

__all__ = ["auth", "clock", "idp", "no_proxy"]  # fixtures

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
    for unsure in (False, "false", "False", 0):  # some write truth as text
        assert await reason(by_mail, idp.token("wang", **mail, email_verified=unsure)) == "invalid"
    assert await reason(by_mail, idp.token("wang")) == "invalid"
    for odd in ("", "a b", "a\nb", "x" * 200, 5, ["wang"], "<b>", "a/b", "local", "floorwatch", "Floorwatch"):
        assert await reason(by_mail, idp.token("wang", email=odd)) in ("invalid", "unknown_user")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (" Wang  Fang 王芳 ", "Wang Fang 王芳"),
        ("Wang\r\nBcc: x@example.org", "Wang Bcc: x@example.org"),
        ("\u202eWang\u2066", "Wang"),
        ("Floorwatch", "wang"),  # as which histories call what nobody did
        ("\t\x00\ud800", "wang"),
        (["Fang", "Wang"], "Fang"),
        (5, "5"),
    ],
)
async def test_what_people_are_called_is_one_line_that_shows_what_it_is(
    auth: Authenticator, idp: TestProvider, said: Any, shown: str
) -> None:
    assert (await auth.authenticated(idp.token("wang", name=said))).name == shown


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


async def test_a_new_key_in_the_middle_of_many_requests_refuses_nobody(
    auth: Authenticator, idp: TestProvider, clock: FakeClock
) -> None:
    before = [idp.token("wang") for _ in range(40)]
    await auth.authenticated(before[0])
    clock.pause(AGAIN_S)
    idp.rotate("ES256")
    after = [idp.token("zhao") for _ in range(40)]
    both = [one for pair in zip(before, after, strict=True) for one in pair]
    found = await asyncio.gather(*(auth.authenticated(one) for one in both))
    assert [one.user for one in found] == ["wang", "zhao"] * 40
    assert idp.asked["/keys"] == 2, "one look for all of them"


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
        assert await reason(auth, idp.token("wang")) == "provider_away", (
            "it is signed with a key that nobody can ask for"
        )
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
        ({"jwks_uri": "http://127.0.0.1:99999/keys"}, "its jwks_uri is no https address"),
        ({"jwks_uri": "http://[keys"}, "its jwks_uri is no https address"),
        ({"token_endpoint": "http://ä..b/token"}, "its token_endpoint is no https address"),
        ({"userinfo_endpoint": "http:///me"}, "its userinfo_endpoint is no https address"),
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
            ).status_code == 503
            answer = await http.get("/readyz")
            assert answer.status_code == 200
            assert answer.json()["checks"]["identity provider"]["ok"] is True
            assert "0:00:10 ago go on" in answer.json()["checks"]["identity provider"]["reason"]


async def test_its_certificate_must_be_of_an_authority_that_is_trusted(tmp_path: Path, clock: FakeClock) -> None:
    ours, others = trustme.CA(), trustme.CA()
    certificate, files = ours.issue_cert("127.0.0.1"), [tmp_path / name for name in ("cert", "key", "ours", "others")]
    certificate.cert_chain_pems[0].write_to_path(files[0])
    certificate.private_key_pem.write_to_path(files[1])
    ours.cert_pem.write_to_path(files[2])
    others.cert_pem.write_to_path(files[3])
    async with a_provider(clock, ssl_certfile=files[0], ssl_keyfile=files[1]) as idp:
        idp.people["wang"] = {"groups": ["supervisors"]}
        assert (await of(idp, tmp_path, clock, oidc_ca_file=files[2]).authenticated(idp.token("wang"))).user == "wang"
        for wrong in (files[3], None):
            refused = of(idp, tmp_path, clock, oidc_ca_file=wrong)
            assert await reason(refused, idp.token("wang")) == "provider_away"
            assert "CERTIFICATE_VERIFY_FAILED" in str(refused.check())


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


class HastyClock(FakeClock):
    """A second passes at the look number `left`."""

    left = -1

    def monotonic(self) -> float:
        self.left -= 1
        if self.left == 0:
            self.pause(LOOK_EVERY_S)
        return super().monotonic()


@pytest.mark.parametrize("look", range(1, 6))
async def test_a_policy_that_changes_while_somebody_is_looked_up_leaves_nothing_of_the_old_one(
    idp: TestProvider, tmp_path: Path, look: int
) -> None:
    clock = HastyClock(T0)
    auth = of(idp, tmp_path, clock, users_file=users_file(tmp_path))
    who = auth.of_token(auth.session(await auth.authenticated(idp.token("wang"))))
    blue = auth.of_token(bearer("blue", clock=clock)["authorization"][7:])
    policy_file(tmp_path, POLICY.replace("[hq]", "[north]"))
    auth._made.clear()
    clock.left = look
    auth.current(who)
    auth.current(blue)
    clock.pause(LOOK_EVERY_S)
    found = auth.current(who)
    assert found is not None
    assert found.scope.sites == {"north"}


async def test_what_is_open_ends_with_its_token(auth: Authenticator, idp: TestProvider, clock: FakeClock) -> None:
    who = await auth.authenticated(idp.token("wang"))
    clock.pause(299)
    assert auth.current(who) == who
    clock.pause(1)
    assert auth.current(who) is None


# ---------------------------------------------------------------- settings


async def test_a_proxy_that_cannot_be_used_is_told_of_at_the_start(
    idp: TestProvider, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "ftp://127.0.0.1:21")
    with pytest.raises(SettingsError, match="the proxy that the environment names cannot be used"):
        of(idp, tmp_path, clock)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"policy_file": None}, "AUTH_POLICY_FILE is not set"),
        ({"oidc_audience": (), "oidc_client_id": ""}, "AUTH_OIDC_AUDIENCE: whom tokens of .* must be for"),
        ({"oidc_ca_file": Path("/nowhere/ca.pem")}, "AUTH_OIDC_CA_FILE: /nowhere/ca.pem cannot be used"),
        ({"oidc_issuer": "https://login.example:84443"}, "AUTH_OIDC_ISSUER: https://login.example:84443 is no address"),
        ({"oidc_issuer": "https://[login.example"}, "AUTH_OIDC_ISSUER: .* is no address"),
    ],
)
async def test_a_provider_that_is_half_set_up_is_told_of_at_the_start(
    idp: TestProvider, tmp_path: Path, clock: FakeClock, more: dict[str, Any], why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        of(idp, tmp_path, clock, **more)
