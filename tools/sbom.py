"""The bill of materials of a release, CycloneDX JSON: `make sbom` writes dist/floorwatch-VERSION.cdx.json.

It lists requirements.lock, package by package with its hashes and licence, and follows from the lock file alone: the same lock
gives the same file. So it is made for a release and not kept in the repository.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from typing import Any, Final

from tools.licences import LOCKS, ROOT, licence_of

BIN: Final = ROOT / ".cache" / "tools" / "bin"
_VALIDATE: Final = (
    "import sys; from cyclonedx.schema import SchemaVersion as V; from cyclonedx.validation.json import JsonStrictValidator; "
    "why = JsonStrictValidator(V.V1_6).validate_str(sys.stdin.read()); sys.exit(str(why) if why else 0)"
)


def with_licences(bill: dict[str, Any]) -> dict[str, Any]:
    """The bill with the licence of each package, which a lock file does not tell."""
    for one in bill["components"]:
        one.pop("description", None)  # the line of the lock file once more
        one["licenses"] = [{"expression": licence_of(one["name"])}]
    return bill


def main() -> int:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    how = ["requirements", "--pyproject", "pyproject.toml", "--output-reproducible", "--of", "JSON", "--sv", "1.6"]
    made = subprocess.run(
        [BIN / "cyclonedx-py", *how, "--output-file", "-", LOCKS["runtime"]],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    bill = json.dumps(with_licences(json.loads(made)), indent=1, sort_keys=True) + "\n"
    subprocess.run([BIN / "python", "-c", _VALIDATE], input=bill, text=True, check=True)
    target = ROOT / "dist" / f"floorwatch-{version}.cdx.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(bill, encoding="utf-8")
    print(f"{target.relative_to(ROOT)}: {len(json.loads(bill)['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
