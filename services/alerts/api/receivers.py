"""What was sent to whom, and tests of receivers, by HTTP. Docstrings are the documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from services.alerts.api.detailviews import AttemptView
from services.alerts.api.parts import AWAY, Actor, Alerts, Body, Name, Reader, Words, by
from services.alerts.api.views import TextView, View
from services.alerts.reach.listing import Listed, messages
from shared.apidoc import problem
from shared.apiparts import NO_ZERO_BYTE, Cursor, Limit, before_of, next_of
from shared.facts import Severity
from shared.problems import Problem

MessageState = Literal["waiting", "sent", "failed", "withheld"]

router = APIRouter(prefix="/api/v1", tags=["notifications"])


class AboutView(View):
    """An incident that a message tells of."""

    number: int
    telling: int = Field(description="The how manieth time that people are told of it")
    reason: str
    severity: Severity
    summary: TextView


class MessageView(View):
    """One message to one channel of a receiver."""

    id: int
    kind: Literal["single", "bundle", "report", "test"] = Field(description="bundle: of several incidents, in a storm")
    receiver: str
    instead_of: str = Field(description="The receiver that could not be reached; empty: none")
    channel: str = Field(description="Kind and host, without secrets")
    severity: Severity
    state: MessageState
    title: str
    created_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None
    maybe_before: bool = Field(description="An earlier attempt has no answer and may have arrived, too")
    answer: str
    bundled: int = Field(description="How many notifications it carries; 0: it is about no incident")
    reason: str = Field(description="Of the first of them; else the kind")
    incidents: list[int] = Field(description="The numbers of the first of them, at most five")
    about: list[AboutView] = Field(description="The same, with what is told of them")
    attempts: list[AttemptView]

    @classmethod
    def of(cls, one: Listed) -> MessageView:
        row = one.row
        same = (
            "id kind receiver instead_of channel severity state title created_at finished_at answer".split()  # noqa: SIM905
        )
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in same},
                "next_attempt_at": row.due_at,
                "maybe_before": row.doubtful,
                "bundled": row.notices,
                "reason": one.about[0].reason if one.about else row.kind,
                "incidents": [about.number for about in one.about],
                "about": [
                    AboutView(
                        number=about.number,
                        telling=about.telling,
                        reason=about.reason,
                        severity=about.severity,  # type: ignore[arg-type]  # checked as it is read
                        summary=TextView(en=about.summary_en, zh=about.summary_zh),
                    )
                    for about in one.about
                ],
                "attempts": [
                    AttemptView(at=a.at, took_s=a.took_s, ok=a.ok, answer=a.answer) for a in one.delivery.attempts
                ],
            }
        )


class MessagesView(View):
    """A page of messages, newest first."""

    notifications: list[MessageView]
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last")


class TestBody(Body):
    by: Name = Field(description="Who asks; whoever signed in does it in their own name", examples=["Li Wei"])


class TestedView(View):
    channel: str
    at: datetime
    took_s: float
    ok: bool
    answer: str


class TestView(View):
    """What became of a test; without channels there is nothing in it."""

    receiver: str
    attempts: list[TestedView]


@router.get("/notifications", responses=AWAY | problem(400, "`cursor` is not one that this service gave"))
async def list_notifications(
    who: Reader,
    alerts: Alerts,
    receiver: Words = "",
    state: Annotated[list[MessageState] | None, Query(description="May be given several times")] = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> MessagesView:
    """The messages that were sent or wait, newest first, each with what it is about and the attempts to send it."""
    before = before_of(cursor)
    async with alerts.database.reading() as session:
        found = await messages(
            session, scope=who.scope, receiver=receiver, states=state or (), before=before, limit=limit + 1
        )
    page = found[:limit]
    return MessagesView(
        notifications=[MessageView.of(one) for one in page],
        next_cursor=next_of(page[-1].row.id) if len(found) > limit else None,
    )


@router.post("/receivers/{name}/test", responses=AWAY | problem(404, "no such receiver"))
async def test_receiver(
    who: Actor,
    alerts: Alerts,
    name: Annotated[str, Path(max_length=200, pattern=NO_ZERO_BYTE)],
    body: TestBody,
) -> TestView:
    """Send a message that says that it is a test to every channel of a receiver, now and once; what they answered."""
    found = await alerts.reach.trials.test(name, by(who, body))
    if found is None:
        raise Problem(404, f"there is no receiver {name}")
    return TestView(
        receiver=name,
        attempts=[TestedView(channel=a.channel, at=a.at, took_s=a.took_s, ok=a.ok, answer=a.answer) for a in found],
    )
