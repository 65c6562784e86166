"""A rule that is taken out of the rule book and put back."""

from __future__ import annotations

from services.monitor.core.rules.rulebook import RuleBook
from shared import events, facts
from tests.floorkit import Bench, rule

TALK = RuleBook((rule("long_talk", "agent", 60, state="talk"),))


def test_a_rule_that_comes_back_raises_no_flag_under_an_id_that_was_cleared() -> None:
    bench = Bench(TALK)
    bench(0, events.LinkUp(connector="test"), events.AgentLoggedOn(agent_id="1"))
    bench(1, events.LegStarted(call_id="c", leg_id="l", agent_id="1", role="agent", state="talking"))
    made = bench.mark(100)
    made += bench.engine.use_rules(RuleBook(()))
    made += bench.engine.use_rules(TALK)
    made += bench.mark(200)
    raised = [one.data.flag_id for one in made if isinstance(one.data, facts.FlagRaised)]
    cleared = [one.data.flag_id for one in made if isinstance(one.data, facts.FlagCleared)]
    assert len(raised) == len(set(raised)) == 2, "what still holds is flagged again, as something new"
    assert cleared == raised[:1]


def test_what_rules_that_are_gone_told_is_forgotten_with_its_subject() -> None:
    bench = Bench(RuleBook((rule("long_wait", "call", 30, state="queued"),)))
    bench(0, events.LinkUp(connector="test"), events.CallQueued(call_id="c", queue="sales"))
    bench.mark(40)
    bench.engine.use_rules(RuleBook(()))
    bench(50, events.CallCleared(call_id="c"))
    (floor,) = bench.engine._floors.values()
    assert not any(floor.state.told.values())


def test_rules_that_are_gone_do_not_pile_up() -> None:
    bench = Bench(RuleBook(()))
    bench(0, events.LinkUp(connector="test"), events.CallQueued(call_id="c", queue="sales"))
    for number in range(500):
        bench.engine.use_rules(RuleBook((rule(f"wait{number}", "call", 1, state="queued"),)))
        bench.mark(10 + number)
    (floor,) = bench.engine._floors.values()
    assert len(floor.state.told) <= 101
