"""The pictures in docs/screens: `make screens`. Starts Floorwatch with its simulated floor, or takes one that runs.

The same seed gives the same floor; what it is doing when the picture is taken differs with the machine. Needs Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import httpx
from playwright.async_api import Browser, async_playwright

from tools.pageviews import PATIENCE_MS, VIEWS, Picture, Service
from tools.servers import HOST, ROOT, free_port

FOLDER: Final = ROOT / "docs" / "screens"
MOST_BYTES: Final = 1_200_000  # all pictures together: nobody shall wait for them when cloning
QUALITY: Final = 60
SEED, SPEED = 7, 12
HISTORY_S: Final = 3600.0  # of the floor, so that the day's charts have something to show
START_S, FLOOR_S = 60.0, 600.0
SETTLE_MS: Final = 1500
LAPTOP, HALL = (1366, 768), (1920, 1080)
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Shot:
    """One picture: which view, how it looks, how large."""

    name: str
    view: str
    language: Literal["en", "zh-CN"] = "en"
    theme: Literal["dark", "light"] = "dark"
    size: tuple[int, int] = LAPTOP


SHOTS: Final = (
    Shot("wallboard", "cards", size=HALL),
    Shot("hall", "hall", size=HALL),
    Shot("hall-zh", "hall", "zh-CN", "light", size=HALL),
    Shot("floor-cards-zh", "cards", "zh-CN", "light"),
    Shot("floor-rows", "rows", theme="light", size=HALL),
    Shot("floor-rows-zh", "rows", "zh-CN"),
    Shot("agent-drawer", "agent"),
    Shot("queue-drawer", "queue", theme="light"),
    Shot("queue-drawer-zh", "queue", "zh-CN"),
    Shot("next-actions", "actions", theme="light"),
    Shot("transfer-desk", "desk"),
    Shot("transfer-desk-zh", "desk", "zh-CN", "light", size=HALL),
    Shot("rewind", "rewind"),
    Shot("settings", "settings", theme="light"),
    Shot("incidents", "incidents", theme="light"),
)


@contextlib.asynccontextmanager
async def started() -> AsyncIterator[dict[Service, str]]:
    """Floorwatch with its simulated floor, in a directory that is gone afterwards; where its pages are."""
    names = ("BROKER_PORT", "MONITOR_PORT", "INGEST_PORT", "ALERTS_PORT", "RELAY_PORT", "RELAY_MEDIA_PORT")
    ports = {name: str(free_port()) for name in names}
    with tempfile.TemporaryDirectory(prefix="screens-") as folder:
        command = (sys.executable, "-m", "floorwatch.cli", "run", "--seed", str(SEED), "--speed", str(SPEED))
        env = {**os.environ, **ports, "FLOORWATCH_RUN_DIR": folder}
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.DEVNULL)
        try:
            urls: dict[Service, str] = {
                "monitor": f"http://{HOST}:{ports['MONITOR_PORT']}",
                "ingest": f"http://{HOST}:{ports['INGEST_PORT']}",
                "alerts": f"http://{HOST}:{ports['ALERTS_PORT']}",
            }
            yield urls
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
                await process.wait()


async def floor_of(url: str) -> dict[str, Any]:
    """The floor as the monitor shows it; empty while it does not answer."""
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient() as client:
            found = (await client.get(f"{url}/api/v1/floor")).raise_for_status().json()["floor"]
            assert isinstance(found, dict)
            return found
    return {}


def worth_showing(floor: dict[str, Any]) -> bool:
    """Whether something waits, runs late and is flagged."""
    if not floor.get("sites"):
        return False
    slow = any(one["outcome"] == "running" for one in floor["transfers"])
    return bool(slow and len(floor["flags"]) >= 2 and sum(queue["waiting"] for queue in floor["queues"]) >= 2)


async def floor_when(url: str, holds: Callable[[dict[str, Any]], bool], within_s: float) -> dict[str, Any]:
    """The floor as soon as it is so. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not holds(floor := await floor_of(url)):  # noqa: ASYNC110 - asks a server
            await asyncio.sleep(0.3)
    return floor


async def picture_of(urls: dict[Service, str]) -> Picture:
    """Wait until there is something to show; what the pictures are to be of. Raises TimeoutError."""
    first = await floor_when(urls["monitor"], lambda floor: bool(floor.get("agents")), START_S)
    site = first["sites"][0]
    since, now = (datetime.fromisoformat(site[name]) for name in ("link_since", "now"))
    left_s = max(0.0, HISTORY_S - (now - since).total_seconds()) / site["speed"]
    print(f"waiting {left_s:.0f} s for a floor with a past")
    await asyncio.sleep(left_s)
    floor = await floor_when(urls["monitor"], worth_showing, FLOOR_S)
    busy = next(one for one in floor["agents"] if one["state"] in ("hold", "consult", "talk"))
    queue = max(floor["queues"], key=lambda one: int(one["offered"]))
    then = datetime.fromisoformat(floor["sites"][0]["now"]) - timedelta(seconds=HISTORY_S / 6)
    return Picture(urls, busy["site"], busy["agent_id"], queue["queue"], then.strftime("%Y-%m-%dT%H:%M:%SZ"))


async def shoot(browser: Browser, shot: Shot, of: Picture) -> Path:
    """Take the picture of a view as WebP."""
    width, height = shot.size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        locale={"en": "en-GB"}.get(shot.language, shot.language),
        color_scheme=shot.theme,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    view = next(view for view in VIEWS if view.name == shot.view)
    query = {"lang": shot.language} | ({"theme": shot.theme} if view.name == "hall" else {})
    await view.open(page, of, **query)
    await page.wait_for_timeout(SETTLE_MS)  # what is fetched beside the feed, charts and faces of letters
    session = await context.new_cdp_session(page)
    taken = await session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path = FOLDER / f"{shot.name}.webp"
    path.write_bytes(base64.b64decode(taken["data"]))
    await context.close()
    return path


async def take(urls: dict[Service, str], only: Sequence[str]) -> None:
    """All pictures, or those named. Those of former times go."""
    of = await picture_of(urls)
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for shot in SHOTS:
            if not only or shot.name in only:
                path = await shoot(browser, shot, of)
                print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KiB")
        await browser.close()
    known = {f"{shot.name}.webp" for shot in SHOTS}
    for old in FOLDER.iterdir():
        if old.name not in known:
            old.unlink()
    together = sum(path.stat().st_size for path in FOLDER.iterdir())
    if together > MOST_BYTES:
        sys.exit(f"{together} bytes are more than {MOST_BYTES}: lower QUALITY or take fewer")


def chromium() -> str:
    """The system's own. Raises SystemExit without one."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit(f"no Chromium on this machine: {', '.join(BROWSERS)}")
    return found


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.screens", description=__doc__)
    parser.add_argument("--of", nargs=3, metavar=("MONITOR", "INGEST", "ALERTS"), help="URLs of one that runs")
    parser.add_argument("only", nargs="*", help="names of pictures; all of them if none is given")
    given = parser.parse_args()
    if given.of:
        monitor, ingest, alerts = (url.rstrip("/") for url in given.of)
        await take({"monitor": monitor, "ingest": ingest, "alerts": alerts}, given.only)
    else:
        async with started() as urls:
            await take(urls, given.only)


if __name__ == "__main__":
    asyncio.run(main())
