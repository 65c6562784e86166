"""A short soak with a fixed seed: whatever runs is killed, paused and ended under load, and everything is counted in the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.brokers import APACHE
from tests.soak.report import by_peak, table
from tests.soak.run import Asked, soak

pytestmark = pytest.mark.fault

Tell = Callable[[str], None]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("broker", "lasts_s", "faults"),
    [
        pytest.param("embedded", 15.0, ("kill_all", "pause_alerts"), id="embedded"),
        pytest.param("kafka", 24.0, ("kill_all", "kill_broker", "restart_monitors"), marks=APACHE.marks, id="apache"),
    ],
)
async def test_a_short_soak_loses_and_doubles_nothing(
    broker: str, lasts_s: float, faults: tuple[str, ...], tmp_path: Path, measured: Tell
) -> None:
    asked = Asked(seed=1, lasts_s=lasts_s, broker=broker, rate=60, faults=faults, in_order=True, within_s=180)
    report, ledgers = await soak(asked, tmp_path, measured)
    assert report.good, "\n".join([*report.wrong, asked.command, table(report, ledgers)])
    assert [one.fault for one in report.struck] == list(faults)
    assert all(ledger.due for ledger in ledgers), "nothing is exact of which there is none"
    measured(f"{report.happened} events, {len(report.struck)} faults, memory {by_peak(report.peak_mb)}")
