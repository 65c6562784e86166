"""The whole of Floorwatch as `floorwatch run` starts it, and pages of it that write down what they show and when."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Page

from shared import topics
from shared.clock import SystemClock
from shared.kafka import KafkaBus
from shared.raw import Raw
from tests.scenario.test_run import Running, running
from tools.pageviews import Picture

SITE = "hq"
PATIENCE_MS = 90_000  # of a machine that is busy with other things


class Switch:
    """A switch's own program, which writes generic events to `switch.raw`; its clock is this machine's."""

    def __init__(self, bus: KafkaBus) -> None:
        self._bus = bus
        self._ids = itertools.count()
        self._clock = SystemClock()

    async def say(self, *events: tuple[str, dict[str, Any]]) -> datetime:
        """Say that this happened now, all of it in one record; the time of it."""
        now = self._clock.now()
        batch = [
            {
                "specversion": "1.0",
                "type": f"floorwatch.{kind}.v1",
                "id": str(next(self._ids)),
                "source": "/pbx",
                "time": now.isoformat(),
                "data": data,
            }
            for kind, data in events
        ]
        raw = Raw(value=json.dumps(batch).encode(), vendor="generic", site=SITE, connector="pbx", received=now)
        await self._bus.publish(topics.SWITCH_RAW, raw.value, key=SITE, headers=raw.headers())
        await self._bus.flush()
        return now


class System:
    """What runs: `url` of a service, its processes by `it`."""

    def __init__(self, it: Running, switch: Switch) -> None:
        self.it, self.switch = it, switch

    def url(self, path: str = "/", service: str = "monitor") -> str:
        return self.it.url(service, path)

    async def floor(self) -> dict[str, Any]:
        found = (await self.it.get("monitor", "/api/v1/floor"))["floor"]
        assert isinstance(found, dict)
        return found

    async def metric(self, name: str) -> float:
        async with httpx.AsyncClient() as client:
            lines = (await client.get(self.url("/metrics"))).raise_for_status().text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    async def until(self, holds: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """The floor as soon as it is so; a monitor that is away meanwhile is waited for."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(PATIENCE_MS / 1000):
                while not (found and holds(found)):
                    await asyncio.sleep(0.1)
                    with contextlib.suppress(httpx.HTTPError):
                        found = await self.floor()
        except TimeoutError:
            raise AssertionError(f"not within {PATIENCE_MS / 1000:g} s: {what}; the floor is {found}") from None
        return found


@asynccontextmanager
async def quiet(folder: Path, **settings: str) -> AsyncIterator[System]:
    """A system on which nothing happens but what a test says."""
    async with running(folder, **settings) as it:
        bus = KafkaBus(f"127.0.0.1:{it.ports['BROKER_PORT']}")
        try:
            yield System(it, Switch(bus))
        finally:
            await bus.close()


@asynccontextmanager
async def simulated(folder: Path) -> AsyncIterator[Picture]:
    """A system with its simulated floor, quick and always the same; what there is on it once there is something to see."""
    async with running(folder, "--simulator", "--speed", "8", "--seed", "7") as it:
        bus = KafkaBus(f"127.0.0.1:{it.ports['BROKER_PORT']}")
        try:
            system = System(it, Switch(bus))
            floor = await system.until(worth_seeing, "somebody talks, was transferred and is flagged")
        finally:
            await bus.close()
        busy = next(agent for agent in floor["agents"] if agent["state"] == "talk")
        # the past that can be looked at begins with the first state that is kept, and now goes on eight times as fast
        past = floor["sites"][0]["now"]
        services = ("monitor", "alerts", "ingest")
        yield Picture(
            {service: system.url("", service) for service in services},  # type: ignore[misc]
            busy["site"],
            busy["agent_id"],
            floor["queues"][0]["queue"],
            past,
        )


def worth_seeing(floor: dict[str, Any]) -> bool:
    ended = [one for one in floor["transfers"] if one["outcome"] != "running"]
    talks = any(agent["state"] == "talk" for agent in floor["agents"])
    return bool(talks and ended and floor["flags"] and floor["queues"])


async def stamp_when(page: Page, selector: str) -> None:
    """Write down the first frame in which something fits `selector`; `stamped` reads it."""
    await page.evaluate(
        """selector => {
          window.stamped = null;
          const drawn = () => { window.stamped ??= Date.now(); };
          const look = () => {
            if (!document.querySelector(selector)) return;
            observer.disconnect();
            requestAnimationFrame(drawn);
          };
          const observer = new MutationObserver(look);
          observer.observe(document.documentElement, { subtree: true, childList: true, attributes: true });
          look();
        }""",
        selector,
    )


async def stamped(page: Page, timeout_ms: float = PATIENCE_MS) -> float:
    """When that was, in seconds since 1970 by this machine's clock, which is the browser's too."""
    found = await (await page.wait_for_function("() => window.stamped", timeout=timeout_ms)).json_value()
    return float(found) / 1000


REDNESS = """node => {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = getComputedStyle(node).color;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return red - Math.max(green, blue);
}"""
