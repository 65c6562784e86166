"""Incidents as the API gives them. Wall-clock and switch times are told apart in every description."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from services.alerts.alertfile.live import InForce
from services.alerts.core.evidence import Transfer, transfer_of
from services.alerts.core.followup import FollowUp
from services.alerts.core.incident import (
    Action,
    Clearing,
    Condition,
    Entry,
    EntryKind,
    Flag,
    Incident,
    State,
)
from services.alerts.core.urgency import urgency
from services.alerts.link import LinkState, LinkStatus
from services.alerts.reach.outbox import Delivery
from services.alerts.reach.states import ReceiverState
from services.alerts.tables import NotificationRow
from shared.facts import Severity, Subject
from shared.masking import masked_deep, masked_text


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class SummaryView(View):
    en: str
    zh: str


class HeldView(View):
    """What keeps people from being told."""

    by: Literal["silence", "maintenance", "incident"]
    number: int = Field(description="Of the silence, or of the incident that this one follows from")
    until: datetime | None = Field(None, description="When the silence ends; wall clock")

    @classmethod
    def of(cls, one: Incident, until: datetime | None = None) -> HeldView | None:
        if not one.held or one.state == "resolved":
            return None
        kind, _, number = one.held.partition(" ")
        return cls.model_validate({"by": kind, "number": int(number), "until": until})


class ComingView(View):
    """What people are told next."""

    reason: str = Field(description="As in notifications")
    at: datetime = Field(description="Wall clock")
    receivers: list[str]


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
    open_since: datetime = Field(description="Of this opening, by a flag or a person; wall clock")
    changed_at: datetime
    acknowledged_at: datetime | None
    owner: str = Field(description="Who acknowledged it")
    resolved_at: datetime | None
    resolver: str
    cause: str
    recheck_on: date | None
    flags: int = Field(description="How many flags it holds")
    openings: int = Field(description="How often a flag opened it: 1, and 1 for each return")
    held: HeldView | None = Field(
        None, description="What keeps people from being told; null: nothing, or it is resolved"
    )
    next: ComingView | None = Field(None, description="Whom it is told to next if nobody does anything; null: nobody")
    actions_open: int = Field(0, description="Actions that are not done")
    actions_overdue: int = Field(0, description="Of those, whose day is over at the site")
    recheck_due: bool = Field(False, description="The day of its re-check has come, and nobody has said how it went")
    urgency: int = Field(0, description="Lower comes first in order=urgency; of equal ones the lower number")
    version: int = Field(description="Grows with each change; an older one never replaces a newer one")

    @classmethod
    def of(cls, one: Incident) -> IncidentView:
        same = {name: getattr(one, name) for name in _INCIDENT_FIELDS}
        return cls(
            held=HeldView.of(one),
            actions_open=sum(action.done_at is None for action in one.actions),
            urgency=urgency(one),
            summary=SummaryView(en=one.summary_en, zh=one.summary_zh),
            version=one.entries,
            **same,
        )

    def masked(self) -> IncidentView:
        """Without the numbers that somebody typed."""
        return self.model_copy(update={"cause": masked_text(self.cause)})


_COMPUTED = ("summary", "version", "held", "next", "actions_open", "actions_overdue", "recheck_due", "urgency")
_INCIDENT_FIELDS = tuple(n for n in IncidentView.model_fields if n not in _COMPUTED)


class ActionView(View):
    """What somebody is still to do, or did."""

    id: int = Field(description="Counts within the incident")
    text: str
    owner: str
    due_on: date | None
    done_at: datetime | None = Field(description="Wall clock, as every *_at; null: it is still to do")
    done_by: str
    created_at: datetime
    created_by: str
    overdue: bool = Field(description="Its day is over at the site, and it is not done")

    @classmethod
    def of(cls, one: FollowUp, today: date) -> ActionView:
        names = ("text", "owner", "due_on", "done_at", "done_by", "created_at", "created_by")
        return cls(id=one.number, overdue=one.overdue(today), **{name: getattr(one, name) for name in names})

    def masked(self) -> ActionView:
        """Without the numbers that somebody typed."""
        return self.model_copy(update={"text": masked_text(self.text)})


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


class PageView(View):
    """A page of a list."""

    incidents: list[IncidentView]
    counts: dict[State, int] = Field(description="How many fit the other filters, by state")
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last")


class RefusedView(View):
    number: int
    status: int = Field(description="As if it had been asked alone")
    why: str


class DoneView(View):
    """What became of something that was done to several incidents."""

    done: list[IncidentView]
    refused: list[RefusedView]


class ChannelStateView(View):
    label: str = Field(description="Kind and host, without secrets")
    state: Literal["ok", "failing", "dead"]
    since: datetime | None = Field(description="Since when it fails, or is dead; null: it works")


class ReceiverStateView(View):
    """How a receiver fares: as well as its worst channel."""

    name: str
    state: Literal["ok", "failing", "dead"] = Field(description="failing: tried again; dead: given up, others are told")
    since: datetime | None
    channels: list[ChannelStateView]
    then: str = Field(description="Who is told instead when it is dead; empty: nobody")

    @classmethod
    def of(cls, one: ReceiverState) -> ReceiverStateView:
        return cls.model_validate(msgspec.to_builtins(one))


class StatusView(View):
    """Whether flags arrive."""

    state: LinkState
    since: datetime = Field(description="Wall clock")
    reason: str
    channels: list[str] = Field(description="Where notifications go; empty: nowhere, incidents are only on the page")
    receivers: list[ReceiverStateView]
    file_error: str = Field(description="Why the changed alert file is not in force; empty: it is")
    now: datetime = Field(description="Wall clock of the service")

    @classmethod
    def of(cls, status: LinkStatus, in_force: InForce, now: datetime, receivers: Iterable[ReceiverState]) -> StatusView:
        return cls(
            state=status.state,
            since=status.since,
            reason=status.reason,
            channels=in_force.channels.labels,
            receivers=[ReceiverStateView.of(one) for one in receivers],
            file_error=in_force.file_error,
            now=now,
        )


def entry_view(entry: Entry) -> EntryView:
    return EntryView(**{name: getattr(entry, name) for name in EntryView.model_fields})
