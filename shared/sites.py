"""`sites.yaml`: what we know of each site beyond what its switch says. Data, checked at start-up.

A file without a site, a queue or an agent is fine: what the switch names and the file does not works with defaults.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct, field

from shared.errors import SettingsError
from shared.yamlfile import load_checked

ServiceLevelFormula = Literal["F1", "F2", "F3", "F3s", "F4", "F5"]


class ServiceLevelTarget(Struct, frozen=True, forbid_unknown_fields=True):
    """A formula of docs/metrics.md; answered within `within_s`; short abandons under `short_abandon_s`; target 0 to 1."""

    formula: ServiceLevelFormula = "F3s"
    within_s: float = 20.0
    short_abandon_s: float = 5.0
    target: float = 0.8


class QueueConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A queue: `wrap_up_s` of after-call work that the switch grants (0: none), its name for people, its target."""

    label: str = ""
    wrap_up_s: float = 0.0
    service_level: ServiceLevelTarget = field(default_factory=ServiceLevelTarget)


class AgentConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """An agent as people know them. The key is the id the switch's adapter gives (for Asterisk: extension)."""

    name: str = ""
    team: str = ""
    tags: tuple[str, ...] = ()


class SiteConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One site; everything has a default."""

    label: str = ""
    time_zone: str = "UTC"
    queues: dict[str, QueueConfig] = field(default_factory=dict)
    agents: dict[str, AgentConfig] = field(default_factory=dict)
    default_queue: QueueConfig = field(default_factory=QueueConfig)

    def queue(self, name: str) -> QueueConfig:
        """The settings of queue `name`, or the default ones."""
        return self.queues.get(name, self.default_queue)

    def agent(self, agent_id: str) -> AgentConfig:
        """What is known of agent `agent_id`, possibly nothing."""
        return self.agents.get(agent_id, _UNKNOWN_AGENT)

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)


_UNKNOWN_AGENT = AgentConfig()


class Sites(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    sites: dict[str, SiteConfig] = field(default_factory=dict)

    def site(self, name: str) -> SiteConfig:
        """The settings of site `name`, or the defaults."""
        return self.sites.get(name, _UNKNOWN_SITE)


_UNKNOWN_SITE = SiteConfig()


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


def _check_queue(queue: QueueConfig, where: Any, key: str) -> None:
    if queue.wrap_up_s < 0:
        raise SettingsError(where(f"{key}.wrap_up_s") + f": expected 0 or more seconds, got {queue.wrap_up_s}")
    if not 0 < queue.service_level.target <= 1:
        raise SettingsError(
            where(f"{key}.service_level.target")
            + f": expected a share above 0 and at most 1, got {queue.service_level.target}"
        )
