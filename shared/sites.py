"""Reads `sites.yaml`: what we know of each site beyond what its switch says. Data, checked at start-up.

A file without a site, a queue or an agent is fine: what the switch names and the file does not works with defaults.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

import msgspec

from shared.errors import SettingsError
from shared.siteconfig import AgentConfig, Listening, QueueConfig, ServiceLevelTarget, SiteConfig, Sites
from shared.yamlfile import Where, load_checked

__all__ = ["AgentConfig", "QueueConfig", "ServiceLevelTarget", "SiteConfig", "Sites", "load_sites"]

_YEAR_S: Final = 365 * 86_400.0
_WINDOW: Final = re.compile(r"(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)")


def load_sites(path: Path, *, setting: str = "") -> Sites:
    """Read and check `path`, which is what the variable `setting` says.

    Raises SettingsError that names file, line and key.
    """
    sites, where = load_checked(path, Sites, setting=setting)
    zones = available_timezones()
    for key, site in [("defaults", sites.defaults), *((f"sites.{name}", site) for name, site in sites.sites.items())]:
        if site.time_zone not in zones:
            raise SettingsError(where(f"{key}.time_zone") + f": {site.time_zone!r} is not an IANA time zone")
        for name, seconds in msgspec.structs.asdict(site.leases).items():
            if not 0 <= seconds < _YEAR_S:
                expected = "expected seconds from 0, which is for ever, to below a year"
                raise SettingsError(where(f"{key}.leases.{name}") + f": {expected}, got {seconds}")
        _check_listening(site.listening, where, f"{key}.listening")
        _check_queue(site.default_queue, where, f"{key}.default_queue")
        for queue_name, queue in site.queues.items():
            _check_queue(queue, where, f"{key}.queues.{queue_name}")
    return sites


def _check_listening(listening: Listening, where: Where, key: str) -> None:
    if not 1 <= listening.max_s <= 86_400:
        expected = "expected seconds from 1 to a day, 86400"
        raise SettingsError(where(f"{key}.max_s") + f": {expected}, got {listening.max_s:g}")
    if not listening.purposes:
        raise SettingsError(where(f"{key}.purposes") + ": without one nobody could listen; leave the key out for all")
    for number, rule in enumerate(listening.rules):
        for window in rule.windows:
            if not _is_window(window):
                expected = 'expected hours of the day such as "08:00-20:00"'
                raise SettingsError(where(f"{key}.rules[{number}].hours") + f": {expected}, got {window!r}")
        for purpose in rule.purposes:
            if purpose not in listening.purposes:
                expected = f"is not one of the site's purposes, {', '.join(listening.purposes)}"
                raise SettingsError(where(f"{key}.rules[{number}].purposes") + f": {purpose} {expected}")


def _is_window(text: str) -> bool:
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        return False
    start_hour, start_minute, end_hour, end_minute = map(int, found.groups())
    return start_hour < 24 and end_hour * 60 + end_minute <= 1440 and start_minute < 60 and end_minute < 60


def _check_queue(queue: QueueConfig, where: Where, key: str) -> None:
    level = queue.service_level
    for name, value in (
        ("wrap_up_s", queue.wrap_up_s),
        ("service_level.within_s", level.within_s),
        ("service_level.short_abandon_s", level.short_abandon_s),
    ):
        if not 0 <= value < 86_400:
            raise SettingsError(where(f"{key}.{name}") + f": expected seconds from 0 to below a day, got {value}")
    if not 0 < level.target <= 1:
        raise SettingsError(
            where(f"{key}.service_level.target") + f": expected a share above 0 and at most 1, got {level.target}"
        )
