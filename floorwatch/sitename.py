"""The name of a site on the command line: what is allowed, and what is known of it."""

from __future__ import annotations

import re
from pathlib import Path

from shared.errors import SettingsError
from shared.settings import SITE_PATTERN, SITE_WORDS
from shared.sites import Sites


def check_site(name: str) -> None:
    """Raises SettingsError unless `name` can be the name of a site."""
    if not re.fullmatch(SITE_PATTERN.strip("^$"), name):
        raise SettingsError(f"--site: expected {SITE_WORDS}, got {name!r}")


def unknown_site(name: str, sites: Sites, file: Path) -> str | None:
    """The line that says which settings a site gets that `file` does not name; None when it does."""
    if name in sites.sites:
        return None
    queues = ", ".join(sites.defaults.queues) or "none"
    return f"site {name} is not in {file}; its defaults are used (queues named there: {queues})"
