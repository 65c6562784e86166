"""Every change of an incident: one unit of work each, then whoever watches is told.

The pipeline, the API and the quiet-time keeper all go through here, so none can change an incident without a history
entry, an outbox row where one is due, and a message to the open pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts.core.grouping import Outcome
from services.alerts.core.incident import (
    SEVERITIES,
    Change,
    Clearing,
    Flag,
    Incident,
    Policy,
    Reason,
    lost,
    reason_to_notify,
    resolved_if_quiet,
)
from services.alerts.hub import Hub
from services.alerts.metrics import AlertsMetrics
from services.alerts.outbox import ChannelName, Outbox
from services.alerts.repositories import Incidents, Positions
from services.alerts.views import IncidentView
from shared.clock import Clock
from shared.db import Database
from shared.errors import FloorwatchError
from shared.intake import Item, after, fresh


class NoSuchIncident(FloorwatchError):
    """There is no incident with this number."""


class AnotherIsOpen(FloorwatchError):
    """An incident cannot be reopened while a newer one about the same thing is unresolved."""

    def __init__(self, number: int) -> None:
        super().__init__(f"cannot reopen: incident {number} is about the same thing and not resolved; add to that one")
        self.number = number


class Desk:
    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        hub: Hub,
        metrics: AlertsMetrics,
        policy: Policy,
        channels: Sequence[ChannelName],
    ) -> None:
        self._database = database
        self._clock = clock
        self._hub = hub
        self._metrics = metrics
        self._policy = policy
        self._channels = channels
        self.to_send = asyncio.Event()  # set when the outbox has something new
        self.quiet_changed = asyncio.Event()  # set when the next quiet deadline may be another one

    async def take(self, topic: str, items: Sequence[Item[Flag | Clearing]]) -> None:
        """Apply a batch: incidents, history, flags, outbox and positions, all in one transaction.

        Items that an earlier transaction holds (redelivery, a second replica) change nothing. Raises StoreError.
        """
        now = self._clock.now()
        async with self._database.unit_of_work() as session:
            positions = Positions(session)
            stored = await positions.all(topic, for_change=True)
            new = fresh(items, stored)
            outcomes, changes = await self._apply(session, new, now)
            saved = await Incidents(session).save(changes, now)
            await self._notify(session, saved, _lateness(new, changes, now), now)
            await positions.save(after(new), now)
        for outcome in outcomes:
            self._metrics.flags.labels(outcome).inc()
        for change in changes:
            if change.entry.kind == "opened":
                self._metrics.incidents.labels(change.incident.severity).inc()
        done = self._clock.now()
        for item in new:
            if item.fact is not None:
                self._metrics.delay.observe(max(0.0, (done - item.written).total_seconds()))
        await self._tell(saved)

    async def start_anew(self, topic: str) -> None:
        """The broker's log was replaced: no position means anything, and what had not ended by then ends unheard."""
        now = self._clock.now()
        async with self._database.unit_of_work() as session:
            await Positions(session).forget(topic)
            incidents = Incidents(session)
            changes = [lost(one, now) for one in await incidents.with_active_flags()]
            saved = await incidents.save(changes, now)
        await self._tell(saved)

    async def act(self, number: int, step: Callable[[Incident, datetime], Change]) -> Incident:
        """What a person does to incident `number`. Raises NoSuchIncident, AnotherIsOpen, and whatever `step` raises."""
        now = self._clock.now()
        async with self._database.unit_of_work() as session:
            incidents = Incidents(session)
            incident = await incidents.get(number, for_change=True)
            if incident is None:
                raise NoSuchIncident(f"there is no incident {number}")
            change = step(incident, now)
            if incident.state == "resolved" and change.incident.state != "resolved":
                other = await incidents.unresolved_of(incident.group)
                if other is not None:
                    raise AnotherIsOpen(other)
            saved = await incidents.save([change], now)
        await self._tell(saved)
        return saved[0]

    async def resolve_quiet(self) -> int:
        """Resolve what has been quiet for long enough; how many."""
        now = self._clock.now()
        async with self._database.unit_of_work() as session:
            incidents = Incidents(session)
            due = [resolved_if_quiet(one, self._policy, now) for one in await incidents.quiet_until(now, self._policy)]
            saved = await incidents.save([change for change in due if change], now)
        await self._tell(saved)
        return len(saved)

    async def touched(self, number: int) -> None:
        """Something beside incident `number` changed (a notification): tell the pages."""
        async with self._database.reading() as session:
            incident = await Incidents(session).get(number)
        if incident is not None:
            self._hub.changed(IncidentView.of(incident))

    async def count(self) -> None:
        """Bring the gauge of unresolved incidents up to date."""
        async with self._database.reading() as session:
            found = await Incidents(session).unresolved()
        for severity in SEVERITIES:
            self._metrics.unresolved.labels(severity).set(found.get(severity, 0))

    async def _apply(
        self, session: AsyncSession, items: Sequence[Item[Flag | Clearing]], now: datetime
    ) -> tuple[list[Outcome], list[Change]]:
        facts = [item.fact for item in items if item.fact is not None]
        groups = {fact.group for fact in facts if isinstance(fact, Flag)}
        book = await Incidents(session).book(self._policy, {fact.flag_id for fact in facts}, groups)
        outcomes: list[Outcome] = []
        changes: list[Change] = []
        for fact in facts:
            outcome, change = book.raised(fact, now) if isinstance(fact, Flag) else book.cleared(fact, now)
            outcomes.append(outcome)
            if change is not None:
                changes.append(change)
        return outcomes, changes

    async def _notify(
        self, session: AsyncSession, incidents: Sequence[Incident], late: Mapping[str, timedelta], now: datetime
    ) -> None:
        outbox = Outbox(session)
        told = await outbox.told([one.id for one in incidents])
        for one in incidents:
            reason = reason_to_notify(one, told.get(one.id, frozenset()))
            if reason is not Reason.NONE:
                outbox.add(one, reason, self._channels, late.get(one.opened_by, timedelta()), now)
                if not self._channels:
                    self._metrics.notifications.labels("no_channel").inc()

    async def _tell(self, incidents: Sequence[Incident]) -> None:
        if not incidents:
            return
        self.to_send.set()
        self.quiet_changed.set()
        for one in incidents:
            self._hub.changed(IncidentView.of(one))
        await self.count()


def _lateness(items: Sequence[Item[Flag | Clearing]], changes: Sequence[Change], now: datetime) -> dict[str, timedelta]:
    """By incident, how long its newest flag was on its way to us."""
    written = {item.fact.flag_id: item.written for item in items if isinstance(item.fact, Flag)}
    return {c.incident.opened_by: now - written[c.flag.flag_id] for c in changes if c.flag is not None}
