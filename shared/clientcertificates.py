"""When the certificates end that a service shows to others: to Kafka's brokers, to PostgreSQL.

They are read at the start and in force until the end of the process, whatever is written over them meanwhile.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from shared.clock import Clock
from shared.filemetrics import FileMetrics
from shared.settings import CommonSettings, variable
from shared.tls import DAY_S, end_of, remind_of


class ClientCertificates:
    """Of one service. Each is named after whom it is for: `kafka`, `database`."""

    def __init__(self, settings: CommonSettings) -> None:
        """As they are now. Raises SettingsError naming the variable and the file."""
        self.ends: dict[str, datetime] = {}
        self._files = dict(_named_by(settings))
        for name, (file, setting) in self._files.items():
            self.ends[name] = end_of(file, setting)

    def show(self, registry: CollectorRegistry) -> None:
        """In the metrics, beside the certificate of the port."""
        shown = FileMetrics.on(registry)
        for name, ends in self.ends.items():
            shown.certificate(name, lambda ends=ends: ends)  # type: ignore[misc]

    async def follow(self, clock: Clock) -> None:
        """Say each day which end soon, for ever."""
        while True:
            for name, ends in self.ends.items():
                lets_in = "Kafka" if name == "kafka" else "the database"
                remind_of(self._files[name][0], ends, clock.now(), f"{lets_in} does not let this service in")
            await clock.sleep(DAY_S)


def _named_by(settings: CommonSettings) -> list[tuple[str, tuple[Path, str]]]:
    """Name, file and the setting that names the file."""
    found = []
    if settings.kafka_ssl_cert_file is not None:
        found.append(("kafka", (settings.kafka_ssl_cert_file, variable(CommonSettings, "kafka_ssl_cert_file"))))
    if "db_url" in type(settings).model_fields:
        from shared.db import parse_url  # with what it needs; services without a database do without
        from shared.dbtls import certificate_of

        setting = variable(type(settings), "db_url")
        file = certificate_of(parse_url(settings.db_url.get_secret_value(), setting=setting))  # type: ignore[attr-defined]
        if file is not None:
            found.append(("database", (file, f"{setting}: sslcert")))
    return found
