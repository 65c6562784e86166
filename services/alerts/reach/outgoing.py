"""What a channel is given to send: the text for people, and the facts for programs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from services.alerts.core.course import Coming
from services.alerts.core.incident import Condition, State
from services.alerts.core.sending import Form
from services.alerts.reach.message import Message
from shared.facts import Severity, Subject

Kind = Literal["single", "bundle", "report", "test"]


class Told(Struct, frozen=True, kw_only=True):
    """An incident as a message tells of it: what of it people and programs are told, and why now."""

    number: int
    telling: int
    reason: str
    site: str
    rule: str
    subject: Subject
    subject_id: str
    severity: Severity
    state: State
    condition: Condition
    simulated: bool
    replay: bool
    summary_en: str
    summary_zh: str
    labels: dict[str, str]
    started: datetime  # the switch's clock
    opened_at: datetime
    resolved_at: datetime | None
    owner: str
    flags: int
    next: Coming | None = None  # whom it is told to if nobody acknowledges; not said of one among many


class Outgoing(Struct, frozen=True, kw_only=True):
    """One message to one channel. `key`: the same for each copy of it. `again`: a copy may have been sent before."""

    key: str
    kind: Kind
    receiver: str
    severity: Severity
    form: Form
    message: Message
    told: tuple[Told, ...]
    instead_of: str
    again: bool
    at: datetime


class Answer(Struct, frozen=True):
    """How one attempt ended, with what the other side said about a failure, and when it asked to be tried again.

    `maybe`: it failed, and has perhaps arrived all the same: everything was handed over, and no answer came. What is sent after
    it may be a second copy.
    """

    ok: bool
    text: str
    retry_after: timedelta | None = None
    maybe: bool = False
