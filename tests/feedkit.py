"""Clients of the feed within the process: ways out that tests open and shut, and a board as the documentation describes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from services.monitor.feed.hub import Hub
from services.monitor.feed.subscriber import Subscriber
from shared.frames import Frame
from shared.identity import LOCAL, Principal
from shared.outlets import Outlet

IDS = {
    "sites": "site",
    "queues": "queue",
    "agents": "agent_id",
    "calls": "call_id",
    "transfers": "transfer_id",
    "flags": "flag_id",
}
Entity = tuple[str, str]  # kind and key


class Board:
    """What a client knows that does as docs/feed.md says."""

    def __init__(self) -> None:
        self.epoch = ""
        self.position = -1
        self.entities: dict[Entity, Any] = {}
        self.answers: list[str] = []  # snapshot or resumed, each time
        self.seen: dict[Entity, list[Any]] = {}  # every value that it was ever sent, nulls too
        self.sites_told: set[str] = set()  # of which it heard the time
        self._parts: list[Any] = []

    def hear(self, text: str) -> None:
        """One message."""
        message = json.loads(text)
        match message["type"]:
            case "snapshot":
                self._picture(message)
            case "resumed":
                self.answers.append("resumed")
            case "delta":
                assert message["position"] > self.position, "positions only grow"
                self.position = message["position"]
                for change in message["changes"]:
                    self._change((change["kind"], change["key"]), change["value"])
            case "clock":
                self.sites_told.update(message["sites"])
                assert message["position"] >= self.position
                self.position = message["position"]

    def _picture(self, message: Any) -> None:
        if message["part"] == 1:
            self._parts = []
        self._parts.append(message)
        assert message["part"] == len(self._parts), "parts come in order"
        for name, field in IDS.items():
            for one in message["floor"][name]:
                self.seen.setdefault(_entity(name, field, one), []).append(one)
        if message["part"] < message["parts"]:
            return
        self.answers.append("snapshot")
        self.epoch, self.position = message["epoch"], message["position"]
        self.entities = {
            _entity(name, field, one): one
            for part in self._parts
            for name, field in IDS.items()
            for one in part["floor"][name]
        }

    def _change(self, entity: Entity, value: Any) -> None:
        self.seen.setdefault(entity, []).append(value)
        if value is None:
            self.entities.pop(entity, None)
        else:
            self.entities[entity] = value

    def shown(self) -> dict[Entity, Any]:
        """All it shows, but for the site's own clock, which comes with every clock message."""
        return {
            entity: {name: value for name, value in one.items() if (entity[0], name) != ("site", "now")}
            for entity, one in self.entities.items()
        }


def _entity(name: str, field: str, one: Any) -> Entity:
    return name[:-1], one["site"] if name == "sites" else f"{one['site']}/{one[field]}"


class Pipe(Outlet):
    """A way out into a list. It takes `room` frames and nothing more until the test gives it room again; None: any number."""

    def __init__(self, room: int | None = None) -> None:
        self.frames: list[Frame] = []
        self.closed: tuple[int, str] | None = None
        self.ready = room is None or room > 0
        self._room = room
        self._taken = 0
        self.on_ready: Callable[[], None] = lambda: None

    def write(self, frame: Frame) -> None:
        assert self.ready, "nothing may be written to one who takes nothing"
        self.frames.append(frame)
        self._taken += len(frame.wire)
        if self._room is not None:
            self._room -= 1
            self.ready = self._room > 0

    def give_room(self, room: int | None) -> None:
        """It takes so many frames more."""
        self._room, self.ready = room, room is None or room > 0
        if self.ready:
            self.on_ready()

    def taken(self) -> int:
        return self._taken

    def unsent(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        self.ready = False
        self.closed = (code, reason)


class Sink(Outlet):
    """A way out that takes everything at once and counts it."""

    def __init__(self) -> None:
        self.ready = True
        self.frames = 0
        self.bytes = 0

    def write(self, frame: Frame) -> None:
        self.frames += 1
        self.bytes += len(frame.wire)

    def taken(self) -> int:
        return self.bytes

    def unsent(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        self.ready = False


class Client:
    """A connection within the process and the board behind it."""

    def __init__(self, hub: Hub, who: Principal = LOCAL, room: int | None = None, board: Board | None = None) -> None:
        self.hub = hub
        self.pipe = Pipe(room)
        self.board = board or Board()
        joined = hub.join(self.pipe, who)
        assert joined is not None
        self.subscriber: Subscriber = joined
        self.pipe.on_ready = joined.serve
        joined.serve()

    def hear(self) -> Board:
        """Read what came; the board then."""
        frames, self.pipe.frames = self.pipe.frames, []
        for frame in frames:
            self.board.hear(frame.text)
        return self.board

    def leave(self) -> Board:
        """Read what came and hang up."""
        self.hub.left(self.subscriber)
        return self.hear()
