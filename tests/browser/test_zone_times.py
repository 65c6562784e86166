"""Times that people type on the silences page, in a real browser: they are those of the site's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.browser.alertpages import alert_pages
from tests.browser.conftest import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_times_of_a_site_are_read_as_its_clock_shows_them_also_when_clocks_change(
    viewer: Viewer, tmp_path: Path
) -> None:
    changes = {"America/New_York": ("03-08", "11-01"), "Europe/Berlin": ("03-29", "10-25")}
    changes |= {"Australia/Lord_Howe": ("04-05", "10-04"), "Asia/Shanghai": ("03-08", "10-25")}
    walls = [
        (zone, (datetime.fromisoformat(f"2026-{day}") + timedelta(minutes=15 * quarter)).isoformat(timespec="minutes"))
        for zone, days in changes.items()
        for day in days
        for quarter in range(-8, 32)
    ]
    async with alert_pages(viewer, tmp_path, "en") as pages:
        page = await pages.open("/silences.html")
        read = await page.evaluate(
            """async (walls) => {
                const { instantOf, wallTime } = await import("/static/alerts/silences/zonetime.js");
                return walls.map(([zone, wall]) => [instantOf(wall, zone), wallTime(instantOf(wall, zone), zone)]);
            }""",
            walls,
        )
    for (zone, wall), (at, shown) in zip(walls, read, strict=True):
        known = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)  # the first that shows it
        assert datetime.fromisoformat(at) == known, f"{wall} in {zone}"
        assert shown == known.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")[:16]
