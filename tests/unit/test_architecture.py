"""The rules that keep the project's shape and that imports alone cannot tell (those are in pyproject.toml, import-linter).

Each rule is a function of source text, so that the tests below also prove that it can fail.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 500
OWN = ("shared", "services", "floorwatch")
TEXT = {".py", ".js", ".css", ".html", ".yaml", ".sh"}  # documents are references and may be long

# calls that ask for the wall clock or its monotonic sister, by the names under which they are reached
CLOCK = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}

CORE_MAY_IMPORT = {
    "msgspec",
    "shared.codewords",
    "shared.durations",
    "shared.durationwords",
    "shared.events",
    "shared.facts",
    "shared.hours",
    "shared.errors",
    "shared.envelope",
    "shared.masking",
    "shared.servicelevels",
    "shared.siteconfig",
    "shared.timeshift",
    "shared.tracing",
}
# an adapter reads raw records, which is the shape of its input
ADAPTERS_MAY_IMPORT = CORE_MAY_IMPORT | {"shared.raw", "shared.codec"}
CORES = {
    "services/monitor/core": CORE_MAY_IMPORT,
    "services/alerts/core": CORE_MAY_IMPORT,
    "services/ingest/adapters": ADAPTERS_MAY_IMPORT,
}
IMPURE = {"asyncio", "socket", "subprocess", "threading", "logging", "urllib", "http", "random", "sqlite3"}

Rule = Callable[[ast.Module], Iterator[str]]


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, also inside functions; `from shared import events` is `shared.events`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module in OWN or (module.startswith("services.") and module.count(".") < 2):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def clock_reads(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if node.attr in CLOCK.get(owner, ()):
                yield f"{node.lineno}: {owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"{node.lineno}: from time import {a.name}" for a in node.names if a.name in CLOCK["time"])


def commits(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            yield f"{node.lineno}: .commit()"


def kafka_imports(tree: ast.Module) -> Iterator[str]:
    for line, name in imports(tree):
        if name.partition(".")[0] == "aiokafka":
            yield f"{line}: {name}"


def services_imported_by(owner: str) -> Rule:
    def rule(tree: ast.Module) -> Iterator[str]:
        for line, name in imports(tree):
            if name.startswith("services.") and not name.startswith(f"services.{owner}"):
                yield f"{line}: {name}"

    return rule


def foreign_to_core(own: str, allowed: set[str]) -> Rule:
    """What a core imports beyond `allowed`, its own modules and the pure part of the standard library."""

    def rule(tree: ast.Module) -> Iterator[str]:
        for line, name in imports(tree):
            top = name.partition(".")[0]
            if name.startswith((".", own)) or name in allowed or top in allowed:
                continue
            if top in sys.stdlib_module_names and top not in IMPURE:
                continue
            yield f"{line}: {name}"
        yield from (f"{node.lineno}: await" for node in ast.walk(tree) if isinstance(node, ast.Await))

    return rule


def looked_at_once(tree: ast.Module) -> Iterator[str]:
    """What a page is asked until it is true must be a function: our pages' policy lets nobody look twice at what is none."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "wait_for_function"
        ):
            said = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
            if said and "=>" not in "".join(map(str, said)):
                yield f"{node.lineno}: {said[0]}"


def broken(paths: list[Path], rule: Rule, *, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{where(path)}:{found}"
        for path in paths
        if where(path) not in but
        for found in rule(ast.parse(path.read_text(encoding="utf-8")))
    ]


def test_the_wall_clock_is_asked_for_only_in_shared_clock() -> None:
    assert broken(sources(*OWN), clock_reads, but=("shared/clock.py",)) == []


def test_aiokafka_is_imported_only_in_shared_kafka() -> None:
    paths = sources(*OWN)
    assert broken(paths, kafka_imports, but=("shared/kafka.py",)) == []


def test_a_session_commits_only_in_shared_db() -> None:
    ours = ("shared/db.py", "shared/dbsessions.py")  # the latter: settings of a connection, before any session has it
    assert broken(sources(*OWN), commits, but=ours) == []


def test_what_a_page_is_asked_again_is_a_function() -> None:
    assert broken(sources("tests/browser", "tools"), looked_at_once) == []


@pytest.mark.parametrize("service", ["ingest", "monitor", "alerts"])
def test_no_service_imports_another(service: str) -> None:
    assert broken(sources(f"services/{service}"), services_imported_by(service)) == []


@pytest.mark.parametrize("core", sorted(CORES))
def test_a_core_is_pure(core: str) -> None:
    rule = foreign_to_core(core.replace("/", "."), CORES[core])
    assert broken(sources(core), rule) == []


def test_no_file_is_too_long_to_read() -> None:
    folders = (*OWN, "tests", "deploy", "tools")
    paths = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in TEXT and "vendor" not in p.parts]
    long = {where(path): lines for path in paths if (lines := len(path.read_text("utf-8").splitlines())) > MAX_LINES}
    assert long == {}


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (clock_reads, "import datetime\ndatetime.datetime.now()"),
        (clock_reads, "from datetime import datetime\nread = datetime.now"),
        (clock_reads, "from time import monotonic"),
        (clock_reads, "import time\ntime.time()"),
        (kafka_imports, "def late():\n    from aiokafka.errors import KafkaError"),
        (looked_at_once, "page.wait_for_function('window.ready')"),
        (commits, "async def f(session):\n    await session.commit()"),
        (services_imported_by("ingest"), "from services.monitor import core"),
        (services_imported_by("ingest"), "from services import monitor"),
        (foreign_to_core("services.monitor.core", CORE_MAY_IMPORT), "from shared import kafka"),
        (foreign_to_core("services.monitor.core", CORE_MAY_IMPORT), "import structlog"),
        (foreign_to_core("services.monitor.core", CORE_MAY_IMPORT), "import asyncio"),
        (foreign_to_core("services.monitor.core", CORE_MAY_IMPORT), "async def f(x):\n    await x"),
        (foreign_to_core("services.monitor.core", CORE_MAY_IMPORT), "from services.monitor.feed import log"),
    ],
)
def test_each_rule_sees_what_it_forbids(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source)))


def test_the_rules_let_through_what_is_allowed() -> None:
    pure = foreign_to_core("services.monitor.core", CORE_MAY_IMPORT)
    source = "import msgspec, re\nfrom shared import events, facts\nfrom services.monitor.core.state import Agent"
    assert list(pure(ast.parse(source))) == []
    assert list(clock_reads(ast.parse("clock.now()\nself._clock.monotonic()\ndatetime.fromisoformat(x)"))) == []
