"""What is advised, in which order, and when: the ranking module over any floor and over floors made for it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.async_api import Page

from services.monitor.core.views import CallView, FloorView, RecentView
from tests.browser.actionkit import WAITING, WRAPPERS, figures, floor_of, frame, items, look, recent
from tests.browser.floors import agent, ago, call, changed, flag, queue, site, transfer

pytest_plugins = ("tests.browser.ranker",)
pytestmark = pytest.mark.asyncio(loop_scope="package")


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
SECONDS_TOLD, CLOCK_TOLD = re.compile(r"\d (s\b|秒)"), re.compile(r"\d:\d\d")
LEFT_OVER = re.compile(r"[{}]|\bact\.|undefined|NaN|null|[\uE000\uE001]|\[object")


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
        if item["kind"] != "flagged":  # whose words are the rule's
            for language in ("en", "zh"):
                words = " ".join(text[language] for text in (item["text"], item["advice"], item["note"]) if text)
                assert not (SECONDS_TOLD.search(words) and CLOCK_TOLD.search(words)), f"two formats of time: {words}"
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
        "en": "3 waiting in Support, longest 48 s (limit 20 s), 2 agents in wrap over 45 s: Wang Fang 62 s, Li Na 55 s",
        "zh": "Support 有 3 人排队，最长 48 秒（上限 20 秒）；2 名坐席案面超过 45 秒：Wang Fang 62 秒、Li Na 55 秒",
    }
    assert item["advice"] == {"en": "Ask them to finish the wrap.", "zh": "请他们尽快结束案面。"}
    (one,) = await items(ranker, floor_of(queues=(WAITING,), agents=WRAPPERS[:1]))
    assert "1 agent in wrap over 45 s: Wang Fang 62 s" in one["text"]["en"]
    assert one["advice"]["en"] == "Ask Wang Fang to finish the wrap."


async def test_many_names_are_counted(ranker: Page) -> None:
    many = tuple(changed(WRAPPERS[0], agent_id=str(n), name=f"Agent {n}", since=ago(100 - n)) for n in range(7))
    (item,) = await items(ranker, floor_of(queues=(WAITING,), agents=many))
    assert item["text"] == {  # with one time that is long all are told in its format
        "en": "3 waiting in Support, longest 0:48 (limit 0:20), 7 agents in wrap over 0:45: "
        "Agent 0 1:40, Agent 1 1:39, Agent 2 1:38 and 4 more",
        "zh": "Support 有 3 人排队，最长 0:48（上限 0:20）；7 名坐席案面超过 0:45："
        "Agent 0 1:40、Agent 1 1:39、Agent 2 1:38，另有 4 人",
    }


@pytest.mark.parametrize(
    ("state", "values", "kind", "says"),
    [
        (
            "break",
            {"since": ago(960)},
            "wait_break",
            "longest 0:48 (limit 0:20), 1 agent on break over 15:00: Wang Fang 16:00",
        ),
        ("ready", {"queues": ("sales",)}, "wait_elsewhere", "1 agent is ready in a queue where nobody waits"),
        ("ready", {}, "wait_ready", "although 1 agent is ready for it: Wang Fang"),
        ("talk", {}, "wait_nobody", "nobody is ready: 2 on calls, 2 in wrap"),
    ],
)
async def test_who_could_help_a_queue_that_waits(
    ranker: Page, state: str, values: dict[str, Any], kind: str, says: str
) -> None:
    helper = agent("1", "Wang Fang", state, **({"since": ago(30), "queues": ("support",)} | values))
    calm = queue("sales", "Sales", agents={"ready": 2})
    found = await items(ranker, floor_of(queues=(WAITING, calm), agents=(helper,)))
    assert [item["kind"] for item in found] == [kind]
    assert says in found[0]["text"]["en"]


@pytest.mark.parametrize(
    ("stamps", "says", "advice"),
    [
        ({}, "runs for 9.0 s (limit 7.0 s): seeking Li Na", "take the customer back"),
        ({"ringing": ago(6)}, "runs for 9.0 s (limit 7.0 s): ringing at Li Na for 6.0 s", "Li Na does not answer"),
        ({"ringing": ago(6), "answered": ago(4)}, "briefing Li Na for 4.0 s", "put the customer through now"),
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
        ({"state": "hold", "since": ago(83)}, "agent_hold", "1 customer on hold over 45 s: Wang Fang 83 s"),
        ({"state": "talk", "since": ago(1000)}, "agent_talk", "1 call over 15:00: Wang Fang 16:40"),
        ({"state": "ready", "today": figures(3)}, "agent_missed", "1 agent lets calls ring out: Wang Fang 3 in a row"),
        ({"state": "ready", "flapping_since": ago(40)}, "agent_flapping", "every few seconds: Wang Fang 40 s"),
        ({"state": "ringing", "since": ago(24)}, "agent_ringing", "1 phone rings unanswered over 20 s: Wang Fang 24 s"),
        ({"state": "wrap", "since": ago(160)}, "agent_wrap", "1 agent in wrap over 1:30: Wang Fang 2:40"),
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
    assert item["advice"] == {"en": "Go to Ana (Blue): ready for 10 s.", "zh": "请到 Ana（Blue）处：已就绪 10 秒。"}
    about = changed(own, subject="queue", subject_id="sales", labels={"queue": "sales"})
    (item,) = await items(ranker, floor_of(queues=(queue("sales", "Sales", waiting=2),), flags=(about,)))
    assert item["advice"]["en"] == "Look at Sales: 2 waiting, 1 ready."


async def test_a_service_level_is_told_when_it_falls_and_lost_callers_before_it(ranker: Page) -> None:
    level = changed(queue("a", "A").service_level, value=0.78)
    low = queue("billing", "Billing", service_level=level, recent=recent(service_level=0.55))
    (item,) = await items(ranker, floor_of(queues=(low,)))
    assert item["text"]["en"] == (
        "Billing: service level 55% over the last 15 minutes and falling (today 78%, target 80%)"
    )
    better = changed(low, service_level=changed(level, value=0.4))
    assert await items(ranker, floor_of(queues=(better,))) == [], "low, but on its way back"
    slightly = changed(low, recent=recent(service_level=0.75))
    assert await items(ranker, floor_of(queues=(slightly,))) == [], "the tile shows it"
    pausing = agent("7", "Zhao Min", "break", since=ago(130), queues=("billing",))
    (item,) = await items(ranker, floor_of(queues=(low,), agents=(pausing,)))
    assert item["advice"]["en"] == "Let nobody else go on break until it recovers. On break now: Zhao Min 2:10."
    losing = changed(low, recent=recent(service_level=0.55, abandoned=10, abandonment_rate=0.25), agents={"talk": 3})
    assert [item["kind"] for item in await items(ranker, floor_of(queues=(losing,)))] == ["abandoned"]
    waiting = changed(losing, waiting=4, longest_since=ago(70), agents={"talk": 3})
    (item,) = await items(ranker, floor_of(queues=(waiting,)))  # one cause, one item
    assert item["kind"] == "wait_nobody"
    assert "25% gave up" in item["note"]["en"]


async def test_callers_who_gave_up_are_told_while_agents_are_short(ranker: Page) -> None:
    losing = queue("billing", "Billing", recent=recent(abandoned=10, abandonment_rate=0.25), agents={"talk": 3})
    helper = agent("1", "Wang Fang", since=ago(40), queues=("sales",))
    spare = queue("sales", "Sales", agents={"ready": 2})
    (item,) = await items(ranker, floor_of(queues=(losing, spare), agents=(helper,)))
    assert (item["kind"], item["agents"]) == ("abandoned", ["hq/1"])
    assert item["advice"]["en"] == "Have somebody who is ready elsewhere log on to Billing: Wang Fang 40 s."
    strained = changed(losing, agents={"ready": 1}, recent=changed(losing.recent, occupancy=0.9))
    assert [one["kind"] for one in await items(ranker, floor_of(queues=(strained,)))] == ["abandoned"]


async def test_who_is_in_wrap_is_asked_first_where_nobody_is_ready(ranker: Page) -> None:
    wrapping = agent("1", "Wang Fang", "wrap", since=ago(20), queues=("support",))
    (item,) = await items(ranker, floor_of(queues=(WAITING,), agents=(wrapping,)))
    assert (item["kind"], item["agents"]) == ("wait_nobody", ["hq/1"])
    assert item["advice"]["en"] == "Ask who is in wrap to take a call next: Wang Fang 20 s; or take one yourself."
    assert item["advice"]["zh"] == "请案面中的坐席尽快接听：Wang Fang 20 秒；或亲自接听。"


async def test_a_failed_transfer_is_told_while_its_customer_waits_again(ranker: Page) -> None:
    failed = transfer(
        "t1", from_agent="1", to_agent="2", requested=ago(60), ended=ago(40), outcome="failed", reason="no answer"
    )
    people = (agent("1", "Wang Fang", "wrap"), agent("2", "Li Na", "break"))
    back = CallView(
        site="hq", call_id="c1", direction="inbound", state="queued", since=ago(38), started=ago(300), queue="support",
        queued_since=ago(38), from_number="+45••••4821", legs=(), transfer_id="",
    )  # fmt: skip
    busy = queue("support", "Support", waiting=1, longest_since=ago(4), agents={"talk": 2})
    floor = floor_of(queues=(busy,), agents=people, transfers=(failed,), calls=(back,))
    (item,) = await items(ranker, floor)
    assert (item["kind"], item["queue"], item["transfer"], item["call"]) == ("transfer_failed", "support", "t1", "c1")
    assert item["text"]["en"] == (
        "Transfer of Wang Fang to Li Na failed; its customer (+45••••4821) waits in Support again for 38 s"
    )
    assert item["advice"]["zh"] == "请安排优先接听该客户，或亲自接听。"
    for call_now in (changed(back, state="answered"), changed(back, queued_since=ago(6))):
        assert await items(ranker, changed(floor, calls=(call_now,))) == []
    assert await items(ranker, changed(floor, calls=())) == []


STRANDED = agent("1", "Wang Fang", "break", since=ago(1200), queues=("support",))
NOT_WORTH_IT: dict[str, dict[str, Any]] = {
    "who waits for a second is answered first": {
        "queues": (changed(WAITING, waiting=1, longest_since=ago(1)),), "agents": (STRANDED,)},
    "and the phone rings already": {
        "queues": (changed(WAITING, waiting=1, longest_since=ago(14), agents={"ringing": 1}),), "agents": (STRANDED,)},
    "those who are ready take the calls": {
        "queues": (changed(WAITING, waiting=2, longest_since=ago(25), agents={"ready": 3, "ringing": 2}),),
        "agents": (STRANDED,)},
    "who has just become ready gets the call": {
        "queues": (changed(WAITING, waiting=2, longest_since=ago(25), agents={"ready": 1}),),
        "agents": (agent("1", "Wang Fang", since=ago(1), queues=("support",)),)},
    "nobody is moved before the wait's limit": {
        "queues": (changed(WAITING, waiting=1, longest_since=ago(15), agents={"talk": 2}),
                   queue("sales", "Sales", agents={"ready": 2})),
        "agents": (agent("1", "Wang Fang", since=ago(90), queues=("sales",)),)},
    "a phone that rings is looked after by the switch": {"agents": (agent("1", "Wang Fang", "ringing", since=ago(17)),)},
    "a wrap that is a little too long costs nobody": {"agents": (agent("1", "Wang Fang", "wrap", since=ago(120)),)},
    "callers gave up, but agents are free again": {
        "queues": (queue("sales", "Sales", recent=recent(abandoned=10, abandonment_rate=0.25)),)},
    "of what has no place nothing can be added to the flag": {
        "flags": (flag("f1", rule="our_own", subject="call", subject_id="c9", labels={}),)},
    "nobody can be seen who went home": {
        "agents": (agent("1", "Wang Fang", "offline"),), "flags": (flag("f1", rule="our_own", subject_id="1", labels={}),)},
}  # fmt: skip


@pytest.mark.parametrize("why", NOT_WORTH_IT)
async def test_no_item_is_better_than_a_weak_one(ranker: Page, why: str) -> None:
    assert await items(ranker, floor_of(**NOT_WORTH_IT[why])) == []


async def test_only_one_who_is_not_missed_is_sent_elsewhere(ranker: Page) -> None:
    helpers = (
        agent("1", "Wang Fang", since=ago(90), queues=("sales",)),
        agent("2", "Li Na", since=ago(4), queues=("sales",)),
    )
    sales = queue("sales", "Sales", agents={"ready": 2})
    stuck = changed(WAITING, agents={"talk": 2})
    (item,) = await items(ranker, floor_of(queues=(stuck, sales), agents=helpers))
    assert (item["kind"], item["agents"]) == ("wait_elsewhere", ["hq/1"])
    (item,) = await items(ranker, floor_of(queues=(stuck, changed(sales, agents={"ready": 1})), agents=helpers))
    assert item["kind"] == "wait_nobody"


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
    queues = (WAITING, queue("vip", "VIP", waiting=1, longest_since=ago(22), agents={"talk": 1}))
    hold = agent("9", "Liu Yang", "hold", since=ago(50))
    found = await items(ranker, floor_of(queues=queues, agents=(*WRAPPERS, hold)))
    assert [item["kind"] for item in found] == ["wait_wrap", "agent_hold", "wait_nobody"]
