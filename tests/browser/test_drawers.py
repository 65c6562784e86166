"""The drawers of an agent and of a queue in a real browser, on a scripted floor; answers are made of the monitor's structs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect

from services.monitor.desk.views import AgentCalls, FinishedCall, FinishedTransfer, TransfersPage
from tests.browser.conftest import Viewer
from tests.browser.drawerfloors import LEVEL, Answers, talking, waiting
from tests.browser.floors import NOON, agent, ago, changed, flag, queue, site, small_floor, transfer
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

ANA, SALES = "/?agent=hq/1001", "/?queue=hq/sales"


def drawer(page: Page) -> Locator:
    return page.locator("dialog.side-drawer")


def part(page: Page, title: str) -> Locator:
    return drawer(page).get_by_role("region", name=title, exact=True).first


def seconds_of(text: str) -> int:
    total = 0
    for one in text.split(":"):
        total = total * 60 + int(one)
    return total


async def rows_of(table: Locator, rows: str) -> dict[str, int]:
    """First column -> seconds in the second."""
    found = [line.split("\t") for line in await table.locator(rows).all_inner_texts()]
    return {cells[0].strip(): seconds_of(cells[1]) for cells in found}


async def test_the_states_of_a_day_add_up_to_the_clock(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking(), ANA) as (_, page):
        table = drawer(page).locator(".partition-table")
        await expect(table.locator("tfoot")).to_contain_text("100.0%")
        await expect(drawer(page)).to_contain_text("Counted since 19:43:20")  # 1000 s before noon UTC, in Shanghai
        states = await rows_of(table, "tbody tr, tfoot tr")  # of one moment: they tick
        total = states.pop("Sum")
        assert set(states) == {"Ready", "Talk"}
        assert states["Ready"] == 600
        assert states["Talk"] >= 400  # 300 s before and the running 100 s
        assert total - sum(states.values()) in (0, 1)  # whole seconds
        assert total >= 1000
        assert await table.locator("tbody td:nth-child(3)").all_inner_texts() != []
        pieces = drawer(page).locator(".partition-piece")
        await expect(pieces).to_have_count(2)
        await expect(pieces.last).to_have_attribute("title", re.compile(r"Talk: \d+:\d\d · 4\d%"))


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ({"listened": True, "listeners": 1}, "Somebody listens to this call"),
        ({"listened": True, "listeners": 3}, "3 listen to this call"),
        ({"listened": True, "listeners": 3, "unordered": True}, "nobody here ordered it"),
    ],
)
async def test_who_listens_is_said_and_who_does_so_unordered_first(
    viewer: Viewer, answers: Answers, who: dict[str, Any], said: str
) -> None:
    async with viewer.show(talking(**who), ANA) as (_, page):
        await expect(drawer(page).locator(".drawer-note").first).to_contain_text(said)
        mark = page.locator("#agents .card-listened:visible").first
        await expect(mark).to_have_attribute("aria-label", re.compile(said))
        tone = "critical" if who.get("unordered") else None
        assert await mark.get_attribute("data-tone") == tone


async def test_time_that_nobody_told_of_is_unknown_and_said(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking(since=ago(40)), ANA) as (_, page):
        table = drawer(page).locator(".partition-table")
        await expect(table.locator("tr", has_text="Unknown")).to_contain_text("1:00")
        await expect(drawer(page)).to_contain_text("Of these 1:00 have not been told yet and stand as unknown.")


async def test_the_call_with_its_legs_and_what_is_known_of_it(viewer: Viewer, answers: Answers) -> None:
    floor = changed(talking(), flags=(flag("f1"),))
    async with viewer.show(floor, ANA) as (_, page):
        await expect(drawer(page).locator("h2")).to_have_text("Ana Silva")
        await expect(drawer(page).locator(".drawer-state")).to_contain_text("Talk")
        await expect(drawer(page).locator(".drawer-flag")).to_contain_text("on hold for more than 60 s")
        now = part(page, "Call now")
        await expect(now).to_contain_text("Inbound")
        await expect(now).to_contain_text("+45••••4821")
        await expect(now.locator(".call-leg")).to_contain_text("with the customer · talking")
        known = part(page, "How we know")
        await expect(known).to_contain_text("Observed: the switch reported this state")
        await expect(known).to_contain_text("20:10:00, unless it is heard of again")
        await expect(part(page, "Figures of today")).to_contain_text("2 in a row")
        await now.get_by_role("button", name="Sales").click()
        await expect(drawer(page).locator("h2")).to_have_text("Sales")


async def test_a_running_transfer_ticks_over_seven_seconds(viewer: Viewer, answers: Answers) -> None:
    running = transfer("t1", requested=ago(4.2), ringing=ago(3.4), answered=ago(1.2))
    async with viewer.show(changed(talking(), transfers=(running,)), ANA) as (feed, page):
        legs = drawer(page).locator(".legs")
        await expect(legs).to_contain_text("Ana Silva → Bo Lind")
        await expect(legs).to_have_attribute("data-legs", "seek ring brief")
        await expect(legs.locator("[data-leg=seek] dd")).to_have_text("0.8 s")
        await expect(legs.locator("[data-leg=ring] dd")).to_have_text("2.2 s")
        await expect(legs.locator("[data-leg=gap] dd")).to_have_text("–")  # not known before it is over
        await expect(legs).to_have_attribute("data-slow", "yes")
        await expect(legs.locator(".legs-mark")).to_have_text("over 7 s")
        done = changed(running, outcome="completed", bridged=ago(0), ended=ago(0), total_s=4.2, customer_gap_s=3.1)
        await feed.change("transfer", "hq/t1", done)
        await expect(legs.locator(".legs-total")).to_have_text("4.2 s")
        await expect(legs.locator("[data-leg=gap] dd")).to_have_text("3.1 s")
        await expect(legs.locator(".legs-mark")).to_be_hidden()


async def test_a_leg_that_the_switch_does_not_tell_is_no_zero(viewer: Viewer, answers: Answers) -> None:
    running = transfer("t1", requested=ago(4), answered=ago(1), kind="blind")
    async with viewer.show(changed(talking(), transfers=(running,)), ANA) as (_, page):
        legs = drawer(page).locator(".legs")
        await expect(legs.locator("[data-leg=seek] dd")).to_have_text("–")
        await expect(legs.locator("[data-leg=ring] dd")).to_have_text("–")
        await expect(legs.locator(".legs-figures div[data-leg=brief]")).to_be_hidden()


async def test_it_stays_current_and_says_when_the_agent_is_gone_or_the_feed(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking(), ANA) as (feed, page):
        await expect(drawer(page).locator(".drawer-state")).to_contain_text("Talk")
        await feed.change("agent", "hq/1001", agent("1001", "Ana Silva", "break", reason="lunch"))
        await expect(drawer(page).locator(".drawer-state")).to_contain_text("Break")
        await expect(part(page, "Call now")).to_contain_text("On no call.")
        await feed.change("agent", "hq/1001", None)
        await expect(drawer(page).locator(".drawer-notice")).to_contain_text("no longer on the floor")
        await expect(drawer(page).locator("h2")).to_have_text("Ana Silva")
        await feed.change("agent", "hq/1001", agent("1001", "Ana Silva"))
        await expect(drawer(page).locator(".drawer-notice")).to_be_hidden()
        feed.silent = True
        await expect(drawer(page).locator(".drawer-notice")).to_contain_text("Disconnected: this is of 20:00:")
    viewer.complaints.clear()  # the line was cut on purpose


async def test_an_agent_that_nobody_knows_is_said_to_be_none(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking(), "/?agent=hq/4711") as (_, page):
        await expect(drawer(page).locator(".drawer-notice")).to_have_text(
            "No agent 4711 is on this floor, or none that you may see."
        )
        await expect(drawer(page).locator(".partition-bar")).to_be_hidden()


async def test_calls_and_transfers_of_today(viewer: Viewer, answers: Answers) -> None:
    def ended(call_id: str, began: datetime, **values: Any) -> FinishedCall:
        plain = FinishedCall(
            call_id=call_id,
            direction="inbound",
            queue="sales",
            outcome="answered",
            started_at=began,
            answered_at=began,
            ended_at=began,
            waited_s=4.0,
            talk_s=65.0,
            hold_s=None,
            from_number="+45••••1234",
        )
        return changed(plain, **values)  # type: ignore[no-any-return]

    yesterday = NOON - timedelta(hours=21)  # before midnight in Shanghai
    answers.by_path["calls"] = (200, AgentCalls(calls=(ended("a", ago(600)), ended("b", yesterday, queue="support"))))
    view = transfer("t9", requested=ago(900), outcome="completed", total_s=9.5, customer_gap_s=2.0, slow="yes")
    slow = FinishedTransfer(**msgspec.structs.asdict(view), from_name="Ana Silva", to_name="Zed Gone")
    answers.by_path["transfers"] = (200, TransfersPage(transfers=(slow,), next=None))
    async with viewer.show(talking(), ANA) as (_, page):
        rows = part(page, "Calls of today").locator("tbody tr")
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text(re.compile(r"19:50:00\s*Sales\s*••1234\s*0:04\s*1:05\s*–\s*answered"))
        row = part(page, "Transfers of today").locator("tbody tr")
        await expect(row).to_contain_text("Ana Silva → Zed Gone")
        await expect(row.locator("[data-tone=critical]")).to_have_text("9.5 s")
        await expect(row).to_contain_text("Attended · completed")
    assert any("site=hq&agent=1001" in url for _, url in answers.asked)


async def test_records_that_are_away_are_said_to_be(viewer: Viewer, answers: Answers) -> None:
    answers.by_path["calls"] = (503, {"title": "unavailable", "detail": "the database is away"})
    async with viewer.show(talking(), ANA) as (_, page):
        calls = part(page, "Calls of today")
        await expect(calls).to_contain_text("The records are away at the moment: the database is away")
        await expect(calls.locator("table")).to_be_hidden()
        await expect(part(page, "Transfers of today")).to_contain_text("No finished transfer today.")
    viewer.complaints.clear()  # 503 on purpose


async def test_a_number_is_shown_for_a_purpose_only(viewer: Viewer, answers: Answers) -> None:
    answers.by_path["numbers"] = (200, {"from_number": "+4512344821", "to_number": ""})
    async with viewer.show(talking(), ANA) as (_, page):
        await drawer(page).get_by_role("button", name="Show number").click()
        await expect(drawer(page).get_by_label("Purpose")).to_be_focused()
        await expect(drawer(page)).to_contain_text("recorded before the number is shown")
        await drawer(page).get_by_role("button", name="Show it").click()  # no purpose: the form does not go
        assert [url for method, url in answers.asked if method == "POST"] == []
        await drawer(page).get_by_label("Purpose").select_option("callback")
        async with page.expect_request("**/api/v1/numbers") as asked:
            await drawer(page).get_by_role("button", name="Show it").click()
        sent = (await asked.value).post_data_json
        assert sent == {"site": "hq", "call_id": "c1", "purpose": "callback"}
        await expect(drawer(page)).to_contain_text("+4512344821")


async def test_who_may_not_see_numbers_has_no_button(viewer: Viewer, answers: Answers) -> None:
    scope = {"sites": None, "teams": None, "queues": None}
    who = {
        "user": "v",
        "name": "V",
        "roles": ["viewer"],
        "permissions": ["floor.read"],
        "scope": scope,
        "mode": "users",
    }
    answers.by_path["me"] = (200, who)
    async with viewer.show(talking(), ANA) as (_, page):
        await expect(part(page, "Calls of today")).to_contain_text("may be read by supervisors")
        await expect(drawer(page).get_by_role("button", name="Show number")).to_be_hidden()
    assert [url for _, url in answers.asked if url.endswith("calls")] == []


async def test_the_queue_s_day_as_a_chart_and_as_a_table(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(small_floor(), SALES) as (_, page):
        chart = drawer(page).locator(".interval-chart")
        await expect(chart.locator("rect.chart-offered")).to_have_count(5)  # four, and the running one
        await expect(chart.locator("rect.chart-answered")).to_have_count(5)
        await expect(chart.locator("polyline")).to_have_count(2)  # broken where nobody was there
        await expect(chart.locator(".chart-dot")).to_have_count(4)
        await expect(chart.locator(".chart-below")).to_have_count(2)
        await expect(chart.locator(".chart-target-label")).to_have_text("F3s 80%")
        await expect(chart.get_by_text("18:00")).to_be_visible()  # the site's time
        await expect(chart).to_have_attribute("aria-label", re.compile("4 offered|40 offered"))
        await drawer(page).get_by_text("As a table").click()
        rows = drawer(page).locator(".chart-table tbody tr")
        await expect(rows).to_have_count(10)  # nine quarters and the day
        await expect(rows.first).to_contain_text("20:00–20:15 · running")
        await expect(rows.nth(1)).to_contain_text(re.compile(r"19:45–20:00\s*–\s*–\s*–"))
        await expect(rows.nth(2)).to_contain_text(re.compile(r"19:30–19:45\s*–\s*–\s*–"))
        await expect(rows.nth(8)).to_contain_text(re.compile(r"18:00–18:15 · since 18:02\s*12\s*11\s*1\s*0\s*90%"))
        await expect(rows.last).to_contain_text(re.compile(r"Day\s*40"))


async def test_the_chart_says_what_is_under_the_pointer(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(small_floor(), SALES) as (_, page):
        readout = drawer(page).locator(".chart-readout")
        await expect(readout).to_contain_text("counted since 18:02")
        bars = drawer(page).locator("rect.chart-offered")

        async def said() -> bool:  # the drawer may still be on its way in when the pointer comes
            await bars.nth(1).hover(force=True)
            return await readout.inner_text() == "18:15–18:30: 8 offered, 7 answered, 1 abandoned · F3s 70%"

        await until(said, "the chart says what is under the pointer", every_s=0.1)


async def test_who_waits_and_who_is_there(viewer: Viewer, answers: Answers) -> None:
    calls = (waiting("w1", 12, "+45••••0001"), waiting("w2", 700, "+45••••0002"), waiting("w3", 400, "+45••••0003"))
    levels = {"F1": 0.9, "F3s": 0.75, "F5": None}
    patient = changed(LEVEL, within_s=200.0)  # so that time passing while the page loads decides nothing
    sales = queue("sales", "Sales", waiting=3, longest_since=ago(700), service_level=patient, service_levels=levels)
    floor = changed(talking(), calls=calls, queues=(sales, *small_floor().queues[1:]))
    async with viewer.show(floor, SALES) as (_, page):
        people = part(page, "Waiting now").locator(".person")
        await expect(people).to_have_count(3)
        assert [text.split("\n")[0] for text in await people.all_inner_texts()] == [
            "+45••••0002",
            "+45••••0003",
            "+45••••0001",
        ]
        await expect(people.nth(0)).to_have_attribute("data-tone", "critical")
        await expect(people.nth(1)).to_contain_text("over 3:20")
        await expect(people.nth(2).locator(".drawer-mark")).to_be_hidden()
        formulas = part(page, "Service level of the day, by formula")
        await expect(formulas.locator("tr", has_text="This queue's.")).to_contain_text("75%")
        await expect(formulas.locator("tr", has_text="F5")).to_contain_text("–")
        staff = part(page, "Logged on")
        await expect(staff.locator(".person")).to_have_count(2)
        await staff.get_by_role("button", name="Bo Lind").click()
        await expect(drawer(page).locator("h2")).to_have_text("Bo Lind")
        await expect(page).to_have_url(re.compile("agent=hq/1002"))


async def test_it_stands_beside_the_board_which_stays_in_use(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking()) as (feed, page):
        await page.locator(".card", has_text="Bo Lind").first.click()
        await expect(drawer(page).locator("h2")).to_be_focused()
        assert await drawer(page).evaluate("node => node.matches(':modal')") is False
        await feed.change("agent", "hq/1002", agent("1002", "Bo Lind", "wrap"))
        await expect(page.locator(".card", has_text="Bo Lind").first).to_contain_text("Wrap")
        await page.locator(".card", has_text="Cao Wei").click()
        await expect(drawer(page).locator("h2")).to_have_text("Cao Wei")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.go_back()
        await expect(drawer(page).locator("h2")).to_have_text("Bo Lind")
        await page.go_back()
        await expect(drawer(page)).to_have_count(0)


async def test_j_and_k_go_through_the_list_and_the_focus_comes_back(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking()) as (_, page):
        await page.locator(".card", has_text="Ana Silva").first.focus()
        await page.keyboard.press("Enter")
        await expect(drawer(page).locator("h2")).to_have_text("Ana Silva")
        await page.keyboard.press("k")  # the first has none before it
        await page.keyboard.press("j")
        await expect(drawer(page).locator("h2")).to_have_text("Bo Lind")
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await expect(drawer(page).locator("h2")).to_have_text("Cao Wei")
        await drawer(page).get_by_role("button", name="Previous").click()
        await expect(drawer(page).locator("h2")).to_have_text("Bo Lind")
        await page.keyboard.press("Escape")
        await expect(drawer(page)).to_have_count(0)
        await expect(page.locator(".card", has_text="Bo Lind").first).to_be_focused()
        await expect(page).not_to_have_url(re.compile("agent="))


async def test_it_lies_over_the_board_in_a_narrow_window(viewer: Viewer, answers: Answers) -> None:
    async with viewer.show(talking(), ANA, width=1024) as (_, page):
        await expect(drawer(page).locator("h2")).to_be_focused()
        assert await drawer(page).evaluate("node => node.matches(':modal')")
        await page.set_viewport_size({"width": 1400, "height": 768})
        await expect(page.locator("body[data-drawer=beside]")).to_have_count(1)
        assert await drawer(page).evaluate("node => node.matches(':modal')") is False
        await page.set_viewport_size({"width": 1024, "height": 768})
        await expect(page.locator("body[data-drawer=over]")).to_have_count(1)
        await page.keyboard.press("Escape")
        await expect(drawer(page)).to_have_count(0)


async def test_in_a_rewind_the_past_is_shown_and_no_list_of_now(viewer: Viewer, answers: Answers) -> None:
    then = changed(talking(), agents=(agent("1001", "Ana Silva", "hold", since=ago(700)), *small_floor().agents[1:]))
    moment = ago(600)
    answers.by_path["hq"] = (200, {"site": "hq", "from": ago(7200), "to": NOON, "step_s": 1, "flags": []})
    answers.by_path["floor"] = (200, {"site": "hq", "at": moment, "now": moment, "epoch": None, "floor": then})
    async with viewer.show(talking(), f"{ANA}&at=2026-11-22T11:50:00Z") as (_, page):
        await expect(drawer(page).locator(".drawer-notice")).to_contain_text(
            "This is the floor of 19:50:00, not of now."
        )
        await expect(drawer(page).locator(".drawer-state")).to_contain_text(re.compile("Hold\\s*1:40"))
        await expect(part(page, "Calls of today")).to_contain_text("this list would be of now")
        await expect(drawer(page).get_by_role("button", name="Show number")).to_have_count(0)
        await page.get_by_role("button", name="Back to now").click()
        await expect(drawer(page).locator(".drawer-state")).to_contain_text("Talk")
        await expect(part(page, "Calls of today")).to_contain_text("No finished call today.")


@pytest.mark.parametrize("path", [ANA, SALES])
async def test_it_speaks_chinese_everywhere(viewer: Viewer, answers: Answers, path: str) -> None:
    running = transfer("t1", requested=ago(4))
    floor = changed(
        talking(),
        sites=(site(label="总部"),),
        flags=(flag("f1"),),
        transfers=(running,),
        queues=(queue("sales", "销售", service_level=LEVEL),),
    )
    async with viewer.show(floor, f"{path}&lang=zh-CN") as (_, page):
        await expect(drawer(page).locator(".drawer-part").first).to_be_visible()
        await expect(drawer(page)).not_to_contain_text("正在加载")
        text = await drawer(page).inner_text()
        known = r"Ana Silva|Bo Lind|Cao Wei|Blue|Red|Asia/Shanghai|F\ds?|T_s|sales|c1|hq"
        assert re.findall(r"[A-Za-z]{2,}", re.sub(known, "", text)) == []
        await page.get_by_role("button", name="English").click()
        await expect(drawer(page).get_by_role("button", name="Close")).to_be_visible()
        await expect(part(page, "How we know")).to_be_visible()


@pytest.mark.parametrize(("path", "scheme"), [(ANA, "dark"), (SALES, "light")])
async def test_nothing_in_them_keeps_anybody_out(viewer: Viewer, answers: Answers, path: str, scheme: str) -> None:
    running = transfer("t1", requested=ago(9), ringing=ago(8))
    calls = (*talking().calls, waiting("w", 70, "+45••••0002"))
    floor = changed(talking(), transfers=(running,), flags=(flag("f1"),), calls=calls)
    async with viewer.show(floor, path) as (_, page):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        await page.reload()  # colours change over some frames
        await expect(drawer(page)).not_to_contain_text("Loading")
        found = (await Axe().run(page, context=".side-drawer")).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == []
    viewer.complaints.clear()  # the scan itself tries styles that the page's policy forbids
