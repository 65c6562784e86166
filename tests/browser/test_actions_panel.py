"""The panel of next actions: what is done is noted, and what came of it is shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Route, expect

from tests.browser.actionkit import WAITING, WRAPPERS, floor_of
from tests.browser.conftest import Viewer
from tests.browser.floors import agent, ago, queue, site

pytestmark = pytest.mark.asyncio(loop_scope="package")


def action(number: int, **values: Any) -> dict[str, Any]:
    """An action as the server keeps it."""
    before = {"known": True, "queue": "support", "waiting": 3, "longest_wait_s": 48.0, "agents": {"wrap": 2}}
    plain = {
        "id": number, "site": "hq", "kind": "wait_wrap", "queue": "support", "agents": ["1"], "call_id": "",
        "transfer_id": "", "text_en": "3 waiting in Support. Ask them to finish the wrap.", "text_zh": "请他们尽快结束案面。",
        "done_at": "2026-11-22T11:00:00Z", "by": "wang", "by_name": "Wang Wei", "before": before,
        "after": before | {"waiting": 0, "longest_wait_s": None, "agents": {"ready": 2}}, "effect": "measured",
        "effect_due_at": "2026-11-22T11:05:00Z", "effect_at": "2026-11-22T11:05:00Z",
    }  # fmt: skip
    return plain | values


class Keeper:
    """Stands in for the server's list of actions. `refuse`: a status and a reason instead."""

    def __init__(self, *actions: dict[str, Any]) -> None:
        self.actions = list(actions)
        self.posted: list[dict[str, Any]] = []
        self.refuse: tuple[int, str] | None = None

    async def answer(self, route: Route) -> None:
        if self.refuse and route.request.method == "POST":
            status, detail = self.refuse
            await route.fulfill(status=status, json={"title": "Refused", "detail": detail})
        elif route.request.method == "POST":
            body: dict[str, Any] = route.request.post_data_json or {}
            self.posted.append(body)
            now = datetime.now(UTC)  # the browser's clock, which the page reckons by
            due = (now + timedelta(minutes=5)).isoformat()
            added = action(
                len(self.posted) + 100,
                **body,
                done_at=now.isoformat(),
                after=None,
                effect=None,
                effect_at=None,
                effect_due_at=due,
            )
            self.actions.insert(0, added)
            await route.fulfill(status=201, json=added)
        else:
            await route.fulfill(json={"actions": self.actions})


PANEL = floor_of(
    queues=(WAITING,), agents=(*WRAPPERS, agent("3", "Liu Yang", "hold", since=ago(83), queues=("support",)))
)


async def test_an_item_is_done_by_key_and_its_effect_shown(viewer: Viewer) -> None:
    keeper = Keeper(action(1))
    await viewer.context.route("**/api/v1/actions*", keeper.answer)
    async with viewer.show(PANEL) as (_, page):
        panel = page.locator("#actions")
        await expect(panel.locator(".action")).to_have_count(2)
        await expect(panel).to_contain_text("waiting 3 → 0, longest 48 s → 0 s, ready 0 → 2, wrap 2 → 0")
        await expect(panel.locator(".action").first.locator(".action-done")).to_be_visible()
        await page.keyboard.press("Shift+Digit1")
        await expect(panel.locator(".action")).to_have_count(1)
        await expect(panel.locator(".action")).to_contain_text("Liu Yang")
        await expect(panel.locator(".done").first).to_contain_text(re.compile(r"effect in [45] min; before: 3 waiting"))
        (posted,) = keeper.posted
        assert (posted["site"], posted["kind"], posted["queue"], posted["agents"]) == (
            "hq",
            "wait_wrap",
            "support",
            ["1", "2"],
        )
        assert "Ask them to finish the wrap." in posted["text_en"]
        assert "请他们尽快结束案面" in posted["text_zh"]
        await page.reload()
        await expect(panel.locator(".action")).to_have_count(1)  # the server's list holds it back, on any desk


