"""Whether flags arrive and how the receivers fare, as the API and the feed give it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from pydantic import Field

from services.alerts.alertfile.live import InForce
from services.alerts.api.views import TextView, View
from services.alerts.link import LinkState, LinkStatus
from services.alerts.reach.states import ReceiverState


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
    file_error: TextView | None = Field(
        description="Why the changed alert file is not in force, with file, line and key; null: it is"
    )
    now: datetime = Field(description="Wall clock of the service")

    @classmethod
    def of(cls, status: LinkStatus, in_force: InForce, now: datetime, receivers: Iterable[ReceiverState]) -> StatusView:
        return cls(
            state=status.state,
            since=status.since,
            reason=status.reason,
            channels=in_force.channels.labels,
            receivers=[ReceiverStateView.of(one) for one in receivers],
            file_error=TextView.of(in_force.file_error) if in_force.file_error else None,
            now=now,
        )
