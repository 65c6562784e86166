"""What `floorwatch alerts preview` tells of: an example of a rule, or an incident that there is."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import Struct
from sqlalchemy.exc import DBAPIError

from floorwatch.purge import existing, unknown_version
from floorwatch.routing import Read, from_rules
from services.alerts.core.course import Coming, coming, promised
from services.alerts.core.explained import as_told
from services.alerts.core.explained import example as example_flag
from services.alerts.core.incident import Incident
from services.alerts.core.silences import Silence, next_change
from services.alerts.core.telling import Reason
from services.alerts.reach.outgoing import Told
from services.alerts.reach.owntemplate import EXAMPLE
from services.alerts.reach.queue import OF_WHAT_IS_RESOLVED
from services.alerts.repositories import Incidents
from services.alerts.silences.holds import Hold
from services.alerts.silences.repository import Silences
from shared.clock import SystemClock
from shared.errors import SettingsError

REASONS = tuple(one.value for one in Reason if one is not Reason.NONE)


class Shown(Struct, frozen=True):
    """What a preview is about. `incident` None: an example, whose plan is that of the alert file."""

    told: Told
    incident: Incident | None = None
    silences: tuple[Silence, ...] = ()

    def with_next(self, read: Read) -> Told:
        """With whom it is told to next if nobody acknowledges."""
        return msgspec.structs.replace(self.told, next=self._next(read))

    def _next(self, read: Read) -> Coming | None:
        told = self.told
        if told.reason in OF_WHAT_IS_RESOLVED:
            return None
        incident, now = self.incident, SystemClock().now()
        if incident is None:
            labels = told.labels | {"site": told.site, "rule": told.rule, "subject": told.subject}
            flag = example_flag(labels | {"subject_id": told.subject_id}, told.severity, told.opened_at)
            zone = read.sites.site(told.site).time_zone
            reason = Reason.OPENED if told.reason == Reason.REOPENED else told.reason
            incident, now = as_told(read.alerts.handling, flag, zone, read.policy, told.opened_at, reason)
        found = coming(incident, read.policy, Hold(self.silences).by, lambda at: next_change(self.silences, at), now)
        return promised(incident, found)


def told_of(rule: str, site: str, reason: str, number: int | None, url: str) -> Shown:
    """Of incident `number` in that database, or of an example of the rule. Raises SettingsError, StoreError."""
    if reason not in REASONS:
        raise SettingsError(f"--reason: there is no {reason!r}; there are {', '.join(REASONS)}")
    return Shown(example(rule, site, reason)) if number is None else incident(url, number, reason)


def example(rule: str, site: str, reason: str) -> Told:
    """An incident of that rule, just opened; of what and how severe as the rule book has it, its words those of any example."""
    now, known = SystemClock().now().replace(microsecond=0), from_rules(rule)
    about = msgspec.structs.replace(EXAMPLE, rule=rule, site=site, reason=reason, started=now, opened_at=now)
    if reason in (Reason.RESOLVED, Reason.RECHECK):
        about = msgspec.structs.replace(about, state="resolved", condition="ended", owner="Li Wei", resolved_at=now)
    if known is None:
        return about
    words = {} if rule == EXAMPLE.rule else {"summary_en": f"an example of {rule}", "summary_zh": f"{rule} 示例"}
    fields = {"subject": known.subject, "severity": known.severity, **words}
    return msgspec.convert(msgspec.to_builtins(about) | fields, Told)


def incident(url: str, number: int, reason: str) -> Shown:
    """That incident as it stands. Raises SettingsError, StoreError."""
    found, silences = asyncio.run(_load(url, number))
    return Shown(_told(found, reason), found, silences)


def _told(one: Incident, reason: str) -> Told:
    same = {name: getattr(one, name) for name in Told.__struct_fields__ if hasattr(one, name)}
    return Told(**same | {"number": one.id, "telling": one.telling.count + 1, "reason": reason})


async def _load(url: str, number: int) -> tuple[Incident, tuple[Silence, ...]]:
    database = existing(url)
    try:
        async with database.reading() as session:
            found = await Incidents(session).get(number)
            silences = await Silences(session).not_over(SystemClock().now())
    except DBAPIError as exc:
        raise unknown_version(url, exc) from exc
    finally:
        await database.close()
    if found is None:
        raise SettingsError(f"--incident: there is no incident {number}")
    return found, silences
