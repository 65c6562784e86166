"""The wallboard in a real browser, on a scripted floor."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from services.monitor.core.views import FloorView
from tests.browser.conftest import Viewer
from tests.browser.floors import (
    agent,
    ago,
    call,
    changed,
    empty_floor,
    flag,
    large_floor,
    queue,
    site,
    small_floor,
    transfer,
)

pytestmark = pytest.mark.asyncio(loop_scope="package")

TRIES = 12  # one must be in time: any may meet a moment in which the machine is busy


def card(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.locator(".card", has=page.locator(".card-name", has_text=name))


def with_(floor: FloorView, **values: object) -> FloorView:
    return changed(floor, **values)  # type: ignore[no-any-return]


async def test_it_shows_the_floor(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (_, page):
        await expect(card(page, "Ana Silva")).to_contain_text("Talk")
        await expect(card(page, "Ana Silva")).to_contain_text("Sales")
        await expect(card(page, "Ana Silva")).to_contain_text("••4821")
        await expect(card(page, "Cao Wei")).to_contain_text("Lunch")
        await expect(page.locator(".team-name")).to_have_text(["Blue · 2", "Red · 1"])
        sales = page.locator(".queue", has_text="Sales")
        await expect(sales.locator(".figure-waiting .figure-value")).to_have_text("2")
        await expect(sales.locator(".figure-offered .figure-value")).to_have_text("40")
        await expect(page.locator(".site-clock")).to_have_text(re.compile(r"^20:00:\d\d$"))  # Shanghai
        await expect(page.locator(".connection")).to_have_text("Live")
        await expect(page.locator(".topbar-mark")).to_be_hidden()


async def test_it_leads_to_the_other_pages_at_the_ports_that_are_set(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_PORT", "9702")
    async with viewer.show(small_floor()) as (_, page):
        incidents = page.get_by_role("link", name="Incidents")
        await expect(incidents).to_have_attribute("href", "http://127.0.0.1:9702/")


async def test_what_does_not_exist_is_a_dash_and_not_a_zero(viewer: Viewer) -> None:
    uncounted = queue("new", "New", since=None)
    async with viewer.show(with_(small_floor(), queues=(queue("quiet", "Quiet"), uncounted))) as (_, page):
        quiet, new = page.locator(".queue", has_text="Quiet"), page.locator(".queue", has_text="New")
        await expect(quiet.locator(".figure-offered .figure-value")).to_have_text("0")
        await expect(quiet.locator(".figure-level .figure-value")).to_have_text("–")
        await expect(quiet.locator(".figure-level .figure-label")).to_have_text("F3s 80/20")
        await expect(quiet.locator(".figure-asa .figure-value")).to_have_text("–")
        await expect(quiet.locator(".figure-longest .figure-value")).to_have_text("–")
        await expect(new.locator(".figure-offered .figure-value")).to_have_text("–")
        await expect(new.locator(".queue-since")).to_have_text("not counted yet")


async def test_a_change_shows_and_other_cards_stay_untouched(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        await expect(card(page, "Bo Lind")).to_contain_text("Ready")
        await page.evaluate(
            """() => { window.touched = 0;
            const watched = [...document.querySelectorAll('.card')].find(c => c.textContent.includes('Cao Wei'));
            new MutationObserver(list => { for (const one of list)
              if (!one.target.parentElement?.closest('.card-time')) window.touched += 1; })
              .observe(watched, {subtree: true, childList: true, attributes: true, characterData: true}); }"""
        )
        await feed.change(
            "agent", "hq/1002", agent("1002", "Bo Lind", "ringing", since=ago(0), call=call(call_id="c2"))
        )
        await expect(card(page, "Bo Lind")).to_contain_text("Ringing")
        await feed.change("agent", "hq/1002", None)
        await expect(card(page, "Bo Lind")).to_have_count(0)
        assert await page.evaluate("window.touched") == 0


async def test_times_tick_on_the_switch_s_clock(viewer: Viewer) -> None:
    fast = with_(small_floor(), sites=(site(speed=1.0),))
    async with viewer.show(fast) as (_, page):
        await expect(card(page, "Bo Lind").locator(".card-time")).to_have_text(re.compile(r"^0:[1-4]\d$"))
        shown = await card(page, "Bo Lind").locator(".card-time").inner_text()
        later = "|".join(f"0:{seconds:02}" for seconds in range(int(shown.split(":")[1]) + 2, 60))
        await expect(card(page, "Bo Lind").locator(".card-time")).to_have_text(re.compile(f"^({later})$"))


async def test_a_long_wait_is_judged_by_the_queue_s_own_threshold(viewer: Viewer) -> None:
    waits = {"Brief": 5, "Long": 30, "Far too long": 70}  # the threshold is 20 s, three times that is critical
    queues = tuple(queue(name, name, waiting=1, longest_since=ago(waited)) for name, waited in waits.items())
    async with viewer.show(with_(small_floor(), queues=queues)) as (_, page):
        longest = page.locator(".queue .figure-longest")
        await expect(longest.nth(1)).to_have_attribute("data-tone", "warning")
        await expect(longest.nth(2)).to_have_attribute("data-tone", "critical")
        await expect(longest.nth(0)).not_to_have_attribute("data-tone", re.compile("."))


async def test_a_flag_comes_leads_to_its_agent_and_goes(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        await expect(page.locator("#flags")).to_contain_text("Nothing is flagged.")
        await feed.change("flag", "hq/f1", flag("f1"))
        await feed.change("flag", "hq/f2", flag("f2", severity="critical", subject_id="1003", labels={"agent": "1003"}))
        await expect(page.locator(".flag")).to_have_count(2)
        await expect(page.locator(".flag").first).to_have_attribute("data-tone", "critical")
        await expect(page.locator("#announcer")).to_contain_text("New critical flag")
        await expect(card(page, "Ana Silva")).to_have_attribute("data-flagged", "warning")
        await page.locator(".search").fill("nobody of that name")
        await page.locator(".flag").last.locator("button").click()
        await expect(card(page, "Ana Silva")).to_be_focused()
        await feed.change("flag", "hq/f1", None)
        await feed.change("flag", "hq/f2", None)
        await expect(page.locator("#flags")).to_contain_text("Nothing is flagged.")
        await expect(page.locator(".card[data-flagged]")).to_have_count(0)


async def test_a_transfer_turns_slow_at_seven_seconds_while_it_runs(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        await expect(card(page, "Bo Lind")).to_be_visible()
        await feed.change("transfer", "hq/t1", transfer("t1", requested=feed.now()))
        row = page.locator(".transfer")
        await expect(row).to_contain_text("Ana Silva → Bo Lind")
        await expect(row).not_to_have_attribute("data-slow", "yes")
        await expect(row).to_have_attribute("data-slow", "yes")
        assert float((await row.locator(".transfer-time").inner_text()).split()[0]) >= 7.0
        done = transfer("t1", outcome="completed", ended=ago(0), total_s=8.1, slow="yes")
        await feed.change("transfer", "hq/t1", done)
        await expect(row).to_contain_text("completed")
        await expect(row.locator(".transfer-time")).to_have_text("8.1 s")


async def test_a_cut_line_is_owned_up_to_and_mended_without_a_new_snapshot(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        await expect(card(page, "Bo Lind")).to_contain_text("Ready")
        await page.evaluate(
            """() => { window.before = [...document.querySelectorAll('.card')];
            window.flashed = false;
            new MutationObserver(() => { window.flashed = true; })
              .observe(document.getElementById('connection-banner'), {attributeFilter: ['hidden']}); }"""
        )
        for turn, state in enumerate(("wrap", "talk", "hold", "wrap"), 1):
            await page.evaluate("window.flashed = false")
            await feed.cut()
            await feed.change("agent", "hq/1002", agent("1002", "Bo Lind", state))  # missed by the page
            await expect(card(page, "Bo Lind")).to_contain_text(state.capitalize())
            await expect(page.locator("#connection-banner")).to_be_hidden()
            assert feed.asked == ["subscribe", *["resume"] * turn]
            if not await page.evaluate("window.flashed"):
                break  # a busy machine may need more than that second
        assert await page.evaluate("window.before.every((node) => node.isConnected)")
        assert not await page.evaluate("window.flashed")  # back within a second: nothing to tell
        viewer.complaints.clear()  # browsers log a connection that was cut


async def test_a_line_gone_silent_shows_within_three_seconds_and_resumes(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        await expect(page.locator(".connection")).to_have_text("Live")
        took = []
        for _ in range(TRIES):
            await page.evaluate(
                """() => { const banner = document.getElementById('connection-banner');
                const begun = performance.now();
                window.silence = null;
                new MutationObserver(() => { window.silence ??= performance.now() - begun; })
                  .observe(banner, {attributeFilter: ['hidden']}); }"""
            )
            feed.silent = True
            await expect(page.locator("#connection-banner")).to_be_visible()
            took.append(await page.evaluate("window.silence"))
            await expect(page.locator("#connection-banner")).to_contain_text("Disconnected since")
            await expect(page.locator(".connection")).to_have_text("Disconnected")
            await expect(card(page, "Bo Lind")).to_have_attribute("data-stale", "yes")
            feed.silent = False
            await expect(page.locator("#connection-banner")).to_be_hidden()
            await expect(page.locator(".connection")).to_have_text("Live")
            await expect(card(page, "Bo Lind")).not_to_have_attribute("data-stale", "yes")
            if took[-1] < 3500:
                break
        assert min(took) < 3500, took  # up to half a second passed before the last clock message
        viewer.complaints.clear()


async def test_a_refused_page_says_why_and_stays_away(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        await expect(page.locator(".connection")).to_have_text("Live")
        feed.refuse = (4403, "this ticket was used already")
        await feed.cut()
        await expect(page.locator("#connection-banner")).to_contain_text("this ticket was used already")
        await expect(page.locator(".connection")).to_have_text("Refused")


async def test_a_switch_without_link_greys_its_tiles_and_says_since_when(viewer: Viewer) -> None:
    down = site(link="down", link_since=ago(90), link_reason="login refused")
    async with viewer.show(small_floor()) as (feed, page):
        await expect(page.locator(".connection")).to_have_text("Live")
        await expect(page.locator("#site-notices")).to_be_hidden()
        await feed.change("site", "hq", down)
        await expect(page.locator(".site-notice")).to_contain_text("no link to the switch since 19:58:30")
        await expect(page.locator(".site-notice")).to_contain_text("login refused")
        await expect(page.locator(".card[data-stale=yes]")).to_have_count(3)
        await expect(page.locator(".queue[data-stale=yes]")).to_have_count(2)
        await feed.change("site", "hq", site())
        await expect(page.locator("[data-stale=yes]")).to_have_count(0)


async def test_a_switch_that_falls_silent_is_not_taken_for_a_quiet_floor(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        await expect(page.locator(".site-age")).to_have_text("data now")
        feed.stop_the_switch()
        await expect(page.locator(".site-notice")).to_contain_text("nothing has come from the switch")
        await expect(page.locator(".site-age")).to_have_text(re.compile(r"data \d+ s old"))
        await expect(page.locator(".card[data-stale=yes]")).to_have_count(3)
        frozen = await card(page, "Bo Lind").locator(".card-time").inner_text()
        await expect(page.locator(".site-age")).to_have_text(re.compile(r"data ([6-9]|[1-5]\d) s old"))
        assert await card(page, "Bo Lind").locator(".card-time").inner_text() == frozen


async def test_of_several_sites_it_says_which_are_live_and_shows_the_time_of_one_that_is(viewer: Viewer) -> None:
    lost = {"link": "down", "link_since": ago(90)}
    sites = (site(**lost), site("ber", label="Berlin"), site("cph", label="Copenhagen", link_reason="reboot", **lost))
    async with viewer.show(with_(small_floor(), sites=sites)) as (_, page):
        await expect(page.locator(".site-age")).to_have_text("1 of 3 sites live")
        await expect(page.locator(".clock-of")).to_have_text("Berlin")
        await expect(page.locator(".site-notice")).to_have_count(1)
        await expect(page.locator(".site-notice")).to_contain_text(
            "No link to the switches of Headquarters (since 19:58:30), Copenhagen (since 19:58:30: reboot)."
        )


async def test_a_switch_that_never_came_shows_no_figures(viewer: Viewer) -> None:
    never = site(link="never", link_since=None, now=None)
    floor = with_(small_floor(), sites=(never,), queues=(queue("sales", "Sales", since=None, agents={}),))
    async with viewer.show(floor) as (_, page):
        await expect(page.locator(".site-notice")).to_contain_text("has never connected")
        await expect(page.locator(".queue .figure-waiting .figure-value")).to_have_text("–")
        await expect(card(page, "Bo Lind").locator(".card-time")).to_have_text("–")


async def test_an_empty_floor_tells_how_to_connect_a_switch(viewer: Viewer) -> None:
    async with viewer.show(empty_floor()) as (feed, page):
        await expect(page.locator("#welcome")).to_contain_text("No switch has reported yet")
        await expect(page.locator("#welcome")).to_contain_text("make run")
        for command in await page.locator("#welcome pre").all():
            assert await command.evaluate("it => it.scrollWidth <= it.clientWidth"), (
                "a command is to be read to its end"
            )
        await expect(page.locator("#floor")).to_be_hidden()
        await feed.change("site", "hq", site())
        await feed.change("agent", "hq/1001", agent("1001", "Ana Silva"))
        await expect(card(page, "Ana Silva")).to_contain_text("Ready")
        await expect(page.locator("#welcome")).to_be_hidden()


async def test_find_filter_and_order(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (feed, page):
        await expect(page.locator(".card")).to_have_count(3)
        await page.keyboard.press("/")
        await expect(page.locator(".search")).to_be_focused()
        await page.keyboard.type("red lunch")
        await expect(page.locator(".card .card-name")).to_have_text(["Cao Wei"])
        await page.keyboard.press("Escape")
        await expect(page.locator(".card")).to_have_count(3)
        await page.locator(".chip", has_text="Talk").click()
        await expect(page.locator(".card .card-name")).to_have_text(["Ana Silva"])
        await expect(page.locator("#agents h2")).to_have_text("1 of 3 agents")
        await page.locator(".chip", has_text="Talk").click()
        await page.locator(".queue-name", has_text="Support").click()
        await expect(page.locator(".card .card-name")).to_have_text(["Cao Wei"])
        await page.locator(".pill").click()
        await page.locator("select.select:visible").select_option("attention")
        await feed.change("flag", "hq/f1", flag("f1", subject_id="1002", labels={"agent": "1002"}))
        await expect(page.locator(".card .card-name").first).to_have_text("Bo Lind")
        await page.locator("[data-view=rows]").first.click()
        await page.reload()
        await expect(page.locator(".agents-scroll")).to_have_attribute("data-view", "rows")
        await expect(page.locator("select.select:visible")).to_have_value("attention")


async def test_cards_are_reached_and_opened_by_keyboard(viewer: Viewer) -> None:
    async with viewer.show(small_floor()) as (_, page):
        await expect(page.locator(".card[tabindex='0']")).to_have_count(1)
        await page.locator(".card[tabindex='0']").focus()
        await page.keyboard.press("ArrowRight")
        await expect(card(page, "Bo Lind")).to_be_focused()
        await page.keyboard.press("Enter")
        drawer = page.locator("dialog.drawer")
        await expect(drawer).to_contain_text("Bo Lind")
        await expect(drawer).to_contain_text("Observed")
        await page.keyboard.press("Escape")
        await expect(drawer).to_have_count(0)
        await expect(card(page, "Bo Lind")).to_be_focused()


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_it_speaks_chinese_everywhere(viewer: Viewer, scheme: str) -> None:
    floor = with_(
        small_floor(),
        sites=(site(label="总部", simulated=True),),
        flags=(flag("f1"),),
        transfers=(transfer("t1"),),
        queues=(queue("sales", "销售"),),
    )
    async with viewer.show(floor) as (_, page):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await expect(page.locator(".topbar-mark")).to_have_text("SIMULATED")
        await page.get_by_role("button", name="简体中文").click()
        await expect(card(page, "Ana Silva")).to_contain_text("通话")
        await expect(page.locator(".topbar-mark")).to_have_text("模拟数据")
        await expect(page.locator(".flag")).to_contain_text("让客户保持等待")
        assert await page.evaluate("document.documentElement.lang") == "zh-CN"
        text = await page.locator("body").inner_text()
        known = r"Floorwatch|English|Ana Silva|Bo Lind|Cao Wei|Blue|Red|F3s|sales|support"
        assert re.findall(r"[A-Za-z]{2,}", re.sub(known, "", text)) == []
        await page.reload()
        await expect(card(page, "Ana Silva")).to_contain_text("通话")


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
async def test_nothing_scrolls_sideways(viewer: Viewer, width: int, height: int) -> None:
    busy = with_(
        small_floor(),
        queues=tuple(queue(f"q{n}", f"Queue with a long name {n}", offered=12345) for n in range(4)),
        flags=(flag("f1"), flag("f2", severity="critical", rule="slow_transfer")),
        transfers=(transfer("t1"),),
    )
    for language in ("en", "zh-CN"):
        async with viewer.show(busy, f"/?lang={language}", width=width, height=height) as (_, page):
            await expect(page.locator(".card")).to_have_count(3)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")


async def test_thousands_of_agents_are_held_and_only_the_visible_ones_drawn(viewer: Viewer) -> None:
    async with viewer.show(large_floor(3000)) as (feed, page):
        await expect(page.locator("#agents h2")).to_have_text("3000 agents")
        assert await page.locator(".card").count() < 150
        await feed.change("flag", "hq/f1", flag("f1", subject_id="02987", labels={"agent": "02987"}))
        await page.locator(".flag button").click()
        await expect(card(page, "Agent 02987")).to_be_focused()
        await expect(card(page, "Agent 02987")).to_be_in_viewport()
