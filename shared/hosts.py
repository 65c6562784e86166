"""By which names services may be asked: what a browser says in `Host` is what it believes to talk to.

A page at `evil.example` whose name comes to mean 127.0.0.1 (DNS rebinding) is of one origin with whatever answers there, so
comparing `Origin` with `Host` does not stop it. That it asks by a name that is none of ours does. Addresses are nobody's names.

With users set up such a page has no cookie and no token, so that names are looked at only where somebody lists them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import cached_property
from ipaddress import ip_address
from typing import Final

from shared.settings import CommonSettings, ServiceSettings, variable

SETTING: Final = variable(CommonSettings, "allowed_hosts")
ANY: Final = "*"


class Hosts:
    """The names that are ours: `localhost`, this machine's, `names`; and every address."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """`names` without port, `*` for all there are."""
        self._given = {_plain(name) for name in names}

    @classmethod
    def of(cls, settings: ServiceSettings) -> Hosts:
        """As the settings say: what they list, and where the service listens; every name with users and no list."""
        if settings.identified and not settings.allowed_hosts:
            return cls([ANY])
        return cls([*settings.allowed_hosts, settings.host])

    @cached_property
    def _names(self) -> set[str]:
        machine = _plain(socket.gethostname())
        first = machine.partition(".")[0]
        return {"localhost", machine, first, f"{first}.local"} | self._given

    def ours(self, host: str) -> bool:
        """Whether a request with this `Host` may be answered. One without any is no browser's."""
        return not host or ANY in self._given or _is_address(name := _name(host)) or name in self._names

    def listed(self, host: str) -> bool:
        """Whether somebody named it: `*` names nobody."""
        return _name(host) in self._given - {ANY}


def same_name(one: str, other: str) -> bool:
    """Whether two hosts are the same but for their ports."""
    return bool(one) and _name(one) == _name(other)


def refusal(host: str) -> str:
    """What to tell who asks by another name."""
    return (
        f"this service is not asked by the name {_name(host)[:100]!r}; if it is one of its names, list it in {SETTING}"
    )


def _name(host: str) -> str:
    """`Host` without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return _plain(host.partition(":")[0])


def _plain(name: str) -> str:
    return name.strip().lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
