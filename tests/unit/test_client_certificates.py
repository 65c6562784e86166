"""When the certificates end that a service shows to Kafka and PostgreSQL: asked of a service that runs."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from structlog.testing import capture_logs

from shared import tls
from shared.clientcertificates import ClientCertificates
from shared.clock import FakeClock
from shared.errors import SettingsError
from shared.http import create_app, serve_as
from shared.service import Background, ServiceFailed
from shared.settings import IngestSettings, MonitorSettings
from tests.servingkit import Authority, Pair
from tests.unit.test_access_metrics import read
from tests.waiting import until
from tools.servers import free_port


def shown_to_both(kafka: Pair, database: Pair, **more: Any) -> MonitorSettings:
    url = f"postgresql://u@db.example/x?sslmode=verify-full&sslcert={database.cert}&sslkey={database.key}"
    files = {"kafka_ssl_cert_file": kafka.cert, "kafka_ssl_key_file": kafka.key}
    return MonitorSettings(kafka_security_protocol="SSL", db_url=SecretStr(url), **files, **more)


async def test_certificates_shown_to_kafka_and_the_database_say_when_they_end(tmp_path: Path) -> None:
    """They had none: the day they ended every service lost its broker."""
    authority = Authority(tmp_path)
    kafka, database = authority.sign(file="kafka"), authority.sign(file="database")
    settings = shown_to_both(kafka, database, port=free_port())
    app, ends = create_app("monitor", registry=CollectorRegistry()), "floorwatch_certificate_expiry_timestamp_seconds"
    true = {name: tls.end_of(pair.cert, "") for name, pair in (("kafka", kafka), ("database", database))}
    stop = asyncio.Event()

    async def until_then() -> None:
        await stop.wait()
        raise RuntimeError("the end")

    async with Background() as background, httpx.AsyncClient() as http:
        background.start("end", until_then())
        serving = asyncio.create_task(serve_as(settings, app, background=background, tls=None))
        url = f"http://127.0.0.1:{settings.port}/metrics"

        async def answers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await http.get(url)).status_code == 200
            return False

        await until(answers)
        found = read((await http.get(url)).text)
        stop.set()
        with pytest.raises(ServiceFailed):
            await serving
    assert {name: found[f"{ends}|{name}"] for name in true} == {name: at.timestamp() for name, at in true.items()}
    assert f"{ends}|port" not in found


async def test_they_are_told_of_each_day_when_they_end_soon_with_what_comes_of_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificates = ClientCertificates(shown_to_both(authority.sign(file="kafka"), authority.sign(file="database")))
    first = min(certificates.ends.values())
    clock = FakeClock(first - timedelta(days=15))
    with capture_logs() as said:
        following = asyncio.create_task(certificates.follow(clock))
        for _ in range(2):
            await clock.advance(tls.DAY_S)
        await clock.advance(14 * tls.DAY_S)
        following.cancel()
    lines = [(line["event"], Path(line["file"]).stem, line.get("days"), line.get("consequence")) for line in said]
    assert lines[:2] == [("certificate ends soon", name, 13, None) for name in ("kafka", "database")]
    assert lines[-2:] == [
        ("certificate has ended", "kafka", None, "Kafka does not let this service in"),
        ("certificate has ended", "database", None, "the database does not let this service in"),
    ]


def test_who_shows_none_tells_of_none_and_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert ClientCertificates(IngestSettings()).ends == {}
    assert ClientCertificates(MonitorSettings()).ends == {}
    odd = tmp_path / "odd.pem"
    odd.write_text("none", encoding="utf-8")
    with pytest.raises(SettingsError, match=f"^KAFKA_SSL_CERT_FILE: {odd} holds a certificate that cannot be read"):
        ClientCertificates(IngestSettings(kafka_security_protocol="SSL", kafka_ssl_cert_file=odd))
