"""Being called: off until wanted, once for what is new, once for many, and plain about what the browser refuses."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Viewer, until_true
from tests.browser.feedserver import FeedServer
from tests.browser.floors import ago, changed, flag, small_floor
from tests.browser.test_settings import open_settings

pytestmark = pytest.mark.asyncio(loop_scope="package")

# a browser's sound and notifications, which write down what they are asked for
STUBS = """
window.alarms = { sounds: [], shown: [], asked: 0 };
window.callTimes = [];
const param = () => ({
  peak: 0,
  setValueAtTime() {},
  exponentialRampToValueAtTime(value) { this.peak = Math.max(this.peak, value); },
});
window.AudioContext = class {
  state = window.silenced ? "suspended" : "running";
  currentTime = 0;
  destination = {};
  async resume() { if (navigator.userActivation.hasBeenActive || !window.silenced) this.state = "running"; }
  createOscillator() {
    return { frequency: param(), connect(next) { this.next = next; return next; }, stop() {},
      start(at) { if (at === 0) window.alarms.sounds.push(this.next.gain.peak); } };
  }
  createGain() { return { gain: param(), connect: (next) => next }; }
};
window.Notification = class {
  static permission = window.permission ?? "default";
  static async requestPermission() { window.alarms.asked += 1; this.permission = window.answer ?? "granted"; }
  constructor(title, options) { window.alarms.shown.push({ title, body: options.body }); callTimes.push(performance.now()); }
  close() {}
};
"""
EVERY_MS = 5000  # at most one call in so long
WANTED = {"alarms": {"sound": True, "notify": True}}


def critical(flag_id: str, **values: Any) -> Any:
    return flag(flag_id, **({"severity": "critical", "summary_en": f"Flag {flag_id}"} | values))


async def heard(page: Page) -> dict[str, Any]:
    return await page.evaluate("() => window.alarms")  # type: ignore[no-any-return]


async def raise_flag(feed: FeedServer, flag_id: str, **values: Any) -> None:
    await feed.change("flag", f"hq/{flag_id}", critical(flag_id, **values))


async def until_shown(page: Page, count: int) -> dict[str, Any]:
    """What was heard once `count` notifications were shown."""
    await page.wait_for_function(f"() => window.alarms.shown.length >= {count}")
    return await heard(page)


async def until_settled(page: Page) -> dict[str, Any]:
    """What was heard once a flag that is on the board by now would have called: a second later, by the page's own clock."""
    await page.clock.fast_forward(1000)
    return await heard(page)


CHOSEN = """async () => {
  const { prefs } = await import("/static/shared/prefs.js");
  return prefs.get("alarms", {}).notify;
}"""


async def want(feed: FeedServer, page: Page) -> None:
    """Have both kept for the reader, and the page know it: what is raised before that calls nobody."""
    feed.preferences |= WANTED
    await page.reload()
    await until_true(page, CHOSEN)


async def prepare(viewer: Viewer, before: str = "") -> None:
    """Every page has the stubs, after the script `before`, and a clock that the test can move on."""
    await viewer.context.add_init_script(before + STUBS)
    await viewer.context.clock.install()


def switch(dialog: Locator, name: str) -> Locator:
    return dialog.get_by_role("switch", name=name)


async def test_nothing_calls_until_it_is_switched_on_and_then_once(viewer: Viewer) -> None:
    await prepare(viewer)
    async with viewer.show(small_floor()) as (feed, page):
        await expect(page.locator(".card").first).to_be_visible()
        await raise_flag(feed, "f1")
        await expect(page.locator(".flag")).to_have_count(1)
        assert await until_settled(page) == {"sounds": [], "shown": [], "asked": 0}
        dialog = await open_settings(page, "alarms")
        await expect(switch(dialog, "Sound")).not_to_be_checked()
        await expect(switch(dialog, "Desktop notifications")).not_to_be_checked()
        await switch(dialog, "Sound").check()
        await switch(dialog, "Desktop notifications").check()
        await expect(dialog).to_contain_text("This browser shows notifications.")
        await raise_flag(feed, "f2")
        found = await until_shown(page, 1)
        assert found["asked"] == 1
        assert len(found["sounds"]) == 1
        assert found["shown"] == [{"title": "Critical flag", "body": "Flag f2 · Ana Silva · Blue"}]


