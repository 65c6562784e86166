"""TLS of our ports: real handshakes with certificates of the test's own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from fastapi import FastAPI, WebSocket
from pydantic import SecretStr
from structlog.testing import capture_logs
from websockets.asyncio.client import connect

from shared import tls as tls_module
from shared.clock import FakeClock
from shared.errors import SettingsError
from shared.http import create_app
from shared.settings import MonitorSettings
from shared.tls import ServerTls
from tests.servingkit import Authority, Pair, served, tls_of

PASSWORD = "open sesame 4711"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("strangers"))


def an_app() -> FastAPI:
    app = create_app("monitor")

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(f"{socket.url.scheme} {await socket.receive_text()}")

    return app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port(authority: Authority) -> AsyncIterator[int]:
    async with served(an_app(), tls=tls_of(authority.sign())) as found:
        yield found


async def shown(port: int, context: ssl.SSLContext) -> dict[str, Any]:
    """The certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        return dict(writer.get_extra_info("peercert"))
    finally:
        writer.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_who_trusts_the_authority_is_answered_and_told_to_come_by_tls_only(
    port: int, authority: Authority
) -> None:
    async with httpx.AsyncClient(verify=authority.trusting()) as http:
        answer = await http.get(f"https://127.0.0.1:{port}/healthz")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_websocket_goes_through_tls_too(port: int, authority: Authority) -> None:
    async with connect(f"wss://127.0.0.1:{port}/ws", ssl=authority.trusting(), proxy=None) as socket:
        await socket.send("hello")
        assert await socket.recv() == "wss hello"


