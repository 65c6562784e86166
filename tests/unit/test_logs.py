from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared import logs
from shared.settings import LogFormat


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_service_and_fields_when_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ingest")
    structlog.get_logger().info("duplicate dropped", site="s1", topic="switch.raw", partition=0, offset=7)
    (line,) = lines(capsys)
    stamp = line.pop("timestamp")
    assert isinstance(stamp, str)
    assert stamp.endswith("Z")
    assert line == {
        "event": "duplicate dropped",
        "level": "info",
        "service": "ingest",
        "site": "s1",
        "topic": "switch.raw",
        "partition": 0,
        "offset": 7,
    }


def test_other_libraries_lines_come_out_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ingest")
    logging.getLogger("aiokafka").warning("lost %s", "broker")
    logging.getLogger("aiokafka").info("noise")
    (line,) = lines(capsys)
    assert (line["event"], line["service"], line["level"]) == ("lost broker", "ingest", "warning")


def test_the_level_holds(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ingest", level="warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"db_password": "hunter2"},
        {"Authorization": "Bearer hunter2"},
        {"ticket_token": "hunter2"},
        {"url": "postgresql://bob:hunter2@db:5432/x"},
        {"error": "cannot reach smtp://bob:hunter2@mail for 3 s"},
        {"path": "/api/v1/feed?token=hunter2&x=1"},
        {"settings": {"smtp": {"secret": "hunter2"}}},
        {"urls": ["amqp://bob:hunter2@mq"]},
    ],
    ids=lambda fields: next(iter(fields)),
)
@pytest.mark.parametrize("fmt", ["json", "console"])
def test_no_secret_reaches_the_log(
    capsys: pytest.CaptureFixture[str], fields: dict[str, object], fmt: LogFormat
) -> None:
    logs.configure("alerts", fmt=fmt)
    structlog.get_logger().info("trying", **fields)
    said = capsys.readouterr().err
    assert "trying" in said
    assert "hunter2" not in said


def test_a_traceback_is_one_field_without_local_variables_or_passwords(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("alerts")

    def connect() -> None:
        local = "locally-held"
        raise OSError(f"refused by smtp://bob:hunter2@mail ({len(local)})")

    try:
        connect()
    except OSError:
        structlog.get_logger().exception("no mail")
    (line,) = lines(capsys)
    assert "OSError: refused by smtp://bob:***@mail" in str(line["exception"])
    assert "hunter2" not in json.dumps(line)


def test_people_see_no_number_or_password_in_a_traceback_either(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("monitor", fmt="console")
    try:
        raise OSError("no route from +45 30 12 34 56 by sip://pbx:hunter2@trunk")
    except OSError:
        structlog.get_logger().exception("no call")
    said = capsys.readouterr().err
    assert "OSError: no route from" in said
    assert "30 12" not in said
    assert "hunter2" not in said


def test_a_library_that_repeats_itself_is_heard_once_and_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("ingest")
    for _ in range(288):
        logging.getLogger("aiokafka.conn").error("cannot connect to %s", ("127.0.0.1", 19095))
    logging.getLogger("services.ingest").error("ours is never held back")
    logging.getLogger("services.ingest").error("ours is never held back")
    monkeypatch.setattr(logs, "SELDOM_S", 0.0)
    logging.getLogger("aiokafka.conn").error("cannot connect to %s", ("127.0.0.1", 19095))
    assert [line["event"] for line in lines(capsys)] == [
        "cannot connect to ('127.0.0.1', 19095)",
        "ours is never held back",
        "ours is never held back",
        "cannot connect to ('127.0.0.1', 19095); 287 more lines like this were left out",
    ]


def test_a_logger_that_has_spoken_follows_what_is_configured_later(capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.get_logger()
    logs.configure("ingest", fmt="json")
    log.info("first")
    logs.configure("alerts", fmt="json")
    log.info("second")
    with structlog.testing.capture_logs() as captured:
        log.info("third")
    assert [line["service"] for line in lines(capsys)] == ["ingest", "alerts"]
    assert [line["event"] for line in captured] == ["third"]


def test_what_libraries_say_below_a_warning_is_not_logged_at_any_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("alerts", level="debug")
    logging.getLogger("urllib3.connectionpool").debug('https://hooks.example "POST %s"', "/services/T0/hunter2")
    logging.getLogger("anything.else").info("https://hooks.example/services/T0/hunter2")
    logging.getLogger("anything.else").warning("but this is")
    structlog.get_logger().debug("ours")
    assert [line["event"] for line in lines(capsys)] == ["but this is", "ours"]


@pytest.mark.timeout(60)  # which a time that grows with the square of the length passes many times over
@pytest.mark.parametrize("text", ["?key" * 50_000, "?" + "token" * 40_000, "://a:" * 40_000])
def test_a_text_without_an_end_keeps_nobody_waiting(text: str) -> None:
    assert logs.redact_text(f"{text} /me?token=s3cret&x=1") == f"{text} /me?token=***&x=1"