async def test_who_may_not_read_the_words_reads_what_it_was_about(viewer: Viewer) -> None:
    hidden = {"text_en": "", "text_zh": ""}
    seen = [{"agent_id": "1", "name": "Wang Fang", "state": "wrap", "for_s": 62.0}]
    alone = {"known": True, "queue": "", "waiting": None, "agents": None, "of": seen}
    later = [seen[0] | {"state": "talk"}]
    keeper = Keeper(
        action(
            1, **hidden, before={"known": True, "queue": "support", "waiting": 3, "of": seen}, after=None, effect=None
        ),
        action(2, **hidden, kind="agent_wrap", queue="", before=alone, after=alone | {"of": later}),
        action(3, **hidden, kind="of_another_client", queue="", agents=[], before=alone | {"of": []}),
    )
    await viewer.context.route("**/api/v1/actions*", keeper.answer)
    async with viewer.show(PANEL) as (_, page):
        done = page.locator(".done")
        await expect(done.nth(0)).to_contain_text("Callers waiting, long wrap: Support, Wang Fang")
        await expect(done.nth(1)).to_contain_text("Long wrap: Wang Fang")
        await expect(done.nth(1)).to_contain_text("Wang Fang: Wrap → Talk")
        await expect(done.nth(2)).to_contain_text("Something was done")
        await page.get_by_role("button", name="简体中文").click()
        await expect(done.nth(0)).to_contain_text("有人排队，案面过长：Support、Wang Fang")


async def test_the_log_runs_on_the_floor_s_clock(viewer: Viewer) -> None:
    """A floor that runs faster than ours: what is left of its five minutes, and when it was done, as its clock says."""
    before = {"known": True, "queue": "support", "at": ago(200).isoformat(), "waiting": 3, "longest_wait_s": 62.0}
    after = {"known": True, "queue": "support", "waiting": 5, "longest_wait_s": 130.0}
    keeper = Keeper(
        action(1, before=before, after=None, effect=None, effect_due_at="2026-11-22T09:00:00Z"),
        action(2, before=before, after=after),
    )
    await viewer.context.route("**/api/v1/actions*", keeper.answer)
    async with viewer.show(PANEL) as (_, page):
        running, ended = page.locator(".done").nth(0), page.locator(".done").nth(1)
        await expect(running).to_contain_text(re.compile(r"effect in (1 min|\d+ s); before: 3 waiting, longest 62 s"))
        await expect(running).to_contain_text("19:56:40")
        await expect(ended).to_contain_text("waiting 3 → 5, longest 1:02 → 2:10")
        await page.get_by_role("button", name="简体中文").click()
        await expect(ended).to_contain_text("排队 3 → 5，最长 1:02 → 2:10")


async def test_of_a_transfer_the_log_tells_how_it_ended_and_not_what_its_agents_do_now(viewer: Viewer) -> None:
    of = [{"agent_id": "1", "name": "Wang Fang", "state": "consult", "for_s": 9.0}]
    before = {"known": True, "queue": "", "waiting": 4, "of": of, "transfer": {"outcome": "running", "took_s": 14.1}}
    after = before | {"of": [of[0] | {"state": "talk"}], "waiting": 0}
    about = {"kind": "transfer_slow", "queue": "", "transfer_id": "t1", "before": before}
    keeper = Keeper(
        action(1, **about, after=after | {"transfer": {"outcome": "completed", "took_s": 16.3}}),
        action(2, **about, after=after | {"transfer": {"outcome": "over", "took_s": None}}),
        action(3, **about, after=None, effect=None),
    )
    await viewer.context.route("**/api/v1/actions*", keeper.answer)
    async with viewer.show(PANEL) as (_, page):
        effects = page.locator(".done-effect")
        await expect(effects.nth(0)).to_have_text("transfer 14.1 s → 16.3 s, completed")
        await expect(effects.nth(1)).to_have_text("transfer 14.1 s → end not known")
        await expect(effects.nth(2)).to_have_text("effect is being read")
        await page.get_by_role("button", name="简体中文").click()
        await expect(effects.nth(0)).to_have_text("转接 14.1 秒 → 16.3 秒，已完成")


