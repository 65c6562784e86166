"""Inputs that real systems produce and nobody would make up, through the documented form of events, end to end.

What concerns Asterisk's own words is in test_asterisk_traps.py, what concerns the engine alone in test_hostile_inputs_engine.py;
`HOSTILE` is the list of those here.
"""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from services.ingest.pipeline import IngestMachine
from services.monitor.core.engine import Engine
from services.monitor.rulefile import load_rulebook
from shared import facts
from shared.envelope import Data
from shared.errors import InvalidInput
from shared.facts import Fact
from shared.siteconfig import QueueConfig, SiteConfig, Sites
from tests.ingestkit import T0, cloud, raw

SITE = "s1"
CONFIG = Sites({SITE: SiteConfig(queues={"sales": QueueConfig(wrap_up_s=6)})})
RULES = load_rulebook(Path(__file__).parents[2] / "deploy" / "rules.yaml")
D = TypeVar("D", bound=Data)
Said = dict[str, Any]


class Floor:
    """Raw records in, facts and board out: what a producer and a supervisor see."""

    def __init__(self) -> None:
        self.machine = IngestMachine(CONFIG)
        self.engine = Engine(CONFIG, RULES)
        self.facts: list[Fact] = []
        self.offset = 0
        self.feed(cloud("link_up", {"connector": "c1"}), received_s=0)

    def feed(self, value: Any, *, received_s: float, **headers: Any) -> None:
        """One raw record. Raises InvalidInput as ingest does, which makes it a dead letter."""
        record = raw(value, offset=self.offset, received_s=received_s, **headers)
        self.offset += 1
        for event in self.machine.apply(record):
            self.facts += self.engine.apply(event)

    def say(self, second: float, what: str, /, **data: Any) -> None:
        self.feed(cloud(what, data, at_s=second, id=str(self.offset)), received_s=second + 0.01)

    def mark(self, second: float) -> None:
        mark = self.machine.clocks[SITE].mark(T0 + timedelta(seconds=second + 0.11))
        if mark is not None:
            self.facts += self.engine.apply(mark)

    def made(self, kind: type[D]) -> list[D]:
        return [fact.data for fact in self.facts if isinstance(fact.data, kind)]

    def flags(self, rule: str) -> list[facts.FlagRaised]:
        return [flag for flag in self.made(facts.FlagRaised) if flag.rule == rule]

    def agent(self, agent_id: str) -> Any:
        return self.engine.view("agent", SITE, agent_id)


@pytest.fixture
def floor() -> Floor:
    return Floor()


def refused(floor: Floor, value: Any) -> str:
    with pytest.raises(InvalidInput) as found:
        floor.feed(value, received_s=1)
    return f"{found.value.reason}: {found.value}"


# ---------------------------------------------------------------- samples that are no JSON, or not quite what they should be

READY = cloud("agent_ready", {"agent_id": "7"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:-1] + ",}", "not_json: not JSON: "),
        (lambda text: text + " // the agent is ready", "not_json: not JSON: "),
        (lambda text: "/* sample */ " + text, "not_json: not JSON: "),
        (lambda text: text.replace('"', "'"), "not_json: not JSON: "),
    ],
    ids=["trailing comma", "note behind", "note before", "single quotes"],
)
def test_samples_with_trailing_commas_and_notes_are_a_clear_error(damage: Any, said: str, floor: Floor) -> None:
    message = refused(floor, damage(json.dumps(READY)).encode())
    assert message.startswith(said)
    assert "byte" in message  # and where
    floor.say(2, "agent_ready", agent_id="7")
    assert floor.agent("7").state == "ready"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (READY | {"type": "floorwatch.Agent_Ready.v1"}, "$.type: 'floorwatch.Agent_Ready.v1' is not a type"),
        (cloud("agent_ready", {"AgentId": "7"}), "$.data.AgentId is not a field of this event"),
        (
            cloud("call_started", {"call_id": "a", "direction": "Inbound"}),
            "$.data.direction: invalid enum value 'Inbound'",
        ),
    ],
    ids=["type", "field", "word"],
)
def test_case_drift_is_named_and_not_guessed(event: Said, said: str, floor: Floor) -> None:
    assert said in refused(floor, event)


def test_an_event_without_a_timestamp_is_refused_with_the_word_for_it(floor: Floor) -> None:
    """Its moment would be a guess, and every duration with it. A link record may do without."""
    bare = {name: value for name, value in READY.items() if name != "time"}
    assert refused(floor, bare) == "invalid_event: $.time is missing"


