"""New agents on outbound calls are to be heard: by whom, and which calls are outbound."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.core.views import CallView
from services.monitor.rulefile import load_rulebook
from shared.events import (
    AgentLoggedOn,
    CallCleared,
    CallQueued,
    CallStarted,
    CommandAnswered,
    LegStarted,
    ListenEnded,
    ListenStarted,
)
from shared.facts import FlagRaised
from shared.siteconfig import QueueConfig, SiteConfig, Sites
from tests.floorkit import SITE, Bench, at
from tests.unit.test_rules_at_work import CONFIG, book, on_a_call

RULES = Path(__file__).parents[2] / "deploy" / "rules.yaml"


def test_a_new_agent_whom_a_listener_of_ours_hears_is_not_alone() -> None:
    book_ = load_rulebook(Path(__file__).parents[2] / "deploy" / "rules.yaml")
    floor = Bench(
        RuleBook(tuple(rule for rule in book_.rules if "listen" in rule.name or "alone" in rule.name)), CONFIG
    )
    on_a_call(floor, 0, direction="outbound")
    said = CommandAnswered(command_id="k", action="listen_start", outcome="taken", fork_id="f")
    floor(20, said, ListenStarted(listen_id="l", call_id="c", agent_id="1", ticket="f"))
    floor(100, ListenEnded(listen_id="l"))
    floor(110, ListenStarted(listen_id="m", call_id="c", agent_id="1"))
    floor(120, ListenEnded(listen_id="m"))
    floor(200, CallCleared(call_id="c"))
    raised = [(flag.rule, (flag.raised_at - at(0)).total_seconds()) for flag in floor.made(FlagRaised)]
    assert raised == [("unordered_listen", 110.0), ("new_agent_alone", 150.0)]


@pytest.mark.parametrize("first", ["call", "leg"])
@pytest.mark.parametrize("told", ["inbound", "outbound", "internal"])
def test_a_queue_may_say_what_its_calls_are(told: str, first: str) -> None:
    config = Sites({SITE: SiteConfig(queues={"dialler": QueueConfig(direction="outbound"), "sales": QueueConfig()})})
    floor = Bench(book('direction == "outbound"'), config)
    begun = CallStarted(call_id="c", direction=told)  # type: ignore[arg-type]
    leg = LegStarted(call_id="c", leg_id="l", agent_id="1", queue="dialler", state="talking")
    floor(0, AgentLoggedOn(agent_id="1"), *((begun, leg) if first == "call" else (leg, begun)))
    floor(1, CallQueued(call_id="c", queue="sales"))
    floor.mark(2)
    call = floor.engine.view("call", SITE, "c")
    assert isinstance(call, CallView)
    assert call.direction == ("internal" if told == "internal" else "outbound")
    assert bool(floor.made(FlagRaised)) is (told != "internal")
