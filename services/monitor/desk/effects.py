"""Looks at what became of actions, five minutes of the site's time after each. Sleeps until the next one is due.

Every replica does; the first to write an effect down has written it. One that cannot tell, because it is behind or does not
have the site, leaves it to others for a minute of that time: after that nobody knows any more how things were then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.desk import figures
from services.monitor.desk.actions import Action, Actions
from services.monitor.desk.figures import Board, Figures, TransferFigures
from services.monitor.desk.metrics import DeskMetrics
from services.monitor.desk.store import Store
from services.monitor.desk.transfers import Transfers
from services.monitor.desk.views import Effect
from shared.backoff import Backoff
from shared.clock import Clock
from shared.errors import StoreError
from shared.waiting import wait

PATIENCE: Final = 0.2  # of the five minutes: later than this, the figures are not those of five minutes after
LOOK_S: Final = 15.0  # how soon a replica notices what another one was told
AGAIN_S: Final = 1.0
LONGEST_WAIT_S: Final = 10.0  # while the database is away
_BATCH: Final = 100

log = structlog.get_logger()


class Effects:
    """The task; set `changed` when there is a new action."""

    def __init__(
        self, store: Store, board: Board, clock: Clock, metrics: DeskMetrics, present: Callable[[], bool]
    ) -> None:
        self._store = store
        self._board = board
        self._clock = clock
        self._metrics = metrics
        self._present = present
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff(AGAIN_S, LONGEST_WAIT_S)
        while True:
            self.changed.clear()
            now = self._clock.now()
            try:
                left = await self.look()
                async with self._store.reading() as session:
                    due = await Actions(session).next_due()
            except StoreError:  # the store has said so
                await self._clock.sleep(backoff.next_s())
                continue
            backoff.worked()
            until = now + timedelta(seconds=LOOK_S)
            if left:
                until = now + timedelta(seconds=AGAIN_S)
            elif due is not None:
                until = min(until, due)
            await wait(self.changed, self._clock, until)

    async def look(self) -> int:
        """Write down the effects that are due and can be told; how many could not yet. Raises StoreError."""
        now = self._clock.now()
        async with self._store.reading() as session:
            due = await Actions(session).due(now, _BATCH)
        left = 0
        for action in due:
            after = figures.take(self._board, action.about, present=self._present())
            late = now > action.effect_due_at + (action.effect_due_at - action.done_at) * PATIENCE
            if late:
                after = Figures(known=False, why=after.why or "behind")
            elif after.why in ("behind", "no_site"):
                left += 1
                continue
            await self._write(action, after)
        return left

    async def _write(self, action: Action, after: Figures) -> None:
        effect: Effect = "measured" if after.known and action.before.known else "no_data"
        async with self._store.unit_of_work() as session:
            after = await _with_ended_transfer(session, action, after)
            ours = await Actions(session).put_effect(action.id, effect, after, self._clock.now())
        if ours:
            self._metrics.effects.labels(effect).inc()
            log.info("an action's effect was looked at", action=action.id, site=action.site, effect=effect)


async def _with_ended_transfer(session: AsyncSession, action: Action, after: Figures) -> Figures:
    """How the action's transfer ended, where the board has forgotten it: it shows one for five minutes after its end."""
    if after.transfer is None or after.transfer.outcome != "over":
        return after
    row = await Transfers(session).get(action.site, action.transfer_id)
    if row is None:
        return after
    ended = TransferFigures(outcome=row.outcome, took_s=round(row.took_us / 1_000_000, 3))
    return msgspec.structs.replace(after, transfer=ended)
