"""One incident with everything that is known of it: its history, its flags as evidence, its notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from services.alerts.api.views import ActionView, IncidentView, TextView, View
from services.alerts.core.evidence import Transfer, transfer_of
from services.alerts.core.incident import (
    Clearing,
    Entry,
    EntryKind,
    Flag,
)
from services.alerts.reach.outbox import Delivery
from services.alerts.tables import NotificationRow
from shared.facts import Severity
from shared.masking import masked_deep, masked_text


class EntryView(View):
    """One line of the history."""

    seq: int
    at: datetime = Field(description="Wall clock")
    kind: EntryKind
    by: str = Field(description="A person's name, or floorwatch")
    note: str
    flag_id: str
    switch_time: datetime | None = Field(description="The evidence's own time; the switch's clock")
    data: dict[str, Any]

    def masked(self) -> EntryView:
        """Without the numbers that somebody typed."""
        return self.model_copy(update={"note": masked_text(self.note), "data": masked_deep(self.data)})


class LegView(View):
    name: str = Field(description="seek, ring or brief")
    seconds: float | None = Field(description="null: it never came to its end")
    open_s: float | None = Field(description="Then how long it had lasted at the end; null: it had not begun")


class TransferView(View):
    """A transfer's stamps and legs, as last seen; definitions as in floorwatch.transfer_ended."""

    kind: str
    outcome: str
    from_agent: str
    to: str
    stamps: dict[str, datetime]
    legs: list[LegView]
    customer_gap_s: float | None
    total_s: float | None = Field(description="null: it never completed")
    limit_s: float

    @classmethod
    def of(cls, one: Transfer) -> TransferView:
        return cls(
            kind=one.kind,
            outcome=one.outcome,
            from_agent=one.from_agent,
            to=one.to,
            stamps=dict(one.stamps),
            legs=[LegView(name=leg.name, seconds=leg.seconds, open_s=leg.open_s) for leg in one.legs],
            customer_gap_s=one.customer_gap_s,
            total_s=one.total_s,
            limit_s=one.limit_s,
        )


class FlagView(View):
    """A flag: the evidence. Times are the switch's clock; caller numbers are masked."""

    flag_id: str
    rule: str
    severity: Severity
    started: datetime
    raised: datetime
    cleared: datetime | None
    duration_s: float | None
    summary: TextView
    labels: dict[str, str]
    evidence: dict[str, Any]
    cleared_evidence: dict[str, Any]
    simulated: bool
    replay: bool
    trace: str = Field(
        description="Which raw record it goes back to, as the logs of all services call it; may be empty"
    )
    transfer: TransferView | None

    @classmethod
    def of(cls, flag: Flag, clearing: Clearing | None) -> FlagView:
        ended = clearing.evidence if clearing else {}
        seen_at = clearing.cleared if clearing and clearing.evidence else flag.raised
        transfer = transfer_of(flag.evidence, ended, (flag.raised - flag.started).total_seconds(), seen_at)
        return cls(
            flag_id=flag.flag_id,
            rule=flag.rule,
            severity=flag.severity,
            started=flag.started,
            raised=flag.raised,
            cleared=clearing.cleared if clearing else None,
            duration_s=clearing.duration_s if clearing else None,
            summary=TextView(en=flag.summary_en, zh=flag.summary_zh),
            labels=flag.labels,
            evidence=flag.evidence,
            cleared_evidence=ended,
            simulated=flag.simulated,
            replay=flag.replay,
            transfer=TransferView.of(transfer) if transfer else None,
            trace=flag.trace,
        )


class AttemptView(View):
    at: datetime
    took_s: float
    ok: bool
    answer: str


class NotificationView(View):
    """One notification to one channel of a receiver."""

    reason: str
    receiver: str = Field(description="As the alert file names it")
    instead_of: str = Field(description="The receiver that could not be reached; empty: none")
    message: int | None = Field(description="Number of the message that carries it, see /notifications; null: none yet")
    bundled: int = Field(description="How many notifications the same message carries; 0: none carries it yet")
    maybe_before: bool = Field(description="An earlier attempt has no answer and may have arrived, too")
    channel: str = Field(description="Kind and host, without secrets; empty: no channel was configured")
    state: Literal["waiting", "sent", "failed", "withheld", "no_channel"]
    created_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None
    answer: str
    attempts: list[AttemptView]

    @classmethod
    def of(cls, row: NotificationRow, delivery: Delivery) -> NotificationView:
        message = delivery.message
        waits = row.state == "waiting" and message is not None
        return cls.model_validate(
            {
                "reason": row.reason,
                "receiver": row.receiver,
                "instead_of": row.instead_of,
                "message": row.message_id,
                "bundled": message.notices if message else 0,
                "maybe_before": message is not None and message.doubtful,
                "channel": row.channel,
                "state": row.state,
                "created_at": row.created_at,
                "next_attempt_at": message.due_at if waits and message else row.due_at,
                "finished_at": row.finished_at,
                "answer": message.answer if waits and message else row.answer,
                "attempts": [
                    AttemptView(at=a.at, took_s=a.took_s, ok=a.ok, answer=a.answer) for a in delivery.attempts
                ],
            }
        )


# the newest, and a quarter as many of the oldest
MOST_LINES = 400  # of the timeline: of flags that came or ended, and as many others


MOST_FLAGS = 200


MOST_NOTIFICATIONS = 200


class TotalsView(View):
    """How many there are in all."""

    timeline: int
    flags: int
    notifications: int


class DetailView(View):
    """An incident with everything that is known of it; of very much the newest, and a quarter as many of the oldest."""

    incident: IncidentView
    time_zone: str = Field(description="The site's, for showing times")
    timeline: list[EntryView] = Field(
        description=f"Oldest first; of flags that came or ended at most the newest {MOST_LINES} and the oldest "
        f"{MOST_LINES // 4}, and as many others"
    )
    flags: list[FlagView] = Field(
        description=f"Oldest first, as far as you may see them; at most the newest {MOST_FLAGS} and the oldest {MOST_FLAGS // 4}"
    )
    notifications: list[NotificationView] = Field(
        description=f"Oldest first; at most the newest {MOST_NOTIFICATIONS} and the oldest {MOST_NOTIFICATIONS // 4}"
    )
    totals: TotalsView = Field(description="How many there are, also of those that are left out here")
    actions: list[ActionView] = Field(default_factory=list, description="In the order in which they were added")

    def masked(self) -> DetailView:
        """Without the numbers that somebody typed."""
        timeline = [entry.masked() for entry in self.timeline]
        actions = [one.masked() for one in self.actions]
        return self.model_copy(update={"incident": self.incident.masked(), "timeline": timeline, "actions": actions})


def entry_view(entry: Entry) -> EntryView:
    return EntryView(**{name: getattr(entry, name) for name in EntryView.model_fields})
