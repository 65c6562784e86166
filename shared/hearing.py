"""Up to when a reader knows all that its partitions hold: the broker said so, and what it told was taken."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, Generic, NamedTuple, TypeVar

P = TypeVar("P", bound=Hashable)

LATE_S: Final = 0.15  # what an answer may take on a busy machine besides what the broker was told to wait
DOUBT_S: Final = 1.0  # after so long without an answer the embedded broker may tell of less than it has


class Answer(NamedTuple):
    """What the broker said last of a partition: `stamp` is another one for each answer, None before the first.

    `all_read`: nothing of what it has is left to be handed out.
    """

    stamp: object
    all_read: bool


class _Place:
    """`asked` is when the newest answer was asked for at the earliest: the client asks again when it has the answer before, and
    has handed out all that was in it (`emptied`)."""

    __slots__ = ("all_read", "answered", "applied", "asked", "emptied", "handed_out", "stamp")

    def __init__(self, now: float) -> None:
        self.stamp: object = None
        self.all_read = True
        self.asked = self.answered = self.emptied = self.handed_out = self.applied = now


class Hearing(Generic[P]):
    """Times are monotonic seconds. Told when records are handed out, and when they are applied: who asks for more has done so.

    An answer alone is not enough: the clock of who reads must not run ahead of records that were told and wait their turn. And
    one that was long on its way tells what there was when it was asked for, not when it came. A broker that is not `certain`
    may tell of less than it has: after a silence its answers count when the reader has all up to the ends that it names, too;
    `doubted` are the partitions of which that is not known yet.
    """

    def __init__(
        self, places: Iterable[P], answer_of: Callable[[P], Answer], now: float, *, certain: bool = True
    ) -> None:
        self._answer_of = answer_of
        self._certain = certain
        self.doubted: set[P] = set()
        self._places = {place: _Place(now) for place in places}
        self._looked = now
        self._at_work = False

    def handed_out(self, now: float) -> None:
        """Records were, and are being applied."""
        self._hear(now)
        self._at_work = True

    def applied(self) -> None:
        """All of them are."""
        self._at_work = False
        for known in self._places.values():
            known.applied = known.handed_out

    def settled(self, places: Iterable[P], asked: float) -> None:
        """Of these the reader has taken what there was when the broker was `asked` for their ends, and applied it."""
        for place in places:
            if self._answer_of(place).all_read:
                self.doubted.discard(place)
                known = self._places[place]
                known.handed_out = max(known.handed_out, asked)

    def overdue_s(self, now: float, wait_s: float) -> float:
        """For how long a partition's answer is overdue, the longest of all; the broker may wait `wait_s` with each.

        To be called often: an answer is taken to have come when it is seen first.
        """
        self._hear(now)
        if not self._at_work:
            self.applied()
        oldest = min((known.applied for known in self._places.values()), default=now)
        return max(0.0, now - oldest - 2 * wait_s - LATE_S)

    def _hear(self, now: float) -> None:
        for place, known in self._places.items():
            stamp, all_read = self._answer_of(place)
            if stamp != known.stamp:
                if not self._certain and now - known.answered > DOUBT_S:
                    self.doubted.add(place)
                known.stamp, known.asked, known.answered = stamp, max(known.answered, known.emptied), now
            elif all_read and not known.all_read:
                known.emptied = self._looked
            known.all_read = all_read
            if all_read and place not in self.doubted:
                known.handed_out = max(known.handed_out, known.asked)
        self._looked = now


def hearing_of(consumer: Any, places: Iterable[P], now: float, *, certain: bool) -> Hearing[P]:
    """What an AIOKafkaConsumer knows of these partitions, which are to be assigned to it."""

    def answer_of(place: P) -> Answer:
        told = consumer._subscription.subscription.assignment.state_value(place)  # it has words for half of it
        all_read = told.has_valid_position and told.highwater is not None and told.position >= told.highwater
        return Answer(told.timestamp, all_read)

    return Hearing(places, answer_of, now, certain=certain)
