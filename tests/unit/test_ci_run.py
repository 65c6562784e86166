"""`.ci/run` on machines that lack this or that: what cannot run is skipped in one line; what can run and did not, fails."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).resolve().parents[2] / ".ci" / "run"
TOOLS: Final = ("bash", "cat", "dirname", "mktemp", "rm", "sed", "tee", "timeout")
NO_JAVA: Final = "a real Apache Kafka: no Java here (Debian, Ubuntu: apt-get install default-jre-headless)"
NO_POSTGRES: Final = "a real PostgreSQL: no initdb here (Debian, Ubuntu: apt-get install postgresql)"
NOT_ROOT: Final = "a real PostgreSQL: it does not run as root, and there is no user to run it as"


@dataclass
class Machine:
    """One with no more in its PATH than said. `make` and the checks of the real parts answer as they are told to."""

    folder: Path
    programs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._bin = self.folder / "bin"
        self._bin.mkdir(parents=True)
        for name in TOOLS:
            found = shutil.which(name)
            assert found is not None
            (self._bin / name).symlink_to(found)
        self._program(self._bin / "id", "echo 1000")
        self._program(self._bin / "make", self._answer("$1"))
        self._program(self.folder / ".venv" / "bin" / "python", self._answer("${2#tools.}"))
        (self.folder / ".ci").mkdir()
        shutil.copy(SCRIPT, self.folder / ".ci" / "run")
        for one in self.programs:
            self._program(self._bin / one, "exit 0")

    def says(self, what: str, text: str = "", code: int = 0) -> None:
        """`what`: a target of make, or `real_kafka` or `real_postgres` when asked whether it can run."""
        (self.folder / f"{what}.text").write_text(text + "\n")
        (self.folder / f"{what}.code").write_text(f"{code}\n")

    def run(self) -> tuple[int, list[str]]:
        """Exit code, and the lines of the summary that are no times."""
        done = subprocess.run(
            [str(self._bin / "bash"), str(self.folder / ".ci" / "run")],
            env={"PATH": str(self._bin)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        lines = [
            line
            for line in done.stdout.split("\n\n")[-1].splitlines()
            if line.startswith(("skipped: ", "FAILED: ", "all green"))
        ]
        return done.returncode, lines

    def ran(self) -> list[str]:
        return (self.folder / "ran").read_text().split()

    def _answer(self, name: str) -> str:
        there = f'"{self.folder}"'
        return (
            f'echo "{name}" >>{there}/ran\n'
            f'[ ! -e {there}/"{name}".text ] || cat {there}/"{name}".text\n'
            f'[ ! -e {there}/"{name}".code ] || exit "$(cat {there}/"{name}".code)"'
        )

    @staticmethod
    def _program(path: Path, does: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{does}\n")
        path.chmod(0o755)


@pytest.fixture
def whole(tmp_path: Path) -> Machine:
    """A machine that has everything."""
    return Machine(tmp_path, {"java", "mvn", "initdb", "chromium", "prometheus-alertmanager", "promtool"})


def test_a_machine_that_has_everything_runs_everything(whole: Machine) -> None:
    assert whole.run() == (0, ["all green"])
    assert {"test", "check", "test-kafka", "test-postgres", "test-release", "check-deploy"} <= set(whole.ran())


def test_without_java_or_a_user_for_postgres_they_are_skipped_in_one_line_each(whole: Machine) -> None:
    whole.says("real_kafka", NO_JAVA, 3)
    whole.says("real_postgres", NOT_ROOT, 3)
    assert whole.run() == (0, [f"skipped: tests on {NO_JAVA}", f"skipped: tests on {NOT_ROOT}", "all green"])
    assert not {"test-kafka", "test-postgres"} & set(whole.ran())


def test_a_machine_with_next_to_nothing_says_what_it_lacks(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.says("real_kafka", NO_JAVA, 3)
    machine.says("real_postgres", NO_POSTGRES, 3)
    machine.says("test", "SKIPPED [9] tests/browser/kit.py:9: no Chromium\nSKIPPED [2] tests/contract: no alertmanager")
    code, lines = machine.run()
    assert (code, lines[-1]) == (0, "all green")
    assert len([line for line in lines if "Kafka" in line]) == 1
    assert len([line for line in lines if "PostgreSQL" in line]) == 1
    assert "skipped: make test: [9] tests/browser/kit.py:9: no Chromium" in lines


def test_kafka_that_should_have_run_and_skipped_a_test_fails(whole: Machine) -> None:
    why = "[3] tests/contract/test_bus.py:33: KAFKA_BOOTSTRAP_REAL names no Apache Kafka"
    whole.says("test-kafka", f"SKIPPED {why}")
    assert whole.run() == (1, [f"FAILED: make test-kafka should have run and did not: {why}"])


def test_kafka_that_skips_itself_after_it_was_found_fails(whole: Machine) -> None:
    whole.says("test-kafka", f"skipped: {NO_JAVA}")
    assert whole.run() == (1, [f"FAILED: make test-kafka should have run and did not: {NO_JAVA}"])


def test_jars_that_could_not_be_fetched_fail_where_java_and_maven_are(whole: Machine) -> None:
    why = "Maven could not fetch what deploy/kafka/pom.xml names:\n[ERROR] no route to host"
    whole.says("real_kafka", why, 1)
    whole.says("test-kafka", why, 2)
    assert whole.run() == (1, ["FAILED: make test-kafka: exit code 2"])


def test_a_browser_that_was_not_used_fails(whole: Machine) -> None:
    whole.says("test", "SKIPPED [9] tests/browser/kit.py:9: no Chromium")
    code, lines = whole.run()
    assert (code, lines) == (
        1,
        ["FAILED: make test should have run and did not: [9] tests/browser/kit.py:9: no Chromium"],
    )


def test_what_fails_is_named_and_the_rest_still_runs(whole: Machine) -> None:
    whole.says("test", code=2)
    whole.says("test-postgres", code=1)
    assert whole.run() == (1, ["FAILED: make test: exit code 2", "FAILED: make test-postgres: exit code 1"])
    assert {"check", "test-kafka", "check-deploy"} <= set(whole.ran())
