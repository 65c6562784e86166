"""Everything that reaches people, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from services.alerts.alertfile.live import InForce
from services.alerts.desk import Desk
from services.alerts.metrics import AlertsMetrics
from services.alerts.reach.sender import Sender
from services.alerts.reach.states import ReceiverStates
from services.alerts.reach.trial import Trials
from services.alerts.reach.upkeep import Upkeep
from services.alerts.reach.writing import Writing
from services.alerts.text import Text
from shared.clock import Clock
from shared.db import Database
from shared.service import Background


class Reach:
    """`states` of the receivers, `trials` of them, and the tasks that send. `changed` is told when one fares differently."""

    def __init__(
        self,
        *,
        database: Database,
        desk: Desk,
        in_force: InForce,
        text: Text,
        clock: Clock,
        metrics: AlertsMetrics,
        registry: CollectorRegistry,
        changed: Callable[[], None],
    ) -> None:
        writing = Writing(text)
        self.states = ReceiverStates(database, lambda: in_force.channels, registry)
        self.states.changed = changed
        self.sender = Sender(
            database=database,
            desk=desk,
            in_force=in_force,
            writing=writing,
            states=self.states,
            clock=clock,
            metrics=metrics,
        )
        self.trials = Trials(database, desk, in_force, writing, self.states, clock)
        self.upkeep = Upkeep(database, in_force, self.states, clock)

    def start(self, background: Background) -> None:
        self._sending = background.start("sender", self.sender.run())
        background.start("alertmanager", self.upkeep.run())

    async def finish(self, within_s: float) -> None:
        """Let what is on its way to a receiver come to its end; what takes longer is sent again later, as a second copy."""
        self.sender.stop()
        await asyncio.wait([self._sending], timeout=within_s)
