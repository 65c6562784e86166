"""What a pump tells of itself: `PumpStatus` for /readyz, `PumpMetrics` for /metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from weakref import WeakKeyDictionary

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

State = Literal["restoring", "replaying", "live", "waiting_for_broker", "stopped"]
Outcome = Literal["applied", "known", "invalid", "failed"]
Lost = Literal["made_anew", "not_kept"]

_OUTCOMES: Final[tuple[Outcome, ...]] = ("applied", "known", "invalid", "failed")
_LOST: Final[tuple[Lost, ...]] = ("made_anew", "not_kept")

# Live is not yet present. A pump that keeps up is some milliseconds behind and turns once a second at least; past this
# something holds it up: it was paused, its broker hangs, or more arrives than it can work. The embedded broker, read with
# pauses when it holds much, stays below.
BEHIND_S: Final = 3.0
STUCK_S: Final = 5.0


class PumpStatus(Struct):
    """`lag` counts records, `behind_s` is the age of the last one applied while more are waiting, 0 when none are.

    `last_written` is the broker's stamp of that record. `detail` says why while it waits for the broker. `turned` is when
    (monotonic seconds) it last went through its loop, `broker_back` when it was live again after the broker had been away.
    """

    name: str
    state: State = "restoring"
    lag: int = 0
    behind_s: float = 0.0
    last_batch: datetime | None = None
    last_written: datetime | None = None
    last_checkpoint: datetime | None = None
    detail: str = ""
    turned: float = 0.0
    broker_back: datetime | None = None

    @property
    def ready(self) -> bool:
        return self.state == "live"

    def input_age_s(self, now: datetime) -> float:
        """Seconds since the broker was given what the machine knows last: the last record applied, else the checkpoint."""
        known = self.last_written or self.last_checkpoint
        return 0.0 if known is None else max(0.0, (now - known).total_seconds())

    def since_turn(self, now: float) -> float:
        """Seconds since it last did anything, at the monotonic `now`; 0 unless it is live."""
        return max(0.0, now - self.turned) if self.ready else 0.0

    def trouble(self, now: float) -> str | None:
        """Why its machine's state is not the present, at the monotonic `now`; None when it is."""
        if not self.ready:
            return self.explain()
        stuck = self.since_turn(now)
        if stuck > STUCK_S:
            return f"{self.name}: nothing was read for {stuck:.0f} s: the broker does not answer, or this process was paused"
        if self.behind_s > BEHIND_S:
            return f"{self.name}: {self.behind_s:.0f} s behind, {self.lag} records left; it catches up by itself"
        return None

    def explain(self) -> str:
        """One line for whoever asks why it is not ready."""
        match self.state:
            case "replaying":
                return f"{self.name}: replaying what happened since its checkpoint, {self.lag} records left"
            case "waiting_for_broker":
                return f"{self.name}: waiting for the broker: {self.detail}"
            case state:
                return f"{self.name}: {state}"


class _Families:
    """The metrics of all pumps of a process, which differ in the label `pump`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "pump_records",
            "Records read: applied, known (in the restored state already), invalid (dead-lettered) or failed (the machine "
            "raised; dead-lettered). Replays count again.",
            ("pump", "outcome"),
            registry=registry,
        )
        self.outputs = Counter(
            "pump_outputs", "Outputs published, or refused as too large.", ("pump", "outcome"), registry=registry
        )
        self.lag = Gauge(
            "pump_lag_records", "Records on the broker that are not applied yet.", ("pump",), registry=registry
        )
        self.behind = Gauge(
            "pump_behind_seconds",
            "Age of the last record applied while more are waiting.",
            ("pump",),
            registry=registry,
        )
        self.since_turn = Gauge(
            "pump_since_turn_seconds",
            "Since the pump last went through its loop: over 5 it is stuck, whatever the other figures say.",
            ("pump",),
            registry=registry,
        )
        self.ready = Gauge(
            "pump_ready", "1 while live, 0 while restoring or without a broker.", ("pump",), registry=registry
        )
        self.stretch = Histogram(
            "pump_stretch_seconds",
            "How long the machine held the event loop at a stretch.",
            ("pump",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.05, 0.1, 0.5),
            registry=registry,
        )
        self.checkpoint = Histogram(
            "pump_checkpoint_seconds", "From taking the state to its acknowledgement.", ("pump",), registry=registry
        )
        self.checkpoint_stop = Histogram(
            "pump_checkpoint_stop_seconds",
            "The longest time for which taking the state held the event loop at a stretch, once for each checkpoint.",
            ("pump",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
            registry=registry,
        )
        self.checkpoint_bytes = Gauge(
            "pump_checkpoint_bytes", "Size of the last checkpoint on the broker.", ("pump",), registry=registry
        )
        self.restores = Counter("pump_restores", "Times the state was rebuilt.", ("pump",), registry=registry)
        self.broker_losses = Counter("pump_broker_losses", "Times the broker was lost.", ("pump",), registry=registry)
        self.offsets_lost = Counter(
            "pump_offsets_lost",
            "Partitions whose next record was gone: the topic was made anew, or retention was faster.",
            ("pump", "why"),
            registry=registry,
        )


_families: WeakKeyDictionary[CollectorRegistry, _Families] = WeakKeyDictionary()


class PumpMetrics:
    """The metrics of one pump."""

    def __init__(self, families: _Families, name: str) -> None:
        self.records = {outcome: families.records.labels(name, outcome) for outcome in _OUTCOMES}
        self.outputs_sent = families.outputs.labels(name, "sent")
        self.outputs_too_large = families.outputs.labels(name, "too_large")
        self.lag = families.lag.labels(name)
        self.behind = families.behind.labels(name)
        self.since_turn = families.since_turn.labels(name)
        self.ready = families.ready.labels(name)
        self.stretch = families.stretch.labels(name)
        self.checkpoint = families.checkpoint.labels(name)
        self.checkpoint_stop = families.checkpoint_stop.labels(name)
        self.checkpoint_bytes = families.checkpoint_bytes.labels(name)
        self.restores = families.restores.labels(name)
        self.broker_losses = families.broker_losses.labels(name)
        self.offsets_lost = {why: families.offsets_lost.labels(name, why) for why in _LOST}

    @classmethod
    def on(cls, registry: CollectorRegistry, name: str) -> PumpMetrics:
        """Metrics of the pump `name` on `registry`, all at zero."""
        families = _families.get(registry)
        if families is None:
            families = _families[registry] = _Families(registry)
        return cls(families, name)
