"""Silences in a real browser, on the real service: from an incident, with what they would hold, to their end."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.alertskit import Alerts, publish
from tests.browser.alertpages import Lang, alert_pages, detail, row
from tests.browser.axe import serious
from tests.browser.conftest import Viewer
from tests.flagkit import flag
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
async def test_a_silence_made_from_an_incident_holds_it_until_it_is_ended(
    viewer: Viewer, tmp_path: Path, lang: Lang
) -> None:
    async with alert_pages(viewer, tmp_path, lang) as pages:
        say = pages.words
        page = await pages.open("/")
        waits = {"rule": "long_wait", "subject": "call", "severity": "warning"}
        await publish(
            pages.bus,
            flag("f1", "c1", labels={"queue": "sales", "call": "c1"}, **waits),
            flag("f2", "c2", labels={"queue": "sales", "call": "c2"}, **waits),
            flag("f3", "c3", labels={"queue": "support", "call": "c3"}, **waits),
        )
        await expect(row(page, 3)).to_be_visible()
        await row(page, 1).click()
        await detail(page).get_by_role("link", name=say("act.silence")).click()
        preview = page.locator(".preview")
        await expect(preview.locator(".figure")).to_have_text("2")  # sales alone
        await page.get_by_role("button", name=say("matcher.drop", value="sales")).click()
        await expect(preview.locator(".figure")).to_have_text("3")  # a condition without values is none
        await page.locator(".matcher-value").last.fill("su*")
        await page.keyboard.press("Enter")
        await expect(preview.locator(".figure")).to_have_text("1")
        await page.locator(".matcher-not").last.click()
        await expect(preview.locator(".figure")).to_have_text("2")  # all queues but those
        await page.get_by_role("button", name=say("silence.make.silence"), exact=True).last.click()
        await expect(page.get_by_role("alert")).to_have_text(say("silence.reason.missing"))
        await page.get_by_label(say("silence.reason")).fill("Line 2 is being replaced")
        await page.get_by_role("button", name=say("silence.make.silence"), exact=True).last.click()
        silence = page.locator(".silence[data-standing=in_force]")
        await expect(silence).to_contain_text("Line 2 is being replaced")
        await expect(silence).to_contain_text("Wu Na")
        await until(lambda: _held(pages.alerts, [1, 2]), "both of sales are held")

        there = await pages.open("/#incident=1")
        await expect(detail(there).locator(".held")).to_contain_text(say("holder.silence", n=1))
        if lang == "en":
            assert await serious(page) == []
        await silence.locator("[data-action=end]").click()
        await silence.locator("[data-action=end-now]").click()
        await expect(silence).to_have_count(0)
        await page.locator("[data-standing=over]").first.click()
        await expect(page.locator(".silence")).to_contain_text(say("silence.ended.by", who="Wu Na"))
        await expect(detail(there).locator(".held")).to_have_count(0)
    viewer.complaints.clear()  # the scan tries styles that the pages' policy forbids


async def _held(alerts: Alerts, numbers: list[int]) -> bool:
    return sorted(one["id"] for one in await alerts.incidents() if one["held"]) == numbers


async def test_a_window_is_planned_in_the_sites_time_and_a_refusal_keeps_what_was_typed(
    viewer: Viewer, tmp_path: Path
) -> None:
    async with alert_pages(viewer, tmp_path) as pages:
        page = await pages.open("/silences.html")
        await expect(page.locator(".empty")).to_contain_text("Nothing is silenced")
        await page.get_by_role("button", name="New maintenance window").click()
        values = page.locator(".matcher-value")
        await values.fill("*")
        await values.press("Enter")
        await page.get_by_label("Reason").fill("New switch software")
        await page.get_by_role("button", name="Plan the window").click()
        await expect(page.get_by_role("alert")).to_contain_text("these matchers fit everything")
        await page.get_by_role("button", name="Remove *").click()
        await page.locator(".matcher-value").fill("s1")
        await page.keyboard.press("Enter")
        await expect(page.locator(".silence-form")).to_contain_text("Times in Asia/Shanghai")
        await page.get_by_label("Begins").fill("2030-06-01T08:00")
        await page.get_by_role("button", name="until …").click()
        await page.get_by_label("Ends").fill("2030-06-01T07:00")
        await page.get_by_role("button", name="Plan the window").click()
        await expect(page.get_by_role("alert")).to_have_text("It would end before it begins.")
        await page.get_by_label("Ends").fill("2030-06-01T10:30")
        await page.get_by_role("button", name="Plan the window").click()
        await expect(page.locator(".silence[data-standing=planned]")).to_contain_text("New switch software")
        (made,) = (await pages.alerts.get("/silences"))["silences"]
        assert (made["starts"], made["ends"]) == ("2030-06-01T00:00:00Z", "2030-06-01T02:30:00Z")
    viewer.complaints.clear()  # the browser's own line about the 422
