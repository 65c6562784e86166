"""Processes killed, paused and restarted: those of Floorwatch, and the broker."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from tests.soak.faults.registry import fault
from tests.soak.stage import NAMES, Stage

PROCESSES: Final = {
    "ingest": ("ingest",),
    "monitor_a": ("monitor-a",),
    "monitor_b": ("monitor-b",),
    "monitors": ("monitor-a", "monitor-b"),
    "relay": ("relay",),
    "alerts": ("alerts",),
    "all": NAMES,
}


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
