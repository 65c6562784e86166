"""What a window of 1366x768 must neither hide nor cut: flags beside a drawer, times, columns, the help."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from services.monitor.desk.views import AgentCalls, FinishedCall
from tests.browser.conftest import Viewer
from tests.browser.drawerfloors import Answers, talking
from tests.browser.floors import agent, ago, call, changed, flag, queue, site, small_floor, transfer
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

# Whether all of an element is on the screen.
WHOLE = """(node) => new Promise((done) =>
  new IntersectionObserver(([one]) => done(one.intersectionRatio === 1)).observe(node))"""

# The texts of what is wider than its place, within a selector.
CUT = """(selector) => [...document.querySelectorAll(selector)]
  .filter((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return node.checkVisibility() && range.getBoundingClientRect().width > node.getBoundingClientRect().width + 0.1;
  }).map((node) => node.textContent)"""


async def cut(page: Page, selector: str) -> list[str]:
    found: list[str] = await page.evaluate(CUT, selector)
    return found


async def test_a_flag_that_is_raised_is_seen_although_a_drawer_is_open(viewer: Viewer, answers: Answers) -> None:
    floor = changed(talking(), flags=(flag("f1"),), transfers=(transfer("t1", requested=ago(2)),))
    async with viewer.show(floor, "/?agent=hq/1001") as (feed, page):
        strip = page.locator("#rail-strip")
        await expect(page.locator("#flags")).to_be_hidden()
        await expect(strip.locator(".strip-flag")).to_contain_text("Ana Silva has had the customer on hold")
        await expect(strip).to_contain_text("1 flag ·")
        raised = flag("f2", severity="critical", subject_id="1003", labels={"agent": "1003"}, raised=feed.now())
        await feed.change("flag", "hq/f2", changed(raised, summary_en="Cao Wei is away", summary_zh="Cao Wei 不在"))
        await expect(strip.locator(".strip-flag")).to_contain_text("Cao Wei is away")
        await expect(strip).to_contain_text("2 flags · ")
        await expect(strip).to_contain_text("1 transfer")
        await strip.locator(".strip-flag").click()
        await expect(page.locator(".card", has_text="Cao Wei")).to_be_focused()
        await expect(page.locator("dialog.side-drawer")).to_be_visible()
        await strip.get_by_role("button", expanded=False).click()
        await expect(page.locator("#flags .flag")).to_have_count(2)
        await page.reload()  # whoever wants the lists wants them the next time
        await expect(page.locator("#flags .flag").first).to_be_visible()
        await strip.get_by_role("button", expanded=True).click()
        await expect(page.locator("#flags")).to_be_hidden()
        await page.set_viewport_size({"width": 1920, "height": 1080})  # room for all three
        await expect(page.locator("#flags .flag").first).to_be_visible()
        await expect(strip).to_be_hidden()


async def test_without_a_flag_it_says_so(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking(), "/?agent=hq/1001") as (_, page):
        strip = page.locator("#rail-strip")
        await expect(strip).to_contain_text("Nothing is flagged.")
        await expect(strip.locator(".strip-flag")).to_be_hidden()
        await page.keyboard.press("Escape")
        await expect(strip).to_be_hidden()
        await expect(page.locator("#flags")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(("seconds", "said"), [(99.9 * 3600, "99:54:"), (101 * 3600, ("4 d 5 h", "4天5时"))])
async def test_a_long_time_is_never_cut(
    viewer: Viewer, language: str, seconds: float, said: str | tuple[str, str]
) -> None:
    long = ago(seconds)
    held = changed(talking().calls[0], legs=(changed(talking().calls[0].legs[0], state="held", since=long),))
    floor = changed(
        talking(),
        agents=(
            agent("1001", "Ana Silva", "hold", since=long, call=call(since=long)),
            agent("1002", "Bo Lind", "offline", since=long),
        ),
        calls=(held,),
        flags=(flag("f1", started=long),),
        queues=(queue("sales", "Sales", waiting=2, longest_since=long),),
    )
    words = said if isinstance(said, str) else said[language == "zh-CN"]
    async with viewer.show(floor, f"/?view=rows&lang={language}") as (_, page):
        times = page.locator(
            '.grid-cell:is([data-column="time"], [data-column="call_time"], [data-column="hold"]) > .truncate'
        )
        await expect(times.first).to_contain_text(words)
        await expect(page.locator(".agents-scroll[data-wide]")).to_have_count(0)  # what is usual fits beside the rail
        assert (
            await cut(
                page, '.grid-cell:is([data-column="time"], [data-column="call_time"], [data-column="hold"]) > .truncate'
            )
            == []
        )
        assert await cut(page, ".figure-value, .flag-age") == []
        await page.get_by_role("button", name="Cards" if language == "en" else "卡片").click()
        await expect(page.locator(".card-time").first).to_contain_text(words)
        assert await cut(page, ".card-time, .card-hold, .card-second") == []


async def test_who_waited_before_midnight_is_told_apart_and_explained(viewer: Viewer, answers: Answers) -> None:
    midnight = ago(20 * 3600)  # at a site in Shanghai, whose noon by UTC is 20:00
    day = {"since": midnight, "seen": ago(51)}
    queues = (
        queue("sales", "Sales", offered=1, answered=2, other_ended=1, waiting=1, longest_since=ago(30), **day),
        queue("support", "Support", offered=4, answered=2, abandoned=1, waiting=1, longest_since=ago(30), **day),
    )
    async with viewer.show(changed(talking(), queues=queues), "/?queue=hq/sales") as (_, page):
        sales, support = page.locator(".queue").nth(0), page.locator(".queue").nth(1)
        await expect(sales.locator(".figure-offered")).to_have_text(
            re.compile(r"1\+33 more waited already at 00:00offered")
        )
        await expect(sales.locator(".figure-offered")).to_have_attribute(
            "title", re.compile("only the end is in the day's")
        )
        await expect(support.locator(".figure-more")).to_be_hidden()
        tile = page.locator(".drawer-tile", has_text="offered").last
        await expect(tile).to_contain_text("3 more waited already at 00:00")
        known = sales.locator(".queue-since")
        await expect(known).to_contain_text(re.compile(r"since 00:00\s*last heard of\s*(5\d s|[1-9] min) ago"))
        await known.hover()
        await expect(known).to_have_attribute(
            "title", re.compile("count from 00:00 on, the site's time. How it is known: the switch")
        )


async def test_a_neighbour_with_a_line_more_moves_nothing(viewer: Viewer) -> None:
    names = ("Sales", "Support", "Billing")
    queues = tuple(queue(name.lower(), name, offered=412, answered=380, abandoned=29, seen=ago(5)) for name in names)
    much = dict.fromkeys(("offered", "answered", "abandoned"), 1_234_567) | dict.fromkeys(("asa_s", "aht_s"), 3725.0)
    longer = changed(queues[1], day="2026-11-21", **much)
    flags = (flag("q", subject="queue", subject_id="support", labels={"queue": "support"}),)
    floor = changed(talking(), queues=(queues[0], longer, queues[2]), flags=flags)
    async with viewer.show(floor) as (_, page):
        await expect(page.locator(".queue-flag:visible")).to_have_count(1)
        for part in (".queue-name", ".figure-waiting", ".figure-level", ".figure-offered"):
            boxes = [await one.bounding_box() for one in await page.locator(part).all()]
            assert len({box["y"] for box in boxes if box}) == 1, (part, boxes)
        days = [await one.bounding_box() for one in await page.locator(".queue-day").all()]
        assert len({box["height"] for box in days if box}) == 2  # the middle one has a line more


async def test_the_help_is_whole_and_moves_by_keys_where_it_is_not(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (_, page):
        help_ = page.locator("#legend")
        await expect(page.locator(".card")).to_have_count(3)
        for lang in ("English", "简体中文"):
            await page.get_by_role("button", name=lang).click()
            await page.keyboard.press("?")
            await expect(help_).to_be_visible()
            assert await help_.evaluate("node => node.scrollHeight <= node.clientHeight")
            await expect(help_.locator("kbd", has_text=",")).to_be_in_viewport()
            await page.keyboard.press("?")
            await expect(help_).to_be_hidden()
        await page.set_viewport_size({"width": 700, "height": 400})
        await page.keyboard.press("?")
        await page.keyboard.press("End")
        await expect(help_.locator("kbd").last).to_be_in_viewport()


async def test_every_column_of_an_agent_s_calls_is_seen(viewer: Viewer, answers: Answers) -> None:
    ended = FinishedCall(
        call_id="a",
        direction="inbound",
        queue="customer_care_and_returns",
        outcome="unanswered",
        started_at=ago(600),
        answered_at=None,
        ended_at=ago(500),
        waited_s=3725.0,
        talk_s=3725.0,
        hold_s=3725.0,
        from_number="+45••••1234",
    )
    answers.by_path["calls"] = (200, AgentCalls(calls=(ended,)))
    async with viewer.show(talking(), "/?agent=hq/1001") as (_, page):
        calls = page.get_by_role("region", name="Calls of today").last
        await expect(calls.locator("tbody tr")).to_contain_text("••1234")
        assert await calls.evaluate("node => node.scrollWidth <= node.clientWidth")
        cell = calls.get_by_text("unanswered")

        async def seen() -> bool:
            """Scrolled to, and whole: what is above it may still be coming and push it away again."""
            await cell.scroll_into_view_if_needed()
            return bool(await cell.evaluate(WHOLE))

        await until(seen)


@pytest.mark.parametrize(("path", "width"), [("/", 1366), ("/?agent=hq/1001", 1366), ("/?agent=hq/1001", 1920)])
async def test_queues_as_lines_keep_their_names_and_their_places(
    viewer: Viewer, answers: Answers, path: str, width: int
) -> None:
    sites = ("hq", "north", "south")
    many = {"ready": 12, "ringing": 3, "talk": 115, "hold": 11, "consult": 2, "wrap": 12, "break": 11, "unknown": 2}
    day = {"offered": 1412, "answered": 1380, "abandoned": 129, "other_ended": 2, "asa_s": 75.0, "aht_s": 3725.0}
    queues = tuple(
        queue(name.lower(), name, site=where, agents=many, waiting=12, longest_since=ago(359_000), **day)
        for where in sites
        for name in ("Sales", "Support", "Billing")
    )
    floor = changed(talking(), sites=tuple(site(where, label="Headquarters") for where in sites), queues=queues)
    async with viewer.show(floor, path, width=width, height=1080) as (_, page):
        lines = page.locator(".queues[data-layout=lines] .queue")
        await expect(lines).to_have_count(9)
        assert await cut(page, ".queue-name, .figure-value") == []
        over = "nodes => nodes.filter((node) => [...node.querySelectorAll('*')].some((one) =>"
        over += (
            " one.checkVisibility() && one.getBoundingClientRect().right > node.getBoundingClientRect().right)).length"
        )
        assert await lines.evaluate_all(over) == 0


async def test_rows_of_tiles_never_take_the_room_of_the_agents(viewer: Viewer, answers: Answers) -> None:
    names = ("Billing 账务", "Complaints 投诉", "Sales 销售", "Support 技术支持")
    queues = tuple(queue(f"q{n}", name, offered=412, answered=380) for n, name in enumerate(names))
    async with viewer.show(changed(talking(), queues=queues)) as (_, page):
        await expect(page.locator(".queues[data-layout=tiles] .queue")).to_have_count(4)  # one row
        await page.locator(".card", has_text="Ana Silva").click()
        await expect(page.locator(".queues[data-layout=lines] .queue")).to_have_count(4)  # two would be too high
        assert await cut(page, ".queue-name") == []
        await page.set_viewport_size({"width": 1366, "height": 1200})
        await expect(page.locator(".queues[data-layout=tiles] .queue")).to_have_count(4)
