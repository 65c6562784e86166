"""The command line as a person meets it: real processes, what they print and how they end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
WRONG_DURATION = """rules:
  - name: slow
    subject: transfer
    when: {state: running}
    for: 7 parsecs
    severity: critical
    summary: {en: slow, zh: slow}
"""


def floorwatch(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "floorwatch.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "120", **env},
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["run"],
        ["topics"],
        ["publish"],
        ["replay"],
        ["rules"],
        ["rules", "check"],
        ["ingest"],
        ["monitor"],
        ["alerts"],
        ["alerts", "check"],
        ["alerts", "route"],
        ["alerts", "preview"],
        ["alerts", "purge"],
        ["relay"],
        ["simulator"],
        ["watch"],
        ["asterisk"],
        ["asterisk", "check"],
        ["asterisk", "run"],
        ["auth"],
        ["auth", "check"],
        ["auth", "explain"],
        ["audit"],
        ["audit", "verify"],
        ["audit", "export"],
        ["report"],
    ],
    ids=lambda command: " ".join(command) or "floorwatch",
)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = floorwatch(*command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    assert "..." not in done.stdout.partition("\n")[2], "a help line is cut off"


def test_the_simulated_floor_can_be_started_alone() -> None:
    done = floorwatch("simulator", SIMULATOR_SPEED="0")
    assert done.returncode == 2
    assert "SIMULATOR_SPEED" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told() -> None:
    assert floorwatch("--version").stdout.startswith("floorwatch 0.")


def test_help_needs_none_of_the_heavy_parts() -> None:
    code = "import sys, floorwatch.cli; print([m for m in ('aiokafka', 'fastapi', 'sqlalchemy', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_rule_book_that_ships_is_right() -> None:
    done = floorwatch("rules", "check", str(ROOT / "deploy" / "rules.yaml"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OK: ")
    assert "slow_transfer" in done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WRONG_DURATION, "rules.yaml:5: rules[0].for"),
        ("rules:\n  - nme: slow\n", "rules.yaml:2: rules[0].nme"),
        ("rules: [\n", "not YAML"),
        (
            WRONG_DURATION.replace("critical", "fatal"),
            "rules.yaml:6: rules[0].severity: invalid enum value 'fatal'; allowed: critical, info, warning",
        ),
    ],
)
def test_a_wrong_rule_book_is_named_by_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    done = floorwatch("rules", "check", str(file))
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "expected"),
    [
        (["publish", "nothing.jsonl", "--adapter", "asterisk", "--site", "hq"], {}, "'nothing.jsonl' does not exist"),
        (["publish", str(ROOT / "LICENSE"), "--adapter", "siemens", "--site", "hq"], {}, "'siemens' is not one of"),
        (["run", "--speed", "0"], {}, "SIMULATOR_SPEED: expected greater than 0"),
        (["run"], {"FLOORWATCH_SITES_FILE": "{wrong}"}, "wrong.yaml:1: wrong: there is no key `wrong`"),
        (["run"], {"MONITOR_RULES_FILE": "{wrong}"}, "wrong.yaml:1: wrong: there is no key `wrong`"),
        (["run"], {"MONITOR_CASES_FILE": "{wrong}"}, "wrong.yaml:1: wrong: there is no key `wrong`"),
        (["monitor"], {"MONITOR_PORT": "front"}, "MONITOR_PORT: expected a valid integer, got 'front'"),
        (["monitor"], {"MONITOR_RULES_FILE": "/nowhere/rules.yaml"}, "MONITOR_RULES_FILE says where"),
        (["monitor"], {"FLOORWATCH_SITES_FILE": "/nowhere/sites.yaml"}, "FLOORWATCH_SITES_FILE says where"),
    ],
)
def test_a_wrong_word_is_one_clear_message_and_code_2(
    tmp_path: Path, arguments: list[str], env: dict[str, str], expected: str
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("wrong: {}\n")
    env = {name: value.replace("{wrong}", str(wrong)) for name, value in env.items()}
    done = floorwatch(*arguments, **env)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "starting" not in done.stdout, "before anything is started"
    assert "Traceback" not in done.stderr


def test_publishing_without_a_broker_says_which_is_missing(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text('{"t": 1772442000.0, "event": {"Event": "FullyBooted"}}\n')
    bootstrap = f"127.0.0.1:{free_port()}"
    done = floorwatch("publish", str(trace), "--adapter", "asterisk", "--site", "hq", KAFKA_BOOTSTRAP=bootstrap)
    assert done.returncode == 2
    assert f"cannot reach Kafka at {bootstrap}" in done.stderr
    assert "is `make run` up? set KAFKA_BOOTSTRAP or BROKER_PORT" in done.stderr
    assert "Traceback" not in done.stderr
