"""Refresh what the pages carry from npm: `make vendor`. Needs npm; nothing else in the project does.

Each file is written under a name that carries its package's newest version, and every mention of the old name follows.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

WEB = Path(__file__).parents[1] / "shared" / "web"
MENTIONS = ("*.css", "vendor/README.md")  # where the names of vendored files stand
PATIENCE_S = 120


@dataclass(frozen=True)
class Vendored:
    """A package of npm, and which of its files go where; `{version}` in a name is the package's."""

    package: str
    files: tuple[tuple[str, str], ...]


PACKAGES = (
    Vendored(
        "@fontsource-variable/inter",
        (
            ("files/inter-latin-wght-normal.woff2", "inter-latin-wght-{version}.woff2"),
            ("LICENSE", "inter-LICENSE.txt"),
        ),
    ),
)


def npm(*words: str, cwd: Path) -> str:
    """What npm answers. Raises SystemExit with its own words when it fails or is not there."""
    try:
        done = subprocess.run(["npm", *words], cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except FileNotFoundError:
        sys.exit("make vendor needs npm; running Floorwatch does not")
    if done.returncode:
        sys.exit(f"npm {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def refresh(one: Vendored, web: Path) -> str:
    """Fetch the newest version, put its files in place and mend the mentions; returns the version."""
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        version = npm("view", one.package, "version", cwd=room)
        archive = npm("pack", "--silent", f"{one.package}@{version}", cwd=room).splitlines()[-1]
        with tarfile.open(room / archive) as found:
            found.extractall(room, filter="data")
        for source, name in one.files:
            put(room / "package" / source, web, name, version)
    return version


def put(source: Path, web: Path, name: str, version: str) -> None:
    """Copy a file to its new name, take those of other versions away and say the new name where the old one stood."""
    target = web / "vendor" / name.format(version=version)
    target.write_bytes(source.read_bytes())
    for old in (web / "vendor").glob(name.format(version="[0-9]*")):
        if old == target:
            continue
        before = old.name.split(name.split("{version}")[0], 1)[1].removesuffix(Path(name).suffix)
        for path in (path for pattern in MENTIONS for path in web.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            if old.name in text:
                path.write_text(
                    text.replace(old.name, target.name).replace(f" {before} ", f" {version} "), encoding="utf-8"
                )
        old.unlink()


def main() -> None:
    """`python -m tools.vendor`."""
    for one in PACKAGES:
        sys.stdout.write(f"{one.package} {refresh(one, WEB)}\n")


if __name__ == "__main__":
    main()
