"""The manager interface over TLS: with real certificates, right and wrong ones told apart from everything else."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from services.ingest.connectors.asterisk.config import load_switches
from shared.events import LinkDown, LinkUp
from tests.amikit import PretendSwitch, Wired, packet
from tests.waiting import until

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(
    OPENSSL is None, reason="certificates are made by the openssl command, which is not here"
)


class Certificate(NamedTuple):
    file: Path
    key: Path


class Certificates(NamedTuple):
    """Self-signed, so each is its own authority: of the switch's address, of another name, and of somebody else."""

    ours: Certificate
    other_name: Certificate
    stranger: Certificate


def made(folder: Path, name: str, subject: str) -> Certificate:
    found = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    assert OPENSSL is not None
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={subject}"]
    files = ["-keyout", str(found.key), "-out", str(found.file)]
    subprocess.run([OPENSSL, "req", "-x509", "-days", "2", *curve, *names, *files], check=True, capture_output=True)
    return found


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    return Certificates(
        made(folder, "ours", "IP:127.0.0.1"),
        made(folder, "other-name", "DNS:pbx.example"),
        made(folder, "stranger", "IP:127.0.0.1"),
    )


class TlsSwitch(PretendSwitch):
    """The pretend switch behind TLS; None: plain."""

    def __init__(self, certificate: Certificate | None) -> None:
        super().__init__()
        self._certificate = certificate

    async def open(self) -> None:
        context = None
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate.file, self._certificate.key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]


@asynccontextmanager
async def wired(certificate: Certificate | None, **settings: Any) -> AsyncIterator[Wired]:
    async with TlsSwitch(certificate) as switch:
        both = Wired(switch, **settings)
        try:
            yield both
        finally:
            await both.stop()


async def test_behind_tls_every_byte_is_carried_and_a_lost_link_comes_back(certificates: Certificates) -> None:
    ours = certificates.ours
    async with wired(ours, tls=True, tls_ca_file=str(ours.file)) as site:
        await site.up()
        told = b"".join(packet(Event="PeerStatus", Peer=f"PJSIP/{number}") for number in range(5000))
        await site.switch.talk.say(told[:100_001], told[100_001:])  # more than one record of TLS
        await site.heard(len(site.switch.talk.sent))
        assert site.stream_of() == bytes(site.switch.talk.sent)
        site.switch.talk.cut()
        await until(lambda: not site.connector.is_up)
        await site.pass_s(2)
        await until(lambda: site.connector.resyncs == 2)
        assert [type(link) for link in site.links()] == [LinkUp, LinkDown, LinkUp]


async def first_failure(site: Wired) -> tuple[str, str]:
    """What the board is told, and what the log says of it."""
    with capture_logs() as logs:
        await site.start()
        await until(lambda: site.connector.failure is not None, "there is no link")
        await until(lambda: site.links())
    (link,) = site.links()
    assert isinstance(link, LinkDown)
    assert site.stream_of() == b""
    assert not any(talk.asked for talk in site.switch.talks), "nobody was told a user or a password"
    line = next(line for line in logs if line["event"] == "no link to the switch")
    return link.reason, f"{line['why']}; {line['advice']}"


@pytest.mark.parametrize(
    ("shown", "trusted", "words"),
    [
        ("stranger", "ours", "self-signed certificate"),
        ("stranger", "", "self-signed certificate"),
        ("other_name", "other_name", "not valid for '127.0.0.1'"),
    ],
)
async def test_a_wrong_certificate_is_refused_and_named(
    certificates: Certificates, shown: str, trusted: str, words: str
) -> None:
    ca = str(getattr(certificates, trusted).file) if trusted else ""
    async with wired(getattr(certificates, shown), tls=True, tls_ca_file=ca) as site:
        reason, log = await first_failure(site)
        assert reason == f"certificate refused: 127.0.0.1:{site.switch.port}"
        assert words in log
        assert "tls_ca_file" in log
        assert site.connector.failures["certificate refused"] == 1


async def test_a_plain_port_where_tls_is_expected_is_no_manager_port(certificates: Certificates) -> None:
    async with wired(None, tls=True, tls_ca_file=str(certificates.ours.file)) as site:
        reason, _ = await first_failure(site)
        assert reason.startswith("no manager port: ")


async def test_a_port_of_tls_where_none_is_expected_is_no_manager_port(certificates: Certificates) -> None:
    async with wired(certificates.ours, connect_s=2) as site:
        await site.start()
        await site.pass_s(3)
        await until(lambda: site.connector.failure is not None)
        assert [link.reason.partition(":")[0] for link in site.links()] == ["no manager port"]  # type: ignore[union-attr]


def test_the_certificate_is_found_beside_the_file_of_switches(certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(certificates.ours.file.read_bytes())
    file = tmp_path / "asterisk.yaml"
    file.write_text("sites:\n  hq: {host: pbx, user: f, password_env: X, tls: true, tls_ca_file: ca.pem}")
    (switch,) = load_switches(file, {"X": "geheim"})
    assert switch.config.tls_ca_file == str(tmp_path / "ca.pem")
