"""Starts and stops one Apache Kafka on this machine: broker and controller in one JVM, on 127.0.0.1 only.

Its jars come through Maven, in the versions that deploy/kafka/pom.xml names, into .cache/kafka; its records, its log and its
pid file are in .run/kafka. `python -m tools.real_kafka --help` lists what it does. Needs Java 17 or newer; and Maven, once.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Final

from tools.servers import HOST, ROOT, Failed, PidFile, Server, Unavailable, free_port, main, parser, run_with

POM: Final = ROOT / "deploy" / "kafka" / "pom.xml"
JARS: Final = ROOT / ".cache" / "kafka"
FOLDER: Final = ROOT / ".run" / "kafka"
FORMATTED: Final = Path("made", "formatted")  # below the jars, what is made with them: the files of an empty broker,
ARCHIVE: Final = Path("made", "classes.jsa")  # and the classes that one loads
DEFAULT_PORT: Final = 9092
OLDEST_JAVA: Final = 17  # of the broker, since Kafka 4.0

ACTIONS: Final = {
    "start": "start it and return when it answers; it keeps running and keeps its records",
    "stop": "stop it",
    "status": "say whether it runs, and where; exit code 1 if it does not",
    "reset": "stop it and delete its records",
    "check": "say whether this machine can run it",
    "run": "start an empty one on a free port, run COMMAND, stop it, delete it. COMMAND finds its\n"
    "           address in KAFKA_BOOTSTRAP_REAL, its jars (to start further ones) in KAFKA_REAL_JARS",
}

# What `run` starts is for tests, which do not wait minutes until a topic is compacted or its old records are removed.
SOON: Final = {
    "log.initial.task.delay.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "log.retention.check.interval.ms": "500",
}

# One broker that is its own controller keeps one copy of everything. Topics are made by who needs them, never by a typing error.
PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters=1@{host}:{controller_port}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
log.cleaner.dedupe.buffer.size=16777216
"""

# Kafka's Metadata request, version 0: size, key 3, version, correlation id, no client id, no topic named.
_WHO_IS_THERE: Final = struct.pack(">ihhihi", 14, 3, 0, 1, -1, 0)


