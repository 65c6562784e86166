from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sequence import SequenceCheck

Arrivals = st.lists(st.tuples(st.sampled_from(("a", "b")), st.integers(0, 30)), max_size=60)


@given(Arrivals)
def test_each_number_passes_at_most_once_and_in_order(arrivals: list[tuple[str, int]]) -> None:
    check = SequenceCheck()
    passed: dict[str, list[int]] = {"a": [], "b": []}
    for connector, seq in arrivals:
        if not check.check("s", connector, "x", seq).duplicate:
            passed[connector].append(seq)
    for seqs in passed.values():
        assert seqs == sorted(set(seqs))


@given(Arrivals)
def test_passed_and_missed_account_for_every_number(arrivals: list[tuple[str, int]]) -> None:
    check = SequenceCheck()
    passed: dict[str, list[int]] = {"a": [], "b": []}
    missed = {"a": 0, "b": 0}
    for connector, seq in arrivals:
        verdict = check.check("s", connector, "x", seq)
        if not verdict.duplicate:
            passed[connector].append(seq)
            missed[connector] += verdict.missed
    for connector, seqs in passed.items():
        if seqs:
            assert len(seqs) + missed[connector] == seqs[-1] - seqs[0] + 1


@given(Arrivals, st.integers(0, 60))
def test_a_restart_changes_nothing(arrivals: list[tuple[str, int]], at: int) -> None:
    whole, parts = SequenceCheck(), SequenceCheck()
    for index, (connector, seq) in enumerate(arrivals):
        if index == at:
            restarted = SequenceCheck()
            restarted.load(parts.dump())
            parts = restarted
        assert whole.check("s", connector, "x", seq) == parts.check("s", connector, "x", seq)
