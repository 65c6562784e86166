"""What Prometheus sees of who comes in and who is kept out: attempts to sign in, refusals, who asks too often, the provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal, get_args
from weakref import WeakKeyDictionary, WeakSet

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.tokens import Refusal

if TYPE_CHECKING:
    from shared.oidc import Provider

Outcome = Literal["signed_in", "invalid", "expired", "revoked", "unknown_user", "provider_away", "state", "declined"]
Turned = Refusal | Literal["ticket", "not_allowed"]

# what a browser's way back calls otherwise (`shared.sessions.SignInFailed`)
_SAME: Final[Mapping[str, Outcome]] = {"token": "invalid", "missing": "invalid", "provider": "provider_away"}
_KINDS: Final = ("reads", "writes", "tickets", "events", "sign_in_failures", "unknown")


class AccessMetrics:
    """Counters of one service. No user and no address as a label: whoever guesses would choose how many there are."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        sign_ins = Counter(
            "auth_sign_ins",
            "Attempts of browsers to sign in, by how they ended: state and declined on the way back from the provider",
            ["outcome"],
            registry=registry,
        )
        refusals = Counter(
            "auth_refusals",
            "Requests and WebSockets that were refused for who asks, by why",
            ["reason"],
            registry=registry,
        )
        too_often = Counter(
            "http_too_often", "Requests and WebSockets refused because so many came", ["kind"], registry=registry
        )
        self._connections = Counter(
            "http_connections_refused", "Connections beyond what one address, or all, may have", registry=registry
        )
        outcomes: tuple[str, ...] = get_args(Outcome)
        self._sign_ins = {outcome: sign_ins.labels(outcome) for outcome in outcomes}
        reasons = (*get_args(Refusal), "ticket", "not_allowed")
        self._refusals = {reason: refusals.labels(reason) for reason in reasons}
        self._too_often = {kind: too_often.labels(kind) for kind in _KINDS}

    @classmethod
    def on(cls, registry: CollectorRegistry) -> AccessMetrics:
        """Those of `registry`, which two apps may share."""
        found = _known.get(registry)
        if found is None:
            found = _known[registry] = cls(registry)
        return found

    def signing_in(self, outcome: str) -> None:
        """Somebody tried to sign in; `outcome` is a reason of NotAuthenticated or SignInFailed, or `signed_in`."""
        self._sign_ins[_SAME.get(outcome, outcome)].inc()

    def refused(self, reason: Turned) -> None:
        """A request or a WebSocket was turned away."""
        self._refusals[reason].inc()

    def too_often(self, kind: str) -> None:
        """Somebody asked too often; `kind` is one of _KINDS."""
        self._too_often[kind].inc()

    def connection_refused(self) -> None:
        """Somebody has too many connections."""
        self._connections.inc()


class ProviderMetrics(Collector):
    """Of the identity provider: whether its keys could be fetched when it was asked last, and how often not."""

    def __init__(self, provider: Provider | None) -> None:
        self._provider = provider

    @classmethod
    def on(cls, registry: CollectorRegistry, provider: Provider | None) -> None:
        """Put them on `registry`, once."""
        if registry not in _described:
            _described.add(registry)
            registry.register(cls(provider))

    def collect(self) -> Iterator[Metric]:
        """Without samples where there is no provider."""
        up = GaugeMetricFamily(
            "auth_provider_up", "1 while the identity provider answers with keys that can be used", labels=["provider"]
        )
        failures = CounterMetricFamily(
            "auth_provider_failures", "Times that its keys could not be fetched", labels=["provider"]
        )
        if self._provider is not None:
            up.add_metric([self._provider.label], float(self._provider.up))
            failures.add_metric([self._provider.label], self._provider.failures)
        yield from (up, failures)


_known: WeakKeyDictionary[CollectorRegistry, AccessMetrics] = WeakKeyDictionary()
_described: WeakSet[CollectorRegistry] = WeakSet()
