"""Floors to advise on, and the ranking module run over them in a real browser."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
from playwright.async_api import Page

from services.monitor.core.views import AgentFiguresView, FloorView, RecentView
from tests.browser.floors import NOON, agent, ago, changed, queue, site

EMPTY = FloorView(sites=(), queues=(), agents=(), calls=(), transfers=(), flags=())

# Runs rank.js over the frames of a floor's time, each {floor, at, stale, done}, and gives what it shows in each.
RUN = """async (frames) => {
  const { rank } = await import("/static/monitor/actions/rank.js");
  const { thresholds } = await import("/static/monitor/thresholds.js");
  let memory = null;
  let done = new Map();
  return frames.map(({ floor, at, now, stale, mark }) => {
    for (const key of mark) done.set(key, { at, site: key.split(":")[1].split("/")[0], floorAt: now });
    const result = rank({
      floor, thresholds: thresholds.defaults, now: () => now, staleOf: (site) => stale[site] ?? "", at, done, memory,
    });
    memory = result.memory;
    done = result.done;
    return { items: result.items, calm: result.calm, done: [...done.keys()] };
  });
}"""


def frame(
    floor: FloorView,
    at: float = 0,
    stale: dict[str, str] | None = None,
    mark: tuple[str, ...] = (),
    speed: float = 1.0,
) -> dict[str, Any]:
    """One look at a floor, `at` seconds after the first, `speed` times as many on the site's clock; `mark`: causes dealt with
    just before."""
    now = (NOON + timedelta(seconds=at * speed)).timestamp() * 1000
    builtins = json.loads(msgspec.json.encode(floor))
    return {"floor": builtins, "at": at * 1000, "now": now, "stale": stale or {}, "mark": list(mark)}


async def look(page: Page, *frames: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await page.evaluate(RUN, list(frames))
    return found


async def items(page: Page, floor: FloorView, stale: dict[str, str] | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await look(page, frame(floor, 0, stale)))[0]["items"]
    return found


def floor_of(**parts: Any) -> FloorView:
    return changed(EMPTY, **({"sites": (site(),)} | parts))  # type: ignore[no-any-return]


def figures(missed_in_row: int) -> AgentFiguresView:
    return AgentFiguresView(
        day="2026-11-22", since=ago(7200), state_s={}, handled=3, talk_s=9.0, hold_s=0.0, wrap_s=3.0,
        missed=missed_in_row, missed_in_row=missed_in_row, transfers=0, occupancy=None,
    )  # fmt: skip


def recent(**values: Any) -> RecentView:
    plain = RecentView(
        since=ago(900), offered=40, answered=38, abandoned=2, service_level=0.9, abandonment_rate=0.05, asa_s=9.0,
        occupancy=0.7,
    )  # fmt: skip
    return changed(plain, **values)  # type: ignore[no-any-return]


WAITING = queue("support", "Support", waiting=3, longest_since=ago(48), agents={"wrap": 2, "talk": 2})
WRAPPERS = (
    agent("1", "Wang Fang", "wrap", since=ago(62), queues=("support",)),
    agent("2", "Li Na", "wrap", since=ago(55), queues=("support",)),
)
