"""Reads `sites.yaml`: what we know of each site beyond what its switch says. Data, checked at start-up.

A file without a site, a queue or an agent is fine: what the switch names and the file does not works with defaults.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

import msgspec

from shared.errors import SettingsError
from shared.siteconfig import AgentConfig, QueueConfig, ServiceLevelTarget, SiteConfig, Sites
from shared.yamlfile import Where, load_checked

__all__ = ["AgentConfig", "QueueConfig", "ServiceLevelTarget", "SiteConfig", "Sites", "load_sites"]

_YEAR_S: Final = 365 * 86_400.0


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
        _check_queue(site.default_queue, where, f"{key}.default_queue")
        for queue_name, queue in site.queues.items():
            _check_queue(queue, where, f"{key}.queues.{queue_name}")
    return sites


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
