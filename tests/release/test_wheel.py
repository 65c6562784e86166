"""The wheel as people install it: built, put into an empty environment, and the whole of Floorwatch started from there.

Needs an index of packages, as pip finds it, or a cache that has them; is skipped with the reason where there is neither.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes import alive, children
from tests.scenario.test_run import PORTS, environment
from tests.waiting import PATIENCE_S, until
from tools.servers import free_port

pytestmark = [
    pytest.mark.release,
    pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc"),
]

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
NO_INDEX = ("Failed to fetch", "error sending request", "client error", "was not found in the cache", "offline")
PAGES = {
    "MONITOR_PORT": ("/", "/hall", "/transfers", "/listen", "/static/shared/tokens.css"),
    "ALERTS_PORT": ("/", "/static/alerts/alerts.css"),
    "INGEST_PORT": ("/",),
}


def uv(*arguments: str | Path) -> None:
    """Run uv; the test is skipped when it cannot have what it needs from an index."""
    ran = subprocess.run([Path(sys.executable).parent / "uv", *arguments], capture_output=True, text=True, check=False)
    if ran.returncode and any(sign in ran.stderr for sign in NO_INDEX):
        pytest.skip(f"no index of packages: {ran.stderr.strip().splitlines()[-1]}")
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that no folder `build` of before lends it a file."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in ("deploy", "floorwatch", "services", "shared"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    uv("build", "--quiet", "--wheel", "--out-dir", dist, source)
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an environment that has the wheel and what it asks for, in locked versions, and nothing else."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    uv("venv", "--quiet", "--python", sys.executable, folder)
    uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        folder / "bin" / "python",
        "--constraint",
        ROOT / "requirements.lock",
        wheel,
    )
    yield folder / "bin"
    shutil.rmtree(folder)


def test_the_wheel_is_named_by_the_version_and_carries_what_is_read_at_run_time(wheel: Path) -> None:
    assert wheel.name == f"floorwatch-{VERSION}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "deploy/rules.yaml",
        "deploy/sites.yaml",
        "services/alerts/migrations/script.py.mako",
        "services/alerts/migrations/versions/0001_incidents.py",
        "services/alerts/templates/report.html.j2",
        "services/monitor/migrations/versions/0001_desk.py",
        "services/monitor/web/index.html",
        "shared/web/login.html",
    ):
        assert needed in names
    assert not [
        name
        for name in names
        if name.startswith(("tests/", "tools/")) or name.endswith((".db", ".secret", ".password"))
    ]
    assert any("LICENSE" in name for name in names)


async def test_an_installed_wheel_runs_the_whole_floor_and_stops_clean(installed: Path, tmp_path: Path) -> None:
    ports = {name: free_port() for name in PORTS}
    out = tmp_path / "out.txt"
    kept = {
        name: value
        for name, value in environment(tmp_path, ports).items()
        if not name.startswith(("PYTHON", "VIRTUAL"))
    }
    with out.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            installed / "floorwatch", "run", stdout=log, stderr=log, env=kept, cwd=tmp_path
        )
    try:
        up = "Floorwatch is up"
        await until(lambda: up in out.read_text() or process.returncode is not None, up)
        assert process.returncode is None, out.read_text()
        started = set(children(process.pid))
        async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
            for name, paths in PAGES.items():
                for path in paths:
                    answer = await http.get(f"http://127.0.0.1:{ports[name]}{path}")
                    assert answer.status_code == 200, (path, answer.text)
                health = (await http.get(f"http://127.0.0.1:{ports[name]}/healthz")).json()
                assert health["version"] == VERSION

            async def simulated() -> bool:
                floor = (await http.get(f"http://127.0.0.1:{ports['MONITOR_PORT']}/api/v1/floor")).json()["floor"]
                return bool(floor["agents"]) and all(site["simulated"] for site in floor["sites"])

            await until(simulated, "the simulated floor is on the board")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), PATIENCE_S)
    assert process.returncode == 0, out.read_text()
    assert not [pid for pid in started if alive(pid)]
    assert "Traceback" not in out.read_text()
    assert set(os.listdir(tmp_path)) <= {"out.txt", "run"}
