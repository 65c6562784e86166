"""The simulated floor as its connector sees it: what happened until now, at any speed, always the same for a seed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from services.ingest.connectors.simulator import orders
from services.ingest.connectors.simulator.calls import Calls
from services.ingest.connectors.simulator.day import HOUR
from services.ingest.connectors.simulator.kernel import Millis
from services.ingest.connectors.simulator.switchboard import Switchboard
from services.ingest.connectors.simulator.world import Agent, Happening, World, logged_on
from shared import events
from shared.envelope import Data

OPENS_S = 6.0 * HOUR  # the world begins here, so that the morning has a history
STARTS_S = 10.0 * HOUR  # and is first shown here


class Told(NamedTuple):
    """An event of the floor and its time."""

    time: datetime
    data: Data


class SimulatedFloor:
    """Pure: no clock, no I/O. The floor's ten o'clock in the morning is `start`, whatever the time really is.

    The link comes up at `start`. What is told first, `opening`, is what goes on then, with the times at which it began: figures
    are counted from `start` on, because of what was over by then nothing is told.
    `run` goes into every id, so that two runs never speak of each other's calls. `crowd` times forty people work here.
    A floor that is only to be busy need not live through the whole morning first: `opens_s` says when its world begins.
    """

    def __init__(self, seed: int, start: datetime, run: str = "0", *, crowd: int = 1, opens_s: float = OPENS_S) -> None:
        self._world = World(seed, run, opens_s, crowd)
        self._opened = round(opens_s * 1000)
        self._midnight = start - timedelta(seconds=STARTS_S)
        Calls(Switchboard(self._world))
        self._world.kernel.run(round(STARTS_S * 1000))
        self.start = start
        self.opening = tuple(self._told(self._opening(self._taken())))

    def next(self, until: datetime) -> list[Told]:
        """What happened since the last call, up to and including `until`, in order."""
        self._world.kernel.run(round((until - self._midnight).total_seconds() * 1000))
        return list(self._told(self._taken()))

    def next_at(self) -> datetime | None:
        """When something may happen next."""
        at = self._world.kernel.next_at()
        return None if at is None else self._time(at)

    def pause(self, agent_id: str, reason: str) -> None:
        """See `orders.pause`; like everything that is ordered, as of the last `next`."""
        orders.pause(self._world, agent_id, reason)

    def unpause(self, agent_id: str) -> None:
        """See `orders.unpause`."""
        orders.unpause(self._world, agent_id)

    def log_off(self, agent_id: str) -> None:
        """See `orders.log_off`."""
        orders.log_off(self._world, agent_id)

    def _taken(self) -> list[Happening]:
        told, self._world.told = self._world.told, []
        return told

    def _told(self, happenings: Iterable[Happening]) -> Iterable[Told]:
        return (Told(self._time(one.at), one.data) for one in happenings)

    def _time(self, at: Millis) -> datetime:
        return self._midnight + timedelta(milliseconds=at)

    def _opening(self, morning: list[Happening]) -> list[Happening]:
        """The part of the morning that still matters, with its true times: a switch's answer to "what is there now?".

        Everybody with their last declared state, and the whole course of each call that is not over.
        """
        world = self._world
        last = {_agent_of(one.data): (index, one) for index, one in enumerate(morning) if not one.call}
        found = [(index, one) for index, one in enumerate(morning) if one.call in world.alive]
        called = {_agent_of(one.data): one.at for _, one in reversed(found)}  # into the first of these calls
        for agent in world.agents:
            index, declared = last.get(agent.id, (-1, None))
            found.extend(_standing(agent, index, declared, called.get(agent.id, round(STARTS_S * 1000)), self._opened))
        found.sort(key=lambda pair: (pair[1].at, pair[0]))  # those of the same moment as they were told
        return [one for _, one in found]


def _agent_of(data: Data) -> str:
    return str(getattr(data, "agent_id", ""))


def _standing(
    agent: Agent, index: int, last: Happening | None, called: Millis, opened: Millis
) -> list[tuple[int, Happening]]:
    """What an agent declared last, and when: off (since the world opened, where nothing was heard of them), ready, on a
    break or in wrap; before that, and before they were `called`, that they logged on. With their places in the morning."""
    since = opened if last is None else last.at
    if not agent.on or last is None:
        off = events.AgentLoggedOff(agent_id=agent.id)
        return [(-3, Happening(since, logged_on(agent.person), 0)), (-2, Happening(since, off, 0))]
    on, ready = min(since, called), events.AgentReady(agent_id=agent.id)
    found = [(-3, Happening(on, logged_on(agent.person), 0)), (-2, Happening(on, ready, 0))]
    if isinstance(last.data, events.AgentNotReady | events.WrapStarted):
        return [*found, (index, Happening(since, last.data, 0))]
    return [*found, (index, Happening(since, ready, 0))] if on < since else found
