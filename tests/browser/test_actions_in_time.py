"""Advice over time: what flickers moves nothing, what ended is told as over, what was dealt with stays away for a while."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from services.monitor.core.views import FloorView
from tests.browser.actionkit import WAITING, WRAPPERS, floor_of, frame, look
from tests.browser.floors import agent, ago, changed, queue

pytest_plugins = ("tests.browser.ranker",)
pytestmark = pytest.mark.asyncio(loop_scope="package")


def shown_kinds(frames: list[dict[str, Any]]) -> list[list[str]]:
    return [[item["kind"] + (" over" if item["over"] else "") for item in one["items"]] for one in frames]


async def test_what_flickers_for_a_second_moves_nothing(ranker: Page) -> None:
    busy = floor_of(queues=(WAITING,), agents=WRAPPERS)
    both = changed(busy, agents=(*WRAPPERS, agent("3", "Liu Yang", "hold", since=ago(50))))
    found = await look(
        ranker, frame(busy), frame(both, 0.4), frame(busy, 0.8), frame(both, 1.2), frame(both, 1.6), frame(both, 2.4)
    )
    assert shown_kinds(found) == [["wait_wrap"]] * 5 + [["wait_wrap", "agent_hold"]]


async def test_what_ended_stays_as_over_for_two_seconds(ranker: Page) -> None:
    busy, calm = floor_of(queues=(WAITING,), agents=WRAPPERS), floor_of(queues=(queue("support", "Support"),))
    found = await look(ranker, frame(busy), frame(calm, 0.5), frame(calm, 1.9), frame(calm, 2.1))
    assert shown_kinds(found) == [["wait_wrap"], ["wait_wrap over"], ["wait_wrap over"], []]
    stale = await look(ranker, frame(busy), frame(calm, 0.5, {"hq": "silent"}))
    assert shown_kinds(stale) == [["wait_wrap"], ["stale"]], "of an old floor nothing is over"


async def test_two_of_nearly_the_same_weight_do_not_swap_places(ranker: Page) -> None:
    def at(first: float, second: float) -> FloorView:
        queues = (
            queue("a", "A", waiting=2, longest_since=ago(first), agents={"talk": 3}),
            queue("b", "B", waiting=2, longest_since=ago(second), agents={"talk": 3}),
        )
        return floor_of(queues=queues)

    swings = [frame(at(*pair), 0.3 * n) for n, pair in enumerate([(30, 28), (28, 30), (30, 28), (28, 30)])]
    assert len({tuple(item["queue"] for item in one["items"]) for one in await look(ranker, *swings)}) == 1
    jump = await look(ranker, frame(at(30, 28)), frame(at(30, 90), 1), frame(at(30, 90), 2), frame(at(30, 90), 3))
    assert [[item["queue"] for item in one["items"]] for one in jump][-1] == ["b", "a"]


async def test_what_was_dealt_with_comes_back_when_its_cause_did_or_after_five_minutes(ranker: Page) -> None:
    busy, calm = floor_of(queues=(WAITING,), agents=WRAPPERS), floor_of(queues=(queue("support", "Support"),))
    cause = ("wait:hq/support",)
    again = await look(
        ranker,
        frame(busy),
        frame(busy, 1, mark=cause),
        frame(busy, 200),
        frame(busy, 300),
        frame(busy, 302),
        frame(busy, 304),
    )
    assert shown_kinds(again) == [["wait_wrap"], [], [], [], [], ["wait_wrap"]]
    ended = await look(
        ranker, frame(busy, mark=cause), frame(calm, 10), frame(calm, 14), frame(busy, 20), frame(busy, 22)
    )
    assert shown_kinds(ended) == [[], [], [], [], ["wait_wrap"]]
    flicker = await look(ranker, frame(busy, mark=cause), frame(calm, 10), frame(busy, 11), frame(busy, 20))
    assert shown_kinds(flicker) == [[], [], [], []]
    blind = await look(
        ranker,
        frame(busy, mark=cause),
        frame(busy, 10, {"hq": "down"}),
        frame(busy, 20, {"hq": "down"}),
        frame(busy, 30),
    )
    assert shown_kinds(blind)[-1] == [], "nobody saw the cause end"


async def test_where_the_floor_runs_faster_so_do_the_five_minutes(ranker: Page) -> None:
    busy, cause = floor_of(queues=(WAITING,), agents=WRAPPERS), ("wait:hq/support",)
    fast = [frame(busy, at, speed=10, mark=cause if at == 1 else ()) for at in (0, 1, 30, 32, 34)]
    assert shown_kinds(await look(ranker, *fast)) == [["wait_wrap"], [], [], [], ["wait_wrap"]]
