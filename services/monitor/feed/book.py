"""The book: what the boards were told of each entity last, encoded once.

Every picture and every delta, of whatever filter, is put together from it; so what two clients of one filter see cannot
differ by how they came to it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from services.monitor.core.engine import Changed, Engine
from services.monitor.core.floor import Kind
from services.monitor.feed.frames import change_head
from services.monitor.feed.lens import ALL_KINDS, FlagTraits, Traits, traits_of

_TOLD: Final = 256  # changes that are told one by one, however small the floor

_encode = msgspec.json.Encoder().encode


class Entry(Struct, gc=False):
    """One entity: the beginning of its change, its value as JSON, what decides who sees it."""

    head: bytes
    value: bytes
    traits: Traits


class Book:
    """All entities as they were told last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.moved: set[Changed] = set()  # by the last `copy`: what came, went or has other traits
        self._touched: list[Changed] | None = None
        self._clear()

    def _clear(self) -> None:
        self._shelves: dict[Kind, dict[Changed, Entry]] = {kind: {} for kind in ALL_KINDS}
        self._names: dict[Kind, list[Changed]] = {kind: [] for kind in ALL_KINDS}  # sorted

    def copy_all(self) -> None:
        """Begin anew with the floor as it is now."""
        self._clear()
        floor = self._engine.floor_view()
        for site in floor.sites:
            self._put(("site", site.site, site.site), site)
        for queue in floor.queues:
            self._put(("queue", queue.site, queue.queue), queue)
        for agent in floor.agents:
            self._put(("agent", agent.site, agent.agent_id), agent)
        for call in floor.calls:
            self._put(("call", call.site, call.call_id), call)
        for transfer in floor.transfers:
            self._put(("transfer", transfer.site, transfer.transfer_id), transfer)
        for flag in floor.flags:
            self._put(("flag", flag.site, flag.flag_id), flag)

    def copy(self, names: Iterable[Changed]) -> list[Changed]:
        """Take over these entities as they are now; those of them of which a board has to be told something."""
        self.moved.clear()
        view = self._engine.view
        self._touched = None
        return [name for name in names if self._put(name, view(*name))]

    def refresh_sites(self) -> None:
        """Take over the sites' times, of which boards are told by the clock and not by changes."""
        for name in self._names["site"]:
            self._put(name, self._engine.view(*name))

    def _put(self, name: Changed, view: Any) -> bool:
        kind = name[0]
        shelf = self._shelves[kind]
        entry = shelf.get(name)
        if view is None:
            if entry is None:
                return False  # of what came and went in between nobody heard
            del shelf[name]
            names = self._names[kind]
            del names[bisect_left(names, name)]
            self.moved.add(name)
            return True
        value = _encode(view)
        if entry is None:
            shelf[name] = Entry(change_head(name), value, traits_of(view))
            insort(self._names[kind], name)
            self.moved.add(name)
            return True
        if entry.value == value:
            return False
        entry.value, traits = value, traits_of(view)
        if entry.traits != traits:
            entry.traits = traits
            self.moved.add(name)
        return True

    def touched(self) -> list[Changed]:
        """What may be seen otherwise because of what moved; only filters ask."""
        if self._touched is None:
            self._touched = self._touched_by(self.moved) if self.moved else []
        return self._touched

    def _touched_by(self, moved: set[Changed]) -> list[Changed]:
        """Calls, transfers and flags of sites where an agent moved, and flags of what moved."""
        sites = {site for kind, site, _ in moved if kind == "agent"}
        touched: list[Changed] = []
        if sites:
            kinds: tuple[Kind, ...] = ("call", "transfer")
            touched += [name for kind in kinds for name in self._names[kind] if name[1] in sites]
        flags = self._shelves["flag"]
        for name in self._names["flag"]:
            about = flags[name].traits
            assert isinstance(about, FlagTraits)
            if about.site in sites or (about.subject, about.site, about.subject_id) in moved:
                touched.append(name)
        return touched

    def entry(self, name: Changed) -> Entry | None:
        """What was told of it last; None when it is gone."""
        return self._shelves[name[0]].get(name)

    def look(self, kind: Kind, site: str, key: str) -> Traits | None:
        """What decides who sees it; for lenses."""
        entry = self._shelves[kind].get((kind, site, key))
        return None if entry is None else entry.traits

    def names(self, kind: Kind) -> list[Changed]:
        """All of a kind, sorted by site and id. Not to be changed."""
        return self._names[kind]

    def entries(self, kind: Kind) -> dict[Changed, Entry]:
        """All of a kind by their names. Not to be changed."""
        return self._shelves[kind]

    def change(self, name: Changed) -> bytes:
        """The change that tells its last value; that it is gone, when it is."""
        entry = self._shelves[name[0]].get(name)
        return gone(name) if entry is None else b"%b%b}" % (entry.head, entry.value)

    def __len__(self) -> int:
        return sum(map(len, self._shelves.values()))

    def worth_telling(self) -> int:
        """How many changes may be told one by one; beyond what the floor holds a picture is less to send."""
        return max(_TOLD, len(self))


def gone(name: Changed) -> bytes:
    """The change that tells that an entity is gone, or not to be seen any more."""
    return change_head(name) + b"null}"
