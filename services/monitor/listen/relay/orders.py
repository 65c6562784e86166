"""What the orders say: who hears what, and which forks are expected. Pure; the same from any beginning of `listen.orders`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from services.monitor.listen.contract import ForkEnded, ForkOrdered, ListenOrdered, Order

KEEP: Final = timedelta(minutes=15)  # what is over, to say so of what comes late: longer than a relay reads back


class OrderedFork(Struct, frozen=True, gc=False):
    """A fork and its site. `ended`: why it is over; "" while it is not."""

    site: str
    fork: ForkOrdered
    ordered: datetime
    ended: str = ""


class OrderedListen(Struct, frozen=True, gc=False):
    """The newest order of a listen, and its site."""

    site: str
    listen: ListenOrdered
    ordered: datetime


class Orders:
    """Everything that is ordered. A fork that was ended stays so, in whatever order that is heard; of a listen the greatest
    version counts, of equal ones the last."""

    def __init__(self) -> None:
        self.forks: dict[str, OrderedFork] = {}
        self.listens: dict[str, OrderedListen] = {}
        self._ended: dict[str, tuple[str, datetime]] = {}  # forks, whether or not their order was heard

    def apply(self, order: Order) -> bool:
        """Whether it changed anything."""
        match order.data:
            case ForkOrdered() as fork:
                return self._fork(order, fork)
            case ForkEnded() as end:
                return self._fork_ended(order, end)
            case ListenOrdered() as listen:
                return self._listen(order, listen)
        return False

    def sites(self) -> set[str]:
        """Those that are heard of."""
        return {one.site for one in self.forks.values()} | {one.site for one in self.listens.values()}

    def forget(self, now: datetime) -> None:
        """Let go of what is over for a while. A fork that is up is known to the hub."""
        before = now - KEEP
        self._ended = {name: end for name, end in self._ended.items() if end[1] >= before}
        self.forks = {name: one for name, one in self.forks.items() if one.ordered >= before}
        self.listens = {
            name: one for name, one in self.listens.items() if one.ordered >= before or one.listen.until > now
        }

    def _fork(self, order: Order, fork: ForkOrdered) -> bool:
        if fork.fork_id in self.forks:  # ordered once; a second record is a replica's
            return False
        ended, _ = self._ended.get(fork.fork_id, ("", None))
        self.forks[fork.fork_id] = OrderedFork(order.site, fork, order.time, ended)
        return not ended

    def _fork_ended(self, order: Order, end: ForkEnded) -> bool:
        if end.fork_id in self._ended:
            return False
        self._ended[end.fork_id] = (end.reason or "ended", order.time)
        known = self.forks.get(end.fork_id)
        if known is not None:
            self.forks[end.fork_id] = OrderedFork(known.site, known.fork, known.ordered, end.reason or "ended")
        return True

    def _listen(self, order: Order, listen: ListenOrdered) -> bool:
        known = self.listens.get(listen.listen_id)
        if known is not None and (known.listen.version > listen.version or known.listen == listen):
            return False
        self.listens[listen.listen_id] = OrderedListen(order.site, listen, order.time)
        return True
