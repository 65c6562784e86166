"""An incident from its opening to its re-check in a real browser, on the real service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from shared.tracing import trace_id
from tests.alertskit import publish
from tests.browser.alertpages import Lang, alert_pages, detail, row
from tests.browser.axe import serious
from tests.browser.conftest import Viewer
from tests.flagkit import T0, clearing, flag

pytestmark = pytest.mark.asyncio(loop_scope="package")

LABELS = {"agent": "1001", "agent_name": "Chen Jing", "target": "Li Na", "queue": "sales", "call": "c1"}


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
async def test_an_incident_is_taken_handed_over_resolved_and_looked_at_again(
    viewer: Viewer, tmp_path: Path, lang: Lang
) -> None:
    async with alert_pages(viewer, tmp_path, lang) as pages:
        say = pages.words
        page = await pages.open("/")
        await publish(pages.bus, flag(labels=LABELS), clearing())
        await row(page, 1).click()
        shown = detail(page)
        timeline = shown.locator(".timeline")
        await expect(shown.locator(".nobody")).to_have_text(say("detail.nobody"))
        await shown.get_by_role("button", name=say("act.acknowledge"), exact=True).click()
        await expect(timeline).to_contain_text(say("entry.acknowledged"))
        await shown.locator("h2").focus()
        await page.keyboard.press("t")
        await page.keyboard.press("Enter")
        await expect(shown.get_by_role("alert")).to_have_text(say("act.to.missing"))
        await shown.get_by_label(say("act.to"), exact=True).fill("Li Wei")
        await page.keyboard.press("Enter")
        await expect(timeline).to_contain_text(say("entry.assigned.from", **{"from": "Wu Na", "to": "Li Wei"}))
        await expect(row(page, 1)).to_contain_text("Li Wei")

        await shown.get_by_role("button", name=say("tasks.add")).click()
        await shown.get_by_label(say("tasks.text")).fill("Show who is ready")
        await shown.get_by_label(say("tasks.due"), exact=True).fill("2020-01-02")
        await page.keyboard.press("Enter")
        task = shown.locator(".task")
        await expect(task).to_contain_text("Wu Na")
        await expect(task).to_contain_text(say("tasks.overdue"))
        await task.get_by_role("checkbox").check()
        await expect(timeline).to_contain_text(say("entry.action_done"))

        tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
        await shown.get_by_role("button", name=say("act.resolve.more")).click()
        await shown.get_by_label(say("act.cause"), exact=True).fill("nobody was ready")
        await shown.get_by_label(say("act.recheck"), exact=True).fill(tomorrow)
        await shown.get_by_role("button", name=say("act.resolve"), exact=True).click()
        recheck = shown.locator(".part-recheck")
        await expect(recheck).to_contain_text(tomorrow)
        await recheck.get_by_role("button", name=say("recheck.not_ok")).click()
        await expect(recheck.get_by_role("alert")).to_have_text(say("recheck.note.missing"))
        await recheck.get_by_label(say("recheck.note")).fill("five calls, all fine")
        await recheck.get_by_role("button", name=say("recheck.ok")).click()
        await expect(timeline).to_contain_text(say("entry.rechecked"))
        await expect(timeline).to_contain_text("five calls, all fine")
        await expect(recheck).to_be_hidden()
        await shown.get_by_role("button", name=say("timeline.who.people"), exact=True).click()
        await expect(timeline).not_to_contain_text(say("entry.opened"))
        kinds = [entry["kind"] for entry in (await pages.alerts.get("/incidents/1"))["timeline"]]
        done = ["acknowledged", "assigned", "action_added", "action_done", "resolved", "rechecked"]
        assert [kind for kind in kinds if kind in done] == done


async def test_what_is_typed_outlives_what_others_do_another_language_and_a_reload(
    viewer: Viewer, tmp_path: Path
) -> None:
    async with alert_pages(viewer, tmp_path) as pages:
        page = await pages.open("/")
        await publish(pages.bus, flag())
        await row(page, 1).click()
        shown = detail(page)
        await shown.get_by_role("button", name="Note …").click()
        note = shown.locator("textarea[name=note]")
        await note.press_sequentially("half a sen")
        await pages.alerts.post("/incidents/1/acknowledge", {"by": "Li Wei", "note": "mine"})
        await expect(shown.locator(".timeline")).to_contain_text("Li Wei")
        await expect(note).to_be_focused()
        await note.press_sequentially("tence")
        await expect(note).to_have_value("half a sentence")
        await page.get_by_role("button", name="简体中文").click()
        await expect(shown.locator("h2")).to_have_text("事件 #1")
        await shown.get_by_role("button", name="备注 …").click()
        await expect(note).to_have_value("half a sentence")
        await page.reload()
        await shown.get_by_role("button", name="备注 …").click()
        await expect(note).to_have_value("half a sentence")
        await shown.get_by_role("button", name="添加备注").click()
        await expect(shown.locator(".timeline")).to_contain_text("half a sentence")
        await expect(note).to_have_value("")


async def test_who_was_quicker_is_named(viewer: Viewer, tmp_path: Path) -> None:
    async with alert_pages(viewer, tmp_path) as pages:
        page = await pages.open("/")
        await publish(pages.bus, flag())
        await row(page, 1).click()
        take = detail(page).get_by_role("button", name="Acknowledge", exact=True)
        await expect(take).to_be_visible()
        pages.alerts.service.hub.changed = lambda *_: None  # type: ignore[method-assign]  # the page hears of nothing
        await pages.alerts.post("/incidents/1/acknowledge", {"by": "Li Wei"})
        await take.click()
        await expect(detail(page).get_by_role("alert")).to_contain_text("Li Wei")
        await expect(take).to_have_count(0)
    viewer.complaints.clear()  # the browser's own line about the 409


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
async def test_the_trace_of_a_flag_is_there_to_be_searched_for_in_the_logs(
    viewer: Viewer, tmp_path: Path, lang: Lang
) -> None:
    trace = trace_id("s1", 3, 4711)
    async with alert_pages(viewer, tmp_path, lang) as pages:
        page = await pages.open("/")
        await publish(pages.bus, flag(trace=trace))
        await row(page, 1).click()
        line = detail(page).locator(".flag .trace")
        await expect(line).to_contain_text(pages.words("evidence.trace"))
        await expect(line.locator("code")).to_have_text(trace)
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await line.get_by_role("button", name=pages.words("evidence.trace.copy")).click()
        await expect(line.get_by_role("button")).to_have_text(pages.words("detail.copied"))
        assert await page.evaluate("navigator.clipboard.readText()") == trace
        await publish(pages.bus, flag("silent", "t2", rule="site_silent", trace=""))
        await row(page, 2).click()
        await expect(detail(page).locator(".flag")).to_have_count(1)
        await expect(detail(page).locator(".flag .trace")).to_have_count(0)


async def test_a_link_opens_a_page_with_the_evidence_and_the_board_of_then(viewer: Viewer, tmp_path: Path) -> None:
    async with alert_pages(viewer, tmp_path) as pages:
        page = await pages.open("/")
        evidence = {"site": "s1", "queue": "sales", "waiting": 4, "agents": {"talk": 3}, "offered": 9}
        many = [
            flag(
                f"q{n}",
                "sales",
                rule="nobody_ready",
                subject="queue",
                labels={"queue": "sales"},
                evidence=evidence,
                summary_en="Nobody is ready",
            )
            for n in range(5)
        ]
        await publish(pages.bus, *many)
        await expect(row(page, 1)).to_be_visible()
        page = await pages.open("/#incident=1")
        shown = detail(page)
        await expect(shown).to_have_attribute("data-full", "yes")
        table = shown.locator(".part-evidence .flag").first
        await expect(table).to_contain_text("Ready 0 · Talk 3")
        await expect(shown.locator(".part-evidence .flag")).to_have_count(3)
        await shown.get_by_role("button", name="Show 2 earlier flags").click()
        await expect(shown.locator(".part-evidence .flag")).to_have_count(5)
        link = table.get_by_role("link", name="The board at that moment")
        then = (T0 + timedelta(seconds=7)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert (await link.get_attribute("href") or "").endswith(f"/?site=s1&at={then}&queue=s1/sales")
        queue = shown.locator(".part-affected").get_by_role("link", name="sales")
        assert (await queue.get_attribute("href") or "").endswith("/?site=s1&queue=s1/sales")
        wide = "(d => d.scrollWidth > d.clientWidth)(document.querySelector('dialog.detail'))"
        assert not await page.evaluate(wide)
        assert await serious(page) == []
        await page.keyboard.press("Escape")
        await expect(shown).to_have_count(0)
        await row(page, 1).click()
        await expect(shown).not_to_have_attribute("data-full", "yes")
        report = shown.get_by_role("link", name="Report", exact=True)
        assert await report.get_attribute("href") == "/api/v1/incidents/1/report?lang=en"
        await page.set_viewport_size({"width": 1366, "height": 768})
        assert not await page.evaluate(wide)
    viewer.complaints.clear()  # the scan tries styles that the pages' policy forbids
