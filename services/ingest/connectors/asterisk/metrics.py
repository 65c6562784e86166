"""What Prometheus sees of the connectors: read from them when it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.ingest.connectors.asterisk.connector import AsteriskConnector
from services.ingest.connectors.asterisk.failures import What
from shared.commands import DATA_TYPES
from shared.envelope import kind_of

_ACTIONS: Final = tuple(kind_of(kind) for kind in DATA_TYPES)
_OUTCOMES: Final = ("taken", "done", "failed", "refused", "expired")  # of `shared.events.CommandAnswered`

Value = Callable[[AsteriskConnector], float]


class AsteriskMetrics(Collector):
    """By site, as the settings name them."""

    def __init__(self, connectors: Sequence[AsteriskConnector]) -> None:
        self._connectors = connectors

    def collect(self) -> Iterable[Metric]:
        """The samples now."""
        yield self._gauge("asterisk_link_up", "Whether the connector is logged in", lambda one: one.is_up)
        yield self._gauge(
            "asterisk_waiting_records", "Records that the broker has not taken yet", lambda one: one.outbox.waiting
        )
        yield self._gauge(
            "asterisk_late_seconds", "Age of the oldest record that the broker lacks", lambda one: one.outbox.late_s
        )
        yield self._counter("asterisk_logins", "Logins that the switch accepted", lambda one: one.logins)
        yield self._counter(
            "asterisk_packets", "Packets that came, those of refused logins too", lambda one: one.heard[0]
        )
        yield self._counter("asterisk_received_bytes", "Bytes that came", lambda one: one.heard[1])
        yield self._counter(
            "asterisk_resyncs", "Times that the switch was asked for everything", lambda one: one.resyncs
        )
        yield self._counter(
            "asterisk_full_seconds", "Time in which nothing was read for want of room", lambda one: one.outbox.full_s
        )
        yield self._counter(
            "asterisk_commands_unreadable", "Commands that could not be read", lambda one: one.commands.unreadable
        )
        yield self._counter(
            "asterisk_records_too_large", "Records that the broker can never take", lambda one: one.outbox.refused
        )
        yield self._counter(
            "asterisk_mirror_faults", "Packets on which the mirror of the switch broke", lambda one: one.mirror.faults
        )
        failures = CounterMetricFamily(
            "asterisk_link_failures", "Links that failed, by what it was", labels=["site", "what"]
        )
        answers = CounterMetricFamily("asterisk_commands", "Answers to commands", labels=["site", "action", "outcome"])
        for one in self._connectors:
            for what in get_args(What):
                failures.add_metric([one.switch.site, what.replace(" ", "_")], one.failures[what])
            for action in _ACTIONS:
                for outcome in _OUTCOMES:
                    answers.add_metric([one.switch.site, action, outcome], one.commands.answers[action, outcome])
        yield failures
        yield answers

    def _gauge(self, name: str, text: str, value: Value) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=["site"])
        for one in self._connectors:
            family.add_metric([one.switch.site], float(value(one)))
        return family

    def _counter(self, name: str, text: str, value: Value) -> CounterMetricFamily:
        family = CounterMetricFamily(name, text, labels=["site"])
        for one in self._connectors:
            family.add_metric([one.switch.site], float(value(one)))
        return family
