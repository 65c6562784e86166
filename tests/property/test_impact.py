"""What an incident touched: counted once, whatever order its flags came in."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core.impact import impact_of
from services.alerts.core.incident import Clearing, Flag
from tests.flagkit import BRIDGED, T0, TRANSFER, clearing, flag

Pair = tuple[Flag, Clearing | None]


@st.composite
def pairs(draw: st.DrawFn) -> list[Pair]:
    found: list[Pair] = []
    for number in range(draw(st.integers(0, 8))):
        started = T0 + timedelta(seconds=draw(st.integers(0, 60)))
        raised = started + timedelta(seconds=draw(st.integers(0, 20)))
        one = flag(
            f"f{number}",
            draw(st.sampled_from("abc")),
            subject="call",
            started=started,
            raised=raised,
            labels={"queue": draw(st.sampled_from(["sales", "support", ""]))},
            evidence={"from_number": draw(st.sampled_from(["", "+•••5678", "+•••1234"]))},
        )
        ended = draw(st.one_of(st.none(), st.integers(0, 60)))
        over = None if ended is None else clearing(one.flag_id, cleared=started + timedelta(seconds=ended), evidence={})
        found.append((one, over))
    return found


@given(pairs())
def test_time_is_counted_as_on_a_clock_of_seconds(found: list[Pair]) -> None:
    impact = impact_of(found)
    seconds = []
    for one, over in found:
        lasted = ((over.cleared if over else one.raised) - one.started).total_seconds()
        seconds.append({one.started + timedelta(seconds=n) for n in range(int(lasted))})
    assert impact.held_s == sum(map(len, seconds))
    assert impact.lasted_s == len(set().union(*seconds))
    assert impact.open_ended == sum(over is None for _, over in found)


@given(pairs(), st.randoms())
def test_the_order_in_which_flags_came_changes_no_number(found: list[Pair], random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = impact_of(found), impact_of(shuffled)
    assert (set(one.calls), set(one.queues), one.customers) == (set(other.calls), set(other.queues), other.customers)
    assert (one.lasted_s, one.held_s, one.flags) == (other.lasted_s, other.held_s, other.flags)
    assert len(one.calls) == len(set(one.calls))


def test_a_slow_transfer_touched_a_call_two_agents_and_a_customer_who_heard_nobody() -> None:
    seen = TRANSFER | {"from_number": "+•••5678"}
    impact = impact_of([(flag(evidence=seen), clearing())])
    assert impact.calls == ("c1",)
    assert impact.customers == 1
    assert impact.agents == ("1001", "1002")
    assert impact.queues == ("sales",)
    assert (impact.transfers, impact.unheard_s, impact.open_ended) == (1, BRIDGED["customer_gap_s"], 0)
    assert impact.lasted_s == impact.held_s == 9.3


def test_nothing_touched_nobody() -> None:
    impact = impact_of([])
    assert (impact.flags, impact.calls, impact.customers, impact.lasted_s, impact.unheard_s) == (0, (), 0, 0.0, None)
