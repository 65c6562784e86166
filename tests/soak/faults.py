"""What is broken on purpose, by name. Each breaks something and says when it was whole again, as far as we have a hand in it.

    @fault("kill_ingest", "kill -9 of ingest")
    async def kill_ingest(stage: Stage, chance: Random) -> None: ...

When the function returns, nothing of ours stands in the way any more; from then on, or from `stage.lifted` if that is set, it is
measured how long it takes until everything is right. `only`: the brokers ("embedded", "kafka") that can bear it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.soak.stage import Stage

Break = Callable[[Stage, Random], Awaitable[None]]

PROCESSES: Final = {
    "ingest": ("ingest",),
    "monitor_a": ("monitor-a",),
    "monitor_b": ("monitor-b",),
    "monitors": ("monitor-a", "monitor-b"),
    "relay": ("relay",),
    "alerts": ("alerts",),
    "all": ("ingest", "monitor-a", "monitor-b", "relay", "alerts"),
}


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


def possible(kind: str) -> dict[str, Fault]:
    """Those that this kind of broker can bear."""
    return {name: one for name, one in FAULTS.items() if one.only in ("", kind)}


def _of_processes(label: str, names: tuple[str, ...]) -> None:
    them = " and ".join(names) if len(names) < 3 else "every service"

    @fault(f"kill_{label}", f"kill -9 of {them}")
    async def kill(stage: Stage, chance: Random) -> None:
        await stage.kill(names)
        await stage.spawn(names)

    @fault(f"pause_{label}", f"SIGSTOP of {them} for 3 to 6 s")
    async def pause(stage: Stage, chance: Random) -> None:
        for name in names:
            stage.services[name].pause()
        try:
            await asyncio.sleep(chance.uniform(3, 6))
        finally:
            for name in names:
                stage.services[name].go_on()

    @fault(f"restart_{label}", f"SIGTERM of {them}, and started again")
    async def restart(stage: Stage, chance: Random) -> None:
        await asyncio.gather(*(stage.services[name].stop() for name in names))
        await stage.spawn(names)


for _label, _names in PROCESSES.items():
    _of_processes(_label, _names)


@fault("pause_broker", "the broker takes connections and answers nothing for 3 to 8 s")
async def pause_broker(stage: Stage, chance: Random) -> None:
    stage.broker.pause()
    try:
        await asyncio.sleep(chance.uniform(3, 8))
    finally:
        stage.broker.go_on()


@fault("kill_broker", "kill -9 of the broker, and started again at once", only="kafka")
async def kill_broker(stage: Stage, chance: Random) -> None:
    stage.broker.kill()
    await asyncio.to_thread(stage.broker.start)


@fault("broker_away", "kill -9 of the broker, started again after 8 to 15 s", only="kafka")
async def broker_away(stage: Stage, chance: Random) -> None:
    stage.broker.kill()
    await asyncio.sleep(chance.uniform(8, 15))
    await asyncio.to_thread(stage.broker.start)