async def test_what_stood_there_and_what_comes_again_does_not_call(viewer: Viewer) -> None:
    await prepare(viewer, "window.permission = 'granted';")
    async with viewer.show(changed(small_floor(), flags=(critical("f0"),))) as (feed, page):
        await want(feed, page)
        await expect(page.locator(".flag")).to_have_count(1)
        await raise_flag(feed, "f1")
        await until_shown(page, 1)
        feed.epoch = "second"  # the monitor began anew: everything comes again, and one more
        feed.floor = changed(feed.floor, flags=(critical("f0"), critical("f1"), critical("f2")))
        await feed.cut()
        found = await until_shown(page, 2)
        assert [one["body"].split(" · ")[0] for one in found["shown"]] == ["Flag f1", "Flag f2"]
        assert len(found["sounds"]) == 2


async def test_a_storm_is_one_sound_and_one_notification(viewer: Viewer) -> None:
    await prepare(viewer, "window.permission = 'granted';")
    async with viewer.show(small_floor()) as (feed, page):
        await want(feed, page)
        await expect(page.locator(".card").first).to_be_visible()
        feed.epoch = "second"
        feed.floor = changed(feed.floor, flags=tuple(critical(f"f{n:02}") for n in range(30)))
        await feed.cut()
        found = await until_shown(page, 1)
        assert found["shown"][0]["title"] == "30 new flags"
        assert found["shown"][0]["body"].splitlines()[0].startswith("Flag f00")
        assert found["shown"][0]["body"].splitlines()[-1] == "and 27 more"
        await raise_flag(feed, "late")  # comes within the same few seconds, and waits
        await expect(page.locator(".flag")).to_have_count(31)
        await page.clock.run_for(EVERY_MS)
        found = await until_shown(page, 2)
        assert [one["title"] for one in found["shown"]] == ["30 new flags", "Critical flag"]
        assert len(found["sounds"]) == 2
        first, second = await page.evaluate("() => window.callTimes")
        assert second - first >= EVERY_MS - 1, "however soon it came"


async def test_nothing_calls_while_another_time_is_shown_and_what_came_meanwhile_does_after(viewer: Viewer) -> None:
    await prepare(viewer, "window.permission = 'granted';")
    then = msgspec.to_builtins(changed(small_floor(), flags=(critical("past"),)))
    reach = {"site": "hq", "from": ago(7200).isoformat(), "to": ago(0).isoformat(), "step_s": 1, "flags": []}
    past = {"site": "hq", "at": ago(60).isoformat(), "now": ago(60).isoformat(), "epoch": None, "floor": then}
    await viewer.context.route("**/api/v1/rewind/hq", lambda route: route.fulfill(json=reach))
    await viewer.context.route("**/api/v1/rewind/hq/floor*", lambda route: route.fulfill(json=past))
    async with viewer.show(small_floor()) as (feed, page):
        await want(feed, page)
        await expect(page.locator(".card").first).to_be_visible()
        await page.locator(".rewind-open").click()
        await expect(page.locator(".flag")).to_have_text([re.compile("Flag past")])
        await raise_flag(feed, "f1")
        assert (await until_settled(page))["sounds"] == []
        await page.locator(".rewind-open").click()
        found = await until_shown(page, 1)
        assert [one["body"].split(" · ")[0] for one in found["shown"]] == ["Flag f1"]
        assert len(found["sounds"]) == 1


