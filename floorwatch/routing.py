"""What `floorwatch alerts check` and `route` find out: the alert file read, and what it would make of a flag."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from services.alerts.alertfile.reading import Alerts, load_alerts
from services.alerts.api.explainviews import ExplainedView
from services.alerts.api.routing import FIRST_YEAR, LAST_YEAR
from services.alerts.api.routingviews import RoutingView
from services.alerts.core.explained import explained
from services.alerts.core.incident import Policy
from services.alerts.reach.channels import Channels
from services.monitor.rulefile import load_rulebook
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.settings import AlertsSettings, MonitorSettings, load, variable
from shared.siteconfig import Sites
from shared.sites import load_sites


class Read(Struct, frozen=True):
    """An alert file and what it is about."""

    file: Path | None
    alerts: Alerts
    channels: Channels
    sites: Sites
    policy: Policy

    def view(self) -> RoutingView:
        name = str(self.file) if self.file else ""
        now = SystemClock().now()
        return RoutingView.of(self.alerts, self.channels.of, self.sites, now, file=name, loaded_at=now)

    def explain(self, labels: dict[str, str], at: str | None) -> ExplainedView:
        """Raises WrongLabels, SettingsError."""
        zone = self.sites.site(labels.get("site", "")).time_zone
        when = self.moment(at, labels.get("site", "")) if at else SystemClock().now().replace(second=0, microsecond=0)
        found = explained(self.alerts.handling, labels, zone, self.policy, when)
        return ExplainedView.of(found, self.sites)

    def moment(self, text: str, site: str) -> datetime:
        """A time as ISO 8601; without a zone it is the site's. Raises SettingsError."""
        try:
            found = datetime.fromisoformat(text)
            if not FIRST_YEAR <= found.year < LAST_YEAR:
                raise ValueError
        except ValueError:
            raise SettingsError(f'--at: expected a time such as "2026-03-02 09:00", got {text!r}') from None
        return (found if found.tzinfo else found.replace(tzinfo=self.sites.site(site).zone)).astimezone(UTC)


def read(file: Path | None) -> Read:
    """`file`, or that of the settings, as the service would read it. Raises SettingsError that names file, line and key."""
    settings = load(AlertsSettings)
    path = file or settings.file
    urls = tuple(url.get_secret_value() for url in settings.notify_urls)
    alerts = load_alerts(path, urls, setting="" if file else variable(AlertsSettings, "file"))
    policy = Policy(
        reopen_within=timedelta(seconds=settings.reopen_s),
        quiet_for=timedelta(seconds=settings.quiet_s),
        critical_quiet_for=timedelta(seconds=settings.critical_quiet_s),
    )
    sites = load_sites(settings.sites_file, setting=variable(AlertsSettings, "sites_file"))
    return Read(path, alerts, Channels(alerts.receivers.values()), sites, policy)


def labels_of(written: Sequence[str]) -> dict[str, str]:
    """`rule=slow_transfer,site=hq`, parted by commas. Raises SettingsError."""
    found: dict[str, str] = {}
    for part in (part for text in written for part in text.split(",") if part.strip()):
        name, equals, value = part.partition("=")
        if not equals:
            raise SettingsError(f"--labels: expected such as rule=slow_transfer,site=hq; {part.strip()!r} has no =")
        if name.strip() in found:
            raise SettingsError(f"--labels: {name.strip()} is there twice")
        found[name.strip()] = value.strip()
    return found


class FromRules(Struct, frozen=True):
    """What the rule book says of a rule."""

    subject: str
    severity: str
    file: str


def from_rules(rule: str) -> FromRules | None:
    """What the monitor's rule book says of that rule; None when it has none, or cannot be read here."""
    path = load(MonitorSettings).rules_file
    with contextlib.suppress(SettingsError):
        for one in load_rulebook(path).rules:
            if one.name == rule:
                return FromRules(one.subject, one.severity, path.name)
    return None
