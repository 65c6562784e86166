"""Incidents as the API gives them. Wall-clock and switch times are told apart in every description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.alerts.core.evidence import Transfer, transfer_of
from services.alerts.core.incident import (
    ALLOWED,
    Action,
    Clearing,
    Condition,
    Entry,
    EntryKind,
    Flag,
    Incident,
    State,
)
from services.alerts.link import LinkState, LinkStatus
from services.alerts.tables import AttemptRow, NotificationRow
from shared.facts import Severity, Subject
from shared.masking import masked_deep, masked_text


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class SummaryView(View):
    en: str
    zh: str


class IncidentView(View):
    """An incident as a list shows it."""

    id: int = Field(description="The number people use: #42")
    site: str
    rule: str
    subject: Subject
    subject_id: str
    severity: Severity = Field(description="The highest of its flags")
    state: State
    allowed: tuple[Action, ...] = Field(description="What a person may do now; a note is always allowed")
    condition: Condition = Field(description="Whether what was flagged still holds; unknown: the record of it is lost")
    simulated: bool
    replay: bool
    summary: SummaryView
    labels: dict[str, str]
    started: datetime = Field(description="Since when the condition holds; the switch's clock")
    ended: datetime | None = Field(description="When it ended; the switch's clock; null: it holds, or unknown")
    opened_at: datetime = Field(description="Wall clock, as every *_at")
    changed_at: datetime
    acknowledged_at: datetime | None
    owner: str = Field(description="Who acknowledged it")
    resolved_at: datetime | None
    resolver: str
    cause: str
    recheck_on: date | None
    flags: int = Field(description="How many flags it holds")
    openings: int = Field(description="How often a flag opened it: 1, and 1 for each return")
    version: int = Field(description="Grows with each change; an older one never replaces a newer one")

    @classmethod
    def of(cls, one: Incident) -> IncidentView:
        same = {name: getattr(one, name) for name in _INCIDENT_FIELDS}
        return cls(
            allowed=ALLOWED[one.state],
            summary=SummaryView(en=one.summary_en, zh=one.summary_zh),
            version=one.entries,
            **same,
        )

    def masked(self) -> IncidentView:
        """Without the numbers that somebody typed."""
        return self.model_copy(update={"cause": masked_text(self.cause)})


_INCIDENT_FIELDS = tuple(n for n in IncidentView.model_fields if n not in ("allowed", "summary", "version"))


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
    summary: SummaryView
    labels: dict[str, str]
    evidence: dict[str, Any]
    cleared_evidence: dict[str, Any]
    simulated: bool
    replay: bool
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
            summary=SummaryView(en=flag.summary_en, zh=flag.summary_zh),
            labels=flag.labels,
            evidence=flag.evidence,
            cleared_evidence=ended,
            simulated=flag.simulated,
            replay=flag.replay,
            transfer=TransferView.of(transfer) if transfer else None,
        )


class AttemptView(View):
    at: datetime
    took_s: float
    ok: bool
    answer: str


class NotificationView(View):
    """One notification to one channel."""

    reason: str
    channel: str = Field(description="Kind and host, without secrets; empty: no channel was configured")
    state: Literal["waiting", "sent", "failed", "withheld", "no_channel"]
    created_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None
    answer: str
    attempts: list[AttemptView]

    @classmethod
    def of(cls, row: NotificationRow, attempts: list[AttemptRow]) -> NotificationView:
        return cls.model_validate(
            {
                "reason": row.reason,
                "channel": row.channel,
                "state": row.state,
                "created_at": row.created_at,
                "next_attempt_at": row.due_at,
                "finished_at": row.finished_at,
                "answer": row.answer,
                "attempts": [AttemptView(at=a.at, took_s=a.took_s, ok=a.ok, answer=a.answer) for a in attempts],
            }
        )


class DetailView(View):
    """An incident with everything that is known of it."""

    incident: IncidentView
    time_zone: str = Field(description="The site's, for showing times")
    timeline: list[EntryView]
    flags: list[FlagView]
    notifications: list[NotificationView]

    def masked(self) -> DetailView:
        """Without the numbers that somebody typed."""
        timeline = [entry.masked() for entry in self.timeline]
        return self.model_copy(update={"incident": self.incident.masked(), "timeline": timeline})


class PageView(View):
    """A page of a list, newest first."""

    incidents: list[IncidentView]
    counts: dict[State, int] = Field(description="How many fit the other filters, by state")
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last")


class StatusView(View):
    """Whether flags arrive."""

    state: LinkState
    since: datetime = Field(description="Wall clock")
    reason: str
    channels: list[str] = Field(description="Where notifications go; empty: nowhere, incidents are only on the page")
    now: datetime = Field(description="Wall clock of the service")

    @classmethod
    def of(cls, status: LinkStatus, channels: list[str], now: datetime) -> StatusView:
        return cls(state=status.state, since=status.since, reason=status.reason, channels=channels, now=now)


def entry_view(entry: Entry) -> EntryView:
    return EntryView(**{name: getattr(entry, name) for name in EntryView.model_fields})
