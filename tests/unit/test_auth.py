"""Tokens, the secret, tickets, and who somebody is by them."""

from __future__ import annotations

import base64
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from shared import tickets
from shared.auth import COOKIE, LOCAL, Authenticator, NotAuthenticated, SocketRefused
from shared.clock import FakeClock
from shared.errors import SettingsError
from shared.settings import CommonSettings
from shared.tickets import TICKET_S, Tickets
from shared.tokens import SECRET_FILE, Signer, secret_of
from shared.users import LOOK_EVERY_S, LiveUsers
from tests.authkit import SECRET, bearer, settings, token, users_file

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def auth(tmp_path: Path, clock: FakeClock) -> Authenticator:
    return Authenticator(clock, LiveUsers(users_file(tmp_path), clock), Signer(SECRET))


def reason(auth: Authenticator, said: str) -> str:
    with pytest.raises(NotAuthenticated) as told:
        auth.of_token(said)
    return told.value.reason


# ---------------------------------------------------------------- tokens


def test_a_token_says_who_and_the_users_file_what_they_may(auth: Authenticator, clock: FakeClock) -> None:
    who = auth.of_token(token("supervisor", clock=clock))
    assert (who.user, who.name, who.may("floor.act"), who.may("numbers.reveal")) == ("supervisor", "王芳", True, False)
    assert who.expires == T0 + timedelta(hours=1)


def test_a_token_that_cannot_be_used_says_why(auth: Authenticator, clock: FakeClock) -> None:
    good = token("viewer", clock=clock)
    head, body, signature = good.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    other = json.dumps(json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "admin"}).encode()
    swapped = base64.urlsafe_b64encode(other).decode().rstrip("=")
    assert reason(auth, "") == "missing"
    for wrong in ("x", "a.b.c", f"{forged}.{body}.", f"{head}.{swapped}.{signature}", good + "x" * 5000):
        assert reason(auth, wrong) == "invalid"
    assert reason(auth, token("viewer", clock=clock, secret="another" * 8)) == "invalid"
    assert reason(auth, token("nobody", clock=clock)) == "unknown_user"
    claims = {"iss": "floorwatch", "sub": "viewer", "iat": T0, "exp": T0 + timedelta(hours=1)}
    assert auth.of_token(jwt.encode(claims, SECRET, "HS256")).user == "viewer"
    for missing in claims:
        less = {name: value for name, value in claims.items() if name != missing}
        assert reason(auth, jwt.encode(less, SECRET, "HS256")) == "invalid", missing
    assert reason(auth, jwt.encode(claims | {"iss": "another"}, SECRET, "HS256")) == "invalid"
    assert reason(auth, jwt.encode(claims | {"exp": 1e300}, SECRET, "HS256")) == "invalid"
    clock.pause(3600)
    assert reason(auth, good) == "expired"


def test_who_is_taken_out_of_the_file_is_out(tmp_path: Path, clock: FakeClock, auth: Authenticator) -> None:
    who = auth.of_token(token("viewer", clock=clock))
    assert auth.current(who) == who
    users_file(tmp_path, "users:\n  viewer: {roles: [supervisor]}\n  other: {roles: [viewer]}")
    clock.pause(LOOK_EVERY_S)
    changed = auth.current(who)
    assert changed is not None
    assert changed != who
    assert changed.may("floor.act")
    users_file(tmp_path, "users:\n  other: {roles: [viewer]}")
    clock.pause(LOOK_EVERY_S)
    assert auth.current(who) is None
    assert reason(auth, token("viewer", clock=clock)) == "unknown_user"


def test_who_is_blocked_by_the_policy_is_out_although_the_users_file_has_them(tmp_path: Path, clock: FakeClock) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("blocked: [eve]\n", encoding="utf-8")
    auth = Authenticator.of(CommonSettings(**settings(tmp_path), policy_file=policy), clock)
    said = token("viewer", clock=clock)
    who = auth.of_token(said)
    policy.write_text("blocked: [eve, viewer]\n", encoding="utf-8")
    clock.pause(LOOK_EVERY_S)
    assert auth.current(who) is None
    assert reason(auth, said) == "revoked"


def test_tokens_from_before_a_moment_can_be_voided(tmp_path: Path, clock: FakeClock, auth: Authenticator) -> None:
    old = token("viewer", clock=clock)
    who = auth.of_token(old)
    users_file(tmp_path, "users:\n  viewer: {roles: [viewer], tokens_since: 2026-03-02T09:00:30Z}")
    clock.pause(60)
    assert reason(auth, old) == "revoked"
    assert auth.current(who) is None
    assert auth.of_token(token("viewer", clock=clock)).user == "viewer"


def test_what_is_open_ends_with_its_token(clock: FakeClock, auth: Authenticator) -> None:
    who = auth.of_token(token("viewer", clock=clock))
    clock.pause(3599)
    assert auth.current(who) == who
    clock.pause(1)
    assert auth.current(who) is None


# ---------------------------------------------------------------- the secret


def test_services_that_start_at_once_agree_on_a_secret_that_only_its_owner_reads(tmp_path: Path) -> None:
    given = CommonSettings(run_dir=tmp_path / "run")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(secret_of(given))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert len(found[0]) >= 32
    assert os.listdir(tmp_path / "run") == [SECRET_FILE]
    assert (tmp_path / "run" / SECRET_FILE).stat().st_mode & 0o777 == 0o600


