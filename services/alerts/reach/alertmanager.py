"""Prometheus Alertmanager, API v2: each incident is an alert that fires until it is resolved.

Alertmanager forgets what it does not hear of again, so alerts are sent anew while their incident is unresolved (`upkeep`), each
time with an end a little ahead: when we are gone, they end. A resolution is repeated for a while, as Prometheus itself does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from services.alerts.alertfile.receivers import Alertmanager
from services.alerts.links import home_url, incident_url
from services.alerts.reach.outbox import ChannelName
from services.alerts.reach.outgoing import Answer, Outgoing, Told
from services.alerts.reach.posting import post
from services.alerts.reach.secrets import Scrubber
from services.alerts.reach.threads import OwnThread

EVERY: Final = timedelta(seconds=60)  # alerts are sent anew
AHEAD: Final = 5 * EVERY  # their end, if we are not heard of again
AFTER: Final = timedelta(minutes=15)  # a resolution is repeated for so long
_AT_ONCE: Final = 500
_OF_TEST: Final = timedelta(minutes=1)


class AlertmanagerChannel:
    """One Alertmanager. Labels make an alert the same for it: only what never changes of an incident, and its severity."""

    robot = None

    def __init__(self, config: Alertmanager, public_url: str) -> None:
        self._url, self._labels = config.url, config.labels
        self._public_url = public_url
        host = urlsplit(config.url).netloc.rpartition("@")[2]
        key = hashlib.sha256(f"alertmanager {config.url}".encode()).hexdigest()[:16]
        self.name = ChannelName(key, f"Alertmanager {host}")
        self._scrub = Scrubber(config.url, public=host.split(":"))
        self._sending, self._keeping = OwnThread(), OwnThread()

    async def send(self, one: Outgoing) -> Answer:
        """One attempt; all of its incidents."""
        if one.kind == "report":
            return Answer(False, "Alertmanager takes no reports")
        alerts = [self._test(one)] if one.kind == "test" else [self._alert(told, one.at) for told in one.told]
        return await self._post(alerts, one.at, self._sending)

    async def keep(self, told: Sequence[Told], now: datetime) -> Answer:
        """The same alerts once more, as they stand now."""
        return await self._post([self._alert(one, now) for one in told], now, self._keeping)

    async def _post(self, alerts: Sequence[dict[str, Any]], now: datetime, thread: OwnThread) -> Answer:
        answer = Answer(True, "nothing to send")
        for start in range(0, len(alerts), _AT_ONCE):
            body = msgspec.json.encode(alerts[start : start + _AT_ONCE])
            answer = await thread.run(partial(post, f"{self._url}/api/v2/alerts", body, {}, now))
            if not answer.ok:
                break
        return msgspec.structs.replace(answer, text=self._scrub(answer.text))

    def _alert(self, told: Told, now: datetime) -> dict[str, Any]:
        resolved = told.state == "resolved" and told.resolved_at is not None
        annotations = {
            **told.labels,
            "summary": told.summary_en,
            "summary_zh": told.summary_zh,
            "subject": told.subject,
            "subject_id": told.subject_id,
            "owner": told.owner,
        }
        return {
            "labels": {
                **self._labels,
                "alertname": told.rule,
                "site": told.site,
                "severity": told.severity,
                "incident": str(told.number),
            },
            "annotations": {_name(name): value for name, value in annotations.items() if value},
            "startsAt": told.opened_at,
            "endsAt": told.resolved_at if resolved else now + AHEAD,
            "generatorURL": incident_url(self._public_url, told.number),
        }

    def _test(self, one: Outgoing) -> dict[str, Any]:
        return {
            "labels": {**self._labels, "alertname": "FloorwatchTest", "severity": "info", "receiver": one.receiver},
            "annotations": {"summary": one.message.title},
            "startsAt": one.at,
            "endsAt": one.at + _OF_TEST,
            "generatorURL": home_url(self._public_url),
        }


def _name(written: str) -> str:
    """A name as Alertmanager allows it."""
    found = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in written)
    return found if found and not found[0].isdigit() else f"_{found}"
