"""What `floorwatch alerts preview` tells of: an example of a rule, or an incident that there is."""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy.exc import DBAPIError

from floorwatch.purge import existing, unknown_version
from floorwatch.routing import from_rules
from services.alerts.core.incident import Incident
from services.alerts.core.telling import Reason
from services.alerts.reach.outgoing import Told
from services.alerts.reach.owntemplate import EXAMPLE
from services.alerts.repositories import Incidents
from shared.clock import SystemClock
from shared.errors import SettingsError

REASONS = tuple(one.value for one in Reason if one is not Reason.NONE)


def told_of(rule: str, site: str, reason: str, number: int | None, url: str) -> Told:
    """Of incident `number` in that database, or of an example of the rule. Raises SettingsError, StoreError."""
    if reason not in REASONS:
        raise SettingsError(f"--reason: there is no {reason!r}; there are {', '.join(REASONS)}")
    return example(rule, site, reason) if number is None else incident(url, number, reason)


def example(rule: str, site: str, reason: str) -> Told:
    """An incident of that rule, just opened; of what and how severe as the rule book has it, its words those of any example."""
    now, known = SystemClock().now().replace(microsecond=0), from_rules(rule)
    about = msgspec.structs.replace(EXAMPLE, rule=rule, site=site, reason=reason, started=now, opened_at=now)
    if known is None:
        return about
    words = {} if rule == EXAMPLE.rule else {"summary_en": f"an example of {rule}", "summary_zh": f"{rule} 示例"}
    fields = {"subject": known.subject, "severity": known.severity, **words}
    return msgspec.convert(msgspec.to_builtins(about) | fields, Told)


def incident(url: str, number: int, reason: str) -> Told:
    """That incident as it stands. Raises SettingsError, StoreError."""
    return _told(asyncio.run(_load(url, number)), reason)


def _told(one: Incident, reason: str) -> Told:
    same = {name: getattr(one, name) for name in Told.__struct_fields__ if hasattr(one, name)}
    return Told(**same | {"number": one.id, "telling": one.telling.count + 1, "reason": reason})


async def _load(url: str, number: int) -> Incident:
    database = existing(url)
    try:
        async with database.reading() as session:
            found = await Incidents(session).get(number)
    except DBAPIError as exc:
        raise unknown_version(url, exc) from exc
    finally:
        await database.close()
    if found is None:
        raise SettingsError(f"--incident: there is no incident {number}")
    return found
