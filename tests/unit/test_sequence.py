from __future__ import annotations

from services.ingest.sequence import SESSIONS_PER_SOURCE, SequenceCheck, Verdict


def test_a_source_is_site_and_connector() -> None:
    check = SequenceCheck()
    for site, connector in (("s1", "a"), ("s1", "b"), ("s2", "a")):
        assert check.check(site, connector, "x", 5) == Verdict(False, 0)
    assert check.check("s1", "a", "x", 5).duplicate


def test_a_jump_is_counted_with_its_size() -> None:
    check = SequenceCheck()
    check.check("s", "c", "x", 3)
    assert check.check("s", "c", "x", 7) == Verdict(False, 3)


def test_a_new_session_starts_anew() -> None:
    check = SequenceCheck()
    check.check("s", "c", "x", 100)
    assert check.check("s", "c", "y", 0) == Verdict(False, 0)
    assert check.check("s", "c", "x", 100).duplicate  # a late copy from before the restart


def test_records_without_a_number_always_pass() -> None:
    check = SequenceCheck()
    assert not any(check.check("s", "c", "x", None).duplicate for _ in range(3))


def test_old_sessions_are_forgotten() -> None:
    check = SequenceCheck()
    for number in range(1000):
        check.check("s", "c", f"session {number}", 0)
    assert len(check.dump()) < 60 * SESSIONS_PER_SOURCE
