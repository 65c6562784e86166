"""Hold what is in deploy/ against the schemas and programs that know it.

The schemas come with two Python packages, in an environment of their own (.cache/deployment), because they are large: compose
files by check-jsonschema, Kubernetes objects by kubernetes-validate. `kubectl`, `systemd-analyze` and `promtool` are used where
they are; what is not there is said, and not checked. Exit code 1 when something is wrong.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import yaml

from shared.settings import ROOT

DEPLOY: Final = ROOT / "deploy"
HOME: Final = ROOT / ".cache" / "deployment"
LOCK: Final = Path(__file__).parent / "requirements.lock"
KUBERNETES: Final = (
    "1.31.0",
    "1.37.0",
)  # the oldest that is still cared for, more or less, and the newest with a schema
LEAST_HARDENED: Final = "20"  # tenths: `systemd-analyze security` says 10 for nothing at all, and 2 is "OK"

_TARGETS: Final = ("sysinit", "basic", "shutdown", "network-online", "network", "multi-user")
_SYSTEM_UNITS: Final = Path("/lib/systemd/system")


class Wrong(Exception):
    """What a check found."""


class NotHere(Exception):
    """A check that cannot be made on this machine, and why."""


def run(*words: str | Path) -> str:
    """What the program printed. Raises Wrong when it fails, NotHere when it is not installed."""
    if shutil.which(str(words[0])) is None:
        raise NotHere(f"no {words[0]} here")
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Wrong((done.stdout + done.stderr).strip())
    return done.stdout


def schemas() -> Path:
    """The folder of programs that bring the schemas, installed by their hashes. Raises NotHere without an index."""
    stamp = HOME / "lock"
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return HOME / "bin"
    uv = Path(sys.executable).with_name("uv")
    try:
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, HOME)
        run(uv, "pip", "sync", "--quiet", "--python", HOME / "bin" / "python", "--require-hashes", LOCK)
    except Wrong as exc:
        raise NotHere(f"the schemas could not be installed: {exc}") from exc
    stamp.write_bytes(LOCK.read_bytes())
    return HOME / "bin"


def compose() -> None:
    """The compose file fits its specification."""
    run(schemas() / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose" / "compose.yaml")


def kubernetes() -> None:
    """The manifests, as kustomize puts them together, fit the schemas of Kubernetes: no unknown field either."""
    for overlay in ("base", "example"):
        text = run("kubectl", "kustomize", DEPLOY / "kubernetes" / overlay)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            for version in KUBERNETES:
                run(schemas() / "kubernetes-validate", "--strict", "--quiet", "-k", version, file.name)


def systemd() -> None:
    """The units are understood, every line of them, and let a service do little."""
    units = [_instance(path.name) for path in sorted((DEPLOY / "systemd").glob("floorwatch*.service"))]
    with tempfile.TemporaryDirectory() as folder:
        root = _host(Path(folder))
        run("systemd-analyze", "verify", "--recursive-errors=no", f"--root={root}", "floorwatch.target", *units)
        for unit in units:
            how = ("--offline=true", f"--threshold={LEAST_HARDENED}", f"--root={root}")
            run("systemd-analyze", "security", *how, unit)


def _instance(name: str) -> str:
    return name.replace("@.", "@a.")


def _host(root: Path) -> Path:
    """As much of a host as units need to be looked at: themselves, what they start, the targets that they name."""
    if not _SYSTEM_UNITS.is_dir():
        raise NotHere("no systemd here")
    system, own = root / "lib" / "systemd" / "system", root / "etc" / "systemd" / "system"
    program = root / "opt" / "floorwatch" / "bin" / "floorwatch"
    for folder in (system, own, program.parent):
        folder.mkdir(parents=True)
    (root / "usr").mkdir()
    (root / "usr" / "lib").symlink_to("../lib")
    for name in _TARGETS:
        shutil.copy(_SYSTEM_UNITS / f"{name}.target", system)
    for path in (DEPLOY / "systemd").iterdir():
        if path.suffix in (".service", ".target"):
            shutil.copy(path, own)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    return root


def prometheus() -> None:
    """What Prometheus is told is right, and its rules fire as their tests say."""
    folder = DEPLOY / "prometheus"
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", folder / "floorwatch.rules.yml")
    for path in (folder / "prometheus.yml", DEPLOY / "compose" / "prometheus.yml"):
        run("promtool", "check", "config", "--syntax-only", path)
    asked = yaml.safe_load((folder / "kubernetes.yml").read_text(encoding="utf-8"))
    for job in asked["scrape_configs"]:
        del job["kubernetes_sd_configs"]  # Debian's promtool is built without Kubernetes
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        yaml.safe_dump(asked, file)
        file.flush()
        run("promtool", "check", "config", "--syntax-only", file.name)
    run("promtool", "test", "rules", *sorted((folder / "tests").glob("*.yml")))


def scripts() -> None:
    """Shell scripts can be read by their shell."""
    for path in DEPLOY.rglob("*.sh"):
        run("bash", "-n", path)


CHECKS: Final[tuple[Callable[[], None], ...]] = (compose, kubernetes, systemd, prometheus, scripts)


def told() -> Iterator[tuple[str, str, bool]]:
    """Name, what came of it, and whether that is wrong, of each check."""
    for check in CHECKS:
        try:
            check()
        except Wrong as exc:
            yield check.__name__, f"WRONG\n{exc}", True
        except NotHere as exc:
            yield check.__name__, f"not checked: {exc}", False
        else:
            yield check.__name__, "right", False


def main() -> int:
    """The exit code."""
    wrong = False
    for name, words, is_wrong in told():
        print(f"{name}: {words}")
        if words.startswith("not checked"):
            print(f"skipped: {name} of deploy/: {words.removeprefix('not checked: ')}")
        wrong = wrong or is_wrong
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
