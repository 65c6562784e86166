"""Where the relay is, for switches and for pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from shared.settings import MonitorSettings, RelaySettings

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_IN_BRACKETS: Final = re.compile(r"\[[0-9A-Fa-f:.]+\]")


def media_url(relay: RelaySettings) -> str:
    """Where switches send the sound: `audiosocket://10.0.0.9:8604`."""
    if relay.media_url:
        return relay.media_url
    host = "127.0.0.1" if relay.media_host in ("0.0.0.0", "::") else relay.media_host
    return f"audiosocket://{_bracketed(host)}:{relay.media_port}"


def relay_url(monitor: MonitorSettings, relay: RelaySettings, host: str, scheme: str = "http") -> str:
    """Where a page finds the relay that asked for its own by `Host: host`, without a slash at the end: `ws://floor.example:8603`."""
    if monitor.relay_url:
        return monitor.relay_url.rstrip("/")
    return f"{'wss' if scheme in ('https', 'wss') else 'ws'}://{_name_of(host) or '127.0.0.1'}:{relay.port}"


def connects_to(monitor: MonitorSettings, relay: RelaySettings) -> Callable[[str], str]:
    """For the pages' Content-Security-Policy, by the `Host` they are asked by: the relay alone. ws: covers wss: too."""
    if monitor.relay_url:
        found = urlsplit(monitor.relay_url)
        return lambda host: f"{found.scheme}://{found.netloc}"

    def source(host: str) -> str:
        name = _name_of(host)
        if not name:
            return ""
        return f"ws://{'*' if name.startswith('[') else name}:{relay.port}"  # a policy cannot name an address of IPv6

    return source


def _name_of(host: str) -> str:
    """The name or address in a `Host`, "" where that is none."""
    pattern = _IN_BRACKETS if host.startswith("[") else _NAME
    found = pattern.match(host)
    return found[0] if found is not None and re.fullmatch(r"(:\d*)?", host[found.end() :]) else ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
