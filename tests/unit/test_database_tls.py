"""What a database's URL says of TLS; handshakes with a real server are in test_postgres_tls.py."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from shared.db import Database
from shared.dbtls import MODES, tls_of
from shared.errors import SettingsError
from tests.servingkit import Authority


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_means_what_it_means_to_every_other_client(tmp_path: Path, mode: str) -> None:
    url, how = tls_of(make_url(f"postgresql://u:p@db.example/x?sslmode={mode}&application_name=board"))
    assert url.render_as_string(hide_password=False) == "postgresql://u:p@db.example/x?application_name=board"
    found = how["ssl"]
    if not isinstance(found, ssl.SSLContext):
        assert found == {"disable": False}.get(mode, mode)
        return
    assert mode in MODES[3:]
    assert found.minimum_version == ssl.TLSVersion.TLSv1_2
    assert found.check_hostname is (mode == "verify-full")
    assert found.verify_mode == (ssl.CERT_NONE if mode == "require" else ssl.CERT_REQUIRED)
    authority = Authority(tmp_path)
    _, how = tls_of(make_url(f"postgresql://u@db.example/x?sslmode={mode}&sslrootcert={authority.file}"))
    assert how["ssl"].verify_mode == ssl.CERT_REQUIRED, "as libpq: who names an authority wants it asked for"
    assert len(how["ssl"].get_ca_certs()) == 1, "and no other"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sslmode=on", "MONITOR_DB_URL: sslmode: expected one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "MONITOR_DB_URL: sslrootcert: /nowhere/ca.pem cannot be read"),
        ("sslrootcert=/nowhere/ca.pem", "MONITOR_DB_URL: sslrootcert: a file is given, but sslmode is prefer"),
        ("sslmode=require&sslcert=/nowhere/me.pem", "MONITOR_DB_URL: sslcert: /nowhere/me.pem cannot be read"),
        ("sslmode=require&sslkey=/nowhere/me.key", "MONITOR_DB_URL: sslcert: not set, though MONITOR_DB_URL: sslkey is"),
    ],
)  # fmt: skip
def test_what_cannot_be_names_the_variable_the_parameter_and_the_file(query: str, expected: str) -> None:
    with pytest.raises(SettingsError) as failure:
        Database(f"postgresql://floor:hush@db.example/x?{query}", setting="MONITOR_DB_URL")
    assert str(failure.value).startswith(expected)
    assert "hush" not in str(failure.value)


@pytest.mark.parametrize("url", ["postgres//floor:hush@db/x", "mysql://floor:hush@db/x", "floor:hush@db"])
def test_a_wrong_url_is_not_repeated_for_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as failure:
        Database(url, setting="ALERTS_DB_URL")
    assert str(failure.value).startswith("ALERTS_DB_URL: ")
    assert "hush" not in str(failure.value)
