"""Silences as the API gives them. All times are the wall clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from services.alerts.api.views import IncidentView, View
from services.alerts.core.labels import Matcher
from services.alerts.core.silences import Kind, Silence, Standing
from services.alerts.silences.preview import DAYS, Preview
from services.alerts.silences.tables import SilenceEventRow
from shared.masking import masked_text


class MatcherView(View):
    label: str
    values: list[str] = Field(description="* and ? stand for any characters; empty text: without that label")
    negated: bool = Field(description="All but these")

    @classmethod
    def all(cls, matchers: Iterable[Matcher]) -> list[MatcherView]:
        return [cls(label=one.label, values=list(one.values), negated=one.negated) for one in matchers]


class SilenceView(View):
    """A silence, or a maintenance window, which is the same by another name."""

    id: int
    kind: Kind
    standing: Standing
    matchers: list[MatcherView] = Field(description="All of them must fit")
    reason: str
    by: str
    created_at: datetime
    starts: datetime
    ends: datetime
    ended_by: str = Field(description="Who ended it early; `ends` is when")
    may_end: bool = Field(description="Whether you may end it: you see all that it can hold")

    @classmethod
    def of(cls, one: Silence, now: datetime, may_end: bool) -> Self:
        return cls.model_validate(_values(one, now, may_end))

    def masked(self) -> Self:
        """Without the numbers that somebody typed."""
        return self.model_copy(update={"reason": masked_text(self.reason)})


class SilenceEventView(View):
    at: datetime
    kind: Literal["made", "ended"] = Field(description="ended: by a person, early")
    by: str
    data: dict[str, Any]


class SilenceDetailView(SilenceView):
    """With what people did to it, oldest first."""

    events: list[SilenceEventView]

    @classmethod
    def made(cls, one: Silence, now: datetime, may_end: bool, events: Sequence[SilenceEventRow]) -> SilenceDetailView:
        rows = [{"at": row.at, "kind": row.kind, "by": row.by, "data": row.data} for row in events]
        return cls.model_validate(_values(one, now, may_end) | {"events": rows})


class SilencePageView(View):
    """A page of silences, newest first."""

    silences: list[SilenceView]
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last")


class RuleCountView(View):
    rule: str
    incidents: int
    notifications: int


class LastDaysView(View):
    """What a silence in force for the last days would have held."""

    days: int
    incidents: int
    notifications: int = Field(description="How often people would not have been told")
    by_rule: list[RuleCountView] = Field(description="Most incidents first")
    whole: bool = Field(description="false: there were more incidents than are compared, the figures are too low")


class PreviewView(View):
    matchers: list[MatcherView] = Field(description="As it would be made, with those that your scope adds")
    incidents: list[IncidentView] = Field(description="What it would hold now, most urgent first, at most 200")
    held_now: int = Field(description="How many in all")
    last_days: LastDaysView

    @classmethod
    def of(cls, one: Preview, matchers: Iterable[Matcher], incidents: list[IncidentView]) -> PreviewView:
        past = one.past
        return cls(
            matchers=MatcherView.all(matchers),
            incidents=incidents,
            held_now=one.held_now,
            last_days=LastDaysView(
                days=DAYS,
                incidents=past.incidents,
                notifications=past.notifications,
                by_rule=[
                    RuleCountView(rule=r.rule, incidents=r.incidents, notifications=r.notifications)
                    for r in past.by_rule
                ],
                whole=past.whole,
            ),
        )


def _values(one: Silence, now: datetime, may_end: bool) -> dict[str, Any]:
    names = ("id", "kind", "reason", "by", "created_at", "starts", "ends", "ended_by")
    return {name: getattr(one, name) for name in names} | {
        "standing": one.standing(now),
        "matchers": MatcherView.all(one.matchers),
        "may_end": may_end and one.standing(now) != "over",
    }
