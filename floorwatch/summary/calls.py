"""Figures of a set of calls, as docs/metrics.md and docs/anonymous-bank.md define them."""

from __future__ import annotations

from typing import Any

from floorwatch.summary.exact import MICROS, Durations, Number, seconds, share
from shared.facts import CallEnded

SHORT_SERVICE_US = 10 * MICROS
LONG_SERVICE_US = 3600 * MICROS


class CallFigures:
    """Counts of the calls of one set: a site, a queue, an agent, a day. Waits and talks in microseconds."""

    def __init__(self) -> None:
        self.other = 0  # timed out, overflowed, cleared, moved, unanswered
        self.waits_answered = Durations()
        self.waits_abandoned = Durations()
        self.talks = Durations()  # of the answered whose conversation is known

    def add(self, call: CallEnded, waited: int, talked: int | None) -> None:
        """Count a call that is over."""
        if call.outcome == "answered":
            self.waits_answered.add(waited)
            if talked is not None:
                self.talks.add(talked)
        elif call.outcome == "abandoned":
            self.waits_abandoned.add(waited)
        else:
            self.other += 1

    @property
    def answered(self) -> int:
        return len(self.waits_answered)

    @property
    def abandoned(self) -> int:
        return len(self.waits_abandoned)

    @property
    def offered(self) -> int:
        return self.answered + self.abandoned + self.other

    def answered_within(self, limit_s: int) -> int:
        """Answered after at most so many seconds."""
        return len(self.waits_answered.where(most=limit_s * MICROS))

    def asa(self) -> float | None:
        """Mean wait of the answered, seconds."""
        return self.waits_answered.mean

    def aht(self) -> float | None:
        """Mean conversation of the answered, seconds; empty ones count."""
        return self.talks.mean

    def abandon_rate(self) -> float | None:
        return share(self.abandoned, self.offered)

    def service_level(self, limit_s: int) -> float | None:
        """Answered within so many seconds, of all offered (F3 of docs/metrics.md)."""
        return share(self.answered_within(limit_s), self.offered)

    def all_waits(self) -> Durations:
        """Of the answered and the abandoned."""
        return self.waits_answered.plus(self.waits_abandoned)

    def in_full(self) -> dict[str, Any]:
        """Every figure by name."""
        return {**self._counts(), **self._waits(), **self._talks(), **self._service_levels()}

    def _counts(self) -> dict[str, Any]:
        in_queue = len(self.waits_abandoned.where(least=1))
        return {
            "offered": self.offered,
            "answered": self.answered,
            "abandoned": self.abandoned,
            "abandoned_in_queue": in_queue,
            "abandoned_before_queue": len(self.waits_abandoned.where(least=0, most=0)),
            "abandon_rate": self.abandon_rate(),
            "abandon_rate_excl_prequeue": share(in_queue, self.answered + in_queue),
            "answered_without_wait": len(self.waits_answered.where(least=0, most=0)),
        }

    def _waits(self) -> dict[str, Any]:
        answered, abandoned = self.waits_answered, self.waits_abandoned
        return {
            "asa": self.asa(),
            "asa_queued": answered.where(least=1).mean,
            "median_wait_answered": seconds(answered.percentile(50)),
            "p90_wait_answered": seconds(answered.percentile(90)),
            "p95_wait_answered": seconds(answered.percentile(95)),
            "max_wait_answered": seconds(answered.longest),
            "max_wait_abandoned": seconds(abandoned.longest),
            "mean_wait_abandoned": abandoned.mean,
            "mean_wait_abandoned_in_queue": abandoned.where(least=1).mean,
            "mean_wait_all_offered": self.all_waits().mean,
        }

    def _talks(self) -> dict[str, Any]:
        lasting = self.talks.where(least=1)
        usual = lasting.where(most=LONG_SERVICE_US)
        return {
            "aht": self.aht(),
            "aht_positive": lasting.mean,
            "talk_seconds": self.talk_seconds(),
            "aht_trunc_3600": {"n": len(usual), "mean": usual.mean, "sd": usual.deviation, "median": usual.median},
            "short_service_lt10_share": share(len(lasting.where(most=SHORT_SERVICE_US - 1)), len(lasting)),
        }

    def talk_seconds(self) -> Number:
        """Of all conversations."""
        return seconds(self.talks.total) or 0

    def _service_levels(self) -> dict[str, Any]:
        within = self.answered_within(20)
        late_abandons = len(self.waits_abandoned.where(least=20 * MICROS + 1))
        return {
            "sl20_offered": share(within, self.offered),
            "sl20_answered": share(within, self.answered),
            "sl20_excl_short_abandons": share(within, self.answered + late_abandons),
            "sl30_offered": self.service_level(30),
            "sl60_offered": self.service_level(60),
            "sl_strict_20_offered": share(len(self.waits_answered.where(most=20 * MICROS - 1)), self.offered),
            "answered_within_20": within,
        }
