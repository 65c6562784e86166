"""What the tests of transfers share: a floor with three agents, and the stamps of the one transfer on it."""

from __future__ import annotations

from shared import events
from tests.asteriskkit import Chan, Pbx


def floor() -> Pbx:
    """Agents 1001, 1002 and 1003 in sales."""
    pbx = Pbx()
    for agent in ("1001", "1002", "1003"):
        pbx.member(agent, "sales")
    return pbx


def talking(pbx: Pbx) -> tuple[Chan, Chan, str]:
    """A customer with 1001 since 10 s."""
    return pbx.at(10).queue_call("sales", "1001")


def times(pbx: Pbx) -> dict[str, float]:
    kinds = ("Requested", "Ringing", "Answered", "Bridged", "Released", "Ended")
    found = {kind: pbx.when(getattr(events, f"Transfer{kind}")) for kind in kinds}
    found["Requested"] = found["Requested"][:1]  # told again when the target is known
    assert all(len(times) <= 1 for times in found.values()), found
    return {kind.lower(): round(times[0], 2) for kind, times in found.items() if times}
