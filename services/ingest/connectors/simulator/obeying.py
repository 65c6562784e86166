"""How the simulated switch obeys: what each command does on the floor. Reading and answering them is common to all connectors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.ingest.connectors.common.commands import CommandFailed, CommandRefused, Handler
from services.ingest.connectors.simulator.floor import SimulatedFloor
from services.ingest.connectors.simulator.orders import NotHere
from services.ingest.connectors.simulator.people import QUEUES
from services.ingest.connectors.simulator.sound.forks import Forks
from services.ingest.connectors.simulator.sound.stage import Stage
from shared import commands
from shared.envelope import Data
from shared.events import ListenStarted, Snapshot

LISTENER = "AudioSocket"

Deed = Callable[[], Data | None]  # what is done; the event that tells of it, where the floor does not tell by itself


class Obeying:
    """`do` does something on the floor as it is now, and tells of it."""

    def __init__(
        self, floor: SimulatedFloor, stage: Stage, forks: Forks, do: Callable[[Deed], Awaitable[None]], connector: str
    ) -> None:
        self._floor = floor
        self._stage = stage
        self._forks = forks
        self._do = do
        self._connector = connector

    def handlers(self) -> dict[type[Data], Handler]:
        """By kind of command."""
        return {
            commands.ListenStart: self._listen_start,
            commands.ListenMode: self._listen_mode,
            commands.ListenStop: self._listen_stop,
            commands.AgentPause: self._pause,
            commands.AgentUnpause: self._unpause,
            commands.AgentLogoff: self._log_off,
            commands.Resync: self._resync,
        }

    async def _listen_start(self, order: commands.ListenStart) -> None:
        fork = await self._forks.start(order)
        started = ListenStarted(
            listen_id=fork.listen_id,
            agent_id=fork.agent_id,
            call_id=fork.call_id,
            listener=LISTENER,
            ticket=fork.id,
        )
        try:
            await self._do(lambda: started)
        except BaseException:
            self._forks.stop(commands.ListenStop(fork_id=fork.id))  # nobody may listen of whom nothing was told
            raise
        self._forks.flow(fork)

    async def _listen_mode(self, order: commands.ListenMode) -> None:
        self._forks.switch(order)

    async def _listen_stop(self, order: commands.ListenStop) -> None:
        self._forks.stop(order)

    async def _pause(self, order: commands.AgentPause) -> None:
        _for_all(order.queue)
        await self._order(lambda: self._floor.pause(order.agent_id, order.reason))

    async def _unpause(self, order: commands.AgentUnpause) -> None:
        _for_all(order.queue)
        await self._order(lambda: self._floor.unpause(order.agent_id))

    async def _log_off(self, order: commands.AgentLogoff) -> None:
        _for_all(order.queue)
        await self._order(lambda: self._floor.log_off(order.agent_id))

    async def _resync(self, order: commands.Resync) -> None:
        await self._do(self._snapshot)

    async def _order(self, deed: Callable[[], None]) -> None:
        try:
            await self._do(deed)
        except NotHere as exc:
            raise CommandFailed(str(exc)) from None

    def _snapshot(self) -> Snapshot:
        waiting = {queue: [call.id for call in self._stage.calls.values() if call.queue == queue] for queue in QUEUES}
        return Snapshot(
            connector=self._connector,
            agents=tuple(sorted(self._stage.on)),
            calls=tuple(self._stage.calls),
            legs=tuple(self._stage.legs),
            queues={queue: tuple(calls) for queue, calls in waiting.items()},
        )


def _for_all(queue: str) -> None:
    """Raises CommandRefused for an order of one queue."""
    if queue:
        raise CommandRefused("the simulated switch pauses and logs off for all queues at once, not for one")
