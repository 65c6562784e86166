"""Up to when a reader knows all: no answer, an answer whose records wait, and one that holds not all of them are told apart."""

from __future__ import annotations

import pytest

from shared.hearing import LATE_S, Answer, Hearing

WAIT_S = 0.02
ALLOWED_S = 2 * WAIT_S + LATE_S


class Partitions:
    """What the broker said of two partitions, and a reader's hearing of it."""

    def __init__(self, *, certain: bool = True) -> None:
        self.said = {"north": Answer(None, False), "south": Answer(None, False)}
        self.answers = 0
        self.hearing = Hearing(self.said, self.said.__getitem__, 0.0, certain=certain)

    def answer(self, *places: str, all_read: bool = True) -> None:
        self.answers += 1
        for place in places:
            self.said[place] = Answer(self.answers, all_read)

    def answers_come(self, now: float) -> None:
        """Two, of which the later was asked for now."""
        for _ in range(2):
            self.answer("north", "south")
            self.overdue_s(now)

    def read(self, *places: str) -> None:
        for place in places:
            self.said[place] = Answer(self.said[place].stamp, True)

    def overdue_s(self, now: float) -> float:
        return self.hearing.overdue_s(now, WAIT_S)


@pytest.fixture
def log() -> Partitions:
    log = Partitions()
    log.answers_come(10.0)
    assert log.overdue_s(10.0) == 0.0
    return log


def test_nothing_is_overdue_while_answers_come(log: Partitions) -> None:
    for tick in range(100):
        log.answer("north", "south")
        assert log.overdue_s(10 + tick * 0.1) == 0.0


def test_without_an_answer_all_since_the_last_one_is_unknown(log: Partitions) -> None:
    assert log.overdue_s(10 + ALLOWED_S) == pytest.approx(0.0)
    assert log.overdue_s(15.0) == pytest.approx(5 - ALLOWED_S)


def test_an_answer_that_was_long_on_its_way_tells_what_there_was_when_it_was_asked_for(log: Partitions) -> None:
    assert log.overdue_s(17.0) > 6
    log.answer("north", "south")  # asked for at 10
    assert log.overdue_s(17.0) == pytest.approx(7 - ALLOWED_S)
    log.answer("north", "south")  # asked for when that one had come
    assert log.overdue_s(17.02) == 0.0


def test_of_an_uncertain_broker_answers_after_a_silence_count_when_its_ends_are_known() -> None:
    log = Partitions(certain=False)
    log.answers_come(0.5)
    assert log.overdue_s(0.5) == 0.0
    assert not log.hearing.doubted
    for _ in range(5):
        log.answers_come(7.0)  # "nothing more is there", from before the silence
    assert log.hearing.doubted == {"north", "south"}
    assert log.overdue_s(7.0) > 6
    log.answer("south", all_read=False)  # more came
    log.hearing.settled(["north", "south"], 7.1)
    assert log.hearing.doubted == {"south"}
    assert log.overdue_s(7.1) > 6
    log.read("south")
    log.hearing.settled(["south"], 7.2)
    assert log.overdue_s(7.2) == 0.0


def test_one_silent_partition_is_enough(log: Partitions) -> None:
    log.answer("north")
    log.overdue_s(15.0)
    log.answer("north")
    assert log.overdue_s(15.0) == pytest.approx(5 - ALLOWED_S)
    log.answers_come(15.0)
    assert log.overdue_s(15.0) == 0.0


def test_an_answer_counts_only_when_its_records_are_applied(log: Partitions) -> None:
    log.overdue_s(14.9)
    log.answer("north", "south")
    log.overdue_s(14.95)
    log.answer("north", "south", all_read=False)  # it came, and who reads has not had its turn
    assert log.overdue_s(15.0) > 4
    log.read("north", "south")
    log.hearing.handed_out(15.0)
    assert log.overdue_s(15.0) > 4, "they are being applied"
    log.hearing.applied()
    assert log.overdue_s(15.0) == 0.0


def test_what_came_while_records_were_applied_waits_its_turn(log: Partitions) -> None:
    log.hearing.handed_out(10.1)
    log.answers_come(15.0)
    assert log.overdue_s(15.0) > 4
    log.hearing.applied()
    assert log.overdue_s(15.0) == 0.0


def test_an_answer_that_holds_a_part_of_what_is_there_tells_nothing(log: Partitions) -> None:
    for _ in range(2):
        log.answer("north")
        log.answer("south", all_read=False)
        log.hearing.handed_out(15.0)  # the reader took of south what it was given, and more is there
        log.hearing.applied()
    assert log.overdue_s(15.0) == pytest.approx(5 - ALLOWED_S)
    log.answers_come(15.1)
    assert log.overdue_s(15.1) == 0.0


def test_an_answer_after_records_was_asked_for_when_they_had_been_handed_out() -> None:
    """Until then the client asks for no more of the partition; a reader that pauses does so for seconds."""
    log = Partitions()
    log.answers_come(10.0)
    log.answer("north", "south", all_read=False)
    assert log.overdue_s(10.1) == 0.0
    log.hearing.handed_out(13.0)
    log.read("north", "south")
    log.hearing.handed_out(13.1)
    log.hearing.applied()
    log.answer("north", "south")  # asked for at 13 at the earliest, which is when it was looked last
    assert log.overdue_s(15.0) == pytest.approx(2 - ALLOWED_S)


def test_an_answer_that_was_on_its_way_beside_records_of_another_partition_is_none_of_later() -> None:
    log = Partitions()
    log.answers_come(10.0)
    log.answer("north", all_read=False)
    log.hearing.handed_out(13.0)
    log.read("north")
    log.hearing.handed_out(13.1)
    log.hearing.applied()
    log.answer("north", "south")  # of south it may have been asked for at 10
    assert log.overdue_s(15.0) == pytest.approx(5 - ALLOWED_S)
