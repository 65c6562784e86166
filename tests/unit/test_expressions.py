"""Conditions: what they mean, what they refuse, and that they can do nothing but compare."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.core.rules.expressions import LONGEST, Condition, ExpressionError, Field, any_of, compile_all
from services.monitor.core.rules.rulefields import AGENT_STATES
from services.monitor.core.rules.rulefields import FIELDS as AGENT_FIELDS
from services.monitor.core.state import Agent
from tests.floorkit import START

FIELDS = {
    "state": Field("text", values=frozenset({"ready", "talk", "hold", "wrap"})),
    "reason": Field("text"),
    "listened": Field("flag"),
    "tags": Field("texts"),
    "waiting": Field("number"),
    "ready": Field("number"),
    "rate": Field("number", optional=True),
    "attr_": Field("text", optional=True),
}
FACTS: dict[str, Any] = {
    "state": "talk",
    "reason": "",
    "listened": False,
    "tags": ("new_agent", "night"),
    "waiting": 3,
    "ready": 0,
    "rate": 0.5,
    "attr_priority": "2",
    "attr_none": None,
}


def compiled(text: str) -> Condition:
    return compile_all([text], FIELDS)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('state == "talk"', True),
        ('"talk" == state', True),
        ('state != "talk"', False),
        ('state in ["talk", "hold"]', True),
        ('state not in ("talk", "hold")', False),
        ("listened", False),
        ("not listened", True),
        ("listened == false and not (listened == true)", True),
        ('"new_agent" in tags', True),
        ('"new_agent" not in tags', False),
        ("state in tags", False),
        ("waiting > 0 and ready == 0", True),
        ("0 < waiting <= 3", True),
        ("not 0 < waiting <= 2", True),
        ("not waiting >= 3", False),
        ("not waiting <= 3", False),
        ("not waiting > 3", True),
        ("not waiting < 3", True),
        ("waiting / 2 == 1.5 and waiting * 2 - 1 == 5 and -waiting < 0", True),
        ("waiting == 4 or (ready == 0 and not listened)", True),
        ("waiting in [1, 2, 3]", True),
        ('attr_priority == "2"', True),
        ("rate >= 0.5", True),
    ],
)
def test_an_expression_means_what_it_says(text: str, holds: bool) -> None:
    assert bool(compiled(text).holds(FACTS)) is holds


@pytest.mark.parametrize(
    "text",
    [
        "rate > 0.1",
        "rate <= 0.1",
        "not rate > 0.1",
        "not (rate > 0.1 or waiting > 100)",
        "rate == 0",
        "rate != 0",
        "rate + waiting > 0",
        "rate in [0, 1]",
        "rate not in [0, 1]",
        "waiting / rate > 0",
        'attr_none != "2"',
        'attr_none == "2"',
        'not attr_none in ["2"]',
    ],
)
def test_what_does_not_exist_compares_with_nothing(text: str) -> None:
    assert not compiled(text).holds({**FACTS, "rate": None})


def test_one_part_that_does_not_exist_leaves_the_others_alone() -> None:
    assert compiled("rate > 0.9 or waiting == 3").holds({**FACTS, "rate": None})


def test_dividing_by_nothing_does_not_hold_and_does_not_fail() -> None:
    for text in ("waiting / ready > 0", "not waiting / ready > 0", "1 / (waiting - 3) > 0"):
        assert not compiled(text).holds(FACTS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "stat == 'talk'",
            "there is no `stat`; there is attr_NAME, listened, rate, ready, reason, state, tags, waiting",
        ),
        ('state == "talkk"', "state is never 'talkk'; it is one of hold, ready, talk, wrap"),
        ('"talkk" == state', "state is never 'talkk'"),
        ('state in ["talk", "held"]', "state is never 'held'"),
        ("state == 3", "`state` is a text and `3` is a number: they cannot be compared"),
        ('waiting > "3"', "they cannot be compared"),
        ('state > "a"', "`state` is a text, which `>` cannot compare"),
        ("waiting", "`waiting` is a number and no condition; compare it"),
        ('"talk"', "is a text and no condition"),
        ("true", "no condition"),
        ('state = "talk"', "cannot be read: write == to compare"),
        ('state == "talk" listened', "cannot be read: invalid syntax, at character"),
        ('state == "talk" and', "cannot be read: something is missing at its end"),
        ('state == "talk" && listened', "write `and`, `or`, `not`"),
        ("waiting >", "cannot be read: something is missing at its end"),
        ("", "cannot be read"),
        ("len(tags) > 1", "`len(tags)` is not part of the language"),
        ("tags[0] == 'x'", "is not part of the language"),
        ("state.upper() == 'X'", "is not part of the language"),
        ("waiting ** 9 > 1", "is not part of the language"),
        ("[x for x in tags]", "is not part of the language"),
        ("lambda: 1", "is not part of the language"),
        ("__import__('os')", "is not part of the language"),
        ("waiting if listened else ready", "is not part of the language"),
        ("state is 'talk'", "write == or !="),
        ("reason + 1 > 2", "only numbers can be reckoned with"),
        ("reason in reason", "`in` asks whether a value is in a list"),
        ("tags == tags", "a list of texts, which `==` cannot compare"),
        ("waiting > 1e99", "too large a number"),
        ("waiting in [1, 'a']", "texts only, or numbers only"),
        ("waiting in []", "texts only, or numbers only"),
        ("'a' * 9 == reason", "only numbers can be reckoned with"),
        ("(" * 400 + "listened" + ")" * 400, "cannot be read"),
        ("waiting > 1" + " or waiting > 1" * LONGEST, "at most"),
    ],
)
def test_what_is_wrong_is_said_and_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as error:
        compiled(text)
    assert says in str(error.value)


def test_quotes_and_backslashes_stay_within_their_text() -> None:
    nasty = "');__import__('os').system('x')#\\"
    assert compile_all([f"reason == {nasty!r}"], FIELDS).holds({"reason": nasty})


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ('state == "talk"', {"talk"}),
        ('state in ["talk", "hold"] and waiting > 0', {"talk", "hold"}),
        ('state != "talk"', {"ready", "hold", "wrap"}),
        ('not (state == "talk" or listened)', {"ready", "hold", "wrap"}),
        ('state == "talk" or state == "wrap"', {"talk", "wrap"}),
        ('state == "talk" or listened', {"ready", "talk", "hold", "wrap"}),
        ('state == "talk" and state == "hold"', set()),
        ("waiting > 0", {"ready", "talk", "hold", "wrap"}),
    ],
)
def test_it_is_known_in_which_states_a_condition_may_hold(text: str, states: set[str]) -> None:
    found = compiled(text)
    assert {state for state in FIELDS["state"].values or () if found.may_hold("state", state)} == states


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("waiting > 60", {60.0}),
        ("60 < waiting <= 2 * 60 - 1", {60.0, 119.0}),
        ("waiting > 60 and ready == 0 or not waiting < -5 / 2", {60.0, -2.5}),
        ("ready == 0", set()),
        ("waiting > ready", None),
        ("waiting + 1 > 60", None),
        ("waiting in [60]", None),
        ("waiting > 60 or waiting > rate", None),
    ],
)
def test_it_is_known_where_a_growing_number_may_change_the_answer(text: str, numbers: set[float] | None) -> None:
    assert compiled(text).crossings("waiting") == numbers


def test_the_fields_that_are_read_are_known() -> None:
    assert compiled('state == "talk" and waiting - ready > 1').names == {"state", "waiting", "ready"}


leaves = st.sampled_from(
    [
        "waiting > 1",
        "waiting >= 2",
        "ready <= 2",
        "rate < 0.5",
        "listened",
        'state == "talk"',
        'state not in ["talk", "wrap"]',
        "ready == waiting",
        "ready != 1",
        '"x" in tags',
    ]
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) and ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) or ({two[1]})"),
    ),
    max_leaves=12,
)


@given(
    trees,
    st.fixed_dictionaries(
        {
            "waiting": st.integers(0, 3),
            "ready": st.integers(0, 3),
            "rate": st.floats(0, 1),
            "listened": st.booleans(),
            "state": st.sampled_from(["ready", "talk", "hold", "wrap"]),
            "tags": st.sampled_from([(), ("x",)]),
        }
    ),
)
def test_with_every_value_there_it_means_what_python_means(text: str, facts: dict[str, Any]) -> None:
    found = compiled(text)
    assert bool(found.holds(facts)) is bool(eval(text, {}, facts))
    if found.holds(facts):
        assert found.may_hold("state", facts["state"])


@given(
    st.sampled_from(
        [
            'state == "talk" and listened',
            'state != "talk" or missed_in_row >= 1',
            'missed_in_row >= 1 and state not in ["offline", "break"]',
            'state == "wrap"',
            'not (state == "talk" or flapping) and "x" in tags',
            '(missed_in_row >= 1 or "x" in tags) and listened',
            'direction == "outbound" or listened and state == "hold"',
        ]
    ),
    st.sampled_from(AGENT_STATES),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1),
    st.sampled_from([(), ("x",)]),
)
def test_what_is_left_to_ask_in_a_state_is_the_same_question(
    text: str, state: Any, listened: bool, flapping: bool, missed: int, tags: tuple[str, ...]
) -> None:
    found = compile_all([text], AGENT_FIELDS["agent"])
    agent = Agent("1", state, START, START, listeners=["l"] * listened, missed_in_row=missed)
    agent.flapping_since = START if flapping else None
    facts = {"tags": tags, "direction": ""}
    holds = bool(found.holds(facts, agent))
    if not found.may_hold("state", state):
        assert not holds
        return
    left = found.given("state", state)
    assert "state" not in left.names
    assert bool(left.holds(facts, agent)) is holds
    assert left.foretold().direct
    if holds:
        assert left.foretold().holds(None, agent)
        assert any_of([compile_all(["missed_in_row > 5"], AGENT_FIELDS["agent"]), left]).holds(facts, agent)
    if left.always:
        assert holds


def test_of_no_conditions_none_holds() -> None:
    assert not any_of([]).holds(None, None)
