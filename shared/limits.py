"""How much of a service one user or address may have: requests in a minute, bytes in a body. Bounded in memory whoever asks.

A user is counted for each address that they come from, so that in mode `local`, where everybody is the same one, a screen in a
loop does not shut out the others. Attempts to sign in are counted only where they fail: a whole shift begins behind one address.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

import structlog
from starlette.requests import HTTPConnection

from shared.accessmetrics import AccessMetrics
from shared.clock import Clock
from shared.identity import Principal
from shared.pacing import Pacing
from shared.problems import Problem
from shared.settings import ServiceSettings

log = structlog.get_logger()

Kind = Literal["reads", "writes", "tickets", "events", "failed attempts to sign in", "requests of nobody"]

BODY_BYTES: Final = 256 << 10  # of a request, where nothing else is said; what people type is a hundredth
TICKETS_PER_MINUTE: Final = 3000  # a hall of screens that come back at once, three times
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SAY_EVERY_S: Final = 10.0
_LABELS: Final[Mapping[Kind, str]] = {
    "failed attempts to sign in": "sign_in_failures",
    "requests of nobody": "unknown",
}


def party(address: str) -> str:
    """Who is one at the other end: an address, of IPv6 the network of 64 bits that one subscriber has."""
    try:
        found = ip_address(address)
    except ValueError:  # a test's name
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return address


def _also_by_ipv6(network: IPv4Network | IPv6Network) -> tuple[IPv4Network | IPv6Network, ...]:
    """`network`, and for one of IPv4 what it is called where we listen to both (`::`)."""
    if isinstance(network, IPv6Network):
        return (network,)
    return network, IPv6Network(f"::ffff:{network.network_address}/{96 + network.prefixlen}")


class Limits:
    """Of one service's API. `bodies`: how long a body may be below a path, where that is not BODY_BYTES."""

    def __init__(
        self, clock: Clock, settings: ServiceSettings | None = None, *, bodies: Mapping[str, int] | None = None
    ) -> None:
        how = settings or ServiceSettings.model_construct()
        self.http_connections = how.max_http_connections
        self.http_connections_each = how.max_http_connections_each
        self.trusted = tuple(one for network in how.trusted_proxies for one in _also_by_ipv6(network))
        self._clock = clock
        self._bodies = dict(bodies or {})
        self._paces: Mapping[Kind, Pacing] = {
            "reads": Pacing(how.reads_per_minute),
            "writes": Pacing(how.writes_per_minute),
            "tickets": Pacing(TICKETS_PER_MINUTE),
            "events": Pacing(how.events_per_minute),
            "failed attempts to sign in": Pacing(how.sign_in_failures_per_minute),
            "requests of nobody": Pacing(how.unknown_per_minute),
        }
        self._said: dict[Kind, float] = {}
        self.metrics = AccessMetrics()

    def body_bytes(self, path: str) -> int:
        """How long the body of a request for `path` may be."""
        return next((most for begin, most in self._bodies.items() if path.startswith(begin)), BODY_BYTES)

    def known(self, request: HTTPConnection, who: Principal, kind: Kind | None = None) -> None:
        """`who` asks. Raises Problem 429."""
        self._take(kind or _kind(request), f"{who.user} {_address(request)}", who.user)

    def unknown(self, request: HTTPConnection) -> None:
        """Somebody asks of whom nobody knows who it is. Raises Problem 429."""
        self._take("requests of nobody", _address(request), "this address")

    def before_sign_in(self, request: HTTPConnection) -> None:
        """Sign-in begins; what is brought is not looked at where too many of that address failed. Raises Problem 429."""
        kind: Kind = "failed attempts to sign in"
        address = _address(request)
        if wait_s := self._paces[kind].wait_s(address, self._clock.monotonic()):
            self._refuse(kind, "this address", address, wait_s)

    def sign_in_failed(self, request: HTTPConnection) -> None:
        """And could not."""
        self._paces["failed attempts to sign in"].take(_address(request), self._clock.monotonic())

    def _take(self, kind: Kind, key: str, who: str) -> None:
        if wait_s := self._paces[kind].take(key, self._clock.monotonic()):
            self._refuse(kind, who, key.rpartition(" ")[2], wait_s)

    def _refuse(self, kind: Kind, who: str, address: str, wait_s: int) -> None:
        self.metrics.too_often(_LABELS.get(kind, kind))
        now = self._clock.monotonic()
        if now - self._said.get(kind, -_SAY_EVERY_S) >= _SAY_EVERY_S:  # who asks too often must not fill the log either
            self._said[kind] = now
            log.warning("somebody asks too often and is refused", what=kind, who=who, address=address)
        detail = f"{who} had {self._paces[kind].per_minute} {kind} within a minute; try again in {wait_s} s"
        problem = Problem(429, detail, title="Too many requests", reason="too_often")
        problem.headers = {"retry-after": str(wait_s)}
        raise problem


def _kind(request: HTTPConnection) -> Kind:
    if request.scope.get("method", "GET") in SAFE:
        return "reads"
    path = request.scope["path"]
    if path == "/api/v1/tickets":
        return "tickets"
    return "events" if path.startswith("/api/v1/raw/") else "writes"


def _address(request: HTTPConnection) -> str:
    return party(request.client.host) if request.client is not None else ""
