"""Several instances of the alerts service on one database, driven by hand: no tasks, no broker, a clock that moves when told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from services.alerts.alertfile.reading import Alerts
from services.alerts.app import AlertsService
from services.alerts.core.handling import Handling
from services.alerts.core.incident import Change, Clearing, Flag, Incident
from services.alerts.core.inhibition import Inhibition
from services.alerts.core.labels import matchers
from services.alerts.core.routes import to
from services.alerts.core.silences import Silence, made
from services.alerts.desk import Desk
from services.alerts.repositories import Incidents, Query
from services.alerts.silences import keeping
from shared.bus import Record
from shared.clock import FakeClock
from shared.db import Database
from shared.intake import Item
from shared.memorybus import MemoryBus
from tests.alertskit import SITES, settings

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
TOPIC = "floor.flags"
LINK = Inhibition(matchers({"rule": "link_silent"}), matchers({"rule": "!link_silent"}))


class Fleet:
    """`instances` of the service; everything told goes to the receiver ops, at once."""

    def __init__(self, database: Database, instances: int = 2, inhibitions: tuple[Inhibition, ...] = (LINK,)) -> None:
        self.database = database
        self.clock = FakeClock(START)
        self.services = [
            AlertsService(settings(), bus=MemoryBus(), database=database, clock=self.clock, sites=SITES)
            for _ in range(instances)
        ]
        for service in self.services:
            service.in_force.alerts = _with(service.in_force.alerts, Handling(to("ops"), inhibitions=inhibitions))
        self._offset = 0

    def desk(self, instance: int = 0) -> Desk:
        return self.services[instance].desk

    async def take(self, *facts: Flag | Clearing, instance: int = 0) -> None:
        """These facts as one batch of the topic."""
        items = []
        for fact in facts:
            items.append(Item(Record(TOPIC, 0, self._offset, b"s1", b"%d" % self._offset, (), self.clock.now()), fact))
            self._offset += 1
        await self.desk(instance).take(TOPIC, items)

    async def silence(
        self, written: dict[str, str], lasts: timedelta, *, starts_in: timedelta = timedelta(), instance: int = 0
    ) -> Silence:
        def build(now: datetime) -> Silence:
            starts = now + starts_in
            return made("silence", matchers(written), "works", "Li", now, starts=starts, ends=starts + lasts)

        return await keeping.make(self.desk(instance), build)

    async def end(self, number: int, instance: int = 0) -> Silence:
        return await keeping.end(self.desk(instance), number, "Wu", lambda _: None)

    async def act(
        self, number: int, step: Callable[[Incident, datetime], Change | None], instance: int = 0
    ) -> Incident:
        return await self.desk(instance).act(number, step)

    async def attend(self, instance: int = 0) -> None:
        """What the keeper of an instance does until nothing is due any more."""
        for _ in range(50):
            due = await self.desk(instance).attend()
            if due is None or due > self.clock.now():
                return
        raise AssertionError("it never comes to rest")

    async def pass_(self, time: timedelta, instance: int = 0) -> None:
        """Time passes; the keeper of one instance looks whenever something is due."""
        until = self.clock.now() + time
        while True:
            await self.attend(instance)
            due = await self.desk(instance).attend()
            if due is None or due > until:
                break
            await self.clock.advance((due - self.clock.now()).total_seconds())
        await self.clock.advance((until - self.clock.now()).total_seconds())
        await self.attend(instance)

    async def incidents(self) -> list[Incident]:
        async with self.database.reading() as session:
            found = await Incidents(session).find(Query(limit=500))
        return sorted(found, key=lambda one: one.id)

    async def told(self, number: int) -> list[str]:
        """The reasons for which people were told, in order."""
        async with self.database.reading() as session:
            entries = await Incidents(session).entries(number)
        return [entry.data["reason"] for entry in entries if entry.kind == "told"]

    async def kinds(self, number: int) -> list[str]:
        async with self.database.reading() as session:
            return [entry.kind for entry in await Incidents(session).entries(number)]


def _with(alerts: Alerts, handling: Handling) -> Alerts:
    return msgspec.structs.replace(alerts, handling=handling)
