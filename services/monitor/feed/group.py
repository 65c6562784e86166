"""A group: all clients with one filter. What they are sent is decided and put together once, whatever their number.

A group that hides nothing does no work of its own: what changed is in the hub's log. Any other knows what its clients see,
so that what they may not see any more is sent as null, and what they may see now as a value though it did not change; it
has a log and positions of its own. Each group is an epoch of its own: a client that comes back with another filter, or
whose token allows something else now, cannot resume what it does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from services.monitor.core.engine import Changed
from services.monitor.core.floor import Kind
from services.monitor.feed.book import Book, gone
from services.monitor.feed.frames import ROOM, clock_frame, delta_frame, snapshot_json
from services.monitor.feed.lens import ALL_KINDS, Lens
from services.monitor.feed.log import ChangeLog
from services.monitor.feed.messages import CHANNELS, KINDS, Channel
from services.monitor.feed.picture import Picture
from shared.frames import Frame, frame_of

if TYPE_CHECKING:
    from services.monitor.feed.subscriber import Subscriber

_KEPT_S: Final = 2.0  # how long a picture is given to those who come, with what changed since
_LARGE: Final = 4  # parts; a smaller picture is made sooner than what changed since is told
_SHARED_STEPS: Final = 64  # positions from which the next step is kept for others

GroupKey = tuple[tuple[Channel, ...], str]


def group_key(channels: Iterable[Channel] | None, lens: Lens) -> GroupKey:
    """The same for all who see the same."""
    wanted = frozenset(CHANNELS if channels is None else channels)
    return tuple(name for name in CHANNELS if name in wanted), lens.name()


class Group:
    """What the clients of one filter see, and what changed of it."""

    def __init__(self, number: int, channels: tuple[Channel, ...], lens: Lens, book: Book, batches: int) -> None:
        """`number` is in its epoch, the others have other ones; `batches`: of changes that it remembers."""
        self.channels = channels
        self.lens = lens
        self.subscribers: set[Subscriber] = set()
        self.idle_since: float | None = None
        self.epoch = ""
        self.position = 0  # all that its clients can be told now leads there
        self.number = number
        self._kinds: tuple[Kind, ...] = tuple(kind for name in channels for kind in KINDS[name])
        self._book = book
        self._batches = batches
        self._log = ChangeLog(0, batches, book.worth_telling)
        self._visible: dict[Kind, set[Changed]] = {}  # where something is hidden
        self._steps: dict[int, tuple[Frame | None, int] | None] = {}
        self._picture: Picture | None = None
        self._parts: dict[int, Frame] = {}  # of it
        self._clock: tuple[bytes, int, Frame] | None = None

    # ------------------------------------------------------------ from the hub

    def begin(self, epoch: str, log: ChangeLog) -> None:
        """The book was written anew; pictures and positions of before mean nothing any more. `log` is the hub's."""
        self.epoch = f"{epoch}-{self.number}" if self.number else epoch
        self.forget()
        if self.lens.open:
            self._log = log
        else:
            self._log = ChangeLog(self.position, self._batches, self._book.worth_telling)
            self._visible = {
                kind: {name for name, entry in self._book.entries(kind).items() if self._sees(kind, entry.traits)}
                for kind in ALL_KINDS
            }
        self.position = self._log.position

    def forget(self) -> None:
        """Let go what is only kept for speed."""
        self._picture = None
        self._parts.clear()
        self._steps.clear()

    def let_go(self, now: float) -> None:
        """Let go the picture when nobody new will get it."""
        if self._picture is not None and now - self._picture.made > _KEPT_S:
            self._picture = None
            self._parts.clear()

    def take(self, changed: list[Changed]) -> bool:
        """These entities changed in the book; whether that concerns anybody here."""
        if not self.lens.open:
            changed = self._look_again(changed)
            if changed:
                self._log.note(changed)
        kinds = self._kinds
        if not changed or (len(kinds) < len(ALL_KINDS) and not any(name[0] in kinds for name in changed)):
            return False
        self.position = self._log.position
        self._steps.clear()
        return True

    # ------------------------------------------------------------ who sees what

    def _sees(self, kind: Kind, traits: object) -> bool:
        return self.lens.lets_through(kind, traits, self._book.look)  # type: ignore[arg-type]

    def _look_again(self, changed: list[Changed]) -> list[Changed]:
        """Of what changed, what these clients see or saw; and what they see or do not see any more because of it."""
        concerns: list[Changed] = []
        moved, visible = self._book.moved, self._visible
        for name in changed:
            was = name in visible[name[0]]
            if (name in moved and self._look_at(name)) or was:
                concerns.append(name)
        concerns += [name for name in self._book.touched() if self._look_at(name)]
        return concerns

    def _look_at(self, name: Changed) -> bool:
        """Whether this entity came to be seen, or is seen no more."""
        visible, entry = self._visible[name[0]], self._book.entry(name)
        sees = entry is not None and self._sees(name[0], entry.traits)
        if sees == (name in visible):
            return False
        if sees:
            visible.add(name)
        else:
            visible.discard(name)
        return True

    def _seen(self, kind: Kind) -> set[Changed] | None:
        return None if self.lens.open else self._visible[kind]

    # ------------------------------------------------------------ for subscribers

    def covers(self, epoch: str, position: int) -> bool:
        """Whether who has the picture of then can be told what changed since."""
        return epoch == self.epoch and self.after(position) is not None

    def after(self, position: int) -> tuple[Frame | None, int] | None:
        """The next frame for who is at `position`, and the position that it leads to; no frame: nothing concerns it.

        None when only a picture is right."""
        try:
            return self._steps[position]
        except KeyError:
            step = self._step(position)
            if len(self._steps) < _SHARED_STEPS:
                self._steps[position] = step
            return step

    def _step(self, position: int) -> tuple[Frame | None, int] | None:
        missed = self._log.since(position)
        if missed is None:
            return None
        changes: list[bytes] = []
        size, reached, kinds = 0, position, self._kinds
        for name, at in missed:
            if name[0] in kinds:
                hidden = not self.lens.open and name not in self._visible[name[0]]
                change = gone(name) if hidden else self._book.change(name)
                if size and size + len(change) > ROOM:
                    break
                changes.append(change)
                size += len(change) + 1
            reached = at
        else:
            reached = self.position
        return (delta_frame(reached, changes) if changes else None), reached

    def picture(self, now: float) -> Picture:
        """What to send to who has nothing: parts, and then what changes after its position."""
        found = self._picture
        if found is None or not self._will_do(found, now):
            found = self._picture = Picture(self._book, self._kinds, self._seen, self.position, now)
            self._parts.clear()
        return found

    def _will_do(self, picture: Picture, now: float) -> bool:
        """Whether to give this one again: always while nothing changed, and a large one also with what changed since."""
        if picture.position == self.position:
            return True
        return picture.parts >= _LARGE and now - picture.made <= _KEPT_S and self.after(picture.position) is not None

    def part(self, picture: Picture, number: int) -> Frame:
        """Part `number`, from 0, of a picture that was given here."""
        current = picture is self._picture
        found = self._parts.get(number) if current else None
        if found is None:
            found = frame_of(self._part_json(picture, number))
            if current:
                self._parts[number] = found
        return found

    def _part_json(self, picture: Picture, number: int) -> bytes:
        values = picture.part(number)
        return snapshot_json(self.epoch, picture.position, self.channels, values, part=number + 1, parts=picture.parts)

    def whole(self) -> bytes:
        """Everything as one message, however large."""
        values = {
            kind: [
                entry.value
                for name in self._book.names(kind)
                if (entry := self._book.entries(kind)[name]) and (self.lens.open or name in self._visible[kind])
            ]
            for kind in self._kinds
        }
        return snapshot_json(self.epoch, self.position, self.channels, values)

    def clock(self, sites: bytes) -> Frame:
        """The clock message with these sites, encoded already."""
        found = self._clock
        if found is None or found[0] is not sites or found[1] != self.position:
            found = self._clock = (sites, self.position, clock_frame(self.position, sites))
        return found[2]
