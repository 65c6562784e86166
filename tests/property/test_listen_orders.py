"""What the relay knows from its orders is the same from any beginning, and whatever comes twice or out of order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.monitor.listen.contract import ForkEnded, Order, decode_order, order
from services.monitor.listen.relay.orders import KEEP, Orders
from shared.codec import encode
from shared.envelope import Data
from tests.relaykit import forked, listened

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)

forks = st.sampled_from(["f1", "f2", "f3"])
data: st.SearchStrategy[Data] = st.one_of(
    st.builds(lambda fork_id: forked(fork_id, NOW), forks),
    st.builds(lambda fork_id: ForkEnded(fork_id=fork_id, reason="over"), forks),
    st.builds(
        lambda listen_id, version: listened(
            listen_id, NOW, version=version, fork_id=f"f{version % 3 + 1}", state="ended" if version > 8 else "live"
        ),
        st.sampled_from(["l1", "l2"]),
        st.integers(1, 9),
    ),
)


def made(found: list[Data]) -> list[Order]:
    return [
        decode_order(encode(order(one, id=str(number), source="/test", site="hq", time=NOW)))
        for number, one in enumerate(found)
    ]


def state(orders: list[Order]) -> tuple[object, object]:
    known = Orders()
    for one in orders:
        known.apply(one)
    return known.forks, known.listens


@given(st.lists(data, max_size=20), st.data())
def test_order_and_repetition_change_nothing(found: list[Data], choice: st.DataObject) -> None:
    records = made(found)
    again = choice.draw(st.permutations(records)) + choice.draw(st.permutations(records))
    assert state(records) == state(again)


@given(st.lists(data, max_size=20), st.integers(0, 20))
def test_a_reader_that_begins_anew_ends_where_it_was(found: list[Data], broke_at: int) -> None:
    records = made(found)
    assert state(records) == state(records[:broke_at] + records)


@given(st.lists(data, max_size=20))
def test_the_newest_order_of_a_listen_counts_and_an_ended_fork_stays_so(found: list[Data]) -> None:
    known = Orders()
    newest: dict[str, int] = {}
    ended: set[str] = set()
    for one in made(found):
        before = (set(known.forks), dict(known.listens))
        if not known.apply(one):
            after = (set(known.forks) - ended, known.listens)  # one that was ended before is only remembered
            assert (before[0] - ended, before[1]) == after
        if isinstance(one.data, ForkEnded):
            ended.add(one.data.fork_id)
        elif hasattr(one.data, "version"):
            newest[one.data.listen_id] = max(newest.get(one.data.listen_id, 0), one.data.version)  # type: ignore[attr-defined]
        assert {name: one.listen.version for name, one in known.listens.items()} == newest
        assert {name for name, one in known.forks.items() if one.ended} == ended & set(known.forks)


def test_what_is_over_for_long_is_forgotten() -> None:
    known = Orders()
    for one in made([forked("f1", NOW), listened("l1", NOW, until=NOW), listened("l2", NOW, until=NOW + 2 * KEEP)]):
        known.apply(one)
    known.forget(NOW + KEEP)
    assert (set(known.forks), set(known.listens)) == ({"f1"}, {"l1", "l2"})
    known.forget(NOW + KEEP + timedelta(seconds=1))
    assert (set(known.forks), set(known.listens)) == (set(), {"l2"})
