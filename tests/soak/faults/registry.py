"""Where faults are kept by name. Each breaks something and says when it was whole again, as far as we have a hand in it.

    @fault("kill_ingest", "kill -9 of ingest")
    async def kill_ingest(stage: Stage, chance: Random) -> None: ...

When the function returns, nothing of ours stands in the way any more; from then on it is measured how long it takes until
everything is right. `only`: what a soak must have to bear it: a broker ("embedded", "kafka"), a database ("sqlite", "postgres"),
or a "small disk" below the databases.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.soak.stage import Stage

Break = Callable[[Stage, Random], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """`what`: in words, for the table."""

    name: str
    what: str
    strike: Break
    only: str = ""


FAULTS: Final[dict[str, Fault]] = {}


def fault(name: str, what: str, *, only: str = "") -> Callable[[Break], Break]:
    """Put a fault into the registry."""

    def keep(strike: Break) -> Break:
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, what, strike, only)
        return strike

    return keep


def possible(having: Collection[str]) -> dict[str, Fault]:
    """Those that a soak can bear that has this broker, this database, and a small disk or none."""
    return {name: one for name, one in FAULTS.items() if one.only in ("", *having)}
