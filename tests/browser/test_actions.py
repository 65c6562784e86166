"""What is advised, in which order, and when: the ranking module over any floor and over floors made for it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.async_api import Browser, Page

from services.monitor.core.views import FloorView, RecentView
from tests.browser.actionkit import WAITING, WRAPPERS, figures, floor_of, frame, items, look, recent
from tests.browser.feedserver import serving
from tests.browser.floors import agent, ago, call, changed, flag, queue, site, small_floor, transfer

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def ranker(browser: Browser) -> Any:
    """A page to run the modules in."""
    async with serving(small_floor()) as feed:
        context = await browser.new_context(locale="en-GB")
        page = await context.new_page()
        await page.goto(feed.url)
        yield page
        await context.close()


# ------------------------------------------------------------ any floor


NAMES = st.sampled_from(["Wang Fang", "王芳", "Li Na", "O'Neill <b>", "", "Ana Sílva-Ferreira da Costa", "陈静"])
SECONDS = st.one_of(st.integers(0, 20), st.integers(0, 4000))
STATES = st.sampled_from(["ready", "ringing", "talk", "hold", "consult", "wrap", "break", "unknown", "offline"])
SITES = ("hq", "old", "far")
QUEUES = ("sales", "support", "vip")


@st.composite
def recents(draw: st.DrawFn) -> RecentView | None:
    shares = st.one_of(st.none(), st.floats(0, 1))
    if draw(st.booleans()):
        return None
    return recent(offered=draw(st.integers(0, 60)), service_level=draw(shares), abandonment_rate=draw(shares))


@st.composite
def floors(draw: st.DrawFn) -> FloorView:
    sites = draw(st.lists(st.sampled_from(SITES), max_size=3, unique=True))
    queues = [
        queue(
            name,
            draw(NAMES),
            site=one,
            waiting=(waiting := draw(st.integers(0, 12))),
            longest_since=ago(draw(SECONDS)) if waiting and draw(st.booleans()) else None,
            agents=draw(st.dictionaries(STATES, st.integers(0, 5))),
            recent=draw(recents()),
        )
        for one in sites
        for name in draw(st.lists(st.sampled_from(QUEUES), max_size=3, unique=True))
    ]
    agents = [
        agent(
            str(number),
            draw(NAMES),
            draw(STATES),
            site=draw(st.sampled_from(sites)),
            since=ago(draw(SECONDS)),
            queues=tuple(draw(st.lists(st.sampled_from(QUEUES), max_size=2, unique=True))),
            flapping_since=draw(st.sampled_from([None, None, None, ago(30)])),
            today=figures(draw(st.integers(0, 4))),
        )
        for number in range(draw(st.integers(0, 14)) if sites else 0)
    ]
    ids = st.sampled_from([str(number) for number in range(14)] + [""])
    transfers = [
        transfer(
            f"t{number}",
            site=draw(st.sampled_from(sites)),
            from_agent=draw(ids),
            to_agent=draw(ids),
            to_queue=draw(st.sampled_from(["", "support"])),
            requested=ago(draw(SECONDS)),
            ringing=draw(st.sampled_from([None, ago(3)])),
            answered=draw(st.sampled_from([None, ago(1)])),
            outcome=draw(st.sampled_from(["running", "running", "completed"])),
        )
        for number in range(draw(st.integers(0, 3)) if sites else 0)
    ]
    flags = [
        flag(f"f{number}", site=draw(st.sampled_from(sites)), rule=draw(st.sampled_from(["long_hold", "our_own"])),
             severity=draw(st.sampled_from(["info", "warning", "critical"])), subject_id=draw(ids))
        for number in range(draw(st.integers(0, 3)) if sites else 0)
    ]  # fmt: skip
    return FloorView(
        sites=tuple(site(one, label=draw(NAMES)) for one in sites),
        queues=tuple(queues),
        agents=tuple(agents),
        calls=(),
        transfers=tuple(transfers),
        flags=tuple(flags),
    )


CONDITIONS = st.dictionaries(st.sampled_from(SITES), st.sampled_from(["lost", "down", "silent", "never"]), max_size=2)
LEFT_OVER = re.compile(r"[{}]|\bact\.|undefined|NaN|null|\[object")


def check(shown: dict[str, Any], floor: FloorView, stale: dict[str, str]) -> None:
    """What holds for every floor."""
    found = shown["items"]
    assert len(found) <= 6
    assert [item["score"] for item in found] == sorted((item["score"] for item in found), reverse=True)
    assert len({item["id"] for item in found}) == len(found)
    told = [key for item in found for key in item["agents"]]
    assert len(told) == len(set(told)), "an agent twice"
    names = {f"{one.site}/{one.agent_id}" for one in floor.agents}
    for item in found:
        for text in (item["text"], item["advice"], item["note"] or {"en": "-", "zh": "-"}):
            assert text["en"].strip()
            assert text["zh"].strip()
            assert not LEFT_OVER.search(text["en"] + text["zh"]), text
            assert max(map(len, text.values())) < 300
        if item["kind"] == "stale":
            assert item["agents"] == []
        else:
            assert stale.get(item["site"], "") == "", "what is old must not advise"
            assert all(key.startswith(f"{item['site']}/") for key in item["agents"])
        if item["kind"] not in ("transfer_slow", "flagged"):
            assert set(item["agents"]) <= names
    old = [one.site for one in floor.sites if stale.get(one.site, "") not in ("", "never")]
    assert (bool(found) and found[0]["kind"] == "stale") == bool(old)
    assert (shown["calm"] is None) == bool(found)
    if not [one for one in floor.sites if stale.get(one.site, "") == ""]:
        assert shown["calm"] in (None, "no_data")


@settings(max_examples=45, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(floor=floors(), stale=CONDITIONS)
async def test_any_floor_is_told_in_six_items_at_most_and_nobody_twice(
    ranker: Page, floor: FloorView, stale: dict[str, str]
) -> None:
    check((await look(ranker, frame(floor, 0, stale)))[0], floor, stale)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    steps=st.lists(st.tuples(floors(), CONDITIONS, st.sampled_from([0.05, 0.25, 1.0, 4.0, 400.0])), max_size=6),
    data=st.data(),
)
async def test_the_same_holds_while_a_floor_changes_and_people_deal_with_items(
    ranker: Page, steps: list[tuple[FloorView, dict[str, str], float]], data: st.DataObject
) -> None:
    causes = ("wait:hq/sales", "wait:old/vip", "agent_hold:hq/1", "transfer:hq/t0", "stale:old", "agent_missed:hq/2")
    frames, at = [], 0.0
    for floor, stale, later in steps:
        frames.append(frame(floor, at, stale, tuple(data.draw(st.sets(st.sampled_from(causes), max_size=2)))))
        at += later
    for shown, (floor, stale, _) in zip(await look(ranker, *frames), steps, strict=True):
        found = shown["items"]
        hidden = {key for key in shown["done"] if key.startswith("stale:")}
        if not hidden:
            check_in_time(shown, floor, stale)
        for item in found:
            keys = {cause["key"] for cause in item["causes"]}
            assert not keys <= set(shown["done"]), "dealt with, and told all the same"


def check_in_time(shown: dict[str, Any], floor: FloorView, stale: dict[str, str]) -> None:
    """As `check`, but an item may be held back for a second, or stay for two as over, about agents who left meanwhile."""
    now = [item for item in shown["items"] if not item["over"]]
    check({"items": now, "calm": None if now else shown["calm"] or "no_data"}, floor, stale)
    told = [key for item in shown["items"] for key in item["agents"]]
    assert len(told) == len(set(told))
    assert len(shown["items"]) <= 6
    for item in shown["items"]:
        if item["over"]:
            assert stale.get(item["site"], "") == ""
            assert item["site"] in {one.site for one in floor.sites}


# ------------------------------------------------------------ what is said


async def test_callers_wait_and_agents_are_in_wrap_over_target(ranker: Page) -> None:
    (item,) = await items(ranker, floor_of(queues=(WAITING,), agents=WRAPPERS))
    assert (item["kind"], item["severity"], item["agents"]) == ("wait_wrap", "warning", ["hq/1", "hq/2"])
    assert item["text"] == {
        "en": "3 waiting in Support, longest 48 s, 2 agents in wrap over target: Wang Fang 62 s, Li Na 55 s",
        "zh": "Support 有 3 人排队，最长 48 秒；2 名坐席案面超时：Wang Fang 62 秒、Li Na 55 秒",
    }
    assert item["advice"] == {"en": "Ask them to finish the wrap.", "zh": "请他们尽快结束案面。"}
    (one,) = await items(ranker, floor_of(queues=(WAITING,), agents=WRAPPERS[:1]))
    assert "1 agent in wrap over target: Wang Fang 62 s" in one["text"]["en"]
    assert one["advice"]["en"] == "Ask Wang Fang to finish the wrap."


async def test_many_names_are_counted(ranker: Page) -> None:
    many = tuple(changed(WRAPPERS[0], agent_id=str(n), name=f"Agent {n}", since=ago(100 - n)) for n in range(7))
    (item,) = await items(ranker, floor_of(queues=(WAITING,), agents=many))
    assert item["text"]["en"].endswith("Agent 0 1:40, Agent 1 99 s, Agent 2 98 s and 4 more")
    assert item["text"]["zh"].endswith("，另有 4 人")


@pytest.mark.parametrize(
    ("state", "values", "kind", "says"),
    [
        ("break", {"since": ago(960)}, "wait_break", "1 agent on break over target: Wang Fang 16:00"),
        ("ready", {"queues": ("sales",)}, "wait_elsewhere", "1 agent is ready in a queue where nobody waits"),
        ("ready", {}, "wait_ready", "although 1 agent is ready for it: Wang Fang"),
        ("talk", {}, "wait_nobody", "nobody is ready: 2 on calls, 2 in wrap"),
    ],
)
async def test_who_could_help_a_queue_that_waits(
    ranker: Page, state: str, values: dict[str, Any], kind: str, says: str
) -> None:
    helper = agent("1", "Wang Fang", state, **({"since": ago(30), "queues": ("support",)} | values))
    found = await items(ranker, floor_of(queues=(WAITING, queue("sales", "Sales")), agents=(helper,)))
    assert [item["kind"] for item in found] == [kind]
    assert says in found[0]["text"]["en"]


@pytest.mark.parametrize(
    ("stamps", "says", "advice"),
    [
        ({}, "runs for 9.0 s: seeking Li Na", "take the customer back"),
        ({"ringing": ago(6)}, "runs for 9.0 s: ringing at Li Na for 6 s", "Li Na does not answer"),
        ({"ringing": ago(6), "answered": ago(4)}, "briefing Li Na for 4 s", "put the customer through now"),
    ],
)
async def test_which_leg_of_a_slow_transfer_hangs(
    ranker: Page, stamps: dict[str, datetime], says: str, advice: str
) -> None:
    people = (agent("1", "Wang Fang", "hold", since=ago(300)), agent("2", "Li Na", "ringing", since=ago(60)))
    (item,) = await items(ranker, floor_of(agents=people, transfers=(slow_transfer(**stamps),)))
    assert (item["kind"], item["transfer"], set(item["agents"])) == ("transfer_slow", "t1", {"hq/1", "hq/2"})
    assert says in item["text"]["en"]
    assert advice in item["advice"]["en"]


def slow_transfer(**values: Any) -> Any:
    return transfer("t1", **({"from_agent": "1", "to_agent": "2", "requested": ago(9)} | values))


async def test_a_transfer_that_may_be_within_the_limit_is_not_told(ranker: Page) -> None:
    unsure = slow_transfer(requested=ago(7.5), precision_ms=1000)
    assert await items(ranker, floor_of(transfers=(unsure,))) == []
    assert [item["kind"] for item in await items(ranker, floor_of(transfers=(changed(unsure, precision_ms=0),)))] == [
        "transfer_slow"
    ]


@pytest.mark.parametrize(
    ("values", "kind", "says"),
    [
        ({"state": "hold", "since": ago(83)}, "agent_hold", "1 customer on hold too long: Wang Fang 83 s"),
        ({"state": "talk", "since": ago(1000)}, "agent_talk", "1 very long call: Wang Fang 16:40"),
        ({"state": "ready", "today": figures(3)}, "agent_missed", "1 agent lets calls ring out: Wang Fang 3 in a row"),
        ({"state": "ready", "flapping_since": ago(40)}, "agent_flapping", "every few seconds: Wang Fang"),
        ({"state": "ringing", "since": ago(14)}, "agent_ringing", "1 phone rings unanswered: Wang Fang 14 s"),
    ],
)
async def test_an_agent_whom_somebody_should_see(ranker: Page, values: dict[str, Any], kind: str, says: str) -> None:
    (item,) = await items(ranker, floor_of(agents=(agent("1", "Wang Fang", **values),)))
    assert item["kind"] == kind
    assert says in item["text"]["en"]


async def test_who_dials_out_is_not_told_as_not_answering(ranker: Page) -> None:
    dialling = agent("1", "Wang Fang", "ringing", since=ago(40), call=call(direction="outbound"))
    assert await items(ranker, floor_of(agents=(dialling,))) == []


async def test_a_rule_of_the_floor_s_own_is_told_in_its_words(ranker: Page) -> None:
    own = flag("f1", rule="new_agent_alone", summary_en="Ana is new and alone", summary_zh="新坐席 Ana 无人监听")
    known = flag("f2", rule="long_hold", subject_id="1002", labels={"agent": "1002"})
    (item,) = await items(ranker, floor_of(agents=(agent("1001", "Ana"),), flags=(own, known)))
    assert (item["kind"], item["text"]) == ("flagged", {"en": "Ana is new and alone", "zh": "新坐席 Ana 无人监听"})


async def test_a_service_level_is_told_when_it_falls_and_lost_callers_before_it(ranker: Page) -> None:
    level = changed(queue("a", "A").service_level, value=0.78)
    low = queue("billing", "Billing", service_level=level, recent=recent(service_level=0.55))
    (item,) = await items(ranker, floor_of(queues=(low,)))
    assert item["text"]["en"] == (
        "Billing: service level 55% over the last 15 minutes and falling (today 78%, target 80%)"
    )
    better = changed(low, service_level=changed(level, value=0.4))
    assert await items(ranker, floor_of(queues=(better,))) == [], "low, but on its way back"
    losing = changed(low, recent=recent(service_level=0.55, abandoned=10, abandonment_rate=0.25))
    assert [item["kind"] for item in await items(ranker, floor_of(queues=(losing,)))] == ["abandoned"]
    waiting = changed(losing, waiting=4, longest_since=ago(70), agents={"talk": 3})
    (item,) = await items(ranker, floor_of(queues=(waiting,)))  # one cause, one item
    assert item["kind"] == "wait_nobody"
    assert "25% gave up" in item["note"]["en"]


async def test_breaks_that_end_soon_are_told_where_help_is_short(ranker: Page) -> None:
    soon = agent("1", "Wang Fang", "break", since=ago(860), queues=("support",))
    found = await items(ranker, floor_of(queues=(WAITING,), agents=(soon,)))
    assert [item["kind"] for item in found] == ["wait_nobody", "break_ending"]
    assert "Wang Fang in 40 s" in found[1]["text"]["en"]
    assert await items(ranker, floor_of(queues=(queue("support", "Support"),), agents=(soon,))) == []


async def test_what_is_old_comes_first_and_advises_nothing_else(ranker: Page) -> None:
    far = tuple(changed(one, site="far") for one in (WAITING, *WRAPPERS))
    floor = floor_of(sites=(site(), site("far", label="Far")), queues=(WAITING, far[0]), agents=(*WRAPPERS, *far[1:]))
    found = await items(ranker, floor, {"far": "down"})
    assert [(item["kind"], item["site"]) for item in found] == [("stale", "far"), ("wait_wrap", "hq")]
    assert found[0]["text"]["en"] == "Figures of Far are old: no link to the switch"
    assert found[0]["advice"]["en"].startswith("Check the link.")


async def test_nothing_to_do_is_not_no_data(ranker: Page) -> None:
    calm = floor_of(queues=(queue("sales", "Sales", waiting=1, longest_since=ago(4)),), agents=(agent("1", "Ana"),))
    (shown,) = await look(ranker, frame(calm))
    assert (shown["items"], shown["calm"]) == ([], {"ready": 1, "longest": 4})
    (shown,) = await look(ranker, frame(calm, 0, {"hq": "never"}))
    assert (shown["items"], shown["calm"]) == ([], "no_data")


async def test_the_dearer_item_comes_first(ranker: Page) -> None:
    queues = (WAITING, queue("vip", "VIP", waiting=1, longest_since=ago(15), agents={"talk": 1}))
    hold = agent("9", "Liu Yang", "hold", since=ago(50))
    found = await items(ranker, floor_of(queues=queues, agents=(*WRAPPERS, hold)))
    assert [item["kind"] for item in found] == ["wait_wrap", "agent_hold", "wait_nobody"]


# ------------------------------------------------------------ over time


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
            queue("a", "A", waiting=2, longest_since=ago(first)),
            queue("b", "B", waiting=2, longest_since=ago(second)),
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