class Kafka(Server):
    """One broker; `settings` go into its server.properties."""

    name = "Apache Kafka"

    def __init__(self, folder: Path, jars: Path, port: int, *, archives: bool = False, **settings: str) -> None:
        """`archives`: when it stops it writes down the classes that it loaded, which spares later ones much of their start."""
        super().__init__(folder, port)
        self._archives = archives
        self._settings = settings
        self._jars = jars
        self._data = self.folder / "data"
        self._properties = self.folder / "server.properties"

    def prepare(self) -> None:
        properties = PROPERTIES.format(host=HOST, port=self.port, controller_port=free_port(), data=self._data)
        self._properties.write_text(properties + "".join(f"{key}={value}\n" for key, value in self._settings.items()))
        if not (self._data / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        """Ask `StorageTool format`, which takes a JVM, once; later its files are copied, and get an id of their own."""
        made = self._jars / FORMATTED
        if not made.exists():
            self._ask_to_format()
            aside = made.with_name(f"{made.name}-{os.getpid()}")
            shutil.copytree(self._data, aside)
            try:
                aside.rename(made)
            except OSError:  # another process was quicker
                shutil.rmtree(aside)
            return
        shutil.copytree(made, self._data)
        meta = self._data / "meta.properties"
        meta.write_text(re.sub(r"(?m)^cluster\.id=.*$", f"cluster.id={_new_id()}", meta.read_text()))

    def _ask_to_format(self) -> None:
        done = subprocess.run(
            [
                *self._java(),
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={_new_id()}",
                "-c",
                str(self._properties),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise Failed(f"{self._data} could not be made ready for Apache Kafka:\n{done.stdout}{done.stderr}")

    def command(self) -> list[str]:
        way = "ArchiveClassesAtExit" if self._archives else "SharedArchiveFile"
        return [*self._java(), f"-XX:{way}={self._jars / ARCHIVE}", "kafka.Kafka", str(self._properties)]

    def _java(self) -> list[str]:
        return [
            "java",
            "-Xlog:cds=off,cds+dynamic=off",  # an archive of classes that does not fit only costs time
            "-Xms64m",
            "-Xmx512m",
            "-XX:+UseSerialGC",  # starts in less time and memory than the collectors for large heaps
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",  # four hundred lines
            "-cp",
            f"{self._jars}/*",
        ]

    def answers(self) -> bool:
        """Whether it knows of a broker that takes records: itself. It takes connections a moment earlier."""
        try:
            with socket.create_connection((HOST, self.port), timeout=2.0) as connection:
                connection.sendall(_WHO_IS_THERE)
                answer = connection.recv(12, socket.MSG_WAITALL)
        except OSError:
            return False
        return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0  # size, correlation id, number of brokers

    def wipe(self) -> None:
        """Forget all records. Only while it does not run."""
        shutil.rmtree(self._data, ignore_errors=True)


def find_java() -> None:
    """Raises Unavailable when there is no Java that runs Kafka."""
    hint = "(Debian, Ubuntu: apt-get install default-jre-headless)"
    if shutil.which("java") is None:
        raise Unavailable(f"no Java here {hint}")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        first = said.splitlines()[0] if said else "it does not say its version"
        raise Unavailable(f"Java {OLDEST_JAVA} or newer is needed, here is: {first} {hint}")


def find_jars() -> Path:
    """The folder with the jars, fetched when deploy/kafka/pom.xml has changed since. Raises Unavailable, Failed."""
    wanted = hashlib.sha256(POM.read_bytes()).hexdigest()
    stamp = JARS / "pom.sha256"
    if not stamp.is_file() or stamp.read_text() != wanted:
        _fetch_jars()
        stamp.write_text(wanted)
    if not (JARS / ARCHIVE).exists():
        _archive_classes()
    return JARS


def _fetch_jars() -> None:
    if shutil.which("mvn") is None:
        raise Unavailable("no Maven here, which fetches Kafka's jars (Debian, Ubuntu: apt-get install maven)")
    print("fetching Apache Kafka's jars through Maven, once", flush=True)
    shutil.rmtree(JARS, ignore_errors=True)
    goal = "dependency:copy-dependencies"
    done = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(POM), goal, "-DincludeScope=runtime", f"-DoutputDirectory={JARS}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise Failed(
            f"Maven could not fetch what {POM.relative_to(ROOT)} names; behind a proxy or without the internet, "
            f"name a mirror in ~/.m2/settings.xml. It says:\n{done.stdout.rstrip()}"
        )


def _archive_classes() -> None:
    (JARS / ARCHIVE).parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="floorwatch-kafka-") as folder:
        kafka = Kafka(Path(folder), JARS, free_port(), archives=True)
        kafka.start()
        kafka.stop()


def _wanted_port() -> int:
    """Raises Failed for a KAFKA_PORT that is none."""
    wanted = os.environ.get("KAFKA_PORT", "") or str(DEFAULT_PORT)
    if not (wanted.isascii() and wanted.isdigit() and 0 < int(wanted) < 65536):
        raise Failed(f"KAFKA_PORT={wanted} is no port: a number from 1 to 65535 is")
    return int(wanted)


def _new_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def start() -> int:
    pid_file = PidFile(FOLDER / "pid")
    found = pid_file.read()
    if found is not None:
        print(f"Apache Kafka already runs at {found[1]}")
        return 0
    find_java()
    port = _wanted_port()
    kafka = Kafka(FOLDER, find_jars(), port)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, kafka.port))
        except OSError as exc:
            raise Failed(f"{kafka.address} is taken; choose another port with KAFKA_PORT") from exc
    pid_file.write(kafka.start(tied=False), kafka.address)
    print(f"Apache Kafka runs at {kafka.address}; its records and log are in {FOLDER.relative_to(ROOT)}")
    print("use it:    make run BROKER=kafka")
    print("stop it:   make kafka-stop")
    return 0


def stop() -> int:
    stopped = PidFile(FOLDER / "pid").stop(Kafka.stop_timeout_s)
    print("Apache Kafka is stopped" if stopped else "Apache Kafka does not run")
    return 0


def reset() -> int:
    stop()
    shutil.rmtree(FOLDER, ignore_errors=True)
    print("its records are deleted")
    return 0


def status() -> int:
    found = PidFile(FOLDER / "pid").read()
    print(f"Apache Kafka runs at {found[1]}, process {found[0]}" if found else "Apache Kafka does not run")
    return 0 if found else 1


def check() -> int:
    find_java()
    find_jars()
    print("Apache Kafka can run here")
    return 0


def run(command: list[str]) -> int:
    find_java()
    jars = find_jars()
    folder = ROOT / ".run" / f"kafka-{os.getpid()}"
    kafka = Kafka(folder, jars, free_port(), archives=False, **SOON)
    try:
        return run_with(kafka, command, lambda: {"KAFKA_BOOTSTRAP_REAL": kafka.address, "KAFKA_REAL_JARS": str(jars)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _main() -> int:
    asked = parser(
        "tools.real_kafka", "One Apache Kafka on this machine, for development and tests.", ACTIONS
    ).parse_args()
    simple = {"start": start, "stop": stop, "status": status, "reset": reset, "check": check}
    act = simple.get(asked.action, lambda: run(asked.command))
    return main(act, or_skip=asked.or_skip, what="a real Apache Kafka")


if __name__ == "__main__":
    sys.exit(_main())
