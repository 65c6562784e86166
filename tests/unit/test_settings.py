from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import SettingsError
from shared.settings import (
    AlertsSettings,
    CommonSettings,
    IngestSettings,
    MonitorSettings,
    SimulatorSettings,
    load,
    misspelled,
    variable,
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(
            ("INGEST_", "MONITOR_", "ALERTS_", "RELAY_", "SIMULATOR_", "BROKER_", "KAFKA_", "FLOORWATCH_", "AUTH_")
        ):
            monkeypatch.delenv(name)


def test_each_service_reads_its_own_prefix_and_the_common_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_PORT", "9000")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka-1:9092,kafka-2:9092")
    monkeypatch.setenv("MONITOR_PARTITIONS", "0, 3")
    monkeypatch.setenv("FLOORWATCH_SITES_FILE", "/etc/sites.yaml")
    monitor, ingest = load(MonitorSettings), load(IngestSettings)
    assert (monitor.port, ingest.port) == (9000, 8601)
    assert monitor.kafka_bootstrap == ingest.kafka_bootstrap == "kafka-1:9092,kafka-2:9092"
    assert monitor.partitions == (0, 3)
    assert ingest.sites_file == Path("/etc/sites.yaml")


def test_settings_cannot_be_changed_after_they_are_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load(MonitorSettings).port = 1


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        (MonitorSettings, "MONITOR_PORT", "front", "MONITOR_PORT: expected a valid integer"),
        (MonitorSettings, "MONITOR_PORT", "70000", "MONITOR_PORT: expected less than or equal to 65535, got '70000'"),
        (MonitorSettings, "MONITOR_PARTITIONS", "0,b", "MONITOR_PARTITIONS: expected a valid integer"),
        (CommonSettings, "KAFKA_BOOTSTRAP", "kafka", "KAFKA_BOOTSTRAP: expected host:port, several parted by commas"),
        (CommonSettings, "FLOORWATCH_LOG_LEVEL", "loud", "FLOORWATCH_LOG_LEVEL: expected 'debug', 'info'"),
        (CommonSettings, "KAFKA_IDEMPOTENT", "maybe", "KAFKA_IDEMPOTENT: expected a valid boolean"),
        (SimulatorSettings, "SIMULATOR_SPEED", "0", "SIMULATOR_SPEED: expected greater than 0, got '0'"),
        (SimulatorSettings, "SIMULATOR_SITE", "a b", "SIMULATOR_SITE: expected letters, digits"),
        (
            CommonSettings,
            "AUTH_OIDC_ISSUER",
            "http://login.example",
            "AUTH_OIDC_ISSUER: expected a URL such as https://",
        ),
        (CommonSettings, "AUTH_OIDC_ALGORITHMS", "RS256,HS256", "AUTH_OIDC_ALGORITHMS: expected 'RS256', 'RS384'"),
        (CommonSettings, "AUTH_OIDC_ALGORITHMS", "none", "AUTH_OIDC_ALGORITHMS: expected 'RS256', 'RS384'"),
        (CommonSettings, "AUTH_OIDC_REDIRECT_URL", "https://x/", "AUTH_OIDC_REDIRECT_URL: expected a URL that ends in"),
    ],
)
def test_a_wrong_value_names_its_variable_and_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, kind: type[CommonSettings], name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as failure:
        load(kind)
    assert str(failure.value).startswith(expected)
    assert "\n" not in str(failure.value)


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_PORT", "x")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "x")
    with pytest.raises(SettingsError) as failure:
        load(MonitorSettings)
    assert {line.partition(":")[0] for line in str(failure.value).splitlines()} == {"MONITOR_PORT", "KAFKA_BOOTSTRAP"}


def test_secrets_show_neither_in_the_object_nor_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_DB_URL", "postgresql+asyncpg://alerts:hunter2@db/alerts")
    monkeypatch.setenv("ALERTS_NOTIFY_URLS", "mailto://bob:hunter2@mail.example slack://hunter2")
    settings = load(AlertsSettings)
    assert "hunter2" not in repr(settings)
    assert [url.get_secret_value() for url in settings.notify_urls] == [
        "mailto://bob:hunter2@mail.example",
        "slack://hunter2",
    ]


def test_the_variable_of_a_field_is_known() -> None:
    assert variable(MonitorSettings, "port") == "MONITOR_PORT"
    assert variable(MonitorSettings, "kafka_bootstrap") == "KAFKA_BOOTSTRAP"


def test_a_misspelled_variable_is_noticed_and_the_nearest_one_named() -> None:
    names = ["MONITOR_PORT", "MONITOR_PROT", "KAFKA_BOOTSTRAP", "KAFKA_HOME", "FLOORWATCH_SITES", "HOME"]
    assert misspelled(names) == {
        "MONITOR_PROT": "MONITOR_PORT",
        "FLOORWATCH_SITES": "FLOORWATCH_SITES_FILE",
    }


def test_a_secrets_file_that_is_empty_is_refused_and_one_without_receivers_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    monkeypatch.setenv("ALERTS_NOTIFY_URLS_FILE", str(empty))
    assert load(AlertsSettings).notify_urls == ()
    monkeypatch.setenv("AUTH_SECRET_FILE", str(empty))  # or each machine would make one of its own
    with pytest.raises(SettingsError, match=f"^AUTH_SECRET_FILE: {empty} is empty$"):
        load(AlertsSettings)
    empty.write_bytes(b"\xef\xbb\xbf" + b"secret " * 8 + b"\r\n")
    assert load(AlertsSettings).auth_secret.get_secret_value() == ("secret " * 8).strip()
