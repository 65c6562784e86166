"""Sentences for people from Jinja2 templates: notifications and reports. Times are shown in the site's time zone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import jinja2

from services.alerts.core.incident import Incident
from shared.siteconfig import Sites

TEMPLATES = Path(__file__).parent / "templates"


class Text:
    """Templates bound to the sites' time zones and the address under which people reach the page."""

    def __init__(self, sites: Sites, public_url: str) -> None:
        self.sites = sites
        self._public_url = public_url.rstrip("/")
        # plain text: nothing to escape; HTML templates end in .html.j2 and are escaped
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=lambda name: name is not None and name.endswith(".html.j2"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters["line"] = markdown_line

    def notification(self, incident: Incident, reason: str) -> tuple[str, str]:
        """Title (one line) and body of the notification about `incident`."""
        values = {
            "incident": incident,
            "reason": reason,
            "site": self.sites.site(incident.site).label or incident.site,
            "subject": subject_of(incident),
            "started": self.local(incident.started, incident.site),
            "link": self.link(incident.id),
        }
        title = self.environment.get_template("notification.title.j2").render(values)
        return " ".join(title.split()), self.environment.get_template("notification.body.j2").render(values).strip()

    def local(self, time: datetime, site: str) -> str:
        """`2026-11-22 09:05:07 +08:00` where the site is."""
        shown = time.astimezone(self.sites.site(site).zone).strftime("%Y-%m-%d %H:%M:%S %z")
        return f"{shown[:-2]}:{shown[-2:]}"

    def exact(self, time: datetime, site: str) -> str:
        """`09:05:07.250` where the site is: for what is judged in tenths of a second."""
        return time.astimezone(self.sites.site(site).zone).isoformat(timespec="milliseconds")[11:23]

    def link(self, number: int) -> str:
        return f"{self._public_url}/#incident={number}"


def markdown_line(value: object) -> str:
    """Any text inside one line of Markdown: it can neither end the line nor a table cell, nor become markup."""
    return "".join(f"\\{c}" if c in "\\|<>[]`*_#" else c for c in " ".join(str(value).split()))


def subject_of(incident: Incident) -> str:
    """Whom or what it is about, in words people know: a name before an id."""
    labels = incident.labels
    name = labels.get(f"{incident.subject}_name") or labels.get("agent_name", "")
    return f"{name} ({incident.subject_id})" if name and name != incident.subject_id else incident.subject_id
