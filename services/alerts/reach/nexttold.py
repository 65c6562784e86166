"""Who is told next if nobody acknowledges, as a message says it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from services.alerts.reach.outgoing import Told
from services.alerts.text import Text


class NextTold(Struct, frozen=True):
    """`reason` as of a telling; `at`: a time for people where the site is; `who`: receivers, several with commas."""

    reason: str
    at: str
    who: str
    several: bool = False


def next_told(it: Told, text: Text, now: datetime | None) -> NextTold | None:
    """None: nobody, or it is not known. `now`: when the message is written, so that today needs no date."""
    if it.next is None:
        return None
    receivers = it.next.receivers
    return NextTold(it.next.reason, text.moment(it.next.at, it.site, now), ", ".join(receivers), len(receivers) > 1)
