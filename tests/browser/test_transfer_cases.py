"""Cases of transfers on the real desk and its database: written, found again, and nothing of them lost."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Dialog, expect

from tests.browser.conftest import Viewer
from tests.browser.deskpages import FINISHED, FLOOR, choose, desk_page, rows
from tests.browser.deskserver import DeskServer, serving_desk
from tests.deskkit import principal
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_case_is_saved_found_again_and_its_steps_kept(viewer: Viewer, tmp_path: Path) -> None:
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers", *FINISHED) as (desk, page):
        desk.who = principal("wang", "supervisor")
        await choose(page, "slow")
        form = page.locator(".case-form")
        await expect(form.locator("h3")).to_have_text("No case yet")
        await expect(form.get_by_role("button", name="Save")).to_be_disabled()
        await form.get_by_label("Reason").select_option("colleague_did_not_answer")
        await form.get_by_label("Note").fill("Li Na was at lunch")
        await form.get_by_label("Follow-up").fill("Wang talks to the team")
        await form.get_by_label("On", exact=True).fill("2026-11-30")
        await page.keyboard.press("Control+s")
        await expect(form).to_contain_text("Saved.")
        await expect(page.locator("[id='row-hq/slow'] .row-case")).to_have_text("Open")
        await form.get_by_label("Status").select_option("closed")
        await form.get_by_role("button", name="Save").click()
        await expect(page.locator("[id='row-hq/slow'] .row-case")).to_have_text("Closed")
        history = page.locator(".case-history")
        await expect(history.locator("li").first).to_contain_text("Status: Open → Closed")
        await expect(history.locator("li").last).to_contain_text("Reason: Colleague did not answer")
        await expect(history.locator("li").last).to_contain_text("Wang")
        await page.reload()
        await expect(form.get_by_label("Note")).to_have_value("Li Na was at lunch")
        await expect(form.get_by_label("On", exact=True)).to_have_value("2026-11-30")
        await page.locator(".filter-case").select_option("none")
        await expect(rows(page)).to_have_count(4)
        await page.locator(".filter-case").select_option("closed")
        await expect(rows(page)).to_have_count(1)


async def test_a_case_is_not_closed_without_a_reason(viewer: Viewer, tmp_path: Path) -> None:
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers", *FINISHED) as (_, page):
        await choose(page, "slow")
        await page.locator(".case-form").get_by_label("Status").select_option("closed")
        await page.keyboard.press("Control+s")
        await expect(page.locator(".case-said")).to_have_text("A case is closed with a reason.")
        await page.get_by_role("button", name="Discard changes").click()


def rename(folder: Path, table: str, name: str) -> None:
    """As if somebody had changed the desk's database by hand."""
    with contextlib.closing(sqlite3.connect(folder / "monitor.db", timeout=60)) as database:
        database.execute(f"ALTER TABLE {table} RENAME TO {name}")


async def change_case(desk: DeskServer, name: str, version: int, note: str) -> None:
    """Somebody else changes a case meanwhile."""
    before, desk.who = desk.who, principal("li", "supervisor")
    async with httpx.AsyncClient(base_url=desk.url) as client:
        answer = await client.put(f"/api/v1/transfers/hq/{name}/case", json={"note": note, "version": version})
    assert answer.status_code == 200, answer.text
    desk.who = before


async def test_two_who_write_at_once_lose_nothing(viewer: Viewer, tmp_path: Path) -> None:
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers", *FINISHED) as (desk, page):
        desk.who = principal("wang", "supervisor")
        await choose(page, "slow")
        note = page.locator(".case-form").get_by_label("Note")
        await note.fill("mine")
        await change_case(desk, "slow", 0, "theirs")
        await page.keyboard.press("Control+s")
        conflict = page.locator(".conflict")
        await expect(conflict).to_contain_text(re.compile("^Li changed it meanwhile"))
        await expect(conflict).to_contain_text("Li: theirs")
        await expect(note).to_have_value("mine")
        await page.reload()  # both texts are still there
        await expect(conflict).to_contain_text("theirs")
        await expect(note).to_have_value("mine")
        await conflict.get_by_role("button", name="Keep both").click()
        await expect(note).to_have_value("theirs\nmine")
        await conflict.get_by_role("button", name="Save mine over it").click()
        await expect(page.locator(".case-said")).to_have_text("Saved.")
        await expect(conflict).to_be_hidden()
        await expect(page.locator(".case-history li").first).to_contain_text("Note: theirs → theirs")
        await note.fill("mine again")
        await change_case(desk, "slow", 2, "theirs again")
        await page.keyboard.press("Control+s")
        await conflict.get_by_role("button", name="Take all of theirs").click()
        await expect(note).to_have_value("theirs again")
    viewer.complaints.clear()  # the browser's own lines about the 409