async def test_what_could_not_be_noted_stays(viewer: Viewer) -> None:
    keeper = Keeper()
    keeper.refuse = (503, "the database is away; nothing was changed")
    await viewer.context.route("**/api/v1/actions*", keeper.answer)
    async with viewer.show(PANEL) as (_, page):
        panel = page.locator("#actions")
        await panel.locator(".action").first.get_by_role("button", name=re.compile("^Done")).click()
        await expect(panel.get_by_role("alert")).to_contain_text("the database is away")
        await expect(panel.locator(".action")).to_have_count(2)
    viewer.complaints.clear()  # the browser's own line about the 503


async def test_who_may_only_look_has_no_done(viewer: Viewer) -> None:
    async def only_viewer(route: Route) -> None:
        everything = {"sites": None, "teams": None, "queues": None}
        await route.fulfill(
            json={
                "user": "v",
                "name": "V",
                "roles": ["viewer"],
                "permissions": ["floor.read"],
                "scope": everything,
                "mode": "users",
            }
        )

    keeper = Keeper()
    await viewer.context.route("**/api/v1/me", only_viewer)
    await viewer.context.route("**/api/v1/actions*", keeper.answer)
    async with viewer.show(PANEL) as (_, page):
        await expect(page.locator(".action")).to_have_count(2)
        await expect(page.locator(".action-show").first).to_be_visible()
        await expect(page.locator(".action-done").first).to_be_hidden()
        await page.keyboard.press("Shift+Digit1")
        await expect(page.locator(".action")).to_have_count(2)
    assert keeper.posted == []


async def test_show_opens_what_the_item_is_about(viewer: Viewer) -> None:
    async with viewer.show(PANEL) as (_, page):
        await expect(page.locator(".action")).to_have_count(2)
        await page.keyboard.press("Digit1")
        await expect(page).to_have_url(re.compile(r"queue=hq/support"))
        await page.go_back()
        await page.locator(".action").nth(1).get_by_role("button", name=re.compile("^Show")).click()
        await expect(page).to_have_url(re.compile(r"agent=hq/3"))
    viewer.complaints.clear()  # this server keeps no intervals


async def test_numbers_that_are_typed_into_the_search_open_nothing(viewer: Viewer) -> None:
    async with viewer.show(PANEL) as (_, page):
        await expect(page.locator(".action")).to_have_count(2)
        await page.keyboard.press("/")
        await page.keyboard.press("Digit1")
        await expect(page).not_to_have_url(re.compile("queue="))


async def test_an_old_floor_advises_nothing(viewer: Viewer) -> None:
    async with viewer.show(PANEL) as (feed, page):
        await expect(page.locator(".action")).to_have_count(2)
        await feed.change("site", "hq", site(link="down", link_since=ago(1)))
        await expect(page.locator(".action")).to_have_count(1)
        await expect(page.locator(".action")).to_contain_text("Figures of Headquarters are old: no link to the switch")
        await expect(page.locator("#actions")).not_to_contain_text("Liu Yang")


async def test_the_panel_speaks_both_languages(viewer: Viewer) -> None:
    async with viewer.show(PANEL, "/?lang=zh-CN") as (_, page):
        panel = page.locator("#actions")
        await expect(panel).to_contain_text("下一步行动：2 项")
        await expect(panel).to_contain_text("请他们尽快结束案面。")
        await page.get_by_role("button", name="English").click()
        await expect(panel).to_contain_text("Ask them to finish the wrap.")
        await expect(panel).to_contain_text("Next actions: 2")


async def test_a_calm_floor_says_so(viewer: Viewer) -> None:
    async with viewer.show(floor_of(queues=(queue("sales", "Sales"),), agents=(agent("1", "Ana"),))) as (_, page):
        await expect(page.locator("#actions")).to_contain_text("Nothing needs you. 1 ready, nobody waits.")


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_a_scan_for_accessibility_finds_nothing_serious(viewer: Viewer, scheme: Any) -> None:
    keeper = Keeper(action(1), action(2, effect="no_data", after=None))
    await viewer.context.route("**/api/v1/actions*", keeper.answer)
    async with viewer.show(PANEL) as (_, page):
        await page.emulate_media(color_scheme=scheme)
        await expect(page.locator(".action")).to_have_count(2)
        await expect(page.locator(".done")).to_have_count(2)
        found = (await Axe().run(page, context="#actions")).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == []
    viewer.complaints.clear()  # the scan itself tries styles that the page's policy forbids
