"""A receiver that cannot be reached is an incident of its own, told to others (`core.sending.who_hears`)."""

from __future__ import annotations

from datetime import datetime

from services.alerts.core.incident import Flag
from services.alerts.core.own import own_flag
from services.alerts.desk import Desk
from services.alerts.reach.outbox import RECEIVER_DEAD
from services.alerts.reach.states import ReceiverState, ReceiverStates


async def tell_of_the_dead(desk: Desk, states: ReceiverStates, now: datetime) -> None:
    """Raise and clear flags as receivers fare now. Done twice, by whomever, it does nothing. Raises StoreError.

    What stands is asked before how they fare: what another instance says meanwhile is newer than what we saw.
    """
    standing = {flag.subject_id: flag for flag in await desk.own_flags((RECEIVER_DEAD,))}
    await states.refresh()
    dead = {one.name: one for one in states.all() if one.state == "dead"}
    new = [_flag(one, now) for name, one in dead.items() if name not in standing]
    over = [flag.cleared(now) for name, flag in standing.items() if name not in dead]
    if new:
        await desk.raise_own(new)
    if over:
        await desk.clear_own(over)


def _flag(one: ReceiverState, now: datetime) -> Flag:
    """`now` is in its id: who was taken out of the alert file and is there again, still dead, is said to be so again."""
    since = one.since
    assert since is not None, "what is dead is so since some time"
    channels = [found for found in one.channels if found.state == "dead"]
    labels = ", ".join(found.label for found in channels)
    return own_flag(
        RECEIVER_DEAD,
        subject_id=one.name,
        started=since,
        raised=max(since, now),
        summary_en=f"The receiver {one.name} cannot be reached by {labels}",
        summary_zh=f"接收方 {one.name} 无法通过 {labels} 联系",
        labels={"receiver": one.name},
        evidence={"channels": {found.label: found.answer for found in channels}, "then": one.then},
    )