async def test_unsaved_text_outlives_a_reload_and_leaving_is_warned_about(viewer: Viewer, tmp_path: Path) -> None:
    asked: list[str] = []

    async def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    async with desk_page(viewer, tmp_path, FLOOR, "/transfers", *FINISHED) as (_, page):
        page.on("dialog", accept)
        await choose(page, "slow")
        note = page.locator(".case-form").get_by_label("Note")
        await note.click()
        await page.keyboard.type("half a sentence")
        await expect(page.locator(".case-said")).to_contain_text("Not saved yet")
        await expect(page.locator("[id='row-hq/slow']")).to_contain_text("unsaved")
        await page.reload()
        assert asked == ["beforeunload"]
        await expect(note).to_have_value("half a sentence")
        await choose(page, "quick")
        await expect(note).to_have_value("")
        await choose(page, "slow")
        await expect(note).to_have_value("half a sentence")
        await page.get_by_role("button", name="Discard changes").click()
        await expect(page.locator("[id='row-hq/slow']")).not_to_contain_text("unsaved")
        await page.reload()
        assert asked == ["beforeunload"]


async def test_a_case_is_written_by_keyboard_alone_whatever_happens_meanwhile(viewer: Viewer, tmp_path: Path) -> None:
    async with desk_page(viewer, tmp_path, FLOOR, "/transfers", *FINISHED) as (desk, page):
        desk.who = principal("wang", "supervisor")
        await expect(rows(page)).to_have_count(5)
        keys, form, said = page.keyboard, page.locator(".case-form"), page.locator(".case-said")
        save, conflict = form.locator("button[type=submit]"), page.locator(".conflict")
        await keys.press("ArrowDown")
        await expect(form).to_be_visible()
        await expect(save).to_be_in_viewport(ratio=1)  # on a laptop, however long the form is
        await keys.press("Enter")

        async def chosen_by_letters() -> bool:
            """A browser takes letters for one word that come within a second."""
            await keys.type("coll")
            return await form.get_by_label("Reason").input_value() == "colleague_did_not_answer"

        await expect(form.get_by_label("Reason")).to_be_focused()
        await until(chosen_by_letters, "the reason is chosen", every_s=1.5)
        await keys.press("Tab")
        await keys.press("Tab")
        await keys.type("nobody there")
        await keys.press("Tab")
        await keys.type("tell the team")
        await keys.press("Tab")
        await keys.type("11")
        await keys.press("Control+s")
        await expect(said).to_have_text("The date is not complete.")
        await keys.press("Control+a")
        await keys.press("Backspace")
        await form.get_by_label("On", exact=True).fill("2026-11-30")
        await save.focus()
        await keys.press("Enter")
        await expect(said).to_have_text("Saved.")
        await expect(save).to_be_focused()
        await expect(save).to_be_disabled()

        note = form.get_by_label("Note")
        await note.focus()
        await keys.type("mine ")
        await change_case(desk, "slowest", 1, "theirs")
        await keys.press("Control+s")
        await expect(conflict).to_be_focused()
        await expect(conflict).to_be_in_viewport()
        await expect(save).to_have_text("Save mine over it")
        await save.focus()
        await keys.press("Enter")
        await expect(said).to_have_text("Saved.")
        await expect(save).to_have_text("Save")

        rename(tmp_path, "cases", "elsewhere")  # from now on it cannot be written
        await note.focus()
        await keys.type("more ")
        await keys.press("Control+s")
        await expect(said).to_have_text(re.compile("^Not saved: .*no such table: cases"))
        await expect(said).to_contain_text("; nothing was changed, try again")
        await expect(note).to_be_focused()
        await expect(note).to_have_value(re.compile("more"))
        rename(tmp_path, "elsewhere", "cases")
        await keys.press("Control+s")
        await expect(said).to_have_text("Saved.")
        await keys.press("Escape")
        await keys.press("ArrowDown")
        await expect(page).to_have_url(re.compile("transfer=hq/slow$"))
    viewer.complaints.clear()  # the browser's own lines about 409 and 503


async def test_who_may_only_look_cannot_write(viewer: Viewer, tmp_path: Path) -> None:
    async with serving_desk(FLOOR, tmp_path) as desk:
        await desk.finish(*FINISHED)
        desk.who = principal("an", "auditor")
        page = await viewer.open(desk.url + "/transfers?transfer=hq/slow")
        await expect(page.locator(".case-said")).to_have_text("You may read cases but not change them.")
        await expect(page.locator(".case-form").get_by_label("Note")).to_be_disabled()
        await expect(page.get_by_role("button", name="Save")).to_be_hidden()
        await page.close()
