"""What the desk answers, as JSON. Times named after something of the floor are the switch's clock, those in `_at` ours."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from services.monitor.core.views import TransferView
from shared.masking import masked_deep, masked_text

CaseStatus = Literal["open", "closed"]
Effect = Literal["measured", "no_data"]


class CaseChange(Struct, frozen=True, kw_only=True):
    """One step in a case's history. `changes`: field -> [before, after]; of the first step before is null."""

    version: int
    at: datetime
    by: str
    by_name: str
    changes: dict[str, tuple[Any, ...]]


class Case(Struct, frozen=True, kw_only=True):
    """What somebody found out about a transfer. `version` is what the next change must name. `history` is null in lists."""

    site: str
    transfer_id: str
    status: CaseStatus
    reason: str  # a code of /api/v1/transfer-reasons; "" while it is not known
    note: str
    follow_up: str  # what is to be done, and by whom
    follow_up_on: date | None
    version: int
    opened_at: datetime
    opened_by: str
    changed_at: datetime
    changed_by: str
    history: tuple[CaseChange, ...] | None = None

    def masked(self) -> Case:
        """Without the numbers that somebody typed."""
        history = self.history and tuple(
            msgspec.structs.replace(one, changes=masked_deep(one.changes)) for one in self.history
        )
        words = {"note": masked_text(self.note), "follow_up": masked_text(self.follow_up)}
        return msgspec.structs.replace(self, history=history, **words)


class FinishedTransfer(TransferView, frozen=True, kw_only=True):
    """A transfer as the board shows it, with the names of its agents and its case. `slow` also judges one that failed, by
    how long it took until then."""

    from_name: str = ""
    to_name: str = ""
    case: Case | None = None


class TransfersPage(Struct, frozen=True, kw_only=True):
    """Some of the transfers that fit. `next`: the cursor of the ones after these, null at the end."""

    transfers: tuple[FinishedTransfer, ...]
    next: str | None


class ReasonView(Struct, frozen=True, kw_only=True):
    """Why a transfer was as it was, to choose from."""

    code: str
    label_en: str
    label_zh: str


class FinishedCall(Struct, frozen=True, kw_only=True):
    """A conversation of an agent: a visit of a call to a queue, or a call that never queued. Seconds; null: never came to it."""

    call_id: str
    direction: str
    queue: str
    outcome: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    waited_s: float
    talk_s: float | None
    hold_s: float | None
    from_number: str  # masked


class AgentCalls(Struct, frozen=True, kw_only=True):
    """An agent's last conversations, newest first."""

    calls: tuple[FinishedCall, ...]


class Numbers(Struct, frozen=True, kw_only=True):
    """The numbers of a call in full; "" where the switch did not tell."""

    from_number: str
    to_number: str


class Reveal(Struct, frozen=True, kw_only=True):
    """Somebody saw the numbers of a call. They are masked here."""

    id: int
    at: datetime
    by: str
    by_name: str
    site: str
    call_id: str
    transfer_id: str
    purpose: str
    from_number: str
    to_number: str


class RevealsPage(Struct, frozen=True, kw_only=True):
    """Some of the reveals, newest first. `next`: the cursor of the ones before these, null at the end."""

    reveals: tuple[Reveal, ...]
    next: str | None