def test_a_content_type_that_is_a_date_is_named(floor: Floor) -> None:
    message = refused(floor, READY | {"datacontenttype": "2023-02-01T20:19:20Z"})
    assert message == "invalid_event: $.datacontenttype: expected application/json, got '2023-02-01T20:19:20Z'"


# ---------------------------------------------------------------- order


def test_the_end_of_a_call_before_its_beginning_leaves_no_ghost(floor: Floor) -> None:
    floor.say(10, "call_cleared", call_id="a", cleared_by="customer")
    floor.feed(cloud("call_queued", {"call_id": "a", "queue": "sales"}, at_s=2, id="late"), received_s=10.2)
    floor.mark(60)
    assert floor.engine.floor_view().calls == ()
    assert not floor.flags("long_wait")


def test_duplicated_delivery_for_one_agent_counts_once(floor: Floor) -> None:
    story: list[tuple[float, str, Said]] = [
        (1.0, "agent_logged_on", {"agent_id": "7", "queues": ["sales"]}),
        (5.0, "call_queued", {"call_id": "a", "queue": "sales"}),
        (6.0, "leg_started", {"call_id": "a", "leg_id": "k", "agent_id": "7", "queue": "sales"}),
        (8.0, "leg_answered", {"call_id": "a", "leg_id": "k"}),
        (8.0, "call_dequeued", {"call_id": "a", "queue": "sales", "reason": "answered", "agent_id": "7"}),
        (30.0, "call_cleared", {"call_id": "a", "cleared_by": "customer"}),
    ]
    for second, kind, data in story:
        for _ in range(3):  # the same event, written again by a producer that doubts
            floor.feed(cloud(kind, data, at_s=second), received_s=second)
    (ended,) = floor.made(facts.CallEnded)
    assert (ended.waited_s, ended.talk_s) == (3.0, 22.0)
    (queue,) = floor.engine.floor_view().queues
    assert (queue.offered, queue.answered) == (1, 1)
    assert floor.engine.anomalies(SITE) == {}


@pytest.mark.parametrize("seed", range(8))
def test_reordered_delivery_for_one_agent_ends_in_the_same_state(seed: int) -> None:
    story: list[tuple[float, str, Said]] = [
        (1.0, "agent_logged_on", {"agent_id": "7", "queues": ["sales"]}),
        (2.0, "agent_not_ready", {"agent_id": "7", "reason": "tea"}),
        (3.0, "agent_ready", {"agent_id": "7"}),
        (3.5, "agent_not_ready", {"agent_id": "7", "reason": "lunch"}),
        (4.0, "agent_ready", {"agent_id": "7"}),
    ]
    shuffled = list(story)
    random.Random(seed).shuffle(shuffled)
    floor = Floor()
    for number, (second, kind, data) in enumerate(shuffled):
        floor.feed(cloud(kind, data, at_s=second), received_s=4 + number * 0.01)
    assert (floor.agent("7").state, floor.agent("7").queues) == ("ready", ("sales",))


def test_a_heartbeat_after_the_log_off_brings_nobody_back(floor: Floor) -> None:
    floor.say(1, "agent_logged_on", agent_id="7")
    floor.say(10, "agent_logged_off", agent_id="7")
    for second in range(20, 3600, 120):
        floor.say(second, "agent_seen", agent_id="7", lease_s=130)
    assert floor.agent("7").state == "offline"


def test_a_promise_that_is_not_kept_makes_an_agent_unknown(floor: Floor) -> None:
    """Heartbeats every 120 s, then none."""
    floor.say(1, "agent_logged_on", agent_id="7")
    floor.say(60, "agent_seen", agent_id="7", lease_s=130)
    floor.mark(185)
    assert floor.agent("7").state == "ready"
    floor.mark(195)
    assert floor.agent("7").state == "unknown"


def test_a_snapshot_from_outside_sweeps_ghosts(floor: Floor) -> None:
    floor.say(1, "agent_logged_on", agent_id="7", queues=["sales"])
    floor.say(2, "call_queued", call_id="a", queue="sales")
    floor.say(3, "call_queued", call_id="b", queue="sales")
    floor.say(20, "snapshot", connector="c1", agents=[], calls=["b"], queues={"sales": ["b"]})
    assert [call.call_id for call in floor.engine.floor_view().calls] == ["b"]
    assert floor.agent("7").state == "offline"
    assert floor.engine.anomalies(SITE) == {"ghost_call": 1, "ghost_agent": 1}


# ---------------------------------------------------------------- the seven seconds