def test_a_secret_that_others_may_read_or_that_is_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / SECRET_FILE
    path.write_text(SECRET, encoding="ascii")
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="others may read it"):
        secret_of(CommonSettings(run_dir=tmp_path))
    path.chmod(0o600)
    assert secret_of(CommonSettings(run_dir=tmp_path)) == SECRET
    path.write_text("short", encoding="ascii")
    with pytest.raises(SettingsError, match="too short"):
        secret_of(CommonSettings(run_dir=tmp_path))
    with pytest.raises(SettingsError, match="AUTH_SECRET: expected at least 32") as told:
        secret_of(CommonSettings(auth_secret="hunter2"))  # type: ignore[arg-type]  # pydantic makes a secret of it
    assert "hunter2" not in str(told.value)


# ---------------------------------------------------------------- requests, sockets, tickets


async def test_a_bearer_goes_before_the_cookie(auth: Authenticator, clock: FakeClock) -> None:
    cookies = {COOKIE: token("viewer", clock=clock)}
    assert (await auth.of_request({}, cookies)).user == "viewer"
    assert (await auth.of_request(bearer("admin", clock=clock), cookies)).user == "admin"
    with pytest.raises(NotAuthenticated):
        await auth.of_request({"authorization": "Bearer nonsense"}, cookies)
    with pytest.raises(NotAuthenticated):
        await auth.of_request({"authorization": "Basic YTpi"}, {})


async def test_a_socket_needs_a_ticket_or_a_bearer(auth: Authenticator, clock: FakeClock) -> None:
    assert (await auth.of_socket(bearer("viewer", clock=clock), {})).user == "viewer"
    ticket = auth.ticket(auth.of_token(token("viewer", clock=clock)))
    assert (await auth.of_socket({}, {"ticket": ticket})).user == "viewer"
    cookie = {"cookie": f"{COOKIE}={token('viewer', clock=clock)}"}
    for headers, query in (({}, {"ticket": ticket}), ({}, {}), (cookie, {}), ({}, {"ticket": "x"})):
        with pytest.raises(SocketRefused) as told:
            await auth.of_socket(headers, query)
        assert told.value.code == 4401


async def test_a_ticket_lasts_thirty_seconds_and_no_longer_than_its_token(
    auth: Authenticator, clock: FakeClock
) -> None:
    first = auth.ticket(auth.of_token(token("viewer", clock=clock)))
    second = auth.ticket(auth.of_token(token("viewer", clock=clock, hours=10 / 3600)))
    clock.pause(TICKET_S - 0.1)
    with pytest.raises(SocketRefused):
        await auth.of_socket({}, {"ticket": second})
    assert (await auth.of_socket({}, {"ticket": first})).user == "viewer"
    third = auth.ticket(auth.of_token(token("viewer", clock=clock)))
    clock.pause(TICKET_S)
    with pytest.raises(SocketRefused):
        await auth.of_socket({}, {"ticket": third})


async def test_one_replica_does_not_know_the_tickets_of_another(
    tmp_path: Path, clock: FakeClock, auth: Authenticator
) -> None:
    other = Authenticator(clock, LiveUsers(users_file(tmp_path), clock), Signer(SECRET))
    said = token("viewer", clock=clock)
    assert other.of_token(said).user == "viewer"  # the secret is the same
    with pytest.raises(SocketRefused):
        await other.of_socket({}, {"ticket": auth.ticket(auth.of_token(said))})


def test_tickets_are_bounded_and_who_asks_for_too_many_loses_their_own(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets, "PER_USER", 3)
    monkeypatch.setattr(tickets, "TOTAL", 5)
    box: Tickets[str] = Tickets(clock)
    quiet = box.issue("quiet", "quiet")
    greedy = [box.issue("greedy", str(number)) for number in range(50)]
    assert len(box) == 4
    assert box.redeem(quiet) == "quiet"
    assert [box.redeem(one) for one in greedy[-4:]] == [None, "47", "48", "49"]
    for number in range(50):
        box.issue(f"user{number}", "")
    assert len(box) == 5
    clock.pause(TICKET_S)
    assert box.redeem("none") is None
    assert len(box) == 0
    assert box._count == {}


# ---------------------------------------------------------------- modes


async def test_without_users_everybody_is_the_same_local_one(clock: FakeClock) -> None:
    auth = Authenticator.of(CommonSettings(users_file=None), clock)
    assert auth.mode == "local"
    assert await auth.of_request({}, {}) is LOCAL
    assert await auth.of_request({"authorization": "Bearer nonsense"}, {}) is LOCAL
    assert await auth.of_socket({}, {"ticket": "nonsense"}) is LOCAL
    assert await auth.of_socket({}, {"ticket": auth.ticket(LOCAL)}) is LOCAL
    assert auth.current(LOCAL) is LOCAL
    assert not LOCAL.may("audit.read")


def test_settings_make_the_mode(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_USERS_FILE", "")
    assert Authenticator.of(CommonSettings(), clock).mode == "local"
    auth = Authenticator.of(CommonSettings(**settings(tmp_path)), clock)
    assert auth.mode == "users"
    assert auth.of_token(token("pbx", clock=clock)).permissions == ("floor.read", "events.write")
    with pytest.raises(SettingsError, match="AUTH_USERS_FILE says where it is"):
        Authenticator.of(CommonSettings(users_file=tmp_path / "none.yaml"), clock)