async def test_only_what_was_chosen_calls(viewer: Viewer) -> None:
    await prepare(viewer, "window.permission = 'granted';")
    async with viewer.show(small_floor()) as (feed, page):
        await want(feed, page)
        dialog = await open_settings(page, "alarms")
        await raise_flag(feed, "w0", severity="warning")
        await expect(page.locator(".flag")).to_have_count(1)
        await dialog.get_by_label("Warning").check()
        await dialog.get_by_label("long hold").uncheck()
        await raise_flag(feed, "quiet", rule="long_hold")
        await raise_flag(feed, "loud", rule="slow_transfer", severity="warning")
        found = await until_shown(page, 1)
        assert [(one["title"], one["body"].split(" · ")[0]) for one in found["shown"]] == [("Warning", "Flag loud")]


async def test_a_refusal_is_said_plainly_and_nothing_is_switched_on(viewer: Viewer) -> None:
    await prepare(viewer, "window.answer = 'denied';")
    async with viewer.show(small_floor()) as (feed, page):
        dialog = await open_settings(page, "alarms")
        await switch(dialog, "Desktop notifications").click()
        await expect(dialog).to_contain_text("The browser refuses notifications of this page.")
        await expect(switch(dialog, "Desktop notifications")).not_to_be_checked()
        await raise_flag(feed, "f1")
        await expect(page.locator(".flag")).to_have_count(1)
        assert (await until_settled(page))["shown"] == []


async def test_both_can_be_tried(viewer: Viewer) -> None:
    await prepare(viewer)
    async with viewer.show(small_floor()) as (_, page):
        dialog = await open_settings(page, "alarms")
        await dialog.get_by_label("Volume").fill("100")
        await dialog.get_by_role("button", name="Play the alarm's sound").click()
        await page.wait_for_function("() => window.alarms.sounds.length === 1")
        await dialog.get_by_label("Volume").fill("20")
        await dialog.get_by_role("button", name="Play the alarm's sound").click()
        await page.wait_for_function("() => window.alarms.sounds.length === 2")
        await dialog.get_by_role("button", name="Show a notification").click()
        found = await until_shown(page, 1)
        assert found["sounds"][1] == pytest.approx(found["sounds"][0] / 5)
        assert found["shown"][0]["title"] == "This is a test"


async def test_sound_that_waits_for_a_click_says_so_until_there_is_one(viewer: Viewer) -> None:
    await prepare(viewer, "window.silenced = true;")
    async with viewer.show(small_floor()) as (feed, page):
        feed.preferences |= {"alarms": {"sound": True}}
        await page.reload()
        mark = page.get_by_text("Sound waits for a click")
        await expect(mark).to_be_visible()
        await page.locator(".card").first.click()
        await expect(mark).to_be_hidden()
        await page.keyboard.press("Escape")
        await raise_flag(feed, "f1")
        await page.wait_for_function("() => window.alarms.sounds.length === 1")


@pytest.mark.parametrize(("path", "sounds"), [("/hall", 0), ("/hall?sound=1", 1)])
async def test_a_hall_sounds_only_when_its_address_says_so(viewer: Viewer, path: str, sounds: int) -> None:
    await prepare(viewer, "window.permission = 'granted';")
    async with viewer.show(small_floor(), path) as (feed, page):
        await expect(page.locator(".tile")).to_have_count(2)
        feed.preferences |= WANTED
        await raise_flag(feed, "f1")
        await expect(page.locator(".hall-flag")).to_have_count(1)
        found = await until_settled(page)
        assert (len(found["sounds"]), found["shown"]) == (sounds, [])


async def test_a_hall_that_cannot_sound_says_so(viewer: Viewer) -> None:
    await prepare(viewer, "window.silenced = true;")
    async with viewer.show(small_floor(), "/hall?sound=1") as (_, page):
        await expect(page.locator(".hall-notice")).to_contain_text(
            "this browser plays none until somebody touches the page"
        )