def transfer(floor: Floor, total: float, *, precision_ms: int = 0, start: float = 10.0, end: str = "bridged") -> None:
    """A transfer that took `total` by its stamps; marks go on all the while."""

    def say(second: float, what: str, /, **data: Any) -> None:
        more = {"precisionms": precision_ms} if precision_ms else {}
        value = cloud(what, data, at_s=second, id=str(floor.offset), **more)
        floor.feed(value, received_s=second + 0.01)

    say(1, "agent_logged_on", agent_id="7")
    say(2, "call_started", call_id="a")
    say(start, "transfer_requested", transfer_id="t", call_id="a", kind="blind", from_agent="7")
    second = start
    while second + 0.05 < start + total:
        second += 0.05
        floor.mark(second - 0.01)
    if end == "bridged":
        say(start + total, "transfer_bridged", transfer_id="t")
    elif end == "customer":
        say(start + total, "call_cleared", call_id="a", cleared_by="customer")
    else:
        say(start + total, "transfer_ended", transfer_id="t", outcome=end)
    floor.mark(start + total + 60)


@pytest.mark.parametrize(
    ("total", "verdict"), [(6.999, "no"), (7.0, "no"), (7.001, "yes")], ids=["6.999 s", "7.000 s", "7.001 s"]
)
def test_a_transfer_around_seven_seconds_by_a_clock_of_microseconds(total: float, verdict: str, floor: Floor) -> None:
    transfer(floor, total)
    (ended,) = floor.made(facts.TransferEnded)
    assert (ended.slow, ended.precision_ms) == (verdict, 0)
    assert ended.total_s == pytest.approx(total)
    (view,) = floor.engine.floor_view().transfers
    assert view.slow == verdict
    raised = floor.flags("slow_transfer")
    assert [(flag.raised_at - flag.started_at).total_seconds() for flag in raised] == (
        [7.0] if verdict == "yes" else []
    )


@pytest.mark.parametrize(
    ("total", "verdict"),
    [(6, "no"), (7, "cannot_tell"), (8, "yes"), (9, "yes")],
    ids=["6 s", "7 s", "8 s", "9 s"],
)
def test_a_transfer_around_seven_seconds_by_a_clock_of_whole_seconds(total: int, verdict: str, floor: Floor) -> None:
    """6.999, 7.000 and 7.001 s all show as 7 or so: it took between one second less and one more, and nobody can tell."""
    transfer(floor, total, precision_ms=1000)
    (ended,) = floor.made(facts.TransferEnded)
    assert (ended.slow, ended.total_s, ended.precision_ms) == (verdict, total, 1000)
    (view,) = floor.engine.floor_view().transfers
    assert (view.slow, view.precision_ms) == (verdict, 1000)
    raised = floor.flags("slow_transfer")
    assert [(f.raised_at - f.started_at).total_seconds() for f in raised] == ([8.0] if total > 8 else [])
    assert all(flag.precision_ms == 1000 for flag in raised)


@pytest.mark.parametrize(
    ("end", "outcome"), [("failed", "failed"), ("cancelled", "cancelled"), ("customer", "abandoned")]
)
def test_a_transfer_that_fails_or_whose_customer_hangs_up_is_a_case(end: str, outcome: str, floor: Floor) -> None:
    """Not a missing value: it has an outcome, no total, and was slow if it ran so long."""
    transfer(floor, 9.0, end=end)
    (ended,) = floor.made(facts.TransferEnded)
    assert (ended.outcome, ended.total_s, ended.bridged_at) == (outcome, None, None)
    (view,) = floor.engine.floor_view().transfers
    assert (view.outcome, view.slow) == (outcome, "yes")
    assert len(floor.flags("slow_transfer")) == 1


# ---------------------------------------------------------------- counting and clocks


def test_an_agent_in_two_queues_is_counted_once(floor: Floor) -> None:
    """In each queue's own staff, and once on the floor."""
    floor.say(1, "agent_logged_on", agent_id="7", queues=["sales", "support"])
    view = floor.engine.floor_view()
    assert {queue.queue: queue.agents for queue in view.queues} == {"sales": {"ready": 1}, "support": {"ready": 1}}
    assert len(view.agents) == 1
    floor.say(10, "agent_not_ready", agent_id="7", reason="tea")
    intervals = [one for one in floor.made(facts.AgentInterval) if one.state == "ready"]
    assert [one.duration_s for one in intervals] == [9.0]


