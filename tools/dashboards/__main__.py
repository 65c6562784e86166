"""`python -m tools.dashboards`: write every dashboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from shared.settings import ROOT
from tools.dashboards.floor import FLOOR
from tools.dashboards.incidents import ALERTS
from tools.dashboards.ourselves import OURSELVES
from tools.dashboards.panels import Dashboard
from tools.dashboards.pipeline import PIPELINE

FOLDER: Final = ROOT / "deploy" / "grafana" / "dashboards"
DASHBOARDS: Final = (FLOOR, PIPELINE, ALERTS, OURSELVES)


def path_of(dashboard: Dashboard) -> Path:
    """Where it is kept."""
    return FOLDER / f"{dashboard.uid}.json"


def text_of(dashboard: Dashboard) -> str:
    """The file."""
    return json.dumps(dashboard.render(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them, and remove what is of none."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in set(FOLDER.glob("*.json")) - {path_of(one) for one in DASHBOARDS}:
        path.unlink()
    for one in DASHBOARDS:
        path_of(one).write_text(text_of(one), encoding="utf-8")


if __name__ == "__main__":
    main()
