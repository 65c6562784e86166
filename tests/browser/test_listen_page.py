"""The inspectors' page: what should be heard first, one click to hear it, six at hand, and what stands in the way."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.browser.conftest import Viewer
from tests.browser.floors import agent, ago, changed, flag, transfer
from tests.browser.listenpages import asked, console, row, show, until_order
from tests.browser.listenserver import busy_floor, leg, live_call, on_call, serving_listens
from tests.deskkit import principal
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


# ---------------------------------------------------------------- the list


async def test_calls_come_in_the_order_in_which_they_should_be_heard(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        await expect(page.locator(".call-row")).to_have_count(6)
        await until_order(page, "Cao Wei", "Di Ng", "Bo Lind", "Ana Silva", "Han Bo", "Fei Long")
        await expect(row(page, "Cao Wei").locator(".call-happening")).to_contain_text("alone")
        await expect(row(page, "Di Ng").locator(".call-happening")).to_contain_text("transfer, ringing")
        await expect(row(page, "Bo Lind").locator(".call-flag")).to_contain_text("on hold for more than 60 s")
        await expect(row(page, "Fei Long").locator(".call-listeners")).to_have_text("somebody")
        await expect(row(page, "Ana Silva").locator(".call-peer")).to_have_text("••4821")
        await expect(row(page, "Ana Silva")).to_have_attribute(
            "aria-label", re.compile("Ana Silva, Blue · Sales, Inbound")
        )
        server.listens.append(
            server.listen("x", call_id="c3", agent_id="1003", user="wu", user_name="Wu", state="live")
        )
        await expect(row(page, "Cao Wei").locator(".call-listeners")).to_have_text("Wu")
        await expect(page.locator("#uncovered")).to_contain_text("No outbound call of a new agent goes unheard now")
        await until_order(page, "Di Ng")


async def test_time_hold_and_transfer_tick(viewer: Viewer) -> None:
    async with console(viewer) as (_, page):
        time, took = row(page, "Ana Silva").locator(".call-time"), row(page, "Di Ng").locator(".call-happening .num")
        before = [await time.inner_text(), await took.inner_text()]
        await expect(time).not_to_have_text(before[0])
        await expect(took).not_to_have_text(before[1])
        held = row(page, "Bo Lind")
        await expect(held.locator(".call-state")).to_have_text(re.compile(r"on hold\d+:\d\d"))
        await expect(held.locator(".call-happening")).to_be_hidden()  # it is said once


async def test_the_list_is_narrowed_and_the_address_says_so(viewer: Viewer) -> None:
    async with console(viewer) as (_, page):
        for name, count in (("all", "6"), ("mine", "2"), ("new", "1"), ("flagged", "1"), ("slow", "1")):
            await expect(show(page, name).locator(".show-count")).to_have_text(count)
        for name, wanted in (("flagged", ["Bo Lind"]), ("slow", ["Di Ng"]), ("new", ["Cao Wei", "Gu Ling"])):
            await show(page, name).click()
            await expect(page.locator(".call-who")).to_have_text(wanted)
        await expect(page).to_have_url(re.compile("show=new"))
        await expect(row(page, "Gu Ling")).to_contain_text("between calls")
        await page.go_back()
        await expect(page.locator(".call-who")).to_have_text(["Di Ng"])
        await page.get_by_role("button", name="Clear").click()
        await page.get_by_label("Team", exact=True).select_option("hq/Blue")
        await expect(page.locator(".call-row")).to_have_count(4)
        await page.get_by_label("Queue", exact=True).select_option("hq/support")
        await expect(page.locator(".call-who")).to_have_text(["Bo Lind"])
        other = await viewer.open(page.url)
        await expect(other.locator(".call-who")).to_have_text(["Bo Lind"])
        await other.close()
        await page.get_by_role("button", name="Clear").click()
        await page.keyboard.press("/")
        await page.keyboard.type("fei sales")
        await expect(page.locator(".call-who")).to_have_text(["Fei Long"])
        await page.keyboard.press("ArrowDown")
        await expect(page.locator(".call-row:focus .call-who")).to_have_text("Fei Long")
        await page.keyboard.press("/")
        await page.keyboard.type(" nobody")
        await expect(page.locator(".call-row")).to_have_count(0)
        await page.keyboard.press("Escape")
        await expect(page.locator(".call-row")).to_have_count(6)
        await expect(page.locator(".call-row:focus")).to_have_count(1)


async def test_my_list_has_what_i_claimed_what_i_follow_and_what_needs_somebody(viewer: Viewer) -> None:
    async with console(viewer, path="/listen?show=mine") as (server, page):
        await expect(page.locator(".call-who")).to_have_text(["Cao Wei", "Di Ng"])
        server.claims.append({"site": "hq", "call_id": "c4", "user": "wu", "user_name": "Wu"})
        await expect(page.locator(".call-who")).to_have_text(["Cao Wei"])
        await show(page, "all").click()
        await expect(row(page, "Di Ng").locator(".call-claimed")).to_have_text("taken by Wu")
        await row(page, "Han Bo").locator(".call-star").click()
        await row(page, "Ana Silva").focus()
        await page.keyboard.press("f")
        await show(page, "mine").click()
        await expect(page.locator(".call-row")).to_have_count(3)
        await until(lambda: sorted(server.preferences.get("listen.followed", [])) == ["hq/1001", "hq/1008"])


async def test_a_large_floor_has_as_many_lines_as_are_seen(viewer: Viewer) -> None:
    agents = tuple(agent(f"{n:05}", f"Agent {n:05}", "talk", call=on_call(f"c{n}")) for n in range(3000))
    calls = tuple(live_call(f"c{n}", leg(f"{n:05}", seconds=n)) for n in range(3000))
    async with console(viewer, changed(busy_floor(), agents=agents, calls=calls, flags=(), transfers=())) as (_, page):
        await expect(page.locator("#calls h2")).to_have_text("3000 calls")
        assert await page.locator(".call-row").count() < 60
        await page.locator(".call-row").first.focus()
        await page.keyboard.press("End")
        await expect(page.locator(".call-row:focus")).to_have_attribute("aria-posinset", "3000")


# ---------------------------------------------------------------- one click


async def test_one_click_listens_and_the_next_one_hops(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        assert asked(server, "POST") == [
            ("listens", {"site": "hq", "call_id": "c1", "mode": "listen", "purpose": "live_qa"})
        ]
        await expect(page.locator(".player-who")).to_have_text("Ana Silva")
        await expect(page.locator(".player-other")).to_have_text("+45••••4821")
        await expect(page.locator(".party-who")).to_have_text(["+45••••4821", "Ana Silva"])
        await expect(row(page, "Ana Silva").locator(".call-listeners")).to_have_text("you")
        await row(page, "Cao Wei").get_by_role("button", name="Listen to Cao Wei").click()
        await page.keyboard.press(
            "ArrowDown"
        )  # the keys go on from the line that was clicked; at once, as lines keep their places for some seconds
        await expect(page.locator(".call-row:focus .call-who")).to_have_text("Di Ng")
        await expect(page.locator(".player-follows")).to_have_text("this agent")
        await expect(page.locator(".deck-name")).to_have_text(["Ana Silva", "Cao Wei", "free", "free", "free", "free"])
        await expect(page.locator(".deck-state").first).to_contain_text("not heard")
        await expect(page.locator(".player-state")).to_have_text("live")
        wanted = {"site": "hq", "agent_id": "1003", "mode": "listen", "purpose": "new_agent"}
        assert asked(server, "POST")[-1] == ("listens", wanted), "a new agent's call is heard as that"
        await until(lambda: asked(server, "DELETE"), "what sounded before is ended")
        assert asked(server, "DELETE") == [("listens/l1", None)], "one sounds at a time"


async def test_the_keyboard_does_all_of_it(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        state = page.locator(".player-state")
        await expect(page.locator(".call-row")).to_have_count(6)
        await page.keyboard.press("l")
        await expect(page.locator(".call-row:focus .call-who")).to_have_text("Cao Wei")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(state).to_have_text("live")
        await expect(page.locator(".player-who")).to_have_text("Di Ng")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Shift+Enter")
        await expect(page.locator(".player-who")).to_have_text("Bo Lind")
        await expect(state).to_have_text("live")
        await page.keyboard.press("1")
        await expect(page.locator(".player-who")).to_have_text("Di Ng")
        await expect(state).to_have_text("live")
        await page.keyboard.press("ArrowRight")
        await expect(page.locator(".player-who")).to_have_text("Bo Lind")
        await expect(state).to_have_text("live")
        await page.locator("#main").focus()
        await page.keyboard.press("Space")
        await expect(page.get_by_role("button", name="Unmute")).to_have_attribute("aria-pressed", "true")
        await page.keyboard.press("s")
        await expect(state).to_contain_text("not heard")
        for meter in await page.get_by_role("meter").all():
            await expect(meter).to_have_attribute("aria-valuetext", re.compile("silent"))
        await page.keyboard.press("x")
        await expect(page.locator(".deck-name").nth(1)).to_have_text("free")
        await page.keyboard.press("a")
        await expect(page.locator(".player-who")).to_have_text("Cao Wei")
        await expect(state).to_have_text("live")
        await page.keyboard.press("?")
        await expect(page.locator(".listen-help")).to_be_visible()
        await page.keyboard.press("Escape")
        await until(lambda: all(one["state"] == "ended" for one in server.listens[:-1]), "one sounds at a time")


async def test_the_wallboards_drawer_leads_here(viewer: Viewer) -> None:
    async with console(viewer, path="/?agent=hq/1003") as (server, page):
        await page.get_by_role("link", name="Listen to this agent").click()
        await expect(page.locator(".player-who")).to_have_text("Cao Wei")
        await expect(page).to_have_url(re.compile(r"/listen\?site=hq$"))
        server.who = principal("va", "viewer")
        await page.goto(f"{server.url}/?agent=hq/1003")
        await expect(page.locator(".drawer-state")).to_be_visible()
        await expect(page.get_by_role("link", name="Listen to this agent")).to_be_hidden()
    viewer.complaints.clear()  # this server knows little of what the wallboard asks


# ---------------------------------------------------------------- while listening


async def test_states_are_told_in_words(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        state = page.locator(".player-state")
        await row(page, "Ana Silva").click()
        await expect(state).to_have_text("live")
        await server.relay.tell(muted="hold")
        await expect(state).to_have_text("On hold: kept silent by the site's policy")
        await server.relay.tell(muted="", state="waiting", reason="between_calls")
        await expect(state).to_contain_text("for the agent's next call")
        await server.relay.tell(state="live", reason="")
        await expect(state).to_have_text("live")
        await server.relay.sockets[-1].close(1012)
        await server.relay.connections(2)
        await expect(state).to_have_text("live")
        await server.relay.end("call_ended")
        await expect(state).to_contain_text("ended")
        await expect(state).to_contain_text("the call is over")
        await expect(page.locator(".deck-place").first).to_have_attribute("data-tone", "quiet")
    viewer.complaints.clear()


async def test_hold_transfer_and_flags_are_marked_and_the_parties_are_live(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        held = live_call("c1", leg("1001", "held", 0), leg("1002", "ringing", 0, "consult"), state="transferring")
        await server.change("call", "hq/c1", held)
        await server.change("transfer", "hq/t9", transfer("t9", from_agent="1001", to_agent="1002", requested=ago(0)))
        await server.change("flag", "hq/f9", flag("f9", subject="call", subject_id="c1", summary_en="Trouble ahead"))
        parties = ["customer · on hold", "with the customer · on hold", "consultation · ringing"]
        await expect(page.locator(".party-what")).to_have_text(parties)
        await expect(page.locator(".party-transfer")).to_contain_text("Ana Silva → Bo Lind")
        wave = page.locator(".wave")
        for mark in ("on hold", "transfer", "Trouble ahead"):
            await expect(wave).to_have_attribute("aria-label", re.compile(mark))
        await server.change("call", "hq/c1", live_call("c1", leg("1002", seconds=0)))
        await expect(page.locator(".player-who")).to_have_text("Bo Lind")  # the listen follows the call


async def test_notes_are_pinned_to_when_one_began_and_drafts_stay_with_their_call(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        note = page.get_by_label("Write a note")
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        await page.keyboard.press("n")
        await page.keyboard.type("asks for the ")
        pinned = await page.locator(".note-pin").inner_text()
        await row(page, "Bo Lind").click()
        await expect(note).to_have_value("")
        await page.locator(".deck-open").first.click()
        await expect(note).to_have_value("asks for the ")
        await expect(page.locator(".note-pin")).to_have_text(pinned)
        await note.press("Escape")  # to the list; what was written stays
        await expect(page.locator(".call-row:focus")).to_have_count(1)
        await page.keyboard.press("n")
        await note.press("End")
        await page.keyboard.type("contract")
        await page.keyboard.press("Enter")
        await expect(page.locator(".note-text")).to_have_text("asks for the contract")
        ((path, body),) = [one for one in asked(server, "POST") if one[0].endswith("/notes")]
        assert (path, body["text"]) == ("listens/l1/notes", "asks for the contract")
        minutes, seconds = pinned.split(":")
        assert int(minutes) * 60 + int(seconds) <= body["at_s"] < int(minutes) * 60 + int(seconds) + 1.1
        server.away = True
        await page.keyboard.type("is kept")
        await page.keyboard.press("Enter")
        await expect(page.locator(".notes [role=alert]")).to_contain_text("your text is still here")
        await expect(note).to_have_value("is kept")
    viewer.complaints.clear()


async def test_nobody_is_spoken_to_without_a_warning(viewer: Viewer) -> None:
    await viewer.context.grant_permissions([])
    async with console(viewer) as (server, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        await page.keyboard.press("m")
        ask = page.locator(".mode-ask")
        await expect(ask).to_contain_text("The agent will hear you. The customer will not.")
        await page.get_by_role("button", name="Barge").click()
        await expect(ask).to_contain_text("The customer will hear you, too")
        for answer in ("Speak to both", "Only listen"):  # and stays with the question
            await page.keyboard.press("Tab")
            await expect(ask.get_by_role("button", name=answer)).to_be_focused()
        await page.keyboard.press("Enter")  # that is the harmless answer
        await expect(ask).to_be_hidden()
        await expect(page.locator(".modes [data-mode=listen]")).to_be_focused()
        await page.get_by_role("button", name="Barge").click()
        await page.get_by_role("button", name="Speak to both").click()
        await expect(page.locator(".modes [role=alert]")).to_contain_text("microphone")
        await expect(page.locator(".modes [data-mode=barge]")).to_be_focused()
        assert asked(server, "PATCH") == [], "without a microphone the mode stays"
        await expect(page.locator(".player-state")).to_have_text("live")
        await expect(page.get_by_role("button", name="Listen", exact=True).first).to_be_visible()


async def test_a_fall_back_to_listening_is_said(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        barge = page.locator(".modes [data-mode=barge]")
        await server.relay.tell(mode="barge", speaking=True)
        await expect(barge).to_have_attribute("aria-pressed", "true")
        await page.get_by_role("button", name="Whisper").click()
        await page.get_by_role("button", name="Leave it as it is").click()  # which is not to listen only
        await expect(barge).to_be_focused()
        await server.relay.tell(mode="listen", speaking=False, reason="transferred")
        await expect(barge).to_have_attribute("aria-pressed", "false")
        await expect(page.locator(".player-state")).to_contain_text("the call was transferred: you only listen again")
        await server.relay.tell(mode="whisper", speaking=True, reason="")
        await expect(barge.locator("xpath=preceding-sibling::button[1]")).to_have_attribute("aria-pressed", "true")
        await server.relay.tell(mode="listen", speaking=False)  # as after a relay that began anew
        await expect(page.locator(".modes [role=alert]")).to_have_text("You only listen again: nobody hears you.")
        await server.relay.tell(muted="hold")
        await expect(page.locator(".deck-state").first).to_contain_text("on hold")


async def test_modes_are_those_that_the_policy_lets_one_use(viewer: Viewer) -> None:
    policy = {"allowed": True, "open_now": True, "modes": ["listen"]}
    async with console(viewer, policy=policy) as (_, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        await expect(page.locator(".modes")).to_be_hidden()
    anything: dict[str, list[str]] = {name: [] for name in ("teams", "queues", "tags", "modes", "purposes")}
    rules = [anything | {"modes": ["listen"]}, anything | {"tags": ["new_agent"], "modes": ["listen", "whisper"]}]
    async with console(viewer, policy=policy | {"modes": ["listen", "whisper"], "rules": rules}) as (_, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        await expect(page.locator(".modes")).to_be_hidden()  # to a new agent alone
        await row(page, "Cao Wei").click()
        await expect(page.locator(".modes button:visible")).to_have_text(["Listen", "Whisper"])


# ---------------------------------------------------------------- new agents


async def test_a_new_agents_call_that_nobody_hears_is_counted_and_alarms(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        strip = page.locator("#uncovered")
        await expect(strip.locator(".uncovered-count")).to_have_text("1")
        await expect(strip).to_contain_text("Cao Wei")
        await expect(strip).to_have_attribute("data-tone", "critical")
        await expect(page.locator("#announcer")).to_have_text("New agents alone for too long: Cao Wei")
        await strip.get_by_label("Alarm after").fill("600")
        await page.keyboard.press("Tab")
        await expect(strip).to_have_attribute("data-tone", "warning")
        await strip.get_by_role("button", name="Take: Cao Wei").click()
        await expect(strip).to_contain_text("taken by you")
        assert asked(server, "POST") == [("claims", {"site": "hq", "call_id": "c3"})]
        await strip.get_by_role("button", name="Listen: Cao Wei").click()
        await expect(strip).to_contain_text("No outbound call of a new agent goes unheard now")
        await page.keyboard.press("s")
        await expect(strip.locator(".uncovered-count")).to_have_text("1")
        await expect(strip.locator(".uncovered-time")).to_have_text(re.compile(r"0:0\d"))  # alone again, from now on


async def test_somebody_elses_claim_is_seen_and_not_taken(viewer: Viewer) -> None:
    claim = {"site": "hq", "call_id": "c3", "user": "wu", "user_name": "Wu"}
    async with console(viewer, claims=[claim]) as (_, page):
        await expect(page.locator("#uncovered")).to_contain_text("taken by Wu")
        await expect(page.locator("#uncovered").get_by_role("button", name="Take: Cao Wei")).to_be_hidden()
        await expect(row(page, "Cao Wei").get_by_role("button", name="Take", exact=True)).to_be_disabled()


async def test_coverage_tells_of_each_new_agent_how_much_was_heard(viewer: Viewer) -> None:
    shares = {"calls_share": 9 / 14, "seconds_share": 0.38}
    told = {"agent_id": "1003", "name": "Cao Wei", "team": "Red", "new_agent": True, "calls": 14, "heard": 9}
    async with console(viewer, coverage=[told | shares | {"talk_s": 2210.0, "heard_s": 840.0}]) as (_, page):
        await page.get_by_role("button", name="Coverage").click()
        drawer = page.locator(".coverage-drawer")
        await expect(drawer).to_contain_text("9 of 14 calls heard, 64%")
        await expect(drawer.locator("tbody tr td")).to_have_text(["14", "9", "64%", "36:50", "14:00"])
    nobody = changed(busy_floor(), agents=tuple(one for one in busy_floor().agents if not one.tags))
    async with console(
        viewer, nobody, coverage=[told | shares | {"new_agent": False, "talk_s": 60.0, "heard_s": 9.0}]
    ) as (_, page):
        await page.get_by_role("button", name="Coverage").click()  # also where nobody is new
        await expect(page.locator(".coverage-drawer tbody tr")).to_have_count(1)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Coverage")).to_be_focused()


# ---------------------------------------------------------------- what stands in the way


async def test_who_may_not_listen_is_told_so_and_has_no_link(viewer: Viewer) -> None:
    async with console(viewer, who=principal("va", "viewer")) as (server, page):
        await expect(page.locator("#refused")).to_contain_text("not among your permissions")
        await expect(page.locator("#console")).to_be_hidden()
        await page.goto(f"{server.url}/transfers")
        await expect(page.get_by_role("link", name="Wallboard")).to_be_visible()
        await expect(page.get_by_role("link", name="Listen")).to_be_hidden()
    viewer.complaints.clear()


async def test_what_the_server_refuses_is_said_with_its_reason(viewer: Viewer) -> None:
    async with console(viewer, refuse_listen=(403, "not within the hours")) as (server, page):
        await row(page, "Ana Silva").click()
        await expect(page.locator(".player-state")).to_contain_text("You may not listen here. not within the hours")
        server.refuse_listen = None
        await page.keyboard.press("s")
        await expect(page.locator(".player-state")).to_have_text("live")
    viewer.complaints.clear()


async def test_while_the_database_is_away_nobody_is_said_to_listen(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        server.listens.append(
            server.listen("x", call_id="c3", agent_id="1003", user="wu", user_name="Wu", state="live")
        )
        await expect(page.locator("#uncovered")).to_contain_text("goes unheard now")
        server.away = True
        await expect(page.locator("#troubles")).to_contain_text("The database is away")
        await expect(page.locator("#uncovered .uncovered-count")).to_have_text("1")
        await expect(page.locator(".call-row")).to_have_count(6)
        server.away = False
        await expect(page.locator("#troubles")).to_be_empty()
    viewer.complaints.clear()


async def test_a_browser_without_sound_is_told_what_is_missing(viewer: Viewer) -> None:
    await viewer.context.add_init_script("delete window.AudioContext; delete window.webkitAudioContext;")
    async with console(viewer) as (_, page):
        await expect(page.locator("#troubles")).to_contain_text("no sound output for pages")
        await expect(page.locator(".call-row")).to_have_count(6)


async def test_a_silent_switch_greys_the_list_and_an_empty_floor_says_so(viewer: Viewer) -> None:
    async with console(viewer) as (server, page):
        await expect(row(page, "Ana Silva")).to_be_visible()
        server.stop_the_switch()
        await expect(row(page, "Ana Silva")).to_have_attribute("data-stale", "yes")
        await expect(page.locator("#site-notices")).not_to_be_empty()
        await expect(page.locator("#uncovered")).to_have_attribute("data-tone", "critical")
    async with console(viewer, changed(busy_floor(), calls=(), flags=(), transfers=())) as (_, page):
        await expect(page.locator("#calls .empty")).to_contain_text("No calls right now")
        await expect(page.locator("#deck .empty")).to_contain_text("Nothing is being heard")


@pytest.mark.parametrize(("width", "height", "language"), [(1366, 768, "zh-CN"), (1366, 768, "en"), (1920, 1080, "en")])
async def test_it_fits_and_reads_in_both_languages(viewer: Viewer, width: int, height: int, language: str) -> None:
    async with serving_listens() as server:
        page = await viewer.open(f"{server.url}/listen?lang={language}", width=width, height=height)
        await row(page, "Di Ng").click()
        await expect(page.locator(".player-state strong")).to_have_text("live" if language == "en" else "监听中")
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert not re.search(r"\b(listen|sound|drawer)\.[a-z_.]+", await page.inner_text("body"))
        await page.goto("about:blank")
        await page.close()


async def test_it_has_no_serious_finding_while_one_listens(viewer: Viewer) -> None:
    async with console(viewer) as (_, page):
        await page.emulate_media(color_scheme="light", reduced_motion="reduce")
        await row(page, "Di Ng").click()
        await expect(page.locator(".player-state")).to_have_text("live")
        await page.keyboard.press("m")
        found = (await Axe().run(page)).response
    viewer.complaints.clear()  # the scan itself tries styles that the pages' policy forbids
    assert len(found["passes"]) > 10, "it looked"
    bad = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in bad] == []
