"""Sentences for people from Jinja2 templates: notifications and reports. Times are shown in the site's time zone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

import jinja2

from services.alerts.links import home_url, incident_url
from shared.siteconfig import Sites

TEMPLATES = Path(__file__).parent / "templates"


class Text:
    """Templates bound to the sites' time zones and the address under which people reach the page."""

    def __init__(self, sites: Sites, public_url: str) -> None:
        self.sites = sites
        self._public_url = public_url
        # plain text: nothing to escape; HTML templates end in .html.j2 and are escaped
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=lambda name: name is not None and name.endswith(".html.j2"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters["line"] = markdown_line

    @property
    def home(self) -> str:
        """The page with all incidents."""
        return home_url(self._public_url)

    def local(self, time: datetime, site: str) -> str:
        """`2026-11-22 09:05:07 +08:00` where the site is."""
        shown = time.astimezone(self.sites.site(site).zone).strftime("%Y-%m-%d %H:%M:%S %z")
        return f"{shown[:-2]}:{shown[-2:]}"

    def exact(self, time: datetime, site: str) -> str:
        """`09:05:07.250` where the site is: for what is judged in tenths of a second."""
        return time.astimezone(self.sites.site(site).zone).isoformat(timespec="milliseconds")[11:23]

    def moment(self, time: datetime, site: str, now: datetime | None = None) -> str:
        """`14:05` where the site is, with its day `2026-11-22 14:05` when that is not the day of `now`."""
        zone = self.sites.site(site).zone
        shown = time.astimezone(zone)
        return shown.strftime(
            "%H:%M" if now is not None and now.astimezone(zone).date() == shown.date() else "%Y-%m-%d %H:%M"
        )

    def address(self, path: str) -> str:
        """Of something that this service serves."""
        return self._public_url + path

    def link(self, number: int) -> str:
        return incident_url(self._public_url, number)


def markdown_line(value: object) -> str:
    """Any text inside one line of Markdown: it can neither end the line nor a table cell, nor become markup."""
    return "".join(f"\\{c}" if c in "\\|<>[]`*_#" else c for c in " ".join(str(value).split()))


class _About(Protocol):
    """An incident, or what a message tells of one."""

    @property
    def subject(self) -> str: ...
    @property
    def subject_id(self) -> str: ...
    @property
    def labels(self) -> dict[str, str]: ...


def subject_of(one: _About) -> str:
    """Whom or what it is about, in words people know: a name before an id."""
    name = one.labels.get(f"{one.subject}_name") or one.labels.get("agent_name", "")
    return f"{name} ({one.subject_id})" if name and name != one.subject_id else one.subject_id
