"""Reads `sites.yaml`: what we know of each site beyond what its switch says. Data, checked at start-up.

A file without a site, a queue or an agent is fine: what the switch names and the file does not works with defaults.
"""

from __future__ import annotations

from pathlib import Path
from zoneinfo import available_timezones

from shared.errors import SettingsError
from shared.siteconfig import AgentConfig, QueueConfig, ServiceLevelTarget, SiteConfig, Sites
from shared.yamlfile import Where, load_checked

__all__ = ["AgentConfig", "QueueConfig", "ServiceLevelTarget", "SiteConfig", "Sites", "load_sites"]


def load_sites(path: Path) -> Sites:
    """Read and check `path`.

    Raises SettingsError that names file, line and key.
    """
    sites, where = load_checked(path, Sites)
    zones = available_timezones()
    for name, site in sites.sites.items():
        if site.time_zone not in zones:
            raise SettingsError(where(f"sites.{name}.time_zone") + f": {site.time_zone!r} is not an IANA time zone")
        for queue_name, queue in site.queues.items():
            key = f"sites.{name}.queues.{queue_name}"
            _check_queue(queue, where, key)
    return sites


def _check_queue(queue: QueueConfig, where: Where, key: str) -> None:
    if queue.wrap_up_s < 0:
        raise SettingsError(where(f"{key}.wrap_up_s") + f": expected 0 or more seconds, got {queue.wrap_up_s}")
    if not 0 < queue.service_level.target <= 1:
        raise SettingsError(
            where(f"{key}.service_level.target")
            + f": expected a share above 0 and at most 1, got {queue.service_level.target}"
        )
