"""The feed's messages, as JSON text over WebSocket, all of them from the server.

`hello` comes first. A page then asks the API for its list and keeps it by what follows: an `incident` replaces the one of
the same number unless its version is older; after `resync` the list is to be asked for anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.alerts.api.statusviews import StatusView
from services.alerts.api.views import IncidentView
from shared.frames import Frame, frame_of


class Message(BaseModel):
    """One text frame."""

    model_config = ConfigDict(frozen=True)

    def frame(self) -> Frame:
        """As it is sent."""
        return frame_of(self.model_dump_json().encode())


class Hello(Message):
    """The first message: whether flags arrive, and the service's time."""

    type: Literal["hello"] = "hello"
    version: Literal[1] = Field(
        default=1, description="Of the feed; what is there does not change its meaning within one"
    )
    status: StatusView
    now: datetime = Field(description="Wall clock of the service")


class Status(Message):
    """Whether flags arrive, and where notifications go, has changed."""

    type: Literal["status"] = "status"
    status: StatusView


class IncidentChanged(Message):
    """An incident as it stands now, new or changed; what changes within 50 ms is one message.

    Numbers that people typed are masked."""

    type: Literal["incident"] = "incident"
    incident: IncidentView


class SilencesChanged(Message):
    """Silences or maintenance windows have changed: ask for them anew."""

    type: Literal["silences"] = "silences"


class Resync(Message):
    """This reader was too slow and missed changes: ask for the list anew."""

    type: Literal["resync"] = "resync"


class Beat(Message):
    """Each second: the line lives. Who hears nothing for three seconds is disconnected."""

    type: Literal["beat"] = "beat"
    now: datetime = Field(description="Wall clock of the service")


ServerMessage = Hello | Status | IncidentChanged | SilencesChanged | Resync | Beat

# Close codes as those of the monitor's feed: 4000-4499 do not come back, 4500-4999 do.
BAD_MESSAGE: Final = 4400
NOT_AUTHENTICATED: Final = 4401
NOT_ALLOWED: Final = 4403
GOING_AWAY: Final = 4501
TOO_SLOW: Final = 4503
PROVIDER_AWAY: Final = 4504
TOO_MANY_CONNECTIONS: Final = 4508
AUTHORISATION_CHANGED: Final = 4511


def comes_back(code: int) -> bool:
    """Whether a client that was closed with `code` shall reconnect by itself."""
    return code >= 4500
