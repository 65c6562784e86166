"""Every change of an incident: one unit of work each, then whoever watches is told.

The pipeline, the API and the quiet-time keeper all go through here, so none can change an incident without a history
entry, an outbox row where one is due, and a message to the open pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts import trail
from services.alerts.alertfile.live import InForce
from services.alerts.core.course import looked_at, next_look
from services.alerts.core.grouping import Outcome
from services.alerts.core.incident import Change, Clearing, Flag, Incident, Policy
from services.alerts.core.lifecycle import lost
from services.alerts.core.own import OwnFlag, known_only
from services.alerts.core.own import fresh as fresh_flags
from services.alerts.core.plan import SEVERITIES
from services.alerts.feed.hub import Hub
from services.alerts.metrics import AlertsMetrics
from services.alerts.ownflags import OwnFlags
from services.alerts.reach.outbox import Outbox
from services.alerts.repositories import Incidents, Positions
from services.alerts.silences.holds import Hold, Holds
from services.alerts.silences.repository import Silences, wake
from services.alerts.viewing import Views
from shared import spans
from shared.clock import Clock
from shared.db import Database
from shared.errors import FloorwatchError
from shared.intake import Item, after, fresh
from shared.siteconfig import Sites

COUNT_S: Final = 1.0  # seconds between two counts of all that is not resolved


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
        in_force: InForce,
        sites: Sites,
    ) -> None:
        self._database = database
        self._clock = clock
        self._hub = hub
        self._metrics = metrics
        self._policy = policy
        self._in_force = in_force
        self._sites = sites
        self.holds = Holds(in_force)
        self.views = Views(self.holds, policy, clock, sites)
        self.to_send = asyncio.Event()  # set when the outbox has something new
        self.changed = asyncio.Event()  # set when the next incident to look at may be another one
        self.to_publish = asyncio.Event()  # set when a history has a new line
        self._uncounted = True  # something changed that the gauge does not know
        self._counted_s = -COUNT_S

    @property
    def policy(self) -> Policy:
        return self._policy

    async def take(self, topic: str, items: Sequence[Item[Flag | Clearing]]) -> None:
        """Apply a batch: incidents, history, flags, outbox and positions, all in one transaction.

        Items that an earlier transaction holds (redelivery, a second replica) change nothing. Raises StoreError.
        """
        async with self.unit() as (session, hold, now):
            positions = Positions(session)
            stored = await positions.all(topic, for_change=True)
            new = fresh(items, stored)
            if not new:  # another instance was here first
                return
            facts = [item.fact for item in new if item.fact is not None]
            outcomes, changes = await self._apply(session, facts, now)
            saved = await self._save(session, hold, changes, now, _lateness(new, changes, now))
            await positions.save(after(new), now)
        self._note(outcomes, changes)
        done = self._clock.now()
        for item in new:
            if item.fact is not None:
                self._metrics.delay.observe(max(0.0, (done - item.written).total_seconds()))
        self._tell(saved)
        trail.tell(changes, saved)
        if spans.wanted():
            trail.trace(
                changes, saved, {item.fact.flag_id: item.written for item in new if item.fact is not None}, done
            )

    async def raise_own(self, flags: Sequence[Flag]) -> None:
        """What we found out ourselves (`core.own.own_flag`), no topic. What stands already, whoever raised it, changes nothing.

        Raises StoreError.
        """
        await self._own(lambda standing: fresh_flags(flags, standing))

    async def clear_own(self, clearings: Sequence[Clearing]) -> None:
        """The end of flags of ours (`OwnFlag.cleared`); one that stands no more changes nothing. Raises StoreError."""
        await self._own(lambda standing: known_only(clearings, standing))

    async def own_flags(self, rules: Collection[str] = ()) -> list[OwnFlag]:
        """The flags of ours that stand, of these rules or of all: what a restarted service begins with. Raises StoreError."""
        async with self._database.reading() as session:
            return await OwnFlags(session).standing(rules)

    async def start_anew(self, topic: str) -> None:
        """The broker's log was replaced: no position means anything, and what had not ended by then ends unheard."""
        async with self.unit() as (session, hold, now):
            await Positions(session).forget(topic)
            incidents = Incidents(session)
            changes = [lost(one, now) for one in await incidents.with_active_flags()]
            saved = await self._save(session, hold, changes, now)
        self._tell(saved)

    async def act(self, number: int, step: Callable[[Incident, datetime], Change | None]) -> Incident:
        """What a person does to incident `number`; None: nothing after all.

        Raises NoSuchIncident, AnotherIsOpen, and whatever `step` raises.
        """
        async with self.unit() as (session, hold, now):
            incidents = Incidents(session)
            incident = await incidents.get(number, for_change=True)
            if incident is None:
                raise NoSuchIncident(f"there is no incident {number}")
            change = step(incident, now)
            if change is None:
                return incident
            if incident.state == "resolved" and change.incident.state != "resolved":
                other = await incidents.unresolved_of(incident.group)
                if other is not None:
                    raise AnotherIsOpen(other)
            saved = await self._save(session, hold, [change], now)
        self._tell(saved)
        return saved[0]

    async def look(self) -> int:
        """Look at the incidents whose time has come; how many."""
        async with self.unit() as (session, hold, now):
            incidents = Incidents(session)
            due = await incidents.due(now)
            changes = [change for one in due for change in self._due(one, hold, now)]
            changed = {change.incident.id for change in changes}
            await incidents.look_again((one for one in due if one.id not in changed), self._next_look(now))
            saved = await self._save(session, hold, changes, now)
        self._tell(saved)
        return len(due)

    async def attend(self) -> datetime | None:
        """Do whatever the time and other instances ask for; when something is due next, as far as is known now."""
        if self._uncounted and self._clock.monotonic() - self._counted_s >= COUNT_S:
            await self.count()
        async with self._database.reading() as session:
            woken = await wake(session)
            others = await self.holds.refresh(session, woken, self._clock.now())
        due = woken.due
        if others:
            self._hub.silences_changed()
        if self.holds.pull_due(self._clock.now()):
            async with self.unit() as (session, hold, now):
                pulled = await self.holds.pull(session, hold, now)
            self.holds.pulled(hold, now)
            due = now if pulled else due
        now = self._clock.now()
        if (woken.due_by(now) or (due is not None and due <= now)) and await self.look():
            return now
        return min((at for at in (due, self.holds.next_change(now)) if at is not None), default=None)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[tuple[AsyncSession, Hold, datetime]]:
        """A unit of work that changes incidents or silences, one at a time among all instances; what holds incidents, and the
        time in it. The time is taken when the turn has come, so that it is not before what others did.
        """
        async with self._database.unit_of_work() as session:
            version = await Silences(session).version(for_change=True)
            now = self._clock.now()
            yield session, await self.holds.at(session, version, now), now

    async def touched(self, numbers: Sequence[int]) -> None:
        """Something beside these incidents changed (a notification), or another instance changed them: tell the pages."""
        if not numbers or not self._hub.readers:
            return
        async with self._database.reading() as session:
            incidents = await Incidents(session).numbers(numbers)
        for one in incidents:
            self._hub.changed(self.views.of(one), one)

    async def count(self) -> None:
        """Bring the gauge of unresolved incidents up to date."""
        self._uncounted, self._counted_s = False, self._clock.monotonic()
        async with self._database.reading() as session:
            found = await Incidents(session).unresolved()
        for severity in SEVERITIES:
            self._metrics.unresolved.labels(severity).set(found.get(severity, 0))

    async def _own(self, wanted: Callable[[Collection[OwnFlag]], Sequence[Flag | Clearing]]) -> None:
        """One unit of work for what is still wanted; another instance may say the same at this moment, so once more then."""
        for last in (False, False, True):
            try:
                async with self.unit() as (session, hold, now):
                    facts = wanted(await OwnFlags(session).standing())
                    if not facts:
                        return
                    outcomes, changes = await self._apply(session, facts, now)
                    saved = await self._save(session, hold, changes, now)
                break
            except IntegrityError:
                if last:
                    raise
        self._note(outcomes, changes)
        self._tell(saved)
        trail.tell(changes, saved)

    def _note(self, outcomes: Iterable[Outcome], changes: Iterable[Change]) -> None:
        for outcome in outcomes:
            self._metrics.flags.labels(outcome).inc()
        for change in changes:
            if change.entry.kind == "opened":
                self._metrics.incidents.labels(change.incident.severity).inc()

    async def _apply(
        self, session: AsyncSession, facts: Sequence[Flag | Clearing], now: datetime
    ) -> tuple[list[Outcome], list[Change]]:
        groups = {self._in_force.alerts.handling.group(fact) for fact in facts if isinstance(fact, Flag)}
        known = {fact.flag_id for fact in facts}
        book = await Incidents(session).book(self._policy, self._in_force.alerts.handling, self.zone_of, known, groups)
        outcomes: list[Outcome] = []
        changes: list[Change] = []
        for fact in facts:
            outcome, change = book.raised(fact, now) if isinstance(fact, Flag) else book.cleared(fact, now)
            outcomes.append(outcome)
            if change is not None:
                changes.append(change)
        return outcomes, changes

    def zone_of(self, site: str) -> str:
        """The time zone of a site."""
        return self._sites.site(site).time_zone

    def _due(self, incident: Incident, hold: Hold, now: datetime) -> list[Change]:
        return looked_at(incident, self._policy, lambda one: hold.by(one, now), now)

    def _next_look(self, now: datetime) -> Callable[[Incident], datetime | None]:
        return lambda one: next_look(one, self._policy, now)

    async def _save(
        self,
        session: AsyncSession,
        hold: Hold,
        changes: Sequence[Change],
        now: datetime,
        late: Mapping[str, timedelta] = MappingProxyType({}),
    ) -> list[Incident]:
        """Write the changes and what is due right after them. `late`: by `opened_by`, as `_lateness` has it.

        When what the changed incidents hide is different now, the others are looked at next.
        """
        incidents = Incidents(session)
        changes = await incidents.numbered(changes)
        latest = {change.incident.opened_by: change.incident for change in changes}
        held = hold.with_changed(latest.values())
        changes = [*changes, *(change for one in latest.values() for change in self._due(one, held, now))]
        saved = await incidents.save(changes, now, self._next_look(now))
        held = held.with_changed(saved)
        if held.standing != hold.standing:
            await self.holds.pull(session, held, now)
        outbox, numbers = Outbox(session), {one.opened_by: one for one in saved}
        for change in changes:
            if change.entry.kind == "told":
                one = numbers[change.incident.opened_by]
                if not outbox.add(
                    one,
                    change.entry.data,
                    self._in_force.channels.of,
                    late.get(one.opened_by, timedelta()),
                    now,
                    then=self._in_force.channels.then,
                ):
                    self._metrics.notifications.labels("no_channel").inc()
        return saved

    def _tell(self, incidents: Sequence[Incident]) -> None:
        if not incidents:
            return
        self.to_send.set()
        self.changed.set()
        self.to_publish.set()
        self._uncounted = True
        if self._hub.readers:
            for one in incidents:
                self._hub.changed(self.views.of(one), one)


def _lateness(items: Sequence[Item[Flag | Clearing]], changes: Sequence[Change], now: datetime) -> dict[str, timedelta]:
    """By incident, how long its newest flag was on its way to us."""
    written = {item.fact.flag_id: item.written for item in items if isinstance(item.fact, Flag)}
    return {c.incident.opened_by: now - written[c.flag.flag_id] for c in changes if c.flag is not None}