@pytest.mark.parametrize("skew", [0.0, 3600.0, -3600.0])
def test_a_switch_whose_clock_is_off_is_flagged_when_it_should_be(skew: float) -> None:
    """7 s are seven seconds, and the flag is there when they have passed, not an hour sooner or later."""
    floor = Floor()

    def say(second: float, what: str, /, **data: Any) -> None:
        floor.feed(cloud(what, data, at_s=second + skew, id=str(floor.offset)), received_s=second + 0.01)

    say(1, "agent_logged_on", agent_id="7")
    say(2, "call_started", call_id="a")
    say(10, "transfer_requested", transfer_id="t", call_id="a", kind="blind", from_agent="7")
    floor.mark(16.9)
    assert not floor.flags("slow_transfer")
    floor.mark(17.1)
    (flag,) = floor.flags("slow_transfer")
    assert flag.raised_at == T0 + timedelta(seconds=17 + skew)
    (site,) = floor.engine.floor_view().sites
    assert site.skew_s == pytest.approx(-skew, abs=0.05)


def test_a_switch_whose_clock_is_set_is_no_storm_of_flags(floor: Floor) -> None:
    """Nine calls wait, four agents talk; the clock goes an hour ahead, later back."""
    for number in range(9):
        floor.say(1 + number, "call_queued", call_id=f"c{number}", queue="sales")
    floor.mark(25)
    before = len(floor.made(facts.FlagRaised))
    for second in range(25, 45):
        value = cloud(
            "agent_ready", {"agent_id": str(second)}, at_s=second + (3600 if second >= 30 else 0), id=str(second)
        )
        floor.feed(value, received_s=second + 0.01)
        floor.mark(second + 0.5)
    raised = [flag for flag in floor.made(facts.FlagRaised)[before:] if flag.rule != "ready_but_not_offered"]
    assert {flag.rule for flag in raised} <= {"long_wait", "no_ready_agent"}
    for flag in raised:
        assert (flag.raised_at - flag.started_at).total_seconds() < 60
    assert floor.engine.floor_view().sites[0].clock_jumps == 1
    assert floor.engine.anomalies(SITE).get("clock_jump") == 1


def test_no_word_from_the_switch_reads_as_no_data_and_not_as_no_calls() -> None:
    """A connector that could not log in: the site is there, its link never came up."""
    floor = Floor()
    floor.feed(cloud("link_down", {"connector": "c1", "reason": "Authentication failed"}, at_s=1, id="x"), received_s=1)
    (site,) = floor.engine.floor_view().sites
    assert (site.link, site.link_reason) == ("down", "Authentication failed")
    assert floor.machine.clocks[SITE].mark(T0 + timedelta(seconds=5)) is None  # and no clock goes on


HOSTILE = {
    "trailing comma and // notes": test_samples_with_trailing_commas_and_notes_are_a_clear_error,
    "case drift": test_case_drift_is_named_and_not_guessed,
    "an event without a timestamp": test_an_event_without_a_timestamp_is_refused_with_the_word_for_it,
    "datacontenttype holding a date": test_a_content_type_that_is_a_date_is_named,
    "disconnect before enqueue": test_the_end_of_a_call_before_its_beginning_leaves_no_ghost,
    "duplicated delivery": test_duplicated_delivery_for_one_agent_counts_once,
    "reordered delivery": test_reordered_delivery_for_one_agent_ends_in_the_same_state,
    "heartbeat after log-off": test_a_heartbeat_after_the_log_off_brings_nobody_back,
    "heartbeat absent": test_a_promise_that_is_not_kept_makes_an_agent_unknown,
    "ghosts": test_a_snapshot_from_outside_sweeps_ghosts,
    "6.999 / 7.000 / 7.001 s by microseconds": test_a_transfer_around_seven_seconds_by_a_clock_of_microseconds,
    "6.999 / 7.000 / 7.001 s by whole seconds": test_a_transfer_around_seven_seconds_by_a_clock_of_whole_seconds,
    "a transfer that fails or is abandoned": test_a_transfer_that_fails_or_whose_customer_hangs_up_is_a_case,
    "agent in two queues": test_an_agent_in_two_queues_is_counted_once,
    "clock skew": test_a_switch_whose_clock_is_off_is_flagged_when_it_should_be,
    "a clock that is set": test_a_switch_whose_clock_is_set_is_no_storm_of_flags,
    "wrong password": test_no_word_from_the_switch_reads_as_no_data_and_not_as_no_calls,
}


def test_every_hostile_input_has_its_test() -> None:
    tests = {name for name, value in globals().items() if name.startswith("test_") and callable(value)}
    assert tests - {"test_every_hostile_input_has_its_test"} == {one.__name__ for one in HOSTILE.values()}