@pytest.mark.asyncio(loop_scope="module")
async def test_who_trusts_another_authority_does_not_connect(port: int, stranger: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        await asyncio.open_connection("127.0.0.1", port, ssl=stranger.trusting())


@pytest.mark.asyncio(loop_scope="module")
async def test_who_expects_another_name_does_not_connect(port: int, authority: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'floor\.example'"):
        await asyncio.open_connection("127.0.0.1", port, ssl=authority.trusting(), server_hostname="floor.example")


@pytest.mark.asyncio(loop_scope="module")
async def test_who_speaks_plainly_is_hung_up_on(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert b"HTTP" not in await reader.read()
    writer.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_tls_before_1_2_is_not_spoken(port: int, authority: Authority) -> None:
    old = authority.trusting()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")  # so that it is the server who refuses
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)) as refused:
        await asyncio.open_connection("127.0.0.1", port, ssl=old)
    assert "no protocols available" not in str(refused.value).lower(), "the client did not even ask"


async def test_a_renewed_certificate_is_shown_to_the_next_who_connects(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = tls_of(authority.sign())
    async with served(an_app(), tls=tls) as port:
        trusting = authority.trusting()
        before = await shown(port, trusting)
        async with connect(f"wss://127.0.0.1:{port}/ws", ssl=trusting, proxy=None) as open_already:
            pair = authority.sign("127.0.0.1", "renewed.example")
            tls.look()
            after = await shown(port, trusting)
            await open_already.send("still here")
            assert await open_already.recv() == "wss still here"
        assert after["serialNumber"] != before["serialNumber"]

        pair.cert.write_bytes(authority.sign(file="next").cert.read_bytes())  # its key is written a moment later
        with capture_logs() as said:
            tls.look()
        assert [(line["event"], line["consequence"]) for line in said] == [
            ("certificate not renewed", "the old one is shown")
        ]
        assert f"the key in {pair.key} is not that of the certificate in {pair.cert}" in said[0]["why"]
        assert await shown(port, trusting) == after
        pair.key.write_bytes((tmp_path / "next.key").read_bytes())
        tls.look()
        assert (await shown(port, trusting))["serialNumber"] not in (before["serialNumber"], after["serialNumber"])


def test_files_that_go_or_are_odd_while_they_are_looked_at_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is, the next look must come."""
    authority = Authority(tmp_path)
    pair = authority.sign()
    tls = tls_of(pair)
    check = tls_module._check_readable

    def and_then_it_is_gone(path: Path, setting: str) -> None:
        check(path, setting)
        if path == pair.key:
            path.unlink()

    authority.sign()
    with capture_logs() as said, monkeypatch.context() as patched:
        patched.setattr(tls_module, "_check_readable", and_then_it_is_gone)
        tls.look()
        patched.undo()
        authority.sign()
        pair.cert.write_text(pair.cert.read_text().replace(" CERTIFICATE", " TRUSTED CERTIFICATE"))
        tls.look()
        authority.sign()
        tls.look()
    assert [line["event"] for line in said] == [
        "certificate not renewed",
        "certificate not renewed",
        "certificate renewed",
    ]


def test_a_served_app_looks_at_its_certificate_by_itself(tmp_path: Path) -> None:
    """Without anybody telling it."""

    async def turns() -> str:
        authority = Authority(tmp_path)
        async with served(an_app(), tls=tls_of(authority.sign())) as port:
            trusting = authority.trusting()
            before = await shown(port, trusting)
            authority.sign()
            async with asyncio.timeout(60):
                while (after := await shown(port, trusting)) == before:
                    await asyncio.sleep(0.05)
            return str(after["serialNumber"])

    assert asyncio.run(turns())


async def test_a_certificate_that_ends_soon_is_told_of_each_day_and_one_that_has_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_module, "POLL_S", 3600.0)
    tls = tls_of(Authority(tmp_path).sign())
    clock = FakeClock(tls.expires - timedelta(days=15, minutes=1))
    following = asyncio.create_task(tls.follow(clock))
    with capture_logs() as said:
        for _ in range(4):
            await clock.advance(86_400.0)
    with capture_logs() as later:
        await clock.advance(12 * 86_400.0)
    following.cancel()
    assert [(line["event"], line["days"]) for line in said] == [
        ("certificate ends soon", 13),
        ("certificate ends soon", 12),
        ("certificate ends soon", 11),
    ]
    assert (later[-1]["event"], later[-1]["log_level"]) == ("certificate has ended", "error")


def encrypted(pair: Pair, password: str) -> Pair:
    key = load_pem_private_key(pair.key.read_bytes(), None)
    pair.key.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    )
    return pair


def test_a_key_may_have_a_password(tmp_path: Path) -> None:
    assert tls_of(encrypted(Authority(tmp_path).sign(), PASSWORD), PASSWORD).context.get_ca_certs() == []


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("no key named", "{k}: not set, though {c} is"),
        ("no certificate named", "{c}: not set, though {k} is"),
        ("no such file", "{c}: {cert} cannot be read: No such file or directory"),
        ("a folder", "{k}: {key} cannot be read: Is a directory"),
        ("no PEM", "{c}, {k}: no certificate in {cert} with its key in {key}"),
        ("another key", "{c}, {k}: the key in {key} is not that of"),
        ("encrypted", "{c}, {k}: the key in {key} is encrypted, and the password is missing"),
        ("wrong password", "{c}, {k}: the key in {key} is encrypted, and the password does not fit"),
    ],
)
def test_what_cannot_be_used_names_the_variable_and_the_file(tmp_path: Path, wrong: str, expected: str) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign()
    how: dict[str, Any] = {"tls_cert_file": pair.cert, "tls_key_file": pair.key}
    match wrong:
        case "no key named":
            del how["tls_key_file"]
        case "no certificate named":
            del how["tls_cert_file"]
        case "no such file":
            pair.cert.unlink()
        case "a folder":
            pair.key.unlink()
            pair.key.mkdir()
        case "no PEM":
            pair.cert.write_text("certainly not")
        case "another key":
            pair.key.write_bytes(authority.sign(file="other").key.read_bytes())
        case "encrypted":
            encrypted(pair, PASSWORD)
        case _:
            encrypted(pair, PASSWORD)
            how["tls_key_password"] = SecretStr("guessed")
    with pytest.raises(SettingsError) as failure:
        ServerTls.of(MonitorSettings(**how))
    named = {"c": "FLOORWATCH_TLS_CERT_FILE", "k": "FLOORWATCH_TLS_KEY_FILE"}
    assert str(failure.value).startswith(expected.format(cert=pair.cert, key=pair.key, **named))
    assert "guessed" not in str(failure.value)
    assert "\n" not in str(failure.value)
