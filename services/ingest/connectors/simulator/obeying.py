"""How the simulated switch obeys: what each command does on the floor. Reading and answering them is common to all connectors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.ingest.connectors.common.commands import Handler
from services.ingest.connectors.simulator.floor import SimulatedFloor
from services.ingest.connectors.simulator.sound.forks import Forks
from services.ingest.connectors.simulator.sound.stage import Stage
from shared import commands
from shared.envelope import Data
from shared.events import ListenStarted

LISTENER = "AudioSocket"


class Obeying:
    """`happened` tells of something that is true from now on."""

    def __init__(
        self, floor: SimulatedFloor, stage: Stage, forks: Forks, happened: Callable[[Data], Awaitable[None]]
    ) -> None:
        self._floor = floor
        self._stage = stage
        self._forks = forks
        self._happened = happened

    def handlers(self) -> dict[type[Data], Handler]:
        """By kind of command."""
        return {
            commands.ListenStart: self._listen_start,
            commands.ListenMode: self._listen_mode,
            commands.ListenStop: self._listen_stop,
        }

    async def _listen_start(self, order: commands.ListenStart) -> None:
        fork = await self._forks.start(order)
        await self._happened(
            ListenStarted(
                listen_id=fork.listen_id,
                agent_id=fork.agent_id,
                call_id=fork.call_id,
                listener=LISTENER,
                ticket=fork.id,
            )
        )
        self._forks.flow(fork)

    async def _listen_mode(self, order: commands.ListenMode) -> None:
        self._forks.switch(order)

    async def _listen_stop(self, order: commands.ListenStop) -> None:
        self._forks.stop(order)
