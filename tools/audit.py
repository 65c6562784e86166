"""Whether a flaw is known of what runs with Floorwatch: `make audit` asks pip-audit about each package of requirements.lock.

Exit code 0: none is known; 1: some are, printed with the versions that mend them; 3: the data cannot be had from here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOCK: Final = ROOT / "requirements.lock"
TOOL: Final = ROOT / ".cache" / "tools" / "bin" / "pip-audit"
NO_DATA: Final = 3


def verdict(dependencies: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit code and lines for what pip-audit found of each package."""
    asked = [one for one in dependencies if "skip_reason" not in one]
    skipped = [f"not asked about: {one['name']}: {one['skip_reason']}" for one in dependencies if "skip_reason" in one]
    if not asked:
        return NO_DATA, [
            "skipped: the data about known flaws cannot be had from here; " + (skipped or ["no package"])[0]
        ]
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in asked
        for flaw in one["vulns"]
    ]
    return (1 if found else 0), [*found, *skipped, f"{len(asked)} packages asked about, {len(found)} known flaws"]


def main() -> int:
    how = [
        "--requirement",
        str(LOCK),
        "--disable-pip",
        "--require-hashes",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    ran = subprocess.run([TOOL, *how], capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(ran.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        last = (ran.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        print(f"skipped: the data about known flaws cannot be had from here: {last}")
        return NO_DATA
    code, lines = verdict(dependencies)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
