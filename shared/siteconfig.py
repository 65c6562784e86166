"""What is configured of a site: plain values without I/O, read by `shared.sites`."""

from __future__ import annotations

from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from shared.commands import Mode
from shared.identity import Role

ServiceLevelFormula = Literal["F1", "F2", "F3", "F3s", "F4", "F5"]


class ServiceLevelTarget(Struct, frozen=True, forbid_unknown_fields=True):
    """A formula of docs/metrics.md; answered within `within_s`; short abandons under `short_abandon_s`; target 0 to 1."""

    formula: ServiceLevelFormula = "F3s"
    within_s: float = 20.0
    short_abandon_s: float = 5.0
    target: float = 0.8


class QueueConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A queue: `wrap_up_s` of after-call work that the switch grants (0: none), its name for people, its target.

    `direction`: what its calls are, whatever the switch says; "" is what it says. A dialler hands over those whom it reached by a
    queue, and many switches call that inbound.
    """

    label: str = ""
    wrap_up_s: float = 0.0
    service_level: ServiceLevelTarget = field(default_factory=ServiceLevelTarget)
    direction: Literal["", "inbound", "outbound"] = ""


class AgentConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """An agent as people know them. The key is the id the switch's adapter gives (for Asterisk: extension)."""

    name: str = ""
    team: str = ""
    tags: tuple[str, ...] = ()


class Leases(Struct, frozen=True, forbid_unknown_fields=True):
    """How long, in seconds, a state is believed without evidence before it becomes unknown; 0: for ever.

    A switch that reports only changes says nothing of an agent who stays ready all night; one that repeats itself (heartbeats,
    listings) can have short leases.
    """

    ringing_s: float = 600.0
    line_s: float = 14_400.0  # talk, hold, consult
    wrap_s: float = 7_200.0
    declared_s: float = 86_400.0  # ready, break
    call_s: float = 14_400.0  # a call without any event: swept as a ghost


Purpose = Literal["live_qa", "new_agent", "coaching", "complaint", "spot_check"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TellAgent = Literal["never", "during", "after"]


class ListenRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may listen to whom, how and when. A condition that is left out is no condition; all of the others must hold.

    Of who listens: `roles` (one of them), `users`. Of the agent: `teams`, `tags` (one of them). `queues`: of the call, without
    one of the agent. `hours` are of the site's day, such as "08:00-20:00" or several; a window belongs to the day it begins on.
    """

    roles: tuple[Role, ...] = ()
    users: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    hours: str | tuple[str, ...] = ()
    days: tuple[Day, ...] = ()

    @property
    def windows(self) -> tuple[str, ...]:
        """The hours as a list."""
        return (self.hours,) if isinstance(self.hours, str) else self.hours


class Listening(Struct, frozen=True, forbid_unknown_fields=True):
    """A site's policy of live listening. Without rules everybody with the permission may, within their scope.

    `mute_on_hold`: nothing is heard while the customer is on hold. `tell_agent`: when an agent can see that they were listened
    to. `max_s`: seconds that one listen may take. `purposes`: those that may be given.
    """

    rules: tuple[ListenRule, ...] = ()
    mute_on_hold: bool = True
    tell_agent: TellAgent = "never"
    max_s: float = 3600.0
    purposes: tuple[Purpose, ...] = PURPOSES


class SiteConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One site; everything has a default."""

    label: str = ""
    time_zone: str = "UTC"
    queues: dict[str, QueueConfig] = field(default_factory=dict)
    agents: dict[str, AgentConfig] = field(default_factory=dict)
    default_queue: QueueConfig = field(default_factory=QueueConfig)
    leases: Leases = field(default_factory=Leases)
    listening: Listening = field(default_factory=Listening)

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
    """The whole file. `defaults` is every site that it does not name."""

    sites: dict[str, SiteConfig] = field(default_factory=dict)
    defaults: SiteConfig = field(default_factory=SiteConfig)

    def site(self, name: str) -> SiteConfig:
        """The settings of site `name`, or the defaults."""
        return self.sites.get(name, self.defaults)
