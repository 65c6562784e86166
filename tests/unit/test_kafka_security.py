"""How brokers are spoken to, as far as no broker is needed to know; a real one is asked in tests/contract/test_kafka_tls.py."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared.errors import BusError, SettingsError
from shared.kafka import KafkaBus
from shared.kafkasecurity import IN_THE_CLEAR, in_the_clear, security_of
from shared.settings import CommonSettings, load, misspelled
from shared.topics import SWITCH_RAW
from tests.servingkit import Authority, served, tls_of
from tests.unit.test_tls import an_app

PASSWORD = "correct horse 0815"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("KAFKA_"):
            monkeypatch.delenv(name)


def test_nothing_set_is_in_the_clear() -> None:
    assert security_of(CommonSettings()) == {}


def test_a_user_and_an_authority_reach_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    for name, value in {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-256",
        "SASL_USERNAME": "floor",
        "SASL_PASSWORD_FILE": str(secret),
        "SSL_CA_FILE": str(Authority(tmp_path).file),
    }.items():
        monkeypatch.setenv(f"KAFKA_{name}", value)
    settings = load(CommonSettings)
    found = security_of(settings)
    context = found.pop("ssl_context")
    assert found == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "floor",
        "sasl_plain_password": PASSWORD,
    }
    assert isinstance(context, ssl.SSLContext)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert PASSWORD not in repr(settings)
    assert misspelled(os.environ) == {}
    assert misspelled(["KAFKA_SASL_USER", "KAFKA_HEAP_OPTS"]) == {"KAFKA_SASL_USER": "KAFKA_SASL_USERNAME"}


def test_the_embedded_broker_is_spoken_to_in_the_clear_whatever_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = CommonSettings(
        kafka_security_protocol="SASL_SSL", kafka_sasl_username="floor", kafka_sasl_password=SecretStr(PASSWORD)
    )
    plain = in_the_clear(settings, "127.0.0.1:9392")
    assert (plain.kafka_bootstrap, security_of(plain)) == ("127.0.0.1:9392", {})
    for name, value in IN_THE_CLEAR.items():
        monkeypatch.setenv(name, value)
    assert security_of(load(CommonSettings)) == {}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "KAFKA_SASL_USERNAME: not set, though KAFKA_SECURITY_PROTOCOL is SASL_SSL"),
        (
            {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_username": "floor"},
            "KAFKA_SASL_PASSWORD: not set, though KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT",
        ),
        (
            {"kafka_sasl_username": "floor", "kafka_sasl_password": SecretStr(PASSWORD)},
            "KAFKA_SASL_USERNAME: a user is given, but KAFKA_SECURITY_PROTOCOL is PLAINTEXT",
        ),
        ({"kafka_ssl_ca_file": Path("/ca.pem")}, "KAFKA_SSL_CA_FILE: a file is given, but KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        (
            {"kafka_security_protocol": "SSL", "kafka_ssl_ca_file": Path("/nowhere.pem")},
            "KAFKA_SSL_CA_FILE: /nowhere.pem cannot be read: No such file",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_ssl_ca_file": Path(__file__)},
            f"KAFKA_SSL_CA_FILE: {__file__} holds no certificate in PEM form",
        ),
        (
            {"kafka_security_protocol": "SSL", "kafka_ssl_key_file": Path("/me.key")},
            "KAFKA_SSL_CERT_FILE: not set, though KAFKA_SSL_KEY_FILE is",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_names_the_variable_and_the_file(how: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingsError) as failure:
        KafkaBus.of(CommonSettings(**how))
    assert str(failure.value).startswith(expected)
    assert PASSWORD not in str(failure.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"AUTH_SECRET_FILE": "{tmp}/none"}, "AUTH_SECRET_FILE: {tmp}/none cannot be read: No such file or directory"),
        ({"AUTH_SECRET_FILE": "{tmp}/binary"}, "AUTH_SECRET_FILE: {tmp}/binary cannot be read: it is not text"),
        (
            {"AUTH_SECRET_FILE": "{tmp}/binary", "AUTH_SECRET": "x" * 40},
            "AUTH_SECRET and AUTH_SECRET_FILE are both set",
        ),
    ],
)
def test_a_secrets_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: str
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, value in given.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    with pytest.raises(SettingsError) as failure:
        load(CommonSettings)
    assert str(failure.value).startswith(expected.format(tmp=tmp_path))
    assert "xxxx" not in str(failure.value)


async def test_a_broker_whose_certificate_is_not_trusted_is_said_to_be_so(tmp_path: Path) -> None:
    """That it is no broker is not found out: its name is wrong before anything is said to it."""
    ours, strangers = Authority(tmp_path / "ours"), Authority(tmp_path / "strangers")
    async with served(an_app(), tls=tls_of(strangers.sign())) as port:
        settings = CommonSettings(
            kafka_bootstrap=f"127.0.0.1:{port}", kafka_security_protocol="SSL", kafka_ssl_ca_file=ours.file
        )
        bus = KafkaBus.of(settings, request_timeout_s=2)
        with pytest.raises(BusError, match="its certificate is not trusted: unable to get local issuer certificate"):
            await bus.create([SWITCH_RAW])
        await bus.close()
