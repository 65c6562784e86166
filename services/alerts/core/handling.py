"""How incidents are handled: the alert file as the core knows it. Pure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from services.alerts.core.incident import Flag
from services.alerts.core.inhibition import Inhibition
from services.alerts.core.labels import Matcher, fits
from services.alerts.core.plan import Plan
from services.alerts.core.routes import Routes

BY_SUBJECT: Final = ("rule", "subject", "subject_id")


class Grouping(Struct, frozen=True):
    """Flags that fit make one incident for each combination of values that the labels `by` have; sites are always apart."""

    matchers: tuple[Matcher, ...]
    by: tuple[str, ...]


class Handling(Struct, frozen=True):
    """Which flags make one incident, whom it is told to, what hides it. The first grouping that fits counts."""

    routes: Routes
    groupings: tuple[Grouping, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()

    def group(self, flag: Flag) -> str:
        """The key that the flags of one incident share."""
        labels, by = flag.all_labels, self.grouped_by(flag)
        if by == BY_SUBJECT:
            return _key(flag.site, *(labels[name] for name in by))
        return _key(flag.site, *(f"{name}={labels.get(name, '')}" for name in by if name != "site"))

    def grouped_by(self, flag: Flag) -> tuple[str, ...]:
        """The labels that the flags of one incident share, beside the site."""
        labels = flag.all_labels
        return next((one.by for one in self.groupings if fits(one.matchers, labels)), BY_SUBJECT)

    def plan(self, flag: Flag, time_zone: str) -> Plan:
        """What is done about an incident that this flag opens, at a site with this time zone."""
        return self.routes.plan(flag.all_labels, time_zone)


def _key(*parts: str) -> str:
    return "/".join(part.replace("/", "%2F") for part in parts)
