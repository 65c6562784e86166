"""What the session machine keeps its accounts in: listens and forks of one moment, and what is to be written and sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from services.monitor.listen import contract
from services.monitor.listen.model import Entry, Fork, Listen
from services.monitor.listen.policy import Allowed
from services.monitor.listen.spots import Board, Spot
from shared import commands
from shared.commands import Mode
from shared.envelope import Data
from shared.siteconfig import Listening

ANSWER_S: Final = 5.0  # in which a connector takes a command, or nobody is there
SOUND_S: Final = 10.0  # in which the sound of a fork comes
LEASE_S: Final = 30.0  # how long the relay goes on without hearing that this can still be written down
SETTLE_S: Final = 5.0  # in which the relay tells how much was heard in the end
_ORDERED: Final = (
    "state",
    "reason",
    "mode",
    "fork_id",
    "speak_fork_id",
    "call_id",
    "agent_id",
    "muted",
    "leased_until",
)


class World(Protocol):
    """What a session knows of everything else."""

    @property
    def board(self) -> Board: ...

    @property
    def media(self) -> str:
        """Where switches send sound."""
        ...

    def policy(self, site: str) -> Listening: ...

    def may(self, listen: Listen, call_id: str, agent_id: str, mode: Mode) -> Allowed | str:
        """Whether its user may hear this now; else why not: `signed_out`, or `not_allowed:` and which rule."""
        ...

    def new_id(self) -> str:
        """A UUID."""
        ...


class Message(Struct, frozen=True):
    """An order to the relay, or a command to the switch: then with its id, its end and who wants it."""

    site: str
    data: Data
    id: str = ""
    expires: datetime | None = None
    by: str = ""


class Heard(Struct, frozen=True):
    """What more of a fork a listener was sent."""

    listen_id: str
    fork_id: str
    call_id: str
    agent_id: str
    site: str
    user: str
    purpose: str
    bytes: int
    seconds: float
    discarded: int


class Outcome(Struct, frozen=True):
    """What a transaction writes. Messages in the order in which they are to be sent; what was heard is to be added."""

    listens: tuple[Listen, ...]
    forks: tuple[Fork, ...]
    heard: tuple[Heard, ...]
    entries: tuple[Entry, ...]
    messages: tuple[Message, ...]


class Ledger:
    """The open listens and forks of one moment, and what changes."""

    def __init__(self, now: datetime, listens: Iterable[Listen], forks: Iterable[Fork], world: World) -> None:
        self.now = now
        self.world = world
        self.listens = {one.listen_id: one for one in listens}
        self.forks = {one.fork_id: one for one in forks}
        self._before = {key: msgspec.msgpack.encode(one) for key, one in (self.listens | self.forks).items()}
        self._ordered = {key: _order_of(one) for key, one in self.listens.items()}
        self._entries: list[Entry] = []
        self._more: list[Heard] = []
        self._before_listens: list[Message] = []
        self._after_listens: list[Message] = []

    def finish(self) -> Outcome:
        """What is to be written and sent."""
        orders = []
        for listen in self.listens.values():
            if self._ordered.get(listen.listen_id) != _order_of(listen):
                listen.version += 1
                values = {name: getattr(listen, name) for name in _ORDERED if name != "leased_until"}
                data = contract.ListenOrdered(
                    listen_id=listen.listen_id,
                    version=listen.version,
                    user=listen.user,
                    until=listen.leased_until,
                    **values,
                )
                orders.append(Message(listen.site, data))
        return Outcome(
            tuple(one for key, one in self.listens.items() if self._before.get(key) != msgspec.msgpack.encode(one)),
            tuple(one for key, one in self.forks.items() if self._before.get(key) != msgspec.msgpack.encode(one)),
            tuple(self._more),
            tuple(self._entries),
            (*self._before_listens, *orders, *self._after_listens),
        )

    # ------------------------------------------------------------ forks

    def _order(self, listen: Listen, spot: Spot, target: str, *, speaks: bool = False, mode: Mode = "listen") -> Fork:
        fork = Fork(
            fork_id=self.world.new_id(),
            site=listen.site,
            target=target,
            call_id=spot.call_id,
            leg_id=spot.leg_id,
            agent_id=spot.agent_id,
            side="agent" if speaks else spot.side,
            audio="mixed" if speaks else "split",
            speaks=speaks,
            owner=listen.listen_id if speaks else "",
            mode=mode,
            ordered_at=self.now,
        )
        self.forks[fork.fork_id] = fork
        same = {name: getattr(fork, name) for name in ("fork_id", "call_id", "agent_id", "side", "audio", "speaks")}
        ordered = contract.ForkOrdered(**same, expires=self._in(SOUND_S))
        self._before_listens.append(Message(fork.site, ordered))
        start = commands.ListenStart(**same, leg_id=fork.leg_id, media=self.world.media, mode=mode)
        self._command(fork.site, f"{fork.fork_id}:start", start, listen.user)
        return fork

    def _end_fork(self, fork: Fork, how: str, detail: str = "") -> None:
        """Nobody is to hear it any more; the relay and the switch are told."""
        if fork.state == "ended":
            return
        fork.state, fork.how, fork.detail, fork.ended_at = "ended", how, detail, self.now
        self._after_listens.append(Message(fork.site, contract.ForkEnded(fork_id=fork.fork_id, reason=how)))
        self._command(fork.site, f"{fork.fork_id}:stop", commands.ListenStop(fork_id=fork.fork_id))

    def _speaking_fork(self, listen: Listen) -> Fork | None:
        found = (fork for fork in self.forks.values() if fork.owner == listen.listen_id and fork.state != "ended")
        return next(found, None)

    def _open_fork(self, site: str, target: str) -> Fork | None:
        return next((one for one in self._open_forks() if (one.site, one.target) == (site, target)), None)

    def _open_forks(self) -> list[Fork]:
        return [one for one in self.forks.values() if one.state != "ended"]

    def _hearers(self, fork: Fork) -> list[Listen]:
        return [one for one in self.listens.values() if one.fork_id == fork.fork_id and one.ended_at is None]

    def _is_needed(self, fork: Fork) -> bool:
        if fork.speaks:
            owner = self.listens.get(fork.owner)
            return owner is not None and owner.ended_at is None
        return bool(self._hearers(fork))

    # ------------------------------------------------------------ what was heard

    def _heard(self, data: contract.ListenerHeard) -> None:
        listen = self.listens.get(data.listen_id)
        counted = listen.counted.get(data.fork_id) if listen is not None else None
        if listen is None or counted is None:
            return
        anew = data.bytes < counted.last_bytes  # it came back, and counts from 0
        more: dict[str, Any] = {}
        for name in ("bytes", "seconds", "discarded"):
            said, last = getattr(data, name), getattr(counted, f"last_{name}")
            more[name] = said if anew else max(0, said - last)
            setattr(counted, name, getattr(counted, name) + more[name])
            setattr(counted, f"last_{name}", said)
        if any(more.values()):
            of: dict[str, Any] = {name: getattr(listen, name) for name in ("listen_id", "site", "user", "purpose")}
            about: dict[str, Any] = {"fork_id": data.fork_id, "call_id": counted.call_id, "agent_id": counted.agent_id}
            self._more.append(Heard(**of, **about, **more))

    def _write_heard(self, listen: Listen, *, all_of_it: bool = False) -> None:
        """Write down what was heard of forks that it left, once the relay has told or had time to."""
        for fork_id, counted in list(listen.counted.items()):
            if counted.due is None or not (all_of_it or self.now >= counted.due):
                continue
            del listen.counted[fork_id]
            if counted.bytes or counted.discarded:
                said: dict[str, Any] = {
                    "bytes": counted.bytes,
                    "seconds": round(counted.seconds, 3),
                    "discarded": counted.discarded,
                }
                self._note(listen, "heard", fork_id=fork_id, **said)

    # ------------------------------------------------------------ what is written and sent

    def _tell(self, listen: Listen) -> None:
        if listen.told_at is None:
            listen.told_at = self.now
            self._note(listen, "told", how=listen.tell_agent)

    def _note(self, listen: Listen, kind: str, *, by: str = "", mode: Mode | None = None, **more: Any) -> None:
        detail = {name: value for name, value in more.items() if value not in ("", None)}
        own = kind in ("asked", "started")
        self._entries.append(
            Entry(
                at=self.now,
                site=listen.site,
                kind=kind,
                listen_id=listen.listen_id,
                by=listen.user if own else by,
                by_name=listen.user_name if own or by == listen.user else "",
                agent_id=listen.agent_id,
                agent_name=listen.agent_name,
                call_id=listen.call_id,
                purpose=listen.purpose,
                mode=mode or listen.mode,
                detail=msgspec.json.encode(detail).decode(),
            )
        )

    def _command(self, site: str, command_id: str, data: Data, by: str = "") -> None:
        self._after_listens.append(Message(site, data, command_id, self._in(ANSWER_S), by))

    def _in(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)


def _order_of(listen: Listen) -> tuple[Any, ...]:
    """What of it the relay is told."""
    return tuple(getattr(listen, name) for name in _ORDERED)
