"""Writes the table of anomaly kinds into docs/trust.md: `make docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.ingest import restamp
from services.monitor.core.trust.anomalies import KINDS

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "trust.md"
_BEGIN: Final = "<!-- kinds: written by `make docs` -->\n"
_END: Final = "<!-- end of kinds -->"


def table() -> str:
    """Every kind with its meaning, in the order of the registries: the monitor's, then ingest's."""
    rows = (f"| `{kind}` | {meaning} |\n" for kind, meaning in (KINDS | restamp.KINDS).items())
    return "\n| kind | what came, and what was done |\n|---|---|\n" + "".join(rows) + "\n"


def render(page: str) -> str:
    """The page with the table anew. ValueError when its marks are gone."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no place for the table: {_BEGIN.strip()} … {_END}")
    return before + begin + table() + end + after


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
