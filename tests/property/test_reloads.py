"""Checkpoints in a history in which clocks are set and rules are exchanged: going on from one is going on without it."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core.engine import Engine
from services.monitor.core.rules.rulebook import Rule, RuleBook, Summary
from shared import events
from shared.envelope import Data
from shared.facts import Fact, FlagRaised
from tests.floorkit import RULES, event, rule
from tests.property.histories import CONFIG, happenings


def link_rule(name: str, hold: float, link: str) -> Rule:
    return msgspec.structs.replace(rule(name, "site", hold, link=link), summary=Summary(en="{site}", zh="{site}"))


SILENT = link_rule("silent", 0, "down")
BOOKS = (
    RULES,
    RuleBook((*RULES.rules[1:], rule("long_talk", "agent", 20, state="talk"), SILENT)),
    RuleBook((SILENT, link_rule("heard", 0, "up"), link_rule("long_heard", 9, "up"))),
    RuleBook(()),
)

jumps = st.builds(events.ClockJumped, by_s=st.sampled_from([-3599.9, -60.3, -3.1, 3.3, 60.7, 3599.3]))
whats = st.one_of(happenings, happenings, happenings, happenings, jumps, st.integers(0, len(BOOKS) - 1))
steps = st.lists(st.tuples(st.one_of(st.integers(0, 40), st.integers(-5, 5)), whats), min_size=1, max_size=90)
History = list[tuple[int, Data | int]]


def _play(history: History, checkpoints: set[int]) -> tuple[Engine, list[Fact]]:
    engine, book, made = Engine(CONFIG, RULES), RULES, list[Fact]()
    now, newest_jump = 0.0, -1
    for number, (step, what) in enumerate(history):
        if number in checkpoints:
            saved = engine.dump()
            engine = Engine(CONFIG, book)
            engine.load(saved)
        if isinstance(what, int):
            book = BOOKS[what]
            made += engine.use_rules(book)
            continue
        now += step
        if isinstance(what, events.ClockJumped):
            now, newest_jump = now + what.by_s, number
        if isinstance(what, events.Clock):
            made += engine.apply(event(now, events.Clock(jump=newest_jump)))
        else:
            made += engine.apply(event(now, what, number))
    return engine, made


@settings(max_examples=200)
@given(steps, st.sets(st.integers(0, 90), max_size=8))
def test_a_checkpoint_among_set_clocks_and_new_rules_changes_nothing(history: History, checkpoints: set[int]) -> None:
    through, made = _play(history, set())
    restored, made_again = _play(history, checkpoints)
    assert made == made_again
    assert restored.dump() == through.dump()
    raised = [one.data.flag_id for one in made if isinstance(one.data, FlagRaised)]
    assert len(raised) == len(set(raised)), "the id of a flag comes once"
