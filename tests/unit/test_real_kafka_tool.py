"""`make kafka` on a machine that cannot run it: one line that says why and what to do, and never a traceback."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools import real_kafka
from tools.servers import ROOT, UNAVAILABLE, PidFile, main

Start = Callable[[], tuple[int, str]]


@pytest.fixture(autouse=True)
def a_process_of_its_own() -> Iterator[None]:
    """What `main` does to signals is for a command, not for the tests behind this one."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    """Start it where nothing runs yet; its exit code, and what it said of why not."""
    monkeypatch.setattr(real_kafka, "FOLDER", tmp_path / "kafka")
    monkeypatch.setattr(real_kafka, "find_jars", lambda: tmp_path / "jars")
    monkeypatch.setattr(real_kafka, "find_java", lambda: None)

    def run() -> tuple[int, str]:
        return main(real_kafka.start, or_skip=False, what="a real Apache Kafka"), capsys.readouterr().err.strip()

    return run


def with_java(version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("version", ['openjdk version "11.0.2" 2019-01-15', 'java version "1.8.0_402"', "it is broken"])
def test_an_old_java_is_named_with_what_to_install(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_java(version, tmp_path, monkeypatch)
    assert main(real_kafka.start, or_skip=False, what="a real Apache Kafka") == UNAVAILABLE
    said = capsys.readouterr().err
    assert said.startswith("a real Apache Kafka: Java 17 or newer is needed, here is: " + version)
    assert "apt-get install default-jre-headless" in said


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "9092.5", "٩٠٩٢"])
def test_a_port_that_is_none(port: str, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PORT", port)
    assert start() == (1, f"KAFKA_PORT={port} is no port: a number from 1 to 65535 is")


def test_a_port_that_is_taken(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("KAFKA_PORT", str(port))
        assert start() == (1, f"127.0.0.1:{port} is taken; choose another port with KAFKA_PORT")


def test_a_pid_file_of_another_process_is_nobodys(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was killed, and its number is another's by now, such as ours: that one is neither it nor to be stopped."""
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "pid").write_text(f"{os.getpid()} 127.0.0.1:9092\n")
    assert real_kafka.status() == 1
    assert real_kafka.stop() == 0
    assert capsys.readouterr().out.splitlines() == ["Apache Kafka does not run"] * 2
    assert not (tmp_path / "kafka" / "pid").exists()


def test_maven_that_cannot_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[ERROR] Unknown host'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(real_kafka, "JARS", tmp_path / "jars")

    def fetch() -> int:
        real_kafka.find_jars()
        return 0

    assert main(fetch, or_skip=True, what="a real Apache Kafka") == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "Maven could not fetch what deploy/kafka/pom.xml names" in first
    assert "mirror" in first
    assert second == "[ERROR] Unknown host"


def test_a_disk_that_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/var/kafka/server.properties")

    assert main(full, or_skip=True, what="a real Apache Kafka") == 1
    assert capsys.readouterr().err == "a real Apache Kafka: /var/kafka/server.properties: No space left on device\n"


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        (["BROKER=kafka"], "KAFKA_BOOTSTRAP=127.0.0.1:19092 "),
        (["BROKER=kafka", "KAFKA_BOOTSTRAP=kafka.example.org:9092"], ""),
        ([], ""),
    ],
)
def test_a_run_on_kafka_goes_where_that_of_make_kafka_listens(asked: list[str], address: str, tmp_path: Path) -> None:
    for name in ("requirements.lock", "pyproject.toml", ".venv/bin/uv", ".venv/.setup"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".run" / "kafka").mkdir(parents=True)
    PidFile(tmp_path / ".run" / "kafka" / "pid").write(1, "127.0.0.1:19092")
    ours = {name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP", "BROKER", "MAKEFLAGS")}
    made = subprocess.run(
        ["make", "-n", "-f", str(ROOT / "Makefile"), "run", *asked],
        cwd=tmp_path, env=ours, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = [line.strip() for line in made.stdout.splitlines() if "floorwatch run" in line]
    assert line.startswith(f"{address}.venv/bin/floorwatch run --broker")
